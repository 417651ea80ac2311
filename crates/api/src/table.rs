//! CSV as spreadsheets write it: a header row of known columns, and rows that are judged one by one. Nothing is judged here but the shape.

use crate::orders::body::{Digits, PersonBody};
use crate::problem::{Error, FieldError};
use crate::read::nearest;
use csv::{ReaderBuilder, StringRecord};
use encoding_rs::GB18030;
use std::borrow::Cow;

/// Which columns a file has.
pub(crate) struct Shape {
    pub(crate) columns: &'static [&'static str],
    pub(crate) required: &'static [&'static str],
    /// One of each pair at least.
    pub(crate) one_of: &'static [[&'static str; 2]],
    /// Most rows of one upload.
    pub(crate) most: usize,
}

/// One row as it was uploaded.
pub(crate) struct Line<T> {
    /// As a spreadsheet counts: the header is row 1. In JSON the first is 1.
    pub(crate) row: i64,
    pub(crate) body: Result<T, FieldError>,
}

/// The cells of one row by their columns' names.
pub(crate) struct Cells<'a> {
    columns: &'a [&'static str],
    record: &'a StringRecord,
}

impl Cells<'_> {
    /// What a cell says; an empty one says nothing.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let place = self.columns.iter().position(|column| *column == name)?;
        self.record.get(place).map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned)
    }

    pub(crate) fn digits(&self, name: &str) -> Option<Digits> {
        self.text(name).map(Digits)
    }

    pub(crate) fn person(&self) -> PersonBody {
        PersonBody {
            name: self.text("name"),
            id_card: self.text("id_card"),
            cellphone: self.text("cellphone"),
            bankcard_no: self.text("bankcard_no"),
        }
    }
}

impl Shape {
    /// CSV with a header row: UTF-8 with or without BOM, or GB18030.
    pub(crate) fn read<T>(&self, bytes: &[u8], body: impl Fn(&Cells<'_>) -> T) -> Result<Vec<Line<T>>, Error> {
        let text = decode(bytes)?;
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut records = reader.records();
        let mut rows = Rows::new(text.as_bytes());
        let head = records.next().transpose().map_err(|_| unreadable())?.ok_or_else(empty)?;
        rows.number(&head);
        let columns = self.columns(&head)?;
        let mut lines = Vec::new();
        for record in records {
            let record = record.map_err(|_| unreadable())?;
            let row = rows.number(&record);
            if record.iter().any(|cell| !cell.trim().is_empty()) {
                let cells = Cells { columns: &columns, record: &record };
                lines.push(Line { row, body: fitting(&cells).map(|()| body(&cells)) });
            }
            if lines.len() > self.most {
                return Err(self.too_many());
            }
        }
        self.bounded(lines)
    }

    /// Some rows, and not too many.
    pub(crate) fn bounded<T>(&self, lines: Vec<Line<T>>) -> Result<Vec<Line<T>>, Error> {
        match lines.len() {
            0 => Err(empty()),
            many if many > self.most => Err(self.too_many()),
            _ => Ok(lines),
        }
    }

    /// The place of each column; unknown, doubled and missing ones are all told.
    fn columns(&self, head: &StringRecord) -> Result<Vec<&'static str>, Error> {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for name in head.iter().map(str::trim) {
            match self.columns.iter().find(|known| **known == name.to_ascii_lowercase()) {
                Some(known) if found.contains(known) => {
                    faults.push(FieldError::new(known, "column_twice", "this column occurs twice", "列名重复"))
                }
                Some(known) => found.push(*known),
                None => {
                    let said = nearest(name, self.columns.iter().copied()).replace("no such field", "no such column");
                    faults.push(FieldError::new(&shown(name), "unknown_column", &said, "未知列名"));
                }
            }
        }
        let missing = self.required.iter().filter(|name| !found.contains(name));
        faults.extend(
            missing.map(|name| FieldError::new(name, "missing_column", "this column is required", "缺少必需的列")),
        );
        for [one, other] in self.one_of.iter().filter(|either| !either.iter().any(|name| found.contains(name))) {
            let said = (format!("a column {one} or {other} is required"), format!("必须有 {one} 或 {other} 列"));
            faults.push(FieldError::new(one, "missing_column", &said.0, &said.1));
        }
        if faults.is_empty() { Ok(found) } else { Err(Error::Invalid(faults)) }
    }

    fn too_many(&self) -> Error {
        let most = self.most;
        let said = (format!("at most {most} rows in one upload: split it"), format!("单次上传最多 {most} 行，请拆分"));
        Error::field("file", "too_many_rows", &said.0, &said.1)
    }
}

fn fitting(cells: &Cells<'_>) -> Result<(), FieldError> {
    let beyond = cells.record.iter().skip(cells.columns.len()).any(|cell| !cell.trim().is_empty());
    let said = ("this row has more cells than the header", "单元格数多于表头");
    if beyond { Err(FieldError::new("row", "too_many_cells", said.0, said.1)) } else { Ok(()) }
}

/// Numbers records as a spreadsheet does: blank lines count, line breaks inside a quoted cell do not.
struct Rows<'a> {
    text: &'a [u8],
    at: usize,
    row: i64,
}

impl<'a> Rows<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, row: 1 }
    }

    fn number(&mut self, record: &StringRecord) -> i64 {
        let place = record.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.at);
        // The reader's record begins where the last one ended: at its line break, and at blank lines after it.
        let blank = self.text.iter().skip(place).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let start = (place + blank).min(self.text.len());
        self.row += breaks(self.text.get(self.at..start).unwrap_or_default());
        self.at = start;
        let row = self.row;
        self.row -= record.iter().map(|cell| breaks(cell.as_bytes())).sum::<i64>();
        row
    }
}

fn breaks(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0)
}

/// BOM, then UTF-8, then GB18030: what office programs in China write.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let (text, bad) = GB18030.decode_without_bom_handling(bytes);
    let said = ("save the file as UTF-8 or GB18030 (GBK)", "请将文件保存为 UTF-8 或 GB18030（GBK）编码");
    if bad { Err(Error::field("file", "encoding", said.0, said.1)) } else { Ok(text) }
}

/// A header that is shown back: short, and nothing that cannot be seen.
fn shown(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    if name.is_empty() { "(empty)".into() } else { name }
}

fn unreadable() -> Error {
    Error::field("file", "malformed_csv", "this is no CSV", "不是有效的 CSV 文件")
}

fn empty() -> Error {
    Error::field("file", "empty", "there are no rows", "文件中没有数据行")
}
