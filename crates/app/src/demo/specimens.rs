//! Synthetic papers: pictures of cards that belong to nobody, and vouchers of payments that never were.

use std::fmt::Write as _;

/// Both sides of everybody's card (证件照片): lines of print where a name and a number would stand.
const FRONT: &[u8] = include_bytes!("../../demo/card-front.jpg");
const BACK: &[u8] = include_bytes!("../../demo/card-back.jpg");

/// One side of the n-th person's card: the same picture, in a file that says another number.
pub(super) fn card(number: u16, front: bool) -> Vec<u8> {
    let (start, rest) = (if front { FRONT } else { BACK }).split_at(2);
    let [high, low] = number.to_be_bytes();
    // A comment segment of two bytes, right after the marker that begins every JPEG.
    [start, &[0xff, 0xfe, 0, 4, high, low], rest].concat()
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
