//! PDFs: opened as a reader would, and refused where a reader would ask or run something.

use crate::inspect::Inspected;
use domain::Invalid;
use lopdf::{Document, Error, LoadOptions, Object};

/// The most bytes that one packed stream of objects may unfold to.
const UNPACKED_MAX: usize = 16 << 20;
/// How far before its end a PDF says that it ends (as readers have it).
const TAIL: usize = 1024;

pub(crate) fn check(bytes: &[u8]) -> Result<Inspected, Invalid> {
    // A reader would rebuild what it finds of a file that is cut off; the pages that are missing would not be missed.
    let tail = bytes.trim_ascii_end();
    if !tail[tail.len().saturating_sub(TAIL)..].windows(5).any(|mark| mark == b"%%EOF") {
        return Err(Invalid::new(
            "pdf_truncated",
            "the PDF is cut off: copy it again and upload the whole file",
            "PDF 文件不完整：请重新复制后上传完整文件",
        ));
    }
    let document = Document::load_mem_with_options(bytes, LoadOptions::with_max_decompressed_size(UNPACKED_MAX));
    let document = document.map_err(|error| if is_locked(&error) { encrypted() } else { damaged() })?;
    // One that opens without a password still forbids something to its readers.
    if document.was_encrypted() || document.trailer.has(b"Encrypt") {
        return Err(encrypted());
    }
    if document.objects.values().chain(document.trailer.iter().map(|(_, value)| value)).any(runs_something) {
        return Err(Invalid::new(
            "pdf_has_script",
            "the PDF runs a script or a program: print it to a new PDF and upload that",
            "PDF 文件含有脚本或可执行内容：请重新打印为 PDF 后上传",
        ));
    }
    match document.page_iter().filter(|page| document.get_dictionary(*page).is_ok()).count() {
        0 => Err(Invalid::new(
            "pdf_without_pages",
            "the PDF has no pages: export it again",
            "PDF 文件没有页面：请重新导出后上传",
        )),
        pages => Ok(Inspected::Pdf { pages: u32::try_from(pages).unwrap_or(u32::MAX) }),
    }
}

/// Whether an action in it is a script or starts a program.
fn runs_something(object: &Object) -> bool {
    let mut waiting = vec![object];
    while let Some(object) = waiting.pop() {
        let entries = match object {
            Object::Array(items) => {
                waiting.extend(items);
                continue;
            }
            Object::Dictionary(entries) => entries,
            Object::Stream(stream) => &stream.dict,
            Object::Null
            | Object::Boolean(_)
            | Object::Integer(_)
            | Object::Real(_)
            | Object::Name(_)
            | Object::String(..)
            | Object::Reference(_) => continue,
        };
        let action = entries.get(b"S").and_then(Object::as_name).unwrap_or_default();
        if entries.has(b"JS") || entries.has(b"JavaScript") || action == b"JavaScript" || action == b"Launch" {
            return true;
        }
        waiting.extend(entries.iter().map(|(_, value)| value));
    }
    false
}

fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Decryption(_) | Error::InvalidPassword | Error::UnsupportedSecurityHandler(_))
}

fn encrypted() -> Invalid {
    Invalid::new(
        "pdf_encrypted",
        "the PDF is protected: save it without a password or restrictions",
        "PDF 文件已加密或受保护：请取消密码和限制后重新保存",
    )
}

fn damaged() -> Invalid {
    Invalid::new("pdf_damaged", "the PDF cannot be opened: export it again", "PDF 文件无法打开：请重新导出后上传")
}
