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
    /// What the pointer begins at.
    pub of: Of,
    /// A JSON pointer, `*` for any element.
    pub at: String,
    /// What several values are made into.
    pub fold: Fold,
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
    /// The saved body.
    Body,
    /// The decoded output.
    Output,
}

/// What several values are made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fold {
    /// The first that is neither null nor empty.
    #[default]
    First,
    /// The exact sum of those that are numbers.
    Sum,
    /// How many there are.
    Count,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// All, with commas between them.
    Join,
}

impl Fold {
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
pub enum Value {
    /// A JSON number as it came.
    Number(String),
    /// A string, decoded; of an object or array its JSON text. Foreign.
    Text(String),
    /// true or false.
    Flag(bool),
}

impl Value {
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
pub fn values(object: &str) -> BTreeMap<String, Value> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).unwrap_or_default();
    members.into_iter().filter_map(|(name, text)| Some((name, value(text.get())?))).collect()
}

/// The value of one field.
pub fn value_of(object: &str, name: &str) -> Option<Value> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    value(members.get(name)?.get())
}

fn value(json: &str) -> Option<Value> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok().map(Value::Text),
        b't' => Some(Value::Flag(true)),
        b'f' => Some(Value::Flag(false)),
        b'n' => None,
        _ => Some(Value::Number(json.to_owned())),
    }
}

/// The order in which fields sort: amounts before texts.
impl Ord for Value {
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

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One value of those that stand where a field points; None if nothing does.
pub fn fold(fold: Fold, values: Vec<Value>) -> Option<Value> {
    let is_there = |value: &Value| !value.text().is_empty();
    match fold {
        Fold::First => values.into_iter().find(is_there),
        Fold::Count => Some(Value::Number(values.iter().filter(|value| is_there(value)).count().to_string())),
        Fold::Min => values.into_iter().filter(is_there).min(),
        Fold::Max => values.into_iter().filter(is_there).max(),
        Fold::Sum => {
            // Of a single number every digit stays, however many there are.
            if let [Value::Number(digits)] = values.as_slice() {
                return Some(Value::Number(digits.clone()));
            }
            let amounts: Vec<Cost> = values.iter().filter_map(Value::amount).collect();
            (!amounts.is_empty()).then(|| Value::Number(amounts.iter().copied().sum::<Cost>().digits()))
        }
        Fold::Join => {
            let texts: Vec<&str> = values.iter().filter(|value| is_there(value)).map(Value::text).collect();
            (!texts.is_empty()).then(|| Value::Text(texts.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_become_one_and_numbers_keep_their_digits() {
        let number = |text: &str| Value::Number(text.to_owned());
        let text = |text: &str| Value::Text(text.to_owned());
        let values = || vec![text(""), number("12.50"), number("3"), text("0.1"), text("b"), text("A")];
        let cases = [
            (Fold::First, values(), Some(number("12.50"))),
            (Fold::Sum, values(), Some(number("15.6"))),
            (
                Fold::Sum,
                vec![number("123456789012345678901234567890.10")],
                Some(number("123456789012345678901234567890.10")),
            ),
            (Fold::Sum, vec![text("x")], None),
            (Fold::Count, values(), Some(number("5"))),
            (Fold::Count, vec![], Some(number("0"))),
            (Fold::Min, values(), Some(text("0.1"))),
            (Fold::Max, values(), Some(text("b"))),
            (Fold::Join, values(), Some(text("12.50, 3, 0.1, b, A"))),
            (Fold::First, vec![Value::Flag(false)], Some(Value::Flag(false))),
            (Fold::Max, vec![], None),
        ];
        for (way, values, expected) in cases {
            assert_eq!(fold(way, values.clone()), expected, "{way:?} {values:?}");
        }
    }
}
