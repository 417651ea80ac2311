//! What people upload: checked by content, and brought to a provider's limit.
//!
//! Bytes in, a verdict or other bytes out: no I/O, no clock, no provider's word. A file's name and its declared type are never
//! asked. Whoever uploads hears what was found and what to do ([`domain::Invalid`], English and Chinese); what would become
//! illegible is for a person ([`TooFine`]).
//!
//! - [`inspect`]: a picture, a PDF or a video, whole in memory.
//! - [`Sniffer`]: the same in chunks; of a video it keeps a few bytes only.
//! - [`fit()`]: a picture upright, without metadata, no larger than the provider takes, still legible.

mod kind;
mod inspect;
mod sniffer;
mod picture;
mod jpeg;
mod png;
mod pdf;
mod video;
mod raster;
mod text;
mod fit;

pub use fit::{Basis, Fitted, Floor, Limit, TooFine, Unfit, fit};
pub use inspect::{Accept, Family, Inspected, inspect};
pub use kind::Kind;
pub use picture::{DECODED_MAX, SIDE_MAX};
pub use sniffer::Sniffer;
pub use text::TextHeight;
