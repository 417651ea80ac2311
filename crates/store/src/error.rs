//! Why the store could not answer. No text here ever holds a bound value or a driver's message: both may be personal data.

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The database did not answer, or not in time: the caller tries again. A write may have been applied (faults.md §2.2).
    #[error("the database is not available")]
    Unavailable,
    /// A row does not read as what was written there.
    #[error("corrupt row in {table}: column {column} of {id}")]
    Corrupt { table: String, id: String, column: String },
    /// The database or its settings are not fit to hold money; says what to change.
    #[error("{0}")]
    Refused(String),
    /// A constraint forbids this write; its name.
    #[error("constraint {0} forbids it")]
    Forbidden(String),
    /// The schema is not the one this program knows.
    #[error("schema version {} found, {known} known: run `levee migrate` with the newest program", found.map_or("none".to_owned(), |v| v.to_string()))]
    Schema { found: Option<i64>, known: i64 },
}

/// What every function of the store answers.
pub type Result<T> = std::result::Result<T, Error>;
