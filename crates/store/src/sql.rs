//! A thin layer over the two SQL databases: values in, rows out, one bulk statement per table.
//!
//! SQL is portable text with `$1`; it begins with a comment that names its function (`-- instance.claim`). On PostgreSQL a bulk
//! statement takes one array per column; on SQLite it runs once per row, inside the same transaction.

use crate::spent::STATEMENTS;
use crate::{Error, Result};
use domain::{InstanceId, Time};
use serde::de::DeserializeOwned;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Row as _, SqlSafeStr, SqlStr, Type};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use uuid::Uuid;

mod value;

#[derive(Clone)]
pub(crate) enum Pool {
    Pg { write: sqlx::PgPool, read: sqlx::PgPool },
    Lite { write: sqlx::SqlitePool, read: sqlx::SqlitePool },
}

pub(crate) enum Conn {
    Pg(PoolConnection<Postgres>),
    Lite(PoolConnection<Sqlite>),
}

/// Why a statement or a transaction failed, and whether it may be repeated.
#[derive(Debug)]
pub(crate) enum Fail {
    Store(Error),
    /// Definitely rolled back; the same inputs may succeed.
    Again,
    /// COMMIT did not answer: applied or not, nobody knows (faults.md §2.2).
    Unknown,
}

pub(crate) type Outcome<T> = std::result::Result<T, Fail>;

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Fail::Store(error)
    }
}

impl From<Fail> for Error {
    fn from(fail: Fail) -> Self {
        match fail {
            Fail::Store(error) => error,
            Fail::Again | Fail::Unknown => Error::Unavailable,
        }
    }
}

/// Reads a driver's error once and keeps only what may be shown: a constraint's name or an error code, never its text.
pub(crate) fn classify(error: &sqlx::Error) -> Fail {
    let sqlx::Error::Database(db) = error else {
        let passing = matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed);
        tracing::debug!(passing, "database call failed");
        return if passing { Fail::Again } else { Fail::Store(Error::Unavailable) };
    };
    let code = db.code().unwrap_or_default();
    let postgres = db.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some();
    match (postgres, code.as_ref()) {
        (true, "40001" | "40P01" | "57P01" | "57P02" | "57P03") => Fail::Again,
        (true, c) if c.starts_with("23") => {
            Fail::Store(Error::Forbidden(db.constraint().unwrap_or("not_null").to_owned()))
        }
        // Bad data (NUL in text, a number out of range, a value too long for its index) is this row's fault for ever, not the
        // database's: the group must find the offender instead of failing with it again and again.
        (true, c) if c.starts_with("22") || c.starts_with("54") => Fail::Store(Error::Forbidden("data".to_owned())),
        (false, c) if c.parse::<i64>().is_ok_and(|code| code & 0xff == 19) => {
            Fail::Store(Error::Forbidden(lite_rule(db.message())))
        }
        (false, "18") => Fail::Store(Error::Forbidden("data".to_owned())),
        (false, "5" | "517" | "261") => Fail::Again,
        (_, code) => {
            tracing::error!(code, "database refused a statement");
            Fail::Store(Error::Unavailable)
        }
    }
}

/// The rule's name out of SQLite's message, which holds names only: `CHECK constraint failed: NAME`, `UNIQUE constraint failed:
/// table.column, …` or what a trigger raised.
fn lite_rule(message: &str) -> String {
    let rule = message.rsplit_once("failed: ").map_or(message, |(_, rule)| rule);
    rule.replace(", ", "+")
}

/// A bound value. No `Debug`: it may be personal data.
#[derive(Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Uuid(Option<Uuid>),
    Uuids(Vec<Uuid>),
    Texts(Vec<String>),
}

pub(crate) struct Row {
    inner: Inner,
    table: Arc<str>,
}

enum Inner {
    Pg(PgRow),
    Lite(SqliteRow),
}

