//! Judging an upload's rows: each good one becomes an order to be, each wrong one names its field and remedy.

use crate::api::Api;
use crate::batches::table::Line;
use crate::orders;
use crate::orders::draft::Draft;
use crate::problem::{Error, FieldError};
use crate::role::Caller;
use domain::{InstanceId, Money};
use engine::New;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;
use store::{BatchRow, RowError};

/// Rows looked up or stored at once.
const AT_ONCE: usize = 16;

/// A row that was judged.
pub(crate) struct Judged {
    pub(crate) row: i64,
    pub(crate) draft: Result<Draft, Vec<FieldError>>,
    /// An order with this key and content exists.
    pub(crate) known: bool,
}

/// What an upload comes to.
pub(crate) struct Tally {
    pub(crate) count: usize,
    pub(crate) sum: Money,
    pub(crate) wrong: usize,
    pub(crate) known: usize,
}

/// Everything that can be told without the database. `csv`: fields are columns there.
pub(crate) fn judge(api: &Api, tenant: &str, lines: Vec<Line>, csv: bool) -> Vec<Judged> {
    let mut seen: HashMap<String, (i64, String)> = HashMap::new();
    let one = |line: Line| {
        let draft =
            line.body.map_err(|fault| vec![fault]).and_then(|body| check(api, tenant, &body)).and_then(|draft| {
                let hash = draft.content_hash(api, tenant, None);
                match seen.get(&draft.business_key) {
                    Some((first, content)) => Err(vec![repeated(*first, *content == hash)]),
                    None => {
                        seen.insert(draft.business_key.clone(), (line.row, hash));
                        Ok(draft)
                    }
                }
            });
        Judged { row: line.row, draft: draft.map_err(|faults| named(faults, csv)), known: false }
    };
    lines.into_iter().map(one).collect()
}

fn check(api: &Api, tenant: &str, body: &orders::body::OrderBody) -> Result<Draft, Vec<FieldError>> {
    let draft = Draft::check(api, tenant, body)?;
    let most = api.engine().rules.policy(&draft.account).name_max_chars;
    if draft.person.name.chars() > most {
        let said = (
            format!("the provider takes names of at most {most} characters; a longer one is never shortened"),
            format!("姓名超长：服务商最多接受 {most} 个字符"),
        );
        return Err(vec![FieldError::new("person.name", "name_too_long", &said.0, &said.1)]);
    }
    Ok(draft)
}

fn repeated(first: i64, same: bool) -> FieldError {
    let (other, zh) = if same { ("the same content", "内容相同") } else { ("other content", "内容不同") };
    FieldError::new(
        "business_key",
        "repeated_in_file",
        &format!("row {first} has this business key already, with {other}"),
        &format!("业务单号与第 {first} 行重复，{zh}"),
    )
}

/// A spreadsheet has columns, not paths.
fn named(mut faults: Vec<FieldError>, csv: bool) -> Vec<FieldError> {
    if csv {
        for fault in &mut faults {
            fault.field = fault.field.strip_prefix("person.").unwrap_or(&fault.field).to_owned();
        }
    }
    faults
}

/// Compares with the orders there are.
pub(crate) async fn compare(api: &Api, caller: &Caller, judged: Vec<Judged>) -> Result<Vec<Judged>, Error> {
    let one = |mut row: Judged| async move {
        let Ok(draft) = &row.draft else { return Ok(row) };
        let found = api.store().instance_by_key(&caller.tenant, orders::WORKFLOW, &draft.business_key).await?;
        match found {
            Some(order) if order.content_hash == draft.content_hash(api, &caller.tenant, None) => row.known = true,
            Some(_) => row.draft = Err(vec![conflict()]),
            None => {}
        }
        Ok::<Judged, Error>(row)
    };
    stream::iter(judged).map(one).buffered(AT_ONCE).try_collect().await
}

fn conflict() -> FieldError {
    FieldError::new(
        "business_key",
        "business_key_conflict",
        "an order with this business key and other content exists",
        "该业务单号已存在，且内容不同",
    )
}

pub(crate) fn tally(judged: &[Judged]) -> Result<Tally, Error> {
    let good = || judged.iter().filter_map(|row| row.draft.as_ref().ok());
    let sum = Money::sum(good().map(|draft| draft.terms.asked.money()));
    let sum = sum.ok_or_else(|| {
        Error::field("file", "sum_range", "the sum of this upload is out of range: split it", "总金额超出范围，请拆分")
    })?;
    let count = good().count();
    let known = judged.iter().filter(|row| row.known && row.draft.is_ok()).count();
    Ok(Tally { count, sum, wrong: judged.len() - count, known })
}

/// Stores the people of the good rows, and prepares their orders.
pub(crate) async fn prepare(
    api: &Api,
    caller: &Caller,
    batch: InstanceId,
    judged: Vec<Judged>,
) -> Result<Vec<BatchRow>, Error> {
    let one = |row: Judged| async move {
        let draft = match row.draft {
            Ok(draft) => draft,
            Err(faults) => {
                return Ok(BatchRow {
                    row: row.row,
                    prepared: None,
                    amount_fen: 0,
                    errors: faults.into_iter().map(row_error).collect(),
                });
            }
        };
        let person = api.store().put_person(&caller.tenant, &draft.person).await?;
        let order = draft.order(api, &caller.tenant, person, None)?;
        let prepared = api.engine().prepare(New { batch_row: Some((batch, row.row)), ..order })?;
        Ok::<BatchRow, Error>(BatchRow {
            row: row.row,
            prepared: Some(prepared),
            amount_fen: draft.terms.asked.money().fen(),
            errors: Vec::new(),
        })
    };
    stream::iter(judged).map(one).buffered(AT_ONCE).try_collect().await
}

fn row_error(fault: FieldError) -> RowError {
    let message = fault.english().to_owned();
    RowError { field: fault.field, code: fault.code, message, message_zh: fault.message_zh }
}
