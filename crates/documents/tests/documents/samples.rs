//! Files made up: pages of stripes like text, a small PDF, containers without a film.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use lopdf::{Dictionary, Document, Object, Stream, dictionary};

/// Lines of upright strokes, `text` pixels high, on paper with a margin. `grain` is a camera's noise.
pub(crate) fn page(width: u32, height: u32, text: u32, grain: u8) -> RgbImage {
    let mut noise = 0x2545_f491_u32;
    RgbImage::from_fn(width, height, |x, y| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let inside = x > width / 12 && x < width - width / 12 && y > height / 12 && y < height - height / 12;
        // Words of strokes of two widths; a space after each.
        let in_line = y % (text * 2) < text;
        let word = (x / (text * 4)).wrapping_mul(2_654_435_761).wrapping_add(y / (text * 2)) % 7;
        let stroke = (x / (text / 6).max(1) + word).is_multiple_of(3) && x % (text * 4) < text * 3;
        let ink: u8 = if inside && in_line && stroke { 40 } else { 225 };
        let grained = ink.saturating_sub((noise % (u32::from(grain) + 1)) as u8);
        Rgb([grained, grained.saturating_sub(6), grained.saturating_sub(18)])
    })
}

pub(crate) fn jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    encoded(picture, quality, None)
}

/// As a phone writes it: pixels as the sensor lay, a note how to turn them, and where it was taken.
pub(crate) fn phone_jpeg(picture: &RgbImage, quality: u8, orientation: u8) -> Vec<u8> {
    encoded(picture, quality, Some(exif(orientation)))
}

fn encoded(picture: &RgbImage, quality: u8, exif: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).expect("EXIF can be written");
        encoder.set_icc_profile(b"a profile with a serial number".to_vec()).expect("a profile can be written");
    }
    encoder.encode_image(picture).expect("encode a JPEG");
    bytes
}

/// One directory with the orientation and a pointer to the place (GPS), little-endian.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
    let mut entry = |tag: u16, kind: u16, value: u32| {
        tiff.extend(tag.to_le_bytes());
        tiff.extend(kind.to_le_bytes());
        tiff.extend(1_u32.to_le_bytes());
        tiff.extend(value.to_le_bytes());
    };
    entry(0x0112, 3, orientation.into());
    entry(0x8825, 4, 38);
    tiff.extend([0; 4]);
    tiff.extend(b"\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0\0\0\0\0GPS-31.2304-121.4737");
    tiff
}

pub(crate) fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    PngEncoder::new(&mut bytes).write_image(picture, width, height, ExtendedColorType::Rgb8).expect("encode a PNG");
    bytes
}

/// A PNG that only says how large it is.
pub(crate) fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut header = width.to_be_bytes().to_vec();
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(chunk(b"IHDR", &header));
    // An empty zlib stream.
    bytes.extend(chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]));
    bytes.extend(chunk(b"IEND", &[]));
    bytes
}

pub(crate) fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut named = name.to_vec();
    named.extend(data);
    let mut bytes = (data.len() as u32).to_be_bytes().to_vec();
    bytes.extend(&named);
    bytes.extend(crc(&named).to_be_bytes());
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum: u32, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

/// With so many pages, and more in its catalog.
pub(crate) fn document(pages: usize, catalog: Dictionary) -> Document {
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let kids: Vec<Object> = (0..pages)
        .map(|number| {
            let text = Stream::new(dictionary! {}, format!("BT (page {number}) Tj ET").into_bytes());
            let contents = document.add_object(text);
            let page = dictionary! { "Type" => "Page", "Parent" => tree, "Contents" => contents };
            document.add_object(page).into()
        })
        .collect();
    let count = i64::try_from(pages).expect("few pages");
    document.objects.insert(tree, dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }.into());
    let mut root = dictionary! { "Type" => "Catalog", "Pages" => tree };
    root.extend(&catalog);
    let root = document.add_object(root);
    document.trailer.set("Root", root);
    document.trailer.set("ID", vec![Object::string_literal("one"), Object::string_literal("two")]);
    document
}

pub(crate) fn pdf(pages: usize) -> Vec<u8> {
    written(&mut document(pages, dictionary! {}))
}

pub(crate) fn written(document: &mut Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).expect("write a PDF");
    bytes
}

pub(crate) fn mp4_box(name: &[u8; 4], body: usize) -> Vec<u8> {
    let mut bytes = (body as u32 + 8).to_be_bytes().to_vec();
    bytes.extend(name);
    bytes.resize(body + 8, 0x5a);
    bytes
}

/// A phone's: the film first, what a player needs at the end.
pub(crate) fn mp4(total: usize) -> Vec<u8> {
    let mut bytes = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    let index = mp4_box(b"moov", 400);
    bytes.extend(mp4_box(b"mdat", total - bytes.len() - index.len() - 8));
    bytes.extend(index);
    assert_eq!(bytes.len(), total);
    bytes
}

pub(crate) fn avi(total: usize) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((total as u32 - 8).to_le_bytes());
    bytes.extend(b"AVI LIST\x40\0\0\0hdrl");
    bytes.resize(total, 0);
    bytes
}

pub(crate) fn flv(tags: usize) -> Vec<u8> {
    let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    for tag in 0..tags {
        let kind = if tag % 2 == 0 { 9 } else { 8 };
        bytes.extend([kind, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0]);
        bytes.resize(bytes.len() + 200, 7);
        bytes.extend(211_u32.to_be_bytes());
    }
    bytes
}