impl Row {
    pub(crate) fn get<T>(&self, column: &str) -> Result<T>
    where
        for<'r> T: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite>,
    {
        let got = match &self.inner {
            Inner::Pg(row) => row.try_get(column),
            Inner::Lite(row) => row.try_get(column),
        };
        got.map_err(|_| self.corrupt(column))
    }

    pub(crate) fn time(&self, column: &str) -> Result<Time> {
        self.get::<i64>(column).map(Time::from_millis)
    }

    pub(crate) fn time_or(&self, column: &str) -> Result<Option<Time>> {
        Ok(self.get::<Option<i64>>(column)?.map(Time::from_millis))
    }

    pub(crate) fn id(&self, column: &str) -> Result<InstanceId> {
        self.get(column).map(InstanceId)
    }

    pub(crate) fn id_or(&self, column: &str) -> Result<Option<InstanceId>> {
        Ok(self.get::<Option<Uuid>>(column)?.map(InstanceId))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.get::<String>(column)?).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn json_or<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text = self.get::<Option<String>>(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| self.corrupt(column))).transpose()
    }

    pub(crate) fn corrupt(&self, column: &str) -> Error {
        let id = match &self.inner {
            Inner::Pg(row) => row.try_get::<Uuid, _>("id"),
            Inner::Lite(row) => row.try_get::<Uuid, _>("id"),
        };
        Error::Corrupt {
            table: self.table.to_string(),
            id: id.map_or_else(|_| "?".into(), |id| id.to_string()),
            column: column.to_owned(),
        }
    }
}

impl Conn {
    /// A command without values or rows.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Outcome<()> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        let ran = match self {
            Conn::Pg(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(|_| ()),
            Conn::Lite(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(|_| ()),
        };
        ran.map_err(|e| classify(&e))
    }

    pub(crate) async fn exec(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> Outcome<u64> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        let done = match self {
            Conn::Pg(c) => bind_pg(sql.into_sql_str(), values).execute(&mut **c).await.map(|d| d.rows_affected()),
            Conn::Lite(c) => bind_lite(sql.into_sql_str(), values).execute(&mut **c).await.map(|d| d.rows_affected()),
        };
        done.map_err(|e| classify(&e))
    }

    pub(crate) async fn all(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> Outcome<Vec<Row>> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        let sql = sql.into_sql_str();
        let table = table_of(sql.as_str());
        let rows: std::result::Result<Vec<Inner>, sqlx::Error> = match self {
            Conn::Pg(c) => {
                bind_pg(sql, values).fetch_all(&mut **c).await.map(|rows| rows.into_iter().map(Inner::Pg).collect())
            }
            Conn::Lite(c) => {
                bind_lite(sql, values).fetch_all(&mut **c).await.map(|rows| rows.into_iter().map(Inner::Lite).collect())
            }
        };
        let rows = rows.map_err(|e| classify(&e))?;
        Ok(rows.into_iter().map(|inner| Row { inner, table: table.clone() }).collect())
    }

    pub(crate) async fn one(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> Outcome<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// `pg` reads its rows from `unnest` over one array per column; `lite` is the same change for one row.
    pub(crate) async fn each(
        &mut self,
        pg: impl SqlSafeStr,
        lite: impl SqlSafeStr,
        rows: Vec<Vec<Value>>,
    ) -> Outcome<Vec<Row>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let Conn::Pg(c) = self else {
            let sql = lite.into_sql_str();
            let mut found = Vec::new();
            for row in rows {
                found.extend(self.all(sql.clone(), row).await?);
            }
            return Ok(found);
        };
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        let sql = pg.into_sql_str();
        let table = table_of(sql.as_str());
        let query = transpose(rows).into_iter().fold(sqlx::query::<Postgres>(sql), bind_column);
        let rows = query.fetch_all(&mut **c).await.map_err(|e| classify(&e))?;
        Ok(rows.into_iter().map(|row| Row { inner: Inner::Pg(row), table: table.clone() }).collect())
    }

