//! What a picture becomes.

use crate::samples;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use documents::{Accept, Basis, Fitted, Floor, Inspected, Kind, Limit, TextHeight, Unfit, fit, inspect};
use image::{DynamicImage, GenericImageView, Rgb, RgbImage};

const LIMIT: Limit = Limit { bytes: 200_000, basis: Basis::Base64, floor: Floor::LEGIBLE };
const LOOSE: Floor = Floor { long_edge: 1, quality: 1, text_height: 0 };

fn opened(fitted: &Fitted) -> DynamicImage {
    let picture = image::load_from_memory(&fitted.jpeg).expect("a picture that opens");
    assert_eq!(picture.dimensions(), (fitted.width, fitted.height));
    picture
}

fn too_fine(bytes: &[u8], limit: &Limit) -> documents::TooFine {
    match fit(bytes, limit) {
        Err(Unfit::TooFine(it)) => it,
        other => panic!("{:?}", other.map(|it| it.counted)),
    }
}

#[test]
fn a_photo_lying_on_its_side_stands_up_whichever_way_it_lay() {
    // Red above blue, green at the right.
    let upright = RgbImage::from_fn(160, 96, |x, y| match (x > 120, y < 48) {
        (true, _) => Rgb([0, 200, 0]),
        (_, true) => Rgb([220, 0, 0]),
        (_, false) => Rgb([0, 0, 220]),
    });
    // How the sensor stored it, so that the note turns it back.
    let lying = DynamicImage::from(upright.clone());
    let stored = [
        lying.clone(),
        lying.fliph(),
        lying.rotate180(),
        lying.flipv(),
        lying.rotate90().fliph(),
        lying.rotate270(),
        lying.rotate270().fliph(),
        lying.rotate90(),
    ];
    for (orientation, stored) in (1..).zip(stored) {
        let photo = samples::phone_jpeg(&stored.into_rgb8(), 95, orientation);
        let fitted = fit(&photo, &Limit { floor: LOOSE, ..LIMIT }).unwrap();
        let found = opened(&fitted).into_rgb8();
        assert_eq!(found.dimensions(), (160, 96), "orientation {orientation}");
        for (x, y) in [(20, 20), (20, 80), (140, 20), (140, 80)] {
            let near = found.get_pixel(x, y).0.iter().zip(upright.get_pixel(x, y).0).all(|(a, b)| a.abs_diff(b) < 12);
            assert!(near, "orientation {orientation} at {x},{y}: {:?}", found.get_pixel(x, y));
        }
        let inspected = inspect(&Accept::picture(1_000_000), &photo).unwrap();
        assert_eq!(inspected, Inspected::Picture { kind: Kind::Jpeg, width: 160, height: 96 });
    }
}

#[test]
fn where_it_was_taken_is_gone_even_when_it_fits_already() {
    let mut photo = samples::phone_jpeg(&samples::page(1200, 900, 30, 0), 60, 1);
    // A comment, and the camera's own picture behind the picture.
    photo.splice(2..2, *b"\xff\xfe\x00\x12GPS comment here");
    photo.extend(b"Exif GPS trailer");
    let holds = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|found| found == word);
    let private: [&[u8]; 5] = [b"Exif", b"GPS", b"profile", b"ICC_PROFILE", b"comment"];
    assert!(private.iter().all(|word| holds(&photo, word)));
    let fitted = fit(&photo, &LIMIT).unwrap();
    assert!(!private.iter().any(|word| holds(&fitted.jpeg, word)));
    assert_eq!((fitted.width, fitted.height), (1200, 900));
}

#[test]
fn a_limit_is_met_as_the_provider_counts() {
    let photo = samples::jpeg(&samples::page(2400, 1800, 60, 24), 92);
    let mut sizes = Vec::new();
    for bytes in [120_000, 199_999, 200_000, 200_001, 600_000] {
        for basis in [Basis::Raw, Basis::Base64] {
            let fitted = fit(&photo, &Limit { bytes, basis, floor: Floor::LEGIBLE }).unwrap();
            let counted = match basis {
                Basis::Raw => fitted.jpeg.len(),
                Basis::Base64 => STANDARD.encode(&fitted.jpeg).len(),
            } as u64;
            assert_eq!(counted, fitted.counted);
            assert!(counted <= bytes, "{counted} of {bytes} {basis:?}");
            // Not wasted either: most of the room is used, or nothing finer is worth having.
            assert!(counted * 10 >= bytes * 7 || fitted.quality == 92, "{counted} of {bytes} {basis:?}");
            opened(&fitted);
            sizes.push((fitted.jpeg.len(), fitted.width));
        }
    }
    assert!(sizes[0].1 < sizes[8].1, "more room, more pixels: {sizes:?}");
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let photo = samples::phone_jpeg(&samples::page(1500, 1100, 40, 24), 90, 6);
    assert_eq!(fit(&photo, &LIMIT).unwrap(), fit(&photo, &LIMIT).unwrap());
}

#[test]
fn a_small_picture_is_not_made_larger() {
    let fitted = fit(&samples::png(&samples::page(300, 200, 20, 0)), &Limit { floor: LOOSE, ..LIMIT }).unwrap();
    assert_eq!((fitted.width, fitted.height), (300, 200));
}

