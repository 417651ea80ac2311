//! A picture brought to a provider's limit: upright, without metadata, as large and fine as fits, and never below what can be read.

use crate::inspect::Accept;
use crate::kind::{HEAD, Kind};
use crate::picture;
use crate::raster::Raster;
use crate::text::{self, TextHeight};
use domain::Invalid;

/// What a provider takes, and what must stay readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most there may be, counted as `basis` says.
    pub bytes: u64,
    pub basis: Basis,
    pub floor: Floor,
}

/// What a provider counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The bytes of the file.
    Raw,
    /// The characters of its base64 text, padding included.
    Base64,
}

/// Below any of these a picture is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor {
    /// The least pixels along the longer side.
    pub long_edge: u32,
    /// The least JPEG quality (1 to 100).
    pub quality: u8,
    /// The least height of the smallest text, in pixels, as [`TextHeight`] estimates it. 0 where there is nothing to read (a
    /// shop front).
    pub text_height: u32,
}

/// The picture as it may be sent: always encoded anew, so nothing of the original but its pixels is in it. The colour profile goes
/// too; what remains is taken as sRGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    pub jpeg: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub quality: u8,
    /// Of the picture as it is now.
    pub text: TextHeight,
    /// Its length as the provider counts.
    pub counted: u64,
}

/// Why there is no such picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Not a picture, or one that cannot be opened: for whoever uploaded it.
    Refused(Invalid),
    /// It would not be legible: for a person to judge.
    TooFine(TooFine),
}

/// A picture in order that cannot be within the limit and above the floor. The codes: `picture_too_coarse` and `text_too_small`
/// (already as uploaded), `picture_too_fine` (once it fits).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooFine {
    pub invalid: Invalid,
    pub long_edge: u32,
    /// Of the picture as uploaded.
    pub text: TextHeight,
    /// How small it becomes at the floor, as the provider counts; `None` where no size was tried.
    pub counted_min: Option<u64>,
}

/// Pixels go before quality down to here; below it, quality goes only when the pixels are at the floor.
const COMFORTABLE: u8 = 80;
/// Nothing is seen beyond.
const QUALITY_MAX: u8 = 92;

/// A pure function: the same bytes and limit give the same result, on every machine.
///
/// Of all sizes the largest that fits at a comfortable quality, then the highest quality that fits at that size. Only where not even
/// the smallest legible size fits comfortably, the highest quality at that smallest size, down to the floor.
pub fn fit(bytes: &[u8], limit: &Limit) -> Result<Fitted, Unfit> {
    let kind = Kind::of(&bytes[..bytes.len().min(HEAD)]);
    Accept::picture(u64::MAX).admit(kind, bytes.len() as u64)?;
    let (pixels, orientation) = picture::decode(kind, bytes)?;
    let original = Raster::upright(pixels, orientation);
    let search = Search { text: text::estimate(&original)?, limit, original };
    let lowest = search.lowest_edge()?;
    let attempt = match search.largest(lowest)? {
        Some(comfortable) => search.finest(comfortable, QUALITY_MAX)?,
        None => search.at_the_floor(lowest)?,
    };
    Ok(search.fitted(attempt))
}

struct Search<'a> {
    original: Raster,
    text: TextHeight,
    limit: &'a Limit,
}

struct Attempt {
    long_edge: u32,
    quality: u8,
    jpeg: Vec<u8>,
}

