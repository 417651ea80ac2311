//! Pixels: upright, opaque, grey or colour; made smaller, and written as JPEG.

use domain::Invalid;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, GrayImage, RgbImage};
use std::borrow::Cow;

#[derive(Clone)]
pub(crate) enum Raster {
    Grey(GrayImage),
    Colour(RgbImage),
}

impl Raster {
    /// What shines through stands on white, as on a page.
    pub(crate) fn upright(picture: DynamicImage, orientation: Orientation) -> Self {
        let colour = picture.color();
        let mut picture = if colour.has_alpha() { on_white(picture) } else { picture };
        picture.apply_orientation(orientation);
        if colour.has_color() { Self::Colour(picture.into_rgb8()) } else { Self::Grey(picture.into_luma8()) }
    }

    pub(crate) fn width(&self) -> u32 {
        match self {
            Self::Grey(picture) => picture.width(),
            Self::Colour(picture) => picture.width(),
        }
    }

    pub(crate) fn height(&self) -> u32 {
        match self {
            Self::Grey(picture) => picture.height(),
            Self::Colour(picture) => picture.height(),
        }
    }

    pub(crate) fn long_edge(&self) -> u32 {
        self.width().max(self.height())
    }

    /// The sides when the longer one is `long_edge`.
    pub(crate) fn sides_at(&self, long_edge: u32) -> (u32, u32) {
        let side = |side: u32| {
            let scaled = u64::from(side) * u64::from(long_edge) / u64::from(self.long_edge().max(1));
            u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
        };
        (side(self.width()), side(self.height()))
    }

    /// Never larger than it is. Fixed-point arithmetic: the same pixels on every machine.
    pub(crate) fn scaled(&self, long_edge: u32) -> Result<Cow<'_, Self>, Invalid> {
        if long_edge >= self.long_edge() {
            return Ok(Cow::Borrowed(self));
        }
        let (width, height) = self.sides_at(long_edge);
        let (pixel, samples) = match self {
            Self::Grey(picture) => (PixelType::U8, picture.as_raw()),
            Self::Colour(picture) => (PixelType::U8x3, picture.as_raw()),
        };
        let from = ImageRef::new(self.width(), self.height(), samples, pixel).map_err(|_| unworkable())?;
        let mut to = Image::new(width, height, pixel);
        let sharp = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        Resizer::new().resize(&from, &mut to, &sharp).map_err(|_| unworkable())?;
        let samples = to.into_vec();
        let scaled = match self {
            Self::Grey(_) => GrayImage::from_raw(width, height, samples).map(Self::Grey),
            Self::Colour(_) => RgbImage::from_raw(width, height, samples).map(Self::Colour),
        };
        scaled.map(Cow::Owned).ok_or_else(unworkable)
    }

    /// Baseline, no metadata, colour at full resolution: a red stamp over black text stays readable.
    pub(crate) fn jpeg(&self, quality: u8) -> Result<Vec<u8>, Invalid> {
        let (samples, colour) = match self {
            Self::Grey(picture) => (picture.as_raw(), ExtendedColorType::L8),
            Self::Colour(picture) => (picture.as_raw(), ExtendedColorType::Rgb8),
        };
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, quality)
            .encode(samples, self.width(), self.height(), colour)
            .map_err(|_| unworkable())?;
        Ok(jpeg)
    }

    /// More pixels than this cannot become so few bytes: a block of 64 takes 14 bits (6 when grey) even when it is blank.
    pub(crate) fn pixels_in(&self, bytes: u64) -> u64 {
        let bits_per_block = match self {
            Self::Grey(_) => 6,
            Self::Colour(_) => 14,
        };
        bytes.saturating_mul(8 * 64) / bits_per_block
    }

    pub(crate) fn grey(&self) -> Cow<'_, GrayImage> {
        match self {
            Self::Grey(picture) => Cow::Borrowed(picture),
            Self::Colour(picture) => Cow::Owned(image::imageops::grayscale(picture)),
        }
    }
}

fn on_white(picture: DynamicImage) -> DynamicImage {
    let mut picture = picture.into_rgba8();
    for pixel in picture.pixels_mut() {
        let [colour @ .., alpha] = &mut pixel.0;
        let over = u16::from(*alpha);
        for sample in colour {
            let blended = (u16::from(*sample) * over + 255 * (255 - over) + 127) / 255;
            *sample = u8::try_from(blended).unwrap_or(u8::MAX);
        }
        *alpha = u8::MAX;
    }
    DynamicImage::ImageRgba8(picture)
}

fn unworkable() -> Invalid {
    Invalid::new(
        "picture_unworkable",
        "the picture cannot be made smaller: upload one of ordinary proportions",
        "图片无法压缩：请上传正常比例的图片",
    )
}
