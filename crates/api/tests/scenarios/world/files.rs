//! Files made up: a PDF, pages with lines like print, and a container without a film. Nothing of them is anybody's.

use image::{ColorType, DynamicImage, ImageFormat, RgbImage};
use std::sync::atomic::{AtomicU32, Ordering};

/// A PDF of one empty page; `name` makes it another one.
pub(crate) fn pdf(name: &str) -> Vec<u8> {
    pdf_with(name, "", "")
}

/// The same of that many bytes.
pub(crate) fn pdf_of(name: &str, bytes: usize) -> Vec<u8> {
    let filling = |length: usize| {
        pdf_with(name, &format!("<< /Length {length} >>\nstream\n{}\nendstream", "x".repeat(length)), "")
    };
    let bare = filling(bytes).len() - bytes;
    let file = filling(bytes - bare);
    assert_eq!(file.len(), bytes);
    file
}

/// One that asks its readers for a password.
pub(crate) fn locked_pdf() -> Vec<u8> {
    let lock = "<< /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <";
    let lock = format!("{lock}{}> /U <{}> >>", "5a".repeat(32), "a5".repeat(32));
    pdf_with("locked", &lock, "/Encrypt 5 0 R /ID [<01> <01>] ")
}

/// `more` is its fifth object.
fn pdf_with(name: &str, more: &str, trailer: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".to_owned(),
        format!("<< /Title ({name}) >>"),
        if more.is_empty() { "null".to_owned() } else { more.to_owned() },
    ];
    let (mut text, mut places) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (n, object) in (1..).zip(&objects) {
        places.push(text.len());
        text.push_str(&format!("{n} 0 obj\n{object}\nendobj\n"));
    }
    let table = text.len();
    text.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    for place in places {
        text.push_str(&format!("{place:010} 00000 n \n"));
    }
    let size = objects.len() + 1;
    text.push_str(&format!(
        "trailer\n<< /Size {size} /Root 1 0 R /Info 4 0 R {trailer}>>\nstartxref\n{table}\n%%EOF\n"
    ));
    text.into_bytes()
}

/// Lines of upright strokes, `print` pixels high, on paper with a margin; a band along the top tells where it is.
pub(crate) fn page(width: u32, height: u32, print: u32) -> DynamicImage {
    const PAPER: [u8; 3] = [225, 220, 210];
    let row = |ink: &dyn Fn(u32) -> [u8; 3]| -> Vec<u8> { (0..width).flat_map(ink).collect() };
    let within = |x: u32| x > width / 12 && x < width - width / 12;
    let band = row(&|_| [200, 30, 30]);
    let blank = row(&|_| PAPER);
    let lines: Vec<Vec<u8>> = (0..7)
        .map(|word| {
            row(&|x| {
                let stroke = (x / (print / 6).max(1) + word).is_multiple_of(3) && x % (print * 4) < print * 3;
                if within(x) && stroke { [40, 40, 40] } else { PAPER }
            })
        })
        .collect();
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        let printed = y > height / 8 && y < height - height / 12 && y % (print * 2) < print;
        let row = match y {
            _ if y < height / 16 => &band,
            _ if printed => &lines[(y / (print * 2)) as usize % lines.len()],
            _ => &blank,
        };
        pixels.extend_from_slice(row);
    }
    RgbImage::from_raw(width, height, pixels).expect("as many pixels").into()
}

/// Written by way of a file: there the encoder is the optimised one.
pub(crate) fn jpeg(picture: &DynamicImage) -> Vec<u8> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("levee-picture-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let (width, height) = (picture.width(), picture.height());
    image::save_buffer_with_format(&path, picture.as_bytes(), width, height, ColorType::Rgb8, ImageFormat::Jpeg)
        .expect("the temporary folder can be written");
    let bytes = std::fs::read(&path).expect("it is there");
    std::fs::remove_file(&path).expect("it is ours");
    bytes
}

/// As a phone on its side writes it: a note that it is to be turned to the right, and where it was taken.
pub(crate) fn from_a_phone(jpeg: &[u8]) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
    for (tag, kind, value) in [(0x0112_u16, 3_u16, 6_u32), (0x8825, 4, 38)] {
        tiff.extend(tag.to_le_bytes());
        tiff.extend(kind.to_le_bytes());
        tiff.extend(1_u32.to_le_bytes());
        tiff.extend(value.to_le_bytes());
    }
    tiff.extend([0; 4]);
    tiff.extend(b"\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0\0\0\0\0GPS-31.2304-121.4737");
    let mut photo = jpeg[..2].to_vec();
    photo.extend(b"\xff\xe1");
    photo.extend(u16::try_from(tiff.len() + 8).expect("short").to_be_bytes());
    photo.extend(b"Exif\0\0");
    photo.extend(tiff);
    photo.extend(&jpeg[2..]);
    photo
}

/// A phone's video of that many bytes: the film first, what a player needs at the end; `film` makes it another one.
pub(crate) fn mp4(film: u8, bytes: usize) -> Vec<u8> {
    let part = |name: &[u8; 4], length: usize| {
        let mut part = u32::try_from(length).expect("no giant").to_be_bytes().to_vec();
        part.extend(name);
        part.resize(length, film);
        part
    };
    let mut video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    video.extend(part(b"mdat", bytes - video.len() - 400));
    video.extend(part(b"moov", 400));
    assert_eq!(video.len(), bytes);
    video
}

pub(crate) fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|found| found == word.as_bytes())
}
