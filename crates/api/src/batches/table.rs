//! Reading an upload: CSV as spreadsheets write it, or JSON. Nothing is judged here but the shape.

use crate::orders::body::{Digits, OrderBody, PersonBody};
use crate::problem::{Error, FieldError};
use crate::read::{nearest, parse, parse_value};
use csv::{ReaderBuilder, StringRecord};
use encoding_rs::GB18030;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use utoipa::ToSchema;

/// Most rows of one upload.
pub(crate) const MOST: usize = 50_000;

/// The columns, named as an order's fields.
const COLUMNS: [&str; 15] = [
    "business_key",
    "account",
    "name",
    "id_card",
    "cellphone",
    "bankcard_no",
    "net",
    "gross",
    "tax_mode",
    "tax_agent_parent_id",
    "tax_agent_location_id",
    "credit_code",
    "customer_id",
    "task_id",
    "remark",
];
const REQUIRED: [&str; 7] =
    ["business_key", "name", "id_card", "cellphone", "bankcard_no", "tax_mode", "tax_agent_parent_id"];
const ONE_OF: [[&str; 2]; 2] = [["net", "gross"], ["credit_code", "customer_id"]];

/// One row as it was uploaded.
pub(crate) struct Line {
    /// As a spreadsheet counts: the header is row 1. In JSON the first order is 1.
    pub(crate) row: i64,
    pub(crate) body: Result<OrderBody, FieldError>,
}

/// The JSON form of an upload.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    #[schema(value_type = Vec<OrderBody>)]
    pub(crate) orders: Vec<Value>,
}

/// `{orders: […]}`: each order is judged alone.
pub(crate) fn json(bytes: &[u8]) -> Result<Vec<Line>, Error> {
    let body: BatchBody = parse(bytes)?;
    bounded(body.orders.into_iter().zip(1..).map(|(order, row)| Line { row, body: parse_value(order) }).collect())
}

/// CSV with a header row: UTF-8 with or without BOM, or GB18030.
pub(crate) fn csv(bytes: &[u8]) -> Result<Vec<Line>, Error> {
    let text = decode(bytes)?;
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = reader.records();
    let mut rows = Rows::new(text.as_bytes());
    let head = records.next().transpose().map_err(|_| unreadable())?.ok_or_else(empty)?;
    rows.number(&head);
    let columns = columns(&head)?;
    let mut lines = Vec::new();
    for record in records {
        let record = record.map_err(|_| unreadable())?;
        let row = rows.number(&record);
        if record.iter().any(|cell| !cell.trim().is_empty()) {
            lines.push(Line { row, body: cells(&columns, &record) });
        }
        if lines.len() > MOST {
            return Err(too_many());
        }
    }
    bounded(lines)
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

fn bounded(lines: Vec<Line>) -> Result<Vec<Line>, Error> {
    match lines.len() {
        0 => Err(empty()),
        1..=MOST => Ok(lines),
        _ => Err(too_many()),
    }
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

/// The place of each column; unknown, doubled and missing ones are all told.
fn columns(head: &StringRecord) -> Result<Vec<&'static str>, Error> {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for name in head.iter().map(str::trim) {
        match COLUMNS.iter().find(|known| **known == name.to_ascii_lowercase()) {
            Some(known) if found.contains(known) => {
                faults.push(FieldError::new(known, "column_twice", "this column occurs twice", "列名重复"))
            }
            Some(known) => found.push(*known),
            None => {
                let said = nearest(name, COLUMNS.into_iter()).replace("no such field", "no such column");
                faults.push(FieldError::new(&shown(name), "unknown_column", &said, "未知列名"));
            }
        }
    }
    let missing = REQUIRED.into_iter().filter(|name| !found.contains(name));
    faults
        .extend(missing.map(|name| FieldError::new(name, "missing_column", "this column is required", "缺少必需的列")));
    for [one, other] in ONE_OF.iter().filter(|either| !either.iter().any(|name| found.contains(name))) {
        let said = (format!("a column {one} or {other} is required"), format!("必须有 {one} 或 {other} 列"));
        faults.push(FieldError::new(one, "missing_column", &said.0, &said.1));
    }
    if faults.is_empty() { Ok(found) } else { Err(Error::Invalid(faults)) }
}

/// A header that is shown back: short, and nothing that cannot be seen.
fn shown(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    if name.is_empty() { "(empty)".into() } else { name }
}