#[test]
fn one_that_is_coarse_already_is_for_a_person() {
    let refused = too_fine(&samples::jpeg(&samples::page(900, 600, 30, 0), 80), &LIMIT);
    assert_eq!((refused.invalid.code.as_str(), refused.long_edge), ("picture_too_coarse", 900));
}

#[test]
fn text_too_small_already_is_for_a_person() {
    let refused = too_fine(&samples::jpeg(&samples::page(2000, 1500, 8, 0), 92), &LIMIT);
    assert_eq!(refused.invalid.code, "text_too_small");
    assert!(refused.text.measured && (6..=10).contains(&refused.text.px), "{:?}", refused.text);
}

#[test]
fn what_would_fit_only_illegibly_is_for_a_person() {
    // Text that may shrink to two thirds, and noise all over: 30 KB are not enough.
    let photo = samples::jpeg(&samples::page(2400, 1800, 18, 60), 95);
    let tight = Limit { bytes: 30_000, ..LIMIT };
    let refused = too_fine(&photo, &tight);
    assert_eq!(refused.invalid.code, "picture_too_fine");
    assert!(refused.counted_min.unwrap() > tight.bytes);
    // With nothing to read in it, the same picture may go.
    let fitted = fit(&photo, &Limit { floor: Floor { long_edge: 300, quality: 40, text_height: 0 }, ..tight }).unwrap();
    assert!(fitted.counted <= tight.bytes);
}

#[test]
fn the_floor_is_never_passed() {
    let photo = samples::jpeg(&samples::page(2400, 1800, 30, 40), 92);
    let floor = Floor { long_edge: 900, quality: 45, text_height: 14 };
    let mut refused = 0;
    for kilobytes in [20, 40, 60, 80, 120, 160, 240] {
        match fit(&photo, &Limit { bytes: kilobytes * 1000, basis: Basis::Raw, floor }) {
            Ok(fitted) => {
                assert!(fitted.width.max(fitted.height) >= 900 && fitted.quality >= 45, "{kilobytes} KB");
                assert!(fitted.text.px >= 14, "{kilobytes} KB: {:?}", fitted.text);
                assert!(fitted.jpeg.len() as u64 <= kilobytes * 1000);
            }
            Err(Unfit::TooFine(it)) => {
                assert_eq!(it.invalid.code, "picture_too_fine");
                refused += 1;
            }
            Err(Unfit::Refused(it)) => panic!("{it:?}"),
        }
    }
    assert!((1..7).contains(&refused), "{refused} of 7");
}

#[test]
fn the_height_of_text_is_measured() {
    for (width, height, text) in [(1200, 900, 12), (2000, 2600, 24), (3000, 2000, 30), (3000, 4000, 60)] {
        let photo = samples::jpeg(&samples::page(width, height, text, 12), 88);
        let roomy = Limit { bytes: 50_000_000, basis: Basis::Raw, floor: LOOSE };
        let TextHeight { px, measured } = fit(&photo, &roomy).unwrap().text;
        assert!(measured && px.abs_diff(text) <= text / 5 + 1, "{text}: {px} {measured}");
    }
}

#[test]
fn where_no_text_is_found_its_height_is_assumed() {
    let plain = RgbImage::from_fn(1600, 1200, |x, y| Rgb([(x / 8) as u8, (y / 6) as u8, 90]));
    let fitted = fit(&samples::jpeg(&plain, 90), &LIMIT).unwrap();
    assert_eq!(fitted.text, TextHeight { px: 20, measured: false });
}

#[test]
fn what_shines_through_is_white() {
    let glass = image::RgbaImage::from_pixel(64, 64, image::Rgba([0, 0, 0, 0]));
    let mut png = Vec::new();
    DynamicImage::from(glass).write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let fitted = fit(&png, &Limit { floor: LOOSE, ..LIMIT }).unwrap();
    assert!(opened(&fitted).into_rgb8().pixels().all(|pixel| pixel.0.iter().all(|sample| *sample > 250)));
}

#[test]
fn what_is_no_picture_is_refused() {
    let refused = fit(&samples::pdf(1), &LIMIT).unwrap_err();
    assert!(matches!(&refused, Unfit::Refused(it) if it.code == "not_a_picture"), "{refused:?}");
    let photo = samples::jpeg(&samples::page(300, 200, 10, 20), 85);
    let refused = fit(&photo[..photo.len() / 2], &LIMIT).unwrap_err();
    assert_eq!(refused.invalid().code, "picture_truncated");
}

/// `cargo test --release -p documents -- --ignored --nocapture megapixels`
#[test]
#[ignore = "a measurement: time and memory of a phone's photo"]
fn twelve_megapixels() {
    let photo = samples::phone_jpeg(&samples::page(4000, 3000, 60, 24), 92, 6);
    let began = std::time::Instant::now();
    let fitted = fit(&photo, &LIMIT).unwrap();
    let took = began.elapsed();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!(
        "{} KB in {} ms: {}×{}, quality {}, text {} px, {} characters of base64; process {peak}",
        photo.len() / 1000,
        took.as_millis(),
        fitted.width,
        fitted.height,
        fitted.quality,
        fitted.text.px,
        fitted.counted,
    );
}