    /// Inserts rows in one statement. `columns`: `name type, …`; `suffix`: ON CONFLICT and RETURNING.
    pub(crate) async fn insert(&mut self, into: &Into, rows: Vec<Vec<Value>>) -> Outcome<Vec<Row>> {
        let (pg, lite) = into.statements();
        self.each(AssertSqlSafe(pg), AssertSqlSafe(lite), rows).await
    }
}

/// Where a bulk insert goes. All parts are literals of this crate.
pub(crate) struct Into {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    /// `id uuid, at bigint`: PostgreSQL's names of the types.
    pub(crate) columns: &'static str,
    pub(crate) suffix: &'static str,
}

impl Into {
    fn statements(&self) -> (String, String) {
        let columns: Vec<(&str, &str)> = self.columns.split(',').filter_map(|c| c.trim().split_once(' ')).collect();
        let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let arrays = columns.iter().zip(1..).map(|((_, of), n)| format!("${n}::{of}[]")).collect::<Vec<_>>().join(", ");
        let binds = (1..=columns.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let head = format!("-- {}\ninsert into {} ({names})", self.name, self.table);
        (
            format!("{head} select * from unnest({arrays}) {}", self.suffix),
            format!("{head} values ({binds}) {}", self.suffix),
        )
    }
}

/// The table a statement is named after.
fn table_of(sql: &str) -> Arc<str> {
    let name = sql.trim_start().strip_prefix("-- ").and_then(|rest| rest.split(['.', '\n']).next());
    Arc::from(name.unwrap_or("?"))
}

fn bind_pg(sql: SqlStr, values: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(v) => query.bind(v),
        Value::Text(v) => query.bind(v),
        Value::Bytes(v) => query.bind(v),
        Value::Uuid(v) => query.bind(v),
        Value::Uuids(v) => query.bind(v),
        Value::Texts(v) => query.bind(v),
    })
}

fn bind_lite(sql: SqlStr, values: Vec<Value>) -> Query<'static, Sqlite, SqliteArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(v) => query.bind(v),
        Value::Text(v) => query.bind(v),
        Value::Bytes(v) => query.bind(v),
        Value::Uuid(v) => query.bind(v),
        // As JSON, for `json_each`: SQLite has no arrays.
        Value::Uuids(v) => query.bind(json_array(v.iter().map(|id| hex::encode_upper(id.as_bytes())))),
        Value::Texts(v) => query.bind(json_array(v.into_iter())),
    })
}

fn json_array(items: impl Iterator<Item = String>) -> String {
    serde_json::Value::from_iter(items).to_string()
}

fn transpose(rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    let width = rows.first().map_or(0, Vec::len);
    let mut columns: Vec<Vec<Value>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    columns
}

/// One array, typed by its first value: a column holds values of one kind.
fn bind_column(query: Query<'_, Postgres, PgArguments>, column: Vec<Value>) -> Query<'_, Postgres, PgArguments> {
    let (mut ints, mut texts, mut bytes, mut uuids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for value in column {
        match value {
            Value::Int(v) => ints.push(v),
            Value::Text(v) => texts.push(v),
            Value::Bytes(v) => bytes.push(v),
            Value::Uuid(v) => uuids.push(v),
            Value::Uuids(_) | Value::Texts(_) => unreachable!("a column of a bulk statement holds single values"),
        }
    }
    if !ints.is_empty() {
        query.bind(ints)
    } else if !texts.is_empty() {
        query.bind(texts)
    } else if !bytes.is_empty() {
        query.bind(bytes)
    } else {
        query.bind(uuids)
    }
}

/// `id in (…)` over a bound list, in each dialect.
pub(crate) fn among(conn: &Conn, column: &str, n: usize) -> String {
    match conn {
        Conn::Pg(_) => format!("{column} = any(${n})"),
        Conn::Lite(_) => format!("{column} in (select unhex(value) from json_each(${n}))"),
    }
}
