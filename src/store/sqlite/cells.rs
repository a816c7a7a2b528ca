//! The cells of a row by the names of their columns. A cell that does not hold what it should is noted and left out, so
//! that one odd row hides nothing but itself.

use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};

use crate::domain::checksum::Checksum;

/// A row whose columns have these names, in this order.
pub struct Cells<'a> {
    row: &'a Row<'a>,
    names: &'static [&'static str],
    /// Where the cell is that will probably be asked for next.
    next: usize,
    odd: Vec<String>,
}

impl<'a> Cells<'a> {
    /// The first cells of a row.
    pub fn new(row: &'a Row<'a>, names: &'static [&'static str]) -> Self {
        Self { row, names, next: 0, odd: Vec::new() }
    }

    /// A value; None if the cell is empty or odd.
    pub fn get<T: FromSql>(&mut self, name: &str) -> Option<T> {
        let at = self.find(name)?;
        match self.row.get::<_, Option<T>>(at) {
            Ok(value) => value,
            Err(_) => {
                self.note(name, at);
                None
            }
        }
    }

    /// A word that stands for something; None if the cell is empty or the word is not known here.
    pub fn word<T>(&mut self, name: &str, from_word: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let at = self.find(name)?;
        let word = match self.row.get_ref(at) {
            Ok(ValueRef::Null) => return None,
            Ok(ValueRef::Text(word)) => std::str::from_utf8(word).ok().and_then(from_word),
            Ok(ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_)) | Err(_) => None,
        };
        if word.is_none() {
            self.note(name, at);
        }
        word
    }

    /// A SHA-256; all zeros if the cell holds none, which no bytes will ever match.
    pub fn checksum(&mut self, name: &str) -> Checksum {
        self.word(name, Checksum::from_hex).unwrap_or_default()
    }

    /// What was odd: the column and what is in it.
    pub fn into_odd(self) -> Vec<String> {
        self.odd
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        let at = match self.names.get(self.next) {
            Some(next) if *next == name => Some(self.next),
            Some(_) | None => self.names.iter().position(|column| *column == name),
        };
        self.next = at.unwrap_or(self.next) + 1;
        debug_assert!(at.is_some(), "there is no column {name}");
        at
    }

    fn note(&mut self, name: &str, at: usize) {
        let (_, column) = name.split_once('.').unwrap_or(("", name));
        let found = match self.row.get_ref(at) {
            Ok(ValueRef::Text(text)) => {
                format!("'{}'", String::from_utf8_lossy(text).chars().take(40).collect::<String>())
            }
            Ok(ValueRef::Integer(number)) => number.to_string(),
            Ok(ValueRef::Real(number)) => number.to_string(),
            Ok(ValueRef::Blob(_)) => "bytes".to_owned(),
            Ok(ValueRef::Null) | Err(_) => "nothing".to_owned(),
        };
        self.odd.push(format!("{column} is {found}"));
    }
}
