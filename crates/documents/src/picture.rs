//! Pictures: bounds before decoding, then decoded whole.

use crate::inspect::Inspected;
use crate::jpeg::{self, Extent};
use crate::kind::Kind;
use crate::png;
use domain::Invalid;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, Limits};
use std::io::Cursor;

/// The most pixels along one side.
pub const SIDE_MAX: u32 = 8000;
/// The most bytes of pixels, in the form they are stored in (22 megapixels of colour). A progressive JPEG takes twice as much
/// again while it is decoded.
pub const DECODED_MAX: u64 = 64 << 20;

pub(crate) fn check(kind: Kind, bytes: &[u8]) -> Result<Inspected, Invalid> {
    let (picture, orientation) = decode(kind, bytes)?;
    let (width, height) = (picture.width(), picture.height());
    let (width, height) = if on_its_side(orientation) { (height, width) } else { (width, height) };
    Ok(Inspected::Picture { kind, width, height })
}

/// The pixels as stored, and how to turn them upright.
pub(crate) fn decode(kind: Kind, bytes: &[u8]) -> Result<(DynamicImage, Orientation), Invalid> {
    if kind == Kind::Png {
        // The bounds first: the header is there even of a file that is cut off.
        let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits()).map_err(|error| refusal(&error))?;
        let chunks = png::chunks(bytes);
        if chunks.animated {
            return Err(Invalid::new(
                "picture_animated",
                "the picture moves: upload one that stands still",
                "这是动态图片：请上传静态图片",
            ));
        }
        if !chunks.whole {
            return Err(truncated());
        }
        return pixels(decoder);
    }
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|error| match jpeg::extent(bytes) {
        Extent::CutOff => truncated(),
        Extent::Whole | Extent::Hostile => refusal(&error),
    })?;
    match jpeg::extent(bytes) {
        Extent::Whole => pixels(decoder),
        Extent::CutOff => Err(truncated()),
        Extent::Hostile => Err(damaged()),
    }
}

pub(crate) fn on_its_side(orientation: Orientation) -> bool {
    match orientation {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            true
        }
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
    }
}

fn pixels(mut decoder: impl ImageDecoder) -> Result<(DynamicImage, Orientation), Invalid> {
    decoder.set_limits(limits()).map_err(|error| refusal(&error))?;
    if decoder.total_bytes() > DECODED_MAX {
        return Err(too_many_pixels());
    }
    // A note that cannot be read turns nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))?;
    Ok((picture, orientation))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODED_MAX);
    limits
}

fn refusal(error: &ImageError) -> Invalid {
    if matches!(error, ImageError::Limits(_)) { too_many_pixels() } else { damaged() }
}

fn too_many_pixels() -> Invalid {
    Invalid::new(
        "picture_too_many_pixels",
        "the picture has too many pixels (8000 along a side, 22 million in all): take it at a lower resolution",
        "图片像素过多（单边不超过 8000，总数不超过 2200 万）：请降低分辨率后重新拍摄",
    )
}

fn truncated() -> Invalid {
    Invalid::new(
        "picture_truncated",
        "the picture is cut off: copy it again and upload the whole file",
        "图片不完整：请重新复制后上传完整文件",
    )
}

fn damaged() -> Invalid {
    Invalid::new(
        "picture_damaged",
        "the picture cannot be opened: take it again or save it anew as JPEG",
        "图片无法打开：请重新拍摄或另存为 JPEG 后上传",
    )
}
