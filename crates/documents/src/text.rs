//! How high the smallest text of a picture is: an estimate, for the floor of legibility.

use crate::raster::Raster;
use domain::Invalid;
use image::GrayImage;

/// The height of a line of text without the space to the next, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextHeight {
    pub px: u32,
    /// Whether lines were found in the picture. Otherwise the height is assumed: that of ordinary print (五号, 10.5 points) when a
    /// page of A4 fills the picture, an eightieth of the long edge.
    pub measured: bool,
}

impl TextHeight {
    /// The same text in a picture made smaller.
    pub(crate) fn at(self, long_edge: u32, of: u32) -> Self {
        Self { px: scale(self.px, long_edge, of), ..self }
    }
}

/// Measured at this size, for speed and against the noise of a camera. Text below [`LINE`] here is not seen.
const WORKING_EDGE: u32 = 2400;
const ASSUMED: u32 = 80;
/// The picture is looked at in upright strips, narrow enough that a line a few degrees off level stays a line in each.
const STRIP: u32 = 64;
/// What counts as the edge of a stroke, of 255.
const STROKE: u8 = 40;
/// Strokes in one row of one strip that make the row part of a line.
const STROKES: usize = 4;
/// Heights of a line, at the working size.
const LINE: std::ops::RangeInclusive<u32> = 5..=160;
/// Fewer pieces of lines than this are no text.
const PIECES: usize = 16;

/// A run of rows with strokes, between rows without.
#[derive(Clone, Copy)]
struct Piece {
    top: u32,
    height: u32,
}

/// By projection on rows: in each strip, runs of rows full of strokes; a run counts when the next strip has its like at the same
/// height. The result is the height that a fifth of them do not exceed, so that a few specks do not decide.
pub(crate) fn estimate(raster: &Raster) -> Result<TextHeight, Invalid> {
    let small = raster.scaled(WORKING_EDGE)?;
    let grey = small.grey();
    let strips: Vec<Vec<Piece>> = (0..grey.width() / STRIP).map(|strip| pieces(&grey, strip * STRIP)).collect();
    let mut heights: Vec<u32> = strips
        .windows(2)
        .flat_map(|pair| pair[0].iter().filter(|piece| pair[1].iter().any(|other| alike(piece, other))))
        .map(|piece| piece.height)
        .collect();
    if heights.len() < PIECES {
        return Ok(TextHeight { px: raster.long_edge() / ASSUMED, measured: false });
    }
    heights.sort_unstable();
    let px = scale(heights[heights.len() / 5], raster.long_edge(), small.long_edge());
    Ok(TextHeight { px, measured: true })
}

fn pieces(grey: &GrayImage, left: u32) -> Vec<Piece> {
    let inked = |y: u32| strokes(grey, left, y) >= STROKES;
    let (mut found, mut top, mut last) = (Vec::new(), None, 0);
    for y in 0..grey.height() {
        if inked(y) {
            top.get_or_insert(y);
            last = y;
        } else if let Some(first) = top.filter(|_| y > last + 1) {
            // One empty row does not end it: 三 is full of them.
            found.push(Piece { top: first, height: last + 1 - first });
            top = None;
        }
    }
    found.retain(|piece| piece.top > 0 && LINE.contains(&piece.height));
    found
}

fn strokes(grey: &GrayImage, left: u32, y: u32) -> usize {
    let start = y as usize * grey.width() as usize + left as usize;
    let row = &grey.as_raw()[start..start + STRIP as usize];
    row.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) >= STROKE).count()
}

fn alike(one: &Piece, other: &Piece) -> bool {
    one.top.abs_diff(other.top) <= one.height / 2 && one.height.abs_diff(other.height) <= one.height / 4 + 1
}

fn scale(px: u32, to: u32, from: u32) -> u32 {
    u32::try_from(u64::from(px) * u64::from(to) / u64::from(from.max(1))).unwrap_or(u32::MAX)
}
