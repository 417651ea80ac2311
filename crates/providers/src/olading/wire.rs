//! The eleven requests, their answers and the callbacks, field by field as printed in 000 §2.

mod requests;
mod answers;

pub use answers::*;
pub use requests::*;

#[cfg(test)]
mod tests;
