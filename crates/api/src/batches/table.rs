//! Reading an upload: CSV as spreadsheets write it, or JSON. Nothing is judged here but the shape.

use crate::orders::body::OrderBody;
use crate::problem::Error;
use crate::read::{parse, parse_value};
use crate::table::{Cells, Line, Shape};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Most rows of one upload.
pub(crate) const MOST: usize = 50_000;

/// The columns, named as an order's fields.
const SHAPE: Shape = Shape {
    columns: &[
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
    ],
    required: &["business_key", "name", "id_card", "cellphone", "bankcard_no", "tax_mode", "tax_agent_parent_id"],
    one_of: &[["net", "gross"], ["credit_code", "customer_id"]],
    most: MOST,
};

/// The JSON form of an upload.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    #[schema(value_type = Vec<OrderBody>)]
    pub(crate) orders: Vec<Value>,
}

/// `{orders: […]}`: each order is judged alone.
pub(crate) fn json(bytes: &[u8]) -> Result<Vec<Line<OrderBody>>, Error> {
    let body: BatchBody = parse(bytes)?;
    SHAPE.bounded(body.orders.into_iter().zip(1..).map(|(order, row)| Line { row, body: parse_value(order) }).collect())
}

/// CSV with a header row: UTF-8 with or without BOM, or GB18030.
pub(crate) fn csv(bytes: &[u8]) -> Result<Vec<Line<OrderBody>>, Error> {
    SHAPE.read(bytes, order)
}

fn order(cells: &Cells<'_>) -> OrderBody {
    OrderBody {
        business_key: cells.text("business_key"),
        account: cells.text("account"),
        person: Some(cells.person()),
        net: cells.text("net"),
        gross: cells.text("gross"),
        tax_mode: cells.text("tax_mode"),
        tax_agent_parent_id: cells.digits("tax_agent_parent_id"),
        tax_agent_location_id: cells.digits("tax_agent_location_id"),
        credit_code: cells.text("credit_code"),
        customer_id: cells.digits("customer_id"),
        task_id: cells.digits("task_id"),
        remark: cells.text("remark"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::GB18030;

    const HEAD: &str = "business_key,name,id_card,cellphone,bankcard_no,net,tax_mode,tax_agent_parent_id,credit_code";

    fn names(lines: &[Line<OrderBody>]) -> Vec<(i64, String)> {
        let name = |line: &Line<OrderBody>| {
            line.body.as_ref().ok().and_then(|body| body.person.clone()?.name).unwrap_or_default()
        };
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
