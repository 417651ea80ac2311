//! Synthetic papers: pictures of cards that belong to nobody, and vouchers of payments that never were.

use anyhow::{Context, Result};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use std::fmt::Write as _;

/// A card as a scanner sees it.
const WIDTH: u32 = 1000;
const HEIGHT: u32 = 630;

/// Both sides of everybody's card (证件照片).
pub(super) struct Cards {
    front: Vec<u8>,
    back: Vec<u8>,
}

impl Cards {
    pub(super) fn draw() -> Result<Self> {
        Ok(Self { front: side(235)?, back: side(205)? })
    }

    /// The n-th person's: the same picture, in a file that says another number.
    pub(super) fn of(&self, number: usize, front: bool) -> Vec<u8> {
        let picture = if front { &self.front } else { &self.back };
        let comment = format!("specimen {number:08}");
        // A comment segment, right after the marker that begins every JPEG.
        let length = (comment.len() as u16 + 2).to_be_bytes();
        [&picture[..2], &[0xff, 0xfe], &length, comment.as_bytes(), &picture[2..]].concat()
    }
}

fn side(blue: u8) -> Result<Vec<u8>> {
    let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([200, 215, blue]));
    // Lines of print, where a name and a number would stand.
    for (line, column) in (0..8).flat_map(|line| (0..24).map(move |column| (line, column))) {
        let (left, top) = (60 + column * 36, 60 + line * 66);
        for (x, y) in (left..left + 12 + (line + column) % 9).flat_map(|x| (top..top + 30).map(move |y| (x, y))) {
            picture.put_pixel(x, y, Rgb([20, 30, 60]));
        }
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 80).encode_image(&picture).context("encode a picture")?;
    Ok(jpeg)
}

/// The bank's voucher (回单) of one payment: a PDF of one page.
pub(super) fn voucher(bank_order_no: &str) -> Vec<u8> {
    let text = format!("BT /F1 14 Tf 60 780 Td (Payment {bank_order_no}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()),
    ];
    let (mut pdf, mut places) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (number, object) in (1..).zip(&objects) {
        places.push(pdf.len());
        let _ = write!(pdf, "{number} 0 obj\n{object}\nendobj\n");
    }
    let (table, size) = (pdf.len(), objects.len() + 1);
    let _ = write!(pdf, "xref\n0 {size}\n0000000000 65535 f \n");
    for place in places {
        let _ = writeln!(pdf, "{place:010} 00000 n ");
    }
    let _ = write!(pdf, "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
    pdf.into_bytes()
}
