//! A file checked while it arrives.

use crate::inspect::{Accept, Family, Inspected, inspect};
use crate::kind::{HEAD, Kind};
use crate::video::Walk;
use crate::{pdf, picture};
use domain::Invalid;

/// Takes a file in chunks of any size, refuses as soon as a refusal is certain, and says the same as [`inspect`](crate::inspect)
/// of the whole.
///
/// Of a video it keeps a few bytes, so the caller may store the chunks as they pass; pictures and PDFs it must keep whole, within
/// their bounds. With the `total` announced, a video that is too large, or whose container says that it is cut off, is refused by
/// its first bytes.
pub struct Sniffer {
    accept: Accept,
    total: Option<u64>,
    seen: u64,
    stage: Stage,
}

enum Stage {
    /// Too few bytes yet to tell.
    Head(Vec<u8>),
    Picture(Kind, Vec<u8>),
    Pdf(Vec<u8>),
    Video(Kind, Walk),
    Refused(Invalid),
}

impl Sniffer {
    /// `total` is how many bytes will come, where somebody said so.
    pub fn new(accept: Accept, total: Option<u64>) -> Self {
        Self { accept, total, seen: 0, stage: Stage::Head(Vec::with_capacity(HEAD)) }
    }

    /// What it is, once enough came to tell.
    pub fn kind(&self) -> Option<Kind> {
        match &self.stage {
            Stage::Picture(kind, _) | Stage::Video(kind, _) => Some(*kind),
            Stage::Pdf(_) => Some(Kind::Pdf),
            Stage::Head(_) | Stage::Refused(_) => None,
        }
    }

    /// The next chunk. After a refusal it says the same again.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Invalid> {
        self.seen = self.seen.saturating_add(chunk.len() as u64);
        let fed = self.take(chunk);
        if let Err(refused) = &fed {
            self.stage = Stage::Refused(refused.clone());
        }
        fed
    }

    /// No more will come.
    pub fn finish(self) -> Result<Inspected, Invalid> {
        let broken_off = self.total.is_some_and(|total| total != self.seen);
        match self.stage {
            Stage::Refused(refused) => Err(refused),
            _ if broken_off => Err(incomplete()),
            Stage::Head(all) => inspect(&self.accept, &all),
            Stage::Picture(kind, bytes) => picture::check(kind, &bytes),
            Stage::Pdf(bytes) => pdf::check(&bytes),
            Stage::Video(kind, walk) => walk.finish().map(|()| Inspected::Video { kind }),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Invalid> {
        match &mut self.stage {
            Stage::Head(head) => {
                let (more, rest) = chunk.split_at(chunk.len().min(HEAD - head.len()));
                head.extend_from_slice(more);
                if head.len() < HEAD {
                    return Ok(());
                }
                let head = std::mem::take(head);
                self.recognise(&head)?;
                self.take(rest)
            }
            Stage::Picture(kind, bytes) => {
                self.accept.admit(*kind, self.seen)?;
                bytes.extend_from_slice(chunk);
                Ok(())
            }
            Stage::Pdf(bytes) => {
                self.accept.admit(Kind::Pdf, self.seen)?;
                bytes.extend_from_slice(chunk);
                Ok(())
            }
            Stage::Video(kind, walk) => {
                self.accept.admit(*kind, self.seen)?;
                walk.feed(chunk)
            }
            Stage::Refused(refused) => Err(refused.clone()),
        }
    }

    fn recognise(&mut self, head: &[u8]) -> Result<(), Invalid> {
        let kind = Kind::of(head);
        self.stage = match self.accept.admit(kind, self.total.unwrap_or(self.seen).max(self.seen))? {
            Family::Video => {
                let mut walk = Walk::new(kind, self.total);
                walk.feed(head)?;
                Stage::Video(kind, walk)
            }
            Family::Picture => Stage::Picture(kind, head.to_vec()),
            Family::Pdf => Stage::Pdf(head.to_vec()),
        };
        Ok(())
    }
}

fn incomplete() -> Invalid {
    Invalid::new("upload_incomplete", "the upload broke off: upload the file again", "上传未完成：请重新上传")
}