impl Search<'_> {
    /// The smallest long edge at which everything is still above the floor.
    fn lowest_edge(&self) -> Result<u32, Unfit> {
        let (floor, long_edge) = (self.limit.floor, self.original.long_edge());
        if long_edge < floor.long_edge {
            return Err(self.too_fine(too_coarse(), None));
        }
        if self.text.px < floor.text_height {
            return Err(self.too_fine(text_too_small(), None));
        }
        let for_text = (u64::from(long_edge) * u64::from(floor.text_height)).div_ceil(u64::from(self.text.px.max(1)));
        Ok(floor.long_edge.max(u32::try_from(for_text).unwrap_or(long_edge)).clamp(1, long_edge))
    }

    /// The largest size that fits at a comfortable quality.
    fn largest(&self, lowest: u32) -> Result<Option<Attempt>, Unfit> {
        let rungs = self.rungs(lowest);
        let (mut from, mut to, mut best) = (0, rungs.len(), None);
        // Where bytes are plenty the first guess is the largest.
        let plenty = rungs.first().is_some_and(|edge| self.pixels(*edge) / 3 < self.bytes_max());
        let mut next = if plenty { 0 } else { to / 2 };
        while from < to {
            let attempt = self.attempt(rungs[next], self.comfortable())?;
            if self.fits(&attempt) {
                (best, to) = (Some(attempt), next);
            } else {
                from = next + 1;
            }
            next = from.midpoint(to);
        }
        Ok(best)
    }

    /// The same size at the highest quality that fits.
    fn finest(&self, fitting: Attempt, quality_max: u8) -> Result<Attempt, Unfit> {
        let (mut least, mut most) = (fitting.quality, quality_max.max(fitting.quality));
        let small = self.original.scaled(fitting.long_edge)?;
        let mut best = fitting;
        // Many a picture fits as fine as can be: that is tried first.
        let mut quality = most;
        while least < most {
            let attempt = Attempt { quality, jpeg: small.jpeg(quality)?, ..best };
            if self.fits(&attempt) {
                (least, best) = (quality, attempt);
            } else {
                most = quality - 1;
            }
            quality = least + (most - least).div_ceil(2);
        }
        Ok(best)
    }

    fn at_the_floor(&self, lowest: u32) -> Result<Attempt, Unfit> {
        let least = self.attempt(lowest, self.limit.floor.quality.clamp(1, 100))?;
        if self.fits(&least) {
            return self.finest(least, self.comfortable() - 1);
        }
        let counted = self.limit.basis.count(least.jpeg.len() as u64);
        Err(self.too_fine(too_fine(), Some(counted)))
    }

    fn fitted(&self, attempt: Attempt) -> Fitted {
        let (width, height) = self.original.sides_at(attempt.long_edge);
        Fitted {
            width,
            height,
            quality: attempt.quality,
            text: self.text.at(attempt.long_edge, self.original.long_edge()),
            counted: self.limit.basis.count(attempt.jpeg.len() as u64),
            jpeg: attempt.jpeg,
        }
    }

    /// Long edges to choose from, largest first, a tenth between them.
    fn rungs(&self, lowest: u32) -> Vec<u32> {
        let possible = self.original.pixels_in(self.bytes_max());
        let smaller = |edge: &u32| Some((*edge * 9 / 10).max(lowest)).filter(|next| next < edge);
        std::iter::successors(Some(self.original.long_edge()), smaller)
            .skip_while(|edge| *edge > lowest && self.pixels(*edge) > possible)
            .collect()
    }

    fn attempt(&self, long_edge: u32, quality: u8) -> Result<Attempt, Unfit> {
        Ok(Attempt { long_edge, quality, jpeg: self.original.scaled(long_edge)?.jpeg(quality)? })
    }

    fn fits(&self, attempt: &Attempt) -> bool {
        attempt.jpeg.len() as u64 <= self.bytes_max()
    }

    fn bytes_max(&self) -> u64 {
        self.limit.basis.bytes_in(self.limit.bytes)
    }

    fn comfortable(&self) -> u8 {
        COMFORTABLE.max(self.limit.floor.quality.min(100))
    }

    fn pixels(&self, long_edge: u32) -> u64 {
        let (width, height) = self.original.sides_at(long_edge);
        u64::from(width) * u64::from(height)
    }

    fn too_fine(&self, invalid: Invalid, counted_min: Option<u64>) -> Unfit {
        Unfit::TooFine(TooFine { invalid, long_edge: self.original.long_edge(), text: self.text, counted_min })
    }
}

impl Basis {
    /// How a provider counts so many bytes.
    pub fn count(self, bytes: u64) -> u64 {
        match self {
            Self::Raw => bytes,
            Self::Base64 => bytes.div_ceil(3).saturating_mul(4),
        }
    }

    /// The most bytes that count no more than this.
    pub fn bytes_in(self, counted: u64) -> u64 {
        match self {
            Self::Raw => counted,
            Self::Base64 => counted / 4 * 3,
        }
    }
}

impl Floor {
    /// For papers and cards: print can be read without guessing.
    pub const LEGIBLE: Self = Self { long_edge: 1000, quality: 50, text_height: 12 };
    /// For what is looked at and not read.
    pub const RECOGNISABLE: Self = Self { long_edge: 640, quality: 50, text_height: 0 };
}

impl Unfit {
    /// What to tell, whoever it is for.
    pub fn invalid(&self) -> &Invalid {
        match self {
            Self::Refused(invalid) | Self::TooFine(TooFine { invalid, .. }) => invalid,
        }
    }
}

impl From<Invalid> for Unfit {
    fn from(refused: Invalid) -> Self {
        Self::Refused(refused)
    }
}

fn too_coarse() -> Invalid {
    Invalid::new(
        "picture_too_coarse",
        "the picture has too few pixels to be read: take it at a higher resolution",
        "图片分辨率过低，无法辨认：请提高分辨率后重新拍摄",
    )
}

fn text_too_small() -> Invalid {
    Invalid::new(
        "text_too_small",
        "the text in the picture is too small to be read: take it from nearer",
        "图片中的文字过小，无法辨认：请靠近后重新拍摄",
    )
}

fn too_fine() -> Invalid {
    Invalid::new(
        "picture_too_fine",
        "the picture cannot be made small enough and stay legible: take only what matters, on a plain ground",
        "图片压缩到限制以内后将无法辨认：请只拍摄必要部分，并使用纯色背景",
    )
}
