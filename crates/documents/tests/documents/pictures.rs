//! Pictures that are refused.

use crate::samples;
use documents::{Accept, Inspected, Kind, inspect};

const ACCEPT: Accept = Accept { picture: Some(20_000_000), pdf: None, video: None };

fn code(bytes: &[u8]) -> String {
    inspect(&ACCEPT, bytes).expect_err("a refusal").code
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // 400 megapixels: 1.2 GB if anybody made room for them.
    assert_eq!(code(&samples::png_claiming(20_000, 20_000)), "picture_too_many_pixels");
    // Within the sides and still too much: 192 MB.
    assert_eq!(code(&samples::png_claiming(8_000, 8_000)), "picture_too_many_pixels");
    assert_eq!(code(&samples::png_claiming(8_001, 1)), "picture_too_many_pixels");
    // Cut off as well: the bound is said first, without reading on.
    assert_eq!(code(&samples::png_claiming(20_000, 20_000)[..60]), "picture_too_many_pixels");
    assert_eq!(code(&jpeg_claiming(20_000, 20_000)), "picture_too_many_pixels");
    assert_eq!(code(&jpeg_claiming(8_000, 8_000)), "picture_too_many_pixels");
}

#[test]
fn a_picture_cut_off_is_refused() {
    let picture = samples::page(300, 200, 10, 20);
    for whole in [samples::jpeg(&picture, 85), samples::png(&picture)] {
        for kept in [whole.len() - 1, whole.len() - 20, whole.len() / 2, 100, 40] {
            let refused = inspect(&ACCEPT, &whole[..kept]).unwrap_err();
            let codes = ["picture_truncated", "picture_damaged"];
            assert!(codes.contains(&refused.code.as_str()), "{kept} of {}: {refused:?}", whole.len());
            assert!(kept < 200 || refused.code == codes[0], "{kept} of {}: {refused:?}", whole.len());
        }
    }
}

#[test]
fn what_a_phone_puts_behind_a_picture_does_not_matter() {
    let mut moving = samples::jpeg(&samples::page(60, 40, 6, 0), 85);
    moving.extend(samples::mp4(2_000));
    assert_eq!(inspect(&ACCEPT, &moving).unwrap(), Inspected::Picture { kind: Kind::Jpeg, width: 60, height: 40 });
}

#[test]
fn a_picture_that_moves_is_refused() {
    let mut moving = samples::png(&samples::page(60, 40, 6, 0));
    let control = samples::chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    moving.splice(33..33, control);
    assert_eq!(code(&moving), "picture_animated");
}

#[test]
fn a_damaged_picture_is_refused() {
    let mut damaged = samples::png(&samples::page(300, 200, 10, 20));
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    assert_eq!(code(&damaged), "picture_damaged");
}

#[test]
fn more_scans_than_any_encoder_makes_are_refused() {
    let mut hostile = samples::jpeg(&samples::page(60, 40, 6, 0), 85);
    hostile.truncate(hostile.len() - 2);
    for _ in 0..200 {
        hostile.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    }
    hostile.extend([0xff, 0xd9]);
    assert_eq!(code(&hostile), "picture_damaged");
}

/// The header of one, its sides exchanged.
fn jpeg_claiming(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = samples::jpeg(&samples::page(60, 40, 6, 0), 85);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}
