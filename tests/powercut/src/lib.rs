//! A disk that loses what was not synced, as an SQLite VFS: so that a power cut is something a test can do a thousand times.
//!
//! `kill -9` leaves the page cache, and so proves nothing about `fsync`. Here every file has two images: what the program reads back
//! (memory), and what the platter holds (disk). Only `xSync` moves one to the other. At a chosen I/O the power fails: every later I/O
//! errs, and each un-synced write is lost, kept, or torn at 512 bytes (testing.md §5). The product's store runs unchanged on top:
//! `sqlite://PATH?vfs=NAME`, with its own pragmas and its own pool, because shared memory (`xShm*`) is there too.
//!
//! - [`disk`]: the two images, the power, the faults, the lies; safe code.
//! - [`locks`], [`shared`]: what SQLite's connections use to keep out of each other's way; safe code.
//! - `vfs`: the C functions; the only `unsafe` of the repository.

pub mod disk;
pub mod locks;
pub mod shared;
#[expect(unsafe_code, reason = "SQLite calls a VFS through C function pointers")]
mod vfs;

pub use disk::{Counts, Disk, Faults, Lie};
pub use vfs::{ask, register};