fn cells(columns: &[&'static str], record: &StringRecord) -> Result<OrderBody, FieldError> {
    if record.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty()) {
        return Err(FieldError::new(
            "row",
            "too_many_cells",
            "this row has more cells than the header",
            "单元格数多于表头",
        ));
    }
    let cell = |name: &str| {
        let place = columns.iter().position(|column| *column == name)?;
        record.get(place).map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned)
    };
    let digits = |name: &str| cell(name).map(Digits);
    let person = PersonBody {
        name: cell("name"),
        id_card: cell("id_card"),
        cellphone: cell("cellphone"),
        bankcard_no: cell("bankcard_no"),
    };
    Ok(OrderBody {
        business_key: cell("business_key"),
        account: cell("account"),
        person: Some(person),
        net: cell("net"),
        gross: cell("gross"),
        tax_mode: cell("tax_mode"),
        tax_agent_parent_id: digits("tax_agent_parent_id"),
        tax_agent_location_id: digits("tax_agent_location_id"),
        credit_code: cell("credit_code"),
        customer_id: digits("customer_id"),
        task_id: digits("task_id"),
        remark: cell("remark"),
    })
}

fn unreadable() -> Error {
    Error::field("file", "malformed_csv", "this is no CSV", "不是有效的 CSV 文件")
}

fn empty() -> Error {
    Error::field("file", "empty", "there are no rows", "文件中没有数据行")
}

fn too_many() -> Error {
    Error::field("file", "too_many_rows", "at most 50000 rows in one upload: split it", "单次上传最多 50000 行，请拆分")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "business_key,name,id_card,cellphone,bankcard_no,net,tax_mode,tax_agent_parent_id,credit_code";

    fn names(lines: &[Line]) -> Vec<(i64, String)> {
        let name = |line: &Line| line.body.as_ref().ok().and_then(|body| body.person.clone()?.name).unwrap_or_default();
        lines.iter().map(|line| (line.row, name(line))).collect()
    }

    #[test]
    fn every_encoding_that_spreadsheets_write_is_read() {
        let text = format!("{HEAD}\nk1,欧阳修,1,2,3,1.00,GENERAL,9,C\n");
        let (gb, _, _) = GB18030.encode(&text);
        for bytes in [text.as_bytes().to_vec(), [b"\xef\xbb\xbf", text.as_bytes()].concat(), gb.into_owned()] {
            assert_eq!(names(&csv(&bytes).unwrap()), [(2, "欧阳修".to_owned())]);
        }
        assert!(csv(b"\xff\xff\xff").is_err());
    }

    #[test]
    fn rows_are_numbered_as_a_spreadsheet_numbers_them() {
        let text = format!(
            "{HEAD}\r\nk1,\"A\n\",1,2,3,1.00,GENERAL,9,\"C\nD\"\r\n\r\nk2, B ,1,2,3,1.00,GENERAL,9,C\r\n,,,,,,,,\r\n\r\n"
        );
        for text in [text.clone(), text.replace("\r\n", "\n")] {
            assert_eq!(names(&csv(text.as_bytes()).unwrap()), [(2, "A".to_owned()), (4, "B".to_owned())]);
        }
    }

    #[test]
    fn a_wrong_header_is_told_whole() {
        let Err(Error::Invalid(faults)) = csv(b"busines_key,name,name\n") else { panic!("taken") };
        let codes: Vec<(&str, &str)> = faults.iter().map(|fault| (fault.field.as_str(), fault.code.as_str())).collect();
        assert!(codes.contains(&("busines_key", "unknown_column")) && codes.contains(&("name", "column_twice")));
        assert!(
            codes.contains(&("business_key", "missing_column")) && codes.contains(&("credit_code", "missing_column"))
        );
        assert!(faults[0].message.contains("business_key"), "the nearest name is offered");
    }

    #[test]
    fn an_upload_without_rows_is_refused() {
        for bytes in [&b""[..], b"\n\n", HEAD.as_bytes()] {
            assert!(csv(bytes).is_err());
        }
        assert!(json(br#"{"orders":[]}"#).is_err());
    }

    #[test]
    fn each_json_order_is_judged_alone() {
        let lines = json(br#"{"orders":[{"net":1},{"net":"1.00"},{"nett":"1.00"}]}"#).unwrap();
        let ok: Vec<bool> = lines.iter().map(|line| line.body.is_ok()).collect();
        assert_eq!(ok, [false, true, false]);
        assert_eq!(lines[2].body.as_ref().err().unwrap().field, "nett");
    }
}
