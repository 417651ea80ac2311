//! Sign-ups from a spreadsheet. A payday file (代发文件) serves as it is: what it says beyond the people is for its orders.

use crate::problem::Error;
use crate::sign_ups::create::MOST;
use crate::sign_ups::draft::SignUpBody;
use crate::table::{Cells, Line, Shape};

const SHAPE: Shape = Shape {
    columns: &[
        "kind",
        "account",
        "name",
        "id_card",
        "cellphone",
        "bankcard_no",
        "tax_agent_parent_id",
        "credit_code",
        "customer_id",
        // Of a payday file.
        "business_key",
        "net",
        "gross",
        "tax_mode",
        "tax_agent_location_id",
        "task_id",
        "remark",
    ],
    required: &["name", "id_card", "cellphone", "bankcard_no"],
    one_of: &[],
    most: MOST,
};

/// CSV with a header row: UTF-8 with or without BOM, or GB18030. `kind` is that of the rows that say none.
pub(crate) fn csv(bytes: &[u8], kind: Option<&str>) -> Result<Vec<Line<SignUpBody>>, Error> {
    SHAPE.read(bytes, |cells| sign_up(cells, kind))
}

fn sign_up(cells: &Cells<'_>, kind: Option<&str>) -> SignUpBody {
    SignUpBody {
        kind: cells.text("kind").or_else(|| kind.map(str::to_owned)),
        account: cells.text("account"),
        person: Some(cells.person()),
        tax_agent_parent_id: cells.digits("tax_agent_parent_id"),
        credit_code: cells.text("credit_code"),
        customer_id: cells.digits("customer_id"),
    }
}
