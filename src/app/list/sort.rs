//! What the list can be sorted by.

use std::cmp::Ordering;
use std::time::Duration;

use super::jobs::Row;
use super::tally;
use crate::domain::clean::Clean;
use crate::domain::field::{self, Field, FieldValue};
use crate::domain::note;

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// Problems first, then running jobs, the longest first.
    #[default]
    Status,
    /// What the job is called.
    Name,
    Service,
    /// The time of the row, the longest first.
    Time,
    /// The last change, the newest first.
    Changed,
    /// The saved size, the largest first.
    Size,
    /// The cost, the dearest first.
    Cost,
    /// As in the jobs file.
    File,
    /// A column of the user's own, by its number; jobs without a value last.
    Field(u8),
}

/// Those that every list has: their words in the kept view, in titles and the menu, and their letters there.
const OWN: [(SortBy, &str, &str, char); 8] = [
    (SortBy::Status, "status", "problems first", 'p'),
    (SortBy::Name, "name", "by name", 'n'),
    (SortBy::Service, "service", "by service", 's'),
    (SortBy::Time, "time", "longest first", 't'),
    (SortBy::Changed, "changed", "newest first", 'a'),
    (SortBy::Size, "size", "largest first", 'z'),
    (SortBy::Cost, "cost", "dearest first", 'c'),
    (SortBy::File, "file", "file order", 'f'),
];

impl SortBy {
    /// Every way to sort a list with these columns, in the order of the menu.
    pub fn all(columns: &[Field]) -> Vec<Self> {
        let fields = (0u8..9).zip(columns).map(|(n, _)| Self::Field(n));
        OWN.iter().map(|(by, ..)| *by).chain(fields).collect()
    }

    /// The word of the kept view.
    pub fn word(self, columns: &[Field]) -> String {
        match self.field(columns) {
            Some(field) => format!("field:{}", field.name),
            None => self.entry().1.to_owned(),
        }
    }

    /// The words of the title and the menu.
    pub fn title(self, columns: &[Field]) -> Clean {
        match self.field(columns) {
            Some(field) => Clean::from(format!("by {}", Clean::new(&field.name))),
            None => Clean::from(self.entry().2),
        }
    }

    /// Its letter in the menu; of a column of the user's own its number.
    pub fn letter(self) -> char {
        if let Self::Field(n) = self { char::from_digit(u32::from(n) + 1, 10).unwrap_or('0') } else { self.entry().3 }
    }

    /// The order of two jobs.
    pub fn compare(self, one: &Row, two: &Row, columns: &[Field]) -> Ordering {
        match self {
            Self::Status => one.rank().cmp(&two.rank()),
            Self::Name => one.title.cmp(&two.title),
            Self::Service => one.job.service.cmp(&two.job.service),
            Self::Time => ran(two).cmp(&ran(one)),
            Self::Changed => note::since(&two.known).cmp(&note::since(&one.known)),
            Self::Size => size(two).cmp(&size(one)),
            Self::Cost => tally::cost(two).cmp(&tally::cost(one)),
            Self::File => Ordering::Equal,
            Self::Field(_) => match self.field(columns).map(|field| (value(one, field), value(two, field))) {
                Some((Some(one), Some(two))) => one.cmp(&two),
                Some((one, two)) => one.is_none().cmp(&two.is_none()),
                None => Ordering::Equal,
            },
        }
    }

    fn field(self, columns: &[Field]) -> Option<&Field> {
        if let Self::Field(n) = self { columns.get(usize::from(n)) } else { None }
    }

    fn entry(self) -> (Self, &'static str, &'static str, char) {
        OWN.into_iter().find(|(by, ..)| *by == self).unwrap_or((Self::Status, "status", "problems first", 'p'))
    }
}

/// The value of a job's field, if its result has one.
pub fn value(row: &Row, field: &Field) -> Option<FieldValue> {
    field::value_of(&row.known.fields.as_ref()?.values, &field.name)
}

fn size(row: &Row) -> Option<u64> {
    row.known.saved.as_ref().map(|saved| saved.bytes)
}

/// How long a job took, or has taken until its last change: an order by running clocks would never rest.
fn ran(row: &Row) -> Option<Duration> {
    note::took(&row.known).or_else(|| note::time(&row.known, row.known.changed_at?))
}
