//! A description as a tree that remembers where each value is, so that what begins as a copy of another can still
//! be complained about by line.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A value and where it is in the text of its description.
#[derive(Debug, Clone, PartialEq)]
pub struct DescriptionNode {
    pub value: NodeValue,
    /// Its bytes in the text.
    pub span: Option<Range<usize>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// A string.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction.
    Number(f64),
    /// true or false.
    Flag(bool),
    /// A date or time, which no key takes.
    Moment(String),
    /// An array.
    List(Vec<DescriptionNode>),
    Table(Table),
}

/// The members of a table in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table(pub Vec<Member>);

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub key: String,
    pub key_span: Option<Range<usize>>,
    pub node: DescriptionNode,
}

impl NodeValue {
    /// What it is called in a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Whole(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Moment(_) => "a date or time",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

fn moved(span: Option<Range<usize>>, by: usize) -> Option<Range<usize>> {
    span.map(|span| span.start.saturating_add(by)..span.end.saturating_add(by))
}

impl Table {
    /// A table of a TOML text.
    pub fn of(table: &DeTable<'_>) -> Self {
        let mut members: Vec<Member> = table
            .iter()
            .map(|(key, value)| Member {
                key: key.get_ref().to_string(),
                key_span: Some(key.span()),
                node: DescriptionNode::of(value.get_ref(), value.span()),
            })
            .collect();
        members.sort_by_key(|member| member.key_span.as_ref().map(|span| span.start));
        Self(members)
    }

    pub fn get(&self, key: &str) -> Option<&Member> {
        self.0.iter().find(|member| member.key == key)
    }

    /// Without one of its members, which is given back.
    pub fn take(&mut self, key: &str) -> Option<Member> {
        let at = self.0.iter().position(|member| member.key == key)?;
        Some(self.0.remove(at))
    }

    /// The same with every place that much further on.
    pub fn further(mut self, by: usize) -> Self {
        for member in &mut self.0 {
            member.key_span = moved(member.key_span.take(), by);
            member.node.move_on(by);
        }
        self
    }

    /// This table with another laid over it: tables are merged key by key, everything else is replaced.
    pub fn overlaid(mut self, over: Self) -> Self {
        for member in over.0 {
            match self.0.iter_mut().find(|known| known.key == member.key) {
                Some(known) => {
                    known.key_span = member.key_span;
                    known.node = match (std::mem::take(&mut known.node), member.node) {
                        (
                            DescriptionNode { value: NodeValue::Table(under), .. },
                            DescriptionNode { value: NodeValue::Table(over), span },
                        ) => DescriptionNode { value: NodeValue::Table(under.overlaid(over)), span },
                        (_, over) => over,
                    };
                }
                None => self.0.push(member),
            }
        }
        self
    }

    /// The table as TOML of a library's making.
    fn to_toml(&self) -> toml::Table {
        self.0.iter().map(|member| (member.key.clone(), member.node.to_toml())).collect()
    }

    /// The table as TOML text. Empty if it cannot be written, which no table that was read can bring about.
    pub fn text(&self) -> String {
        toml::to_string(&self.to_toml()).unwrap_or_default()
    }
}

impl Default for DescriptionNode {
    fn default() -> Self {
        Self { value: NodeValue::Flag(false), span: None }
    }
}

impl DescriptionNode {
    fn of(value: &DeValue<'_>, span: Range<usize>) -> Self {
        let value = match value {
            DeValue::String(text) => NodeValue::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(whole) => NodeValue::Whole(whole),
                Err(_) => NodeValue::Moment(number.as_str().to_owned()),
            },
            DeValue::Float(number) => NodeValue::Number(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => NodeValue::Flag(*flag),
            DeValue::Datetime(moment) => NodeValue::Moment(moment.to_string()),
            DeValue::Array(array) => {
                NodeValue::List(array.iter().map(|value| Self::of(value.get_ref(), value.span())).collect())
            }
            DeValue::Table(table) => NodeValue::Table(Table::of(table)),
        };
        Self { value, span: Some(span) }
    }

    fn move_on(&mut self, by: usize) {
        self.span = moved(self.span.take(), by);
        match &mut self.value {
            NodeValue::List(list) => list.iter_mut().for_each(|node| node.move_on(by)),
            NodeValue::Table(table) => *table = std::mem::take(table).further(by),
            NodeValue::Text(_)
            | NodeValue::Whole(_)
            | NodeValue::Number(_)
            | NodeValue::Flag(_)
            | NodeValue::Moment(_) => {}
        }
    }

    fn to_toml(&self) -> toml::Value {
        match &self.value {
            NodeValue::Text(text) | NodeValue::Moment(text) => toml::Value::String(text.clone()),
            NodeValue::Whole(whole) => toml::Value::Integer(*whole),
            NodeValue::Number(number) => toml::Value::Float(*number),
            NodeValue::Flag(flag) => toml::Value::Boolean(*flag),
            NodeValue::List(list) => toml::Value::Array(list.iter().map(Self::to_toml).collect()),
            NodeValue::Table(table) => toml::Value::Table(table.to_toml()),
        }
    }
}
