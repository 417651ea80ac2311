//! What is taken, what is refused and with which words, and what a picture becomes. Every file here is drawn or written by the
//! tests themselves.

mod samples;
mod kinds;
mod pictures;
mod pdfs;
mod videos;
mod fitting;
mod anything;
