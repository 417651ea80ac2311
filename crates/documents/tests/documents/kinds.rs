//! A file is what its content says, and a refusal names both.

use crate::samples;
use documents::{Accept, Inspected, Kind, inspect};

const MB: u64 = 1_000_000;

fn everything() -> Accept {
    Accept { picture: Some(5 * MB), pdf: Some(10 * MB), video: Some(15 * MB) }
}

#[test]
fn each_kind_is_known_by_its_content() {
    let picture = samples::page(60, 40, 6, 0);
    let found = |bytes: &[u8]| inspect(&everything(), bytes).unwrap();
    assert_eq!(found(&samples::jpeg(&picture, 80)), Inspected::Picture { kind: Kind::Jpeg, width: 60, height: 40 });
    assert_eq!(found(&samples::png(&picture)), Inspected::Picture { kind: Kind::Png, width: 60, height: 40 });
    assert_eq!(found(&samples::pdf(3)), Inspected::Pdf { pages: 3 });
    assert_eq!(found(&samples::mp4(9_000)), Inspected::Video { kind: Kind::Mp4 });
    assert_eq!(found(&samples::avi(9_000)), Inspected::Video { kind: Kind::Avi });
    assert_eq!(found(&samples::flv(9)), Inspected::Video { kind: Kind::Flv });
}

#[test]
fn a_renamed_jpeg_is_no_pdf() {
    let refused = inspect(&Accept::pdf(MB), &samples::jpeg(&samples::page(60, 40, 6, 0), 80)).unwrap_err();
    assert_eq!(refused.code, "not_a_pdf");
    assert_eq!(refused.message, "this is a JPEG picture, not a PDF: upload the PDF itself");
    assert_eq!(refused.message_zh, "这是JPEG 图片，不是PDF 文件：请上传 PDF 原件");
}

#[test]
fn what_is_not_taken_here_is_named() {
    let refusals: [(&[u8], Accept, &str, &str); 10] = [
        (b"", everything(), "file_empty", "empty"),
        (b"hello, this is text", everything(), "file_kind_not_accepted", "unknown kind"),
        (&samples::pdf(1), Accept::picture(MB), "not_a_picture", "a PDF"),
        (&samples::mp4(900), Accept::picture(MB), "not_a_picture", "an MP4 video"),
        (b"GIF89a.............", Accept::picture(MB), "not_a_picture", "a GIF"),
        (b"\0\0\0\x18ftypheic....", Accept::picture(MB), "not_a_picture", "most compatible"),
        (b"\0\0\0\x14ftypqt  ....", Accept::video(MB), "not_a_video", "QuickTime"),
        (b"RIFF....WEBPVP8 ....", Accept::picture(MB), "not_a_picture", "WebP"),
        (b"RIFF....WAVEfmt ....", Accept::video(MB), "not_a_video", "sound"),
        (b"PK\x03\x04..............", Accept::pdf(MB), "not_a_pdf", "ZIP"),
    ];
    for (bytes, accept, code, word) in refusals {
        let refused = inspect(&accept, bytes).unwrap_err();
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.message.contains(word), "{refused:?}");
    }
}

#[test]
fn nothing_is_larger_than_its_bound() {
    let picture = samples::jpeg(&samples::page(600, 400, 12, 30), 95);
    let bound = picture.len() as u64;
    assert!(inspect(&Accept::picture(bound), &picture).is_ok());
    assert_eq!(inspect(&Accept::picture(bound - 1), &picture).unwrap_err().code, "picture_too_large");
    let pdf = samples::pdf(2);
    assert_eq!(inspect(&Accept::pdf(pdf.len() as u64 - 1), &pdf).unwrap_err().code, "pdf_too_large");
}
