//! Files as people upload them, made up, with words of the test inside; and how they are brought.

use crate::payday::Person;
use crate::{Answer, Http};
use serde_json::json;
use std::io;

const EDGE: &str = "--edge-of-the-form";
const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=edge-of-the-form");

/// Uploads a person's file.
pub fn upload(http: &Http, kind: &str, person: &Person, name: &str, file: &[&[u8]]) -> io::Result<Answer> {
    let Person { name: who, id_card, cellphone, bankcard_no } = person;
    let whose = json!({"name": who, "id_card": id_card, "cellphone": cellphone, "bankcard_no": bankcard_no});
    let mut head = String::new();
    for (field, value) in [("kind", kind), ("person", &whose.to_string())] {
        head.push_str(&format!("{EDGE}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"));
    }
    head.push_str(&format!("{EDGE}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"));
    let end = format!("\r\n{EDGE}--\r\n");
    let body: Vec<&[u8]> = [head.as_bytes()].into_iter().chain(file.iter().copied()).chain([end.as_bytes()]).collect();
    http.send_pieces("POST", "/v1/documents", &[FORM], &body)
}

/// A PDF of one empty page with that title.
pub fn pdf(title: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".to_owned(),
        format!("<< /Title ({title}) >>"),
    ];
    let (mut text, mut places) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (n, object) in (1..).zip(&objects) {
        places.push(text.len());
        text.push_str(&format!("{n} 0 obj\n{object}\nendobj\n"));
    }
    let table = text.len();
    text.push_str("xref\n0 5\n0000000000 65535 f \n");
    for place in places {
        text.push_str(&format!("{place:010} 00000 n \n"));
    }
    text.push_str(&format!("trailer\n<< /Size 5 /Root 1 0 R /Info 4 0 R >>\nstartxref\n{table}\n%%EOF\n"));
    text.into_bytes()
}

/// A grey JPEG of 1,200 by 800 with that comment: every block is nothing but the end of itself, two bits long.
pub fn jpeg(comment: &str) -> Vec<u8> {
    let mut bytes = b"\xff\xd8".to_vec();
    let mut segment = |mark: u8, data: &[u8]| {
        bytes.extend([0xff, mark]);
        bytes.extend(u16::try_from(data.len() + 2).expect("a short segment").to_be_bytes());
        bytes.extend(data);
    };
    segment(0xfe, comment.as_bytes());
    segment(0xdb, &[[0].as_slice(), &[1; 64]].concat());
    segment(0xc0, &[8, 3, 32, 4, 176, 1, 1, 0x11, 0]);
    for table in [0x00, 0x10] {
        segment(0xc4, &[[table, 1].as_slice(), &[0; 15], &[0]].concat());
    }
    segment(0xda, &[1, 1, 0, 0, 63, 0]);
    bytes.resize(bytes.len() + 150 * 100 * 2 / 8, 0);
    bytes.extend(b"\xff\xd9");
    bytes
}

/// The beginning and the end of an MP4 whose film, between them, is that long.
pub fn mp4(film: usize) -> (Vec<u8>, Vec<u8>) {
    let mut head = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    head.extend(u32::try_from(film + 8).expect("no giant").to_be_bytes());
    head.extend(b"mdat");
    let mut end = 400_u32.to_be_bytes().to_vec();
    end.extend(b"moov");
    end.resize(400, 0);
    (head, end)
}
