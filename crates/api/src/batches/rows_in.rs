//! Judging an upload's rows: each good one becomes an order to be, each wrong one names its field and remedy.

use crate::api::Api;
use crate::orders;
use crate::orders::body::OrderBody;
use crate::orders::draft::Draft;
use crate::orders::limit;
use crate::problem::{Error, FieldError};
use crate::role::Caller;
use crate::table::Line;
use domain::{InstanceId, Money, Person};
use engine::New;
use std::collections::HashMap;
use store::{BatchRow, RowError};
use uuid::Uuid;

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
pub(crate) fn judge(api: &Api, tenant: &str, lines: Vec<Line<OrderBody>>, csv: bool) -> Vec<Judged> {
    let mut seen: HashMap<String, (i64, String)> = HashMap::new();
    let one = |line: Line<OrderBody>| {
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
    if let Some(fault) = orders::draft::too_long(api, &draft.account, &draft.person) {
        return Err(vec![fault]);
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
    let drafts = || judged.iter().filter_map(|row| row.draft.as_ref().ok());
    let keys: Vec<String> = drafts().map(|draft| draft.business_key.clone()).collect();
    let orders = api.store().instances_by_keys(&caller.tenant, orders::WORKFLOW, &keys).await?;
    let known: HashMap<String, String> =
        orders.into_iter().map(|order| (order.business_key, order.content_hash)).collect();
    let one = |mut row: Judged| {
        let Ok(draft) = &row.draft else { return row };
        match known.get(&draft.business_key) {
            Some(hash) if *hash == draft.content_hash(api, &caller.tenant, None) => row.known = true,
            Some(_) => row.draft = Err(vec![conflict()]),
            None => {}
        }
        row
    };
    Ok(judged.into_iter().map(one).collect())
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
    let people: Vec<Person> =
        judged.iter().filter_map(|row| row.draft.as_ref().ok()).map(|draft| draft.person.clone()).collect();
    let persons = api.store().put_persons(&caller.tenant, &people).await?;
    let good = judged.iter().filter_map(|row| Some((row.known, row.draft.as_ref().ok()?))).zip(&persons);
    // One that there is already counts as itself.
    let drafts: Vec<(&Draft, Uuid)> =
        good.filter(|((known, _), _)| !known).map(|((_, draft), person)| (draft, *person)).collect();
    let over_limit = limit::exceeded(api, &caller.tenant, &drafts).await?;
    let mut persons = persons.into_iter();
    let mut one = |row: Judged| {
        let draft = match row.draft {
            Ok(draft) => draft,
            Err(faults) => {
                let errors = faults.into_iter().map(row_error).collect();
                return Ok(BatchRow { row: row.row, prepared: None, amount_fen: 0, errors });
            }
        };
        let person = persons.next().ok_or(Error::Internal)?;
        let over_limit = over_limit.contains(&draft.business_key);
        let order = draft.order(api, &caller.tenant, person, None, over_limit)?;
        let prepared = api.engine().prepare(New { batch_row: Some((batch, row.row)), ..order })?;
        let amount_fen = draft.terms.asked.money().fen();
        Ok(BatchRow { row: row.row, prepared: Some(prepared), amount_fen, errors: Vec::new() })
    };
    judged.into_iter().map(&mut one).collect()
}

fn row_error(fault: FieldError) -> RowError {
    let message = fault.english().to_owned();
    RowError { field: fault.field, code: fault.code, message, message_zh: fault.message_zh }
}
