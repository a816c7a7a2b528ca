//! Times, durations and words as the tables hold them.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Type, ValueRef};

use crate::domain::observation::Doubt;

/// A time in a table.
pub struct Nanoseconds(Timestamp);

impl FromSql for Nanoseconds {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let nanoseconds = i128::from(value.as_i64()?);
        Timestamp::from_nanosecond(nanoseconds).map(Self).map_err(FromSqlError::other)
    }
}

impl From<Nanoseconds> for Timestamp {
    fn from(Nanoseconds(at): Nanoseconds) -> Self {
        at
    }
}

/// A time as the tables hold it. Far times that a service made up end in the year 2262.
pub fn nanoseconds(at: Timestamp) -> i64 {
    let nanoseconds = at.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// A time of a table.
pub fn time(column: usize, nanoseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error.into()))
}

/// A duration as the tables hold it, in nanoseconds.
pub fn duration(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The doubt of which this is the cause's word.
pub fn doubt_from_word(word: &str) -> Option<Doubt> {
    Doubt::ALL.into_iter().find(|doubt| doubt.cause().as_str() == word)
}

/// A word that has to be there.
pub fn word<T>(row: &Row<'_>, column: usize, from_word: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    opt_word(row, column, from_word)?.ok_or(rusqlite::Error::InvalidColumnType(
        column,
        "an empty word".to_owned(),
        Type::Null,
    ))
}

/// A word, if there is one. A word that only a later jobdeck knows must not become another word.
pub fn opt_word<T>(row: &Row<'_>, column: usize, from_word: fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    match from_word(text) {
        Some(word) => Ok(Some(word)),
        None => Err(rusqlite::Error::InvalidColumnType(column, text.to_owned(), Type::Text)),
    }
}
