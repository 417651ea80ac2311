//! Synthetic papers: pictures of cards that belong to nobody, and vouchers of payments that never were.

use anyhow::{Context, Result};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use std::fmt::Write as _;

/// A card as a scanner sees it, each number another one.
const WIDTH: u32 = 1000;
const HEIGHT: u32 = 630;

/// One side of somebody's card (证件照片).
pub(super) fn card(number: usize, front: bool) -> Result<Vec<u8>> {
    let mut seed = u32::try_from(number).unwrap_or(0).wrapping_mul(2_654_435_761) | u32::from(front);
    let paper = Rgb([200, 215, if front { 235 } else { 205 }]);
    let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, paper);
    // Lines of print, where a name and a number would stand.
    for line in 0..8 {
        for column in 0..24 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let ink = Rgb([(seed >> 24) as u8 / 4, 30, 60]);
            let (left, top) = (60 + column * 36, 60 + line * 66);
            for x in left..left + 12 + (seed >> 28) {
                for y in top..top + 30 {
                    picture.put_pixel(x, y, ink);
                }
            }
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
