//! The user's own fields: where a job's saved result is looked into, and what is made of what is there.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::cost::Cost;

/// A field of a service, as `[services.<name>.fields]` declares it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name: a column, a key to sort by, a word of the filter.
    pub name: Arc<str>,
    pub of: Of,
    /// A JSON pointer, `*` for any element.
    pub at: String,
    /// What several values are made into.
    pub fold: Aggregate,
    /// Whether it is a column of the list.
    pub column: bool,
    /// Cells of that column.
    pub width: Option<u16>,
    /// Its heading.
    pub title: Option<String>,
}

impl Field {
    /// The heading of its column.
    pub fn heading(&self) -> String {
        self.title.clone().unwrap_or_else(|| self.name.to_uppercase())
    }
}

/// What a pointer begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Of {
    Body,
    Output,
}

/// What several values are made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Aggregate {
    /// The first that is neither null nor empty.
    #[default]
    First,
    /// The exact sum of those that are numbers.
    Sum,
    Count,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// All, with commas between them.
    Join,
}

impl Aggregate {
    /// Every fold by its word.
    pub const ALL: [(&'static str, Self); 6] = [
        ("first", Self::First),
        ("sum", Self::Sum),
        ("count", Self::Count),
        ("min", Self::Min),
        ("max", Self::Max),
        ("join", Self::Join),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, fold)| *fold == self).map_or("first", |(word, _)| word)
    }
}

/// What makes the values of these fields what they are, as text: where it changes, they are taken anew.
pub fn definition(fields: &[Field]) -> String {
    let one = |field: &Field| {
        let of = match field.of {
            Of::Body => "",
            Of::Output => "output:",
        };
        format!("{} {} {of}{}", field.name, field.fold.as_str(), field.at)
    };
    fields.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// A value of a field: a number with its own digits, or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// A JSON number as it came.
    Number(String),
    /// A string, decoded; of an object or array its JSON text. Foreign.
    Text(String),
    /// true or false.
    Flag(bool),
}

impl FieldValue {
    /// The value as a cell, or for a person: not sanitised.
    pub fn text(&self) -> &str {
        match self {
            Self::Number(text) | Self::Text(text) => text,
            Self::Flag(true) => "true",
            Self::Flag(false) => "false",
        }
    }

    /// The amount, of a number or of a text that is one.
    pub fn amount(&self) -> Option<Cost> {
        match self {
            Self::Number(text) | Self::Text(text) => Cost::parse(text),
            Self::Flag(_) => None,
        }
    }
}

/// The values of a job's fields by name, of the JSON object in which they are kept.
pub fn values(object: &str) -> BTreeMap<String, FieldValue> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).unwrap_or_default();
    members.into_iter().filter_map(|(name, text)| Some((name, value(text.get())?))).collect()
}

pub fn value_of(object: &str, name: &str) -> Option<FieldValue> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    value(members.get(name)?.get())
}

fn value(json: &str) -> Option<FieldValue> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok().map(FieldValue::Text),
        b't' => Some(FieldValue::Flag(true)),
        b'f' => Some(FieldValue::Flag(false)),
        b'n' => None,
        _ => Some(FieldValue::Number(json.to_owned())),
    }
}

/// The order in which fields sort: amounts before texts.
impl Ord for FieldValue {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.amount(), other.amount()) {
            (Some(one), Some(two)) => one.cmp(&two).then_with(|| self.text().cmp(other.text())),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => {
                self.text().to_lowercase().cmp(&other.text().to_lowercase()).then_with(|| self.text().cmp(other.text()))
            }
        }
    }
}

impl PartialOrd for FieldValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One value of those that stand where a field points; None if nothing does.
pub fn fold(fold: Aggregate, values: Vec<FieldValue>) -> Option<FieldValue> {
    let is_there = |value: &FieldValue| !value.text().is_empty();
    match fold {
        Aggregate::First => values.into_iter().find(is_there),
        Aggregate::Count => Some(FieldValue::Number(values.iter().filter(|value| is_there(value)).count().to_string())),
        Aggregate::Min => values.into_iter().filter(is_there).min(),
        Aggregate::Max => values.into_iter().filter(is_there).max(),
        Aggregate::Sum => {
            // Of a single number every digit stays, however many there are.
            if let [FieldValue::Number(digits)] = values.as_slice() {
                return Some(FieldValue::Number(digits.clone()));
            }
            let amounts: Vec<Cost> = values.iter().filter_map(FieldValue::amount).collect();
            (!amounts.is_empty()).then(|| FieldValue::Number(amounts.iter().copied().sum::<Cost>().digits()))
        }
        Aggregate::Join => {
            let texts: Vec<&str> = values.iter().filter(|value| is_there(value)).map(FieldValue::text).collect();
            (!texts.is_empty()).then(|| FieldValue::Text(texts.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_become_one_and_numbers_keep_their_digits() {
        let number = |text: &str| FieldValue::Number(text.to_owned());
        let text = |text: &str| FieldValue::Text(text.to_owned());
        let values = || vec![text(""), number("12.50"), number("3"), text("0.1"), text("b"), text("A")];
        let cases = [
            (Aggregate::First, values(), Some(number("12.50"))),
            (Aggregate::Sum, values(), Some(number("15.6"))),
            (
                Aggregate::Sum,
                vec![number("123456789012345678901234567890.10")],
                Some(number("123456789012345678901234567890.10")),
            ),
            (Aggregate::Sum, vec![text("x")], None),
            (Aggregate::Count, values(), Some(number("5"))),
            (Aggregate::Count, vec![], Some(number("0"))),
            (Aggregate::Min, values(), Some(text("0.1"))),
            (Aggregate::Max, values(), Some(text("b"))),
            (Aggregate::Join, values(), Some(text("12.50, 3, 0.1, b, A"))),
            (Aggregate::First, vec![FieldValue::Flag(false)], Some(FieldValue::Flag(false))),
            (Aggregate::Max, vec![], None),
        ];
        for (way, values, expected) in cases {
            assert_eq!(fold(way, values.clone()), expected, "{way:?} {values:?}");
        }
    }
}
