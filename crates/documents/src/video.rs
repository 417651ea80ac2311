//! A video's container: whether its parts are all there, by their headers. What is in the parts is never looked at.

use crate::kind::Kind;
use domain::Invalid;

/// Goes from header to header and skips what is between, in chunks of any size.
///
/// - MP4: boxes to the end of the file, `moov` (without it nothing can play) and `mdat` among them. A recording that broke off
///   has no `moov`.
/// - AVI: the `RIFF` form as long as it says, with the header list `hdrl` first.
/// - FLV: tags to the end of the file, one of them video.
pub(crate) struct Walk {
    container: Container,
    total: Option<u64>,
    /// Bytes passed, headers included.
    at: u64,
    skip: u64,
    head: Vec<u8>,
    need: usize,
    index: bool,
    content: bool,
    /// What follows belongs to no part and is not judged.
    open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Mp4,
    Avi,
    Flv,
}

/// What a header says comes after it.
enum Next {
    /// This many bytes, then a header.
    Skip(u64),
    /// The header itself goes on, up to this length.
    Longer(usize),
    /// Anything, to the end of the file.
    Rest,
    Damaged,
}

const BOX: usize = 8;
const BOX_64: usize = 16;
const AVI: usize = 24;
const FLV: usize = 9;
const TAG: usize = 11;
/// The length of the tag before, repeated after each tag.
const TAG_BACK: u64 = 4;

impl Walk {
    pub(crate) fn new(kind: Kind, total: Option<u64>) -> Self {
        let (container, need) = if kind == Kind::Avi {
            (Container::Avi, AVI)
        } else if kind == Kind::Flv {
            (Container::Flv, FLV)
        } else {
            (Container::Mp4, BOX)
        };
        let head = Vec::with_capacity(AVI);
        Self { container, total, at: 0, skip: 0, head, need, index: false, content: false, open: false }
    }

    pub(crate) fn feed(&mut self, mut chunk: &[u8]) -> Result<(), Invalid> {
        while !chunk.is_empty() && !self.open {
            let wanted = if self.skip > 0 { self.skip } else { (self.need - self.head.len()) as u64 };
            let taken = usize::try_from(wanted).unwrap_or(usize::MAX).min(chunk.len());
            let (part, rest) = chunk.split_at(taken);
            chunk = rest;
            self.at += taken as u64;
            if self.skip > 0 {
                self.skip -= taken as u64;
                continue;
            }
            self.head.extend_from_slice(part);
            if self.head.len() == self.need {
                self.follow()?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), Invalid> {
        let spare = self.open || self.container == Container::Mp4;
        let between = self.skip == 0 && (spare || self.head.is_empty());
        if self.ended() && between { Ok(()) } else { Err(truncated()) }
    }

    /// Whether all that a player needs was seen to its end, or announced to the end of the file.
    fn ended(&self) -> bool {
        self.index && self.content
    }

    fn follow(&mut self) -> Result<(), Invalid> {
        let head = std::mem::take(&mut self.head);
        let next = match self.container {
            Container::Mp4 => self.mp4(&head),
            Container::Avi => self.avi(&head),
            Container::Flv => self.flv(&head),
        };
        match next {
            Next::Skip(length) => {
                if self.total.is_some_and(|total| length > total.saturating_sub(self.at)) {
                    return Err(truncated());
                }
                self.skip = length;
            }
            Next::Longer(need) => (self.head, self.need) = (head, need),
            Next::Rest => self.open = true,
            // Some cameras leave notes of their own behind a complete video.
            Next::Damaged if self.container == Container::Mp4 && self.ended() => self.open = true,
            Next::Damaged => return Err(damaged()),
        }
        Ok(())
    }

    fn mp4(&mut self, head: &[u8]) -> Next {
        let header = head.len();
        self.need = BOX;
        let (Some(short), Some(name)) = (number(head, 0..4), head.get(4..BOX)) else { return Next::Damaged };
        if !name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            return Next::Damaged;
        }
        let length = match (short, header) {
            (0, _) => None,
            (1, BOX) => return Next::Longer(BOX_64),
            (1, _) => number(head, BOX..BOX_64),
            _ => Some(short),
        };
        let body = length.map(|length| length.checked_sub(header as u64));
        self.index |= name == b"moov" && body != Some(Some(0));
        self.content |= name == b"mdat";
        match body {
            None => Next::Rest,
            Some(Some(body)) => Next::Skip(body),
            Some(None) => Next::Damaged,
        }
    }

    fn avi(&mut self, head: &[u8]) -> Next {
        if self.index {
            return Next::Rest;
        }
        let length =
            head.get(4..8).map_or(0, |bytes| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        if head.get(12..16) != Some(b"LIST") || head.get(20..24) != Some(b"hdrl") {
            return Next::Damaged;
        }
        // Zero stands there until a recording is closed.
        let Some(rest) = (length + 8).checked_sub(AVI as u64).filter(|rest| *rest > 0) else {
            return Next::Skip(u64::MAX);
        };
        (self.index, self.content, self.need) = (true, true, 1);
        Next::Skip(rest)
    }

    fn flv(&mut self, head: &[u8]) -> Next {
        self.need = TAG;
        if !self.index {
            self.index = true;
            let header = number(head, 5..9).unwrap_or_default();
            return header.checked_sub(FLV as u64).map_or(Next::Damaged, |more| Next::Skip(more + TAG_BACK));
        }
        let (Some(first), Some(length)) = (head.first(), number(head, 1..4)) else { return Next::Damaged };
        // Sound, video and notes; the bit above says that a tag is encrypted.
        let tag = first & 0x1f;
        self.content |= tag == 9;
        if [8, 9, 18].contains(&tag) { Next::Skip(length + TAG_BACK) } else { Next::Damaged }
    }
}

/// Most significant byte first.
fn number(bytes: &[u8], place: std::ops::Range<usize>) -> Option<u64> {
    Some(bytes.get(place)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn truncated() -> Invalid {
    Invalid::new(
        "video_truncated",
        "the video is cut off: record or copy it again and upload the whole file",
        "视频不完整：请重新录制或复制后上传完整文件",
    )
}

fn damaged() -> Invalid {
    Invalid::new(
        "video_damaged",
        "the video file is damaged: record or copy it again",
        "视频文件已损坏：请重新录制或复制后上传",
    )
}
