//! Lists: `?limit=&cursor=` → `{items, next_cursor}`.

use crate::problem::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

const DEFAULT: usize = 50;
const MOST: usize = 200;

/// One page of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Give it back as `cursor` for the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// What part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) limit: usize,
    pub(crate) cursor: Option<Uuid>,
}

impl Span {
    pub(crate) fn read(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Error> {
        let cursor = cursor
            .map(|text| unseal(text).and_then(|bytes| Uuid::from_slice(&bytes).ok()).ok_or_else(bad_cursor))
            .transpose()?;
        Ok(Self { limit: limit_of(limit, DEFAULT)?, cursor })
    }

    /// One more than wanted shows whether there is another page.
    pub(crate) fn fetch(&self) -> usize {
        self.limit + 1
    }

    pub(crate) fn page<R, T>(&self, mut rows: Vec<R>, id: impl Fn(&R) -> Uuid, view: impl FnMut(R) -> T) -> Page<T> {
        let next_cursor = self.cut(&mut rows, id);
        Page { items: rows.into_iter().map(view).collect(), next_cursor }
    }

    /// Cuts the extra row off, and names where the next page begins.
    pub(crate) fn cut<R>(&self, rows: &mut Vec<R>, id: impl Fn(&R) -> Uuid) -> Option<String> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        rows.last().filter(|_| more).map(|row| seal(id(row).as_bytes()))
    }
}

/// 1 to 200.
pub(crate) fn limit_of(limit: Option<&str>, default: usize) -> Result<usize, Error> {
    let bad = || Error::field("limit", "out_of_range", "limit is a number from 1 to 200", "limit 应为 1 至 200 的整数");
    let read = |text: &str| text.parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(bad);
    limit.map_or(Ok(default), read)
}

/// A cursor over row numbers.
pub(crate) fn row_cursor(cursor: Option<&str>) -> Result<i64, Error> {
    let read = |text: &str| {
        unseal(text).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes).ok_or_else(bad_cursor)
    };
    cursor.map_or(Ok(0), read)
}

pub(crate) fn seal(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unseal(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn bad_cursor() -> Error {
    Error::field(
        "cursor",
        "bad_cursor",
        "give a cursor exactly as a list's next_cursor had it",
        "cursor 应原样使用上一页返回的 next_cursor",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let span = Span { limit: 2, cursor: None };
        let rows: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let page = span.page(rows, |id| *id, |id| id);
        assert_eq!(page.items.len(), 2);
        let next = Span::read(Some("2"), page.next_cursor.as_deref()).unwrap();
        assert_eq!(next.cursor, Some(Uuid::from_u128(2)));
        assert_eq!(next.page(vec![Uuid::from_u128(3)], |id| *id, |id| id).next_cursor, None);
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        for bad in ["0", "201", "-1", "x", ""] {
            assert!(Span::read(Some(bad), None).is_err(), "{bad:?}");
        }
        assert!(Span::read(None, Some("%")).is_err());
        assert_eq!(row_cursor(Some(&seal(&7_i64.to_be_bytes()))).unwrap(), 7);
    }
}
