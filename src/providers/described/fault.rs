//! What is wrong with a description, and reading its tables so that every mistake is found.

#![expect(clippy::wildcard_enum_match_arm, reason = "a value of a wrong type is one mistake, whichever type it has")]

use std::ops::Range;

use super::node::{DescriptionNode, Member, NodeValue, Table};

/// One mistake. Its texts may be shown: a description holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptionFault {
    /// Where it is in the text of the description; None: nowhere.
    pub span: Option<Range<usize>>,
    /// In which of those that it is `like` that is; None: in itself.
    pub of: Option<String>,
    pub message: String,
    pub help: String,
}

/// A table of a description under reading.
#[derive(Clone, Copy)]
pub struct DescriptionTable<'a> {
    table: &'a Table,
    /// Where it is, for messages: `in [status]`.
    place: &'a str,
    span: Option<&'a Range<usize>>,
}

/// All mistakes of a description.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<DescriptionFault>);

impl Faults {
    pub fn add(&mut self, span: Option<Range<usize>>, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(DescriptionFault { span, of: None, message: message.into(), help: help.into() });
    }
}

/// The one of `known` that was probably meant.
pub fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |word: &str| word.trim().to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    if word.len() > 64 {
        return None;
    }
    let likeness = |known: &'k str| (strsim::jaro_winkler(&word, &plain(known)), known);
    let best = known.into_iter().map(likeness).max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best.0 > 0.84).then_some(best.1)
}

impl<'a> DescriptionTable<'a> {
    /// A table and where it is.
    pub fn new(table: &'a Table, place: &'a str, span: Option<&'a Range<usize>>) -> Self {
        Self { table, place, span }
    }

    pub fn span(&self) -> Option<Range<usize>> {
        self.span.cloned()
    }

    /// Every key that is not known is a mistake.
    pub fn expect_only(&self, known: &[&str], faults: &mut Faults) {
        for member in self.table.0.iter().filter(|member| !known.contains(&member.key.as_str())) {
            let help = match meant(&member.key, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            faults.add(member.key_span.clone(), format!("unknown key `{}` {}", member.key, self.place), help);
        }
    }

    pub fn get(&self, key: &str) -> Option<&'a Member> {
        self.table.get(key)
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = &'a Member> {
        self.table.0.iter()
    }

    pub fn table(&self, key: &str, place: &'a str, faults: &mut Faults) -> Option<DescriptionTable<'a>> {
        let member = self.get(key)?;
        match &member.node.value {
            NodeValue::Table(table) => Some(DescriptionTable { table, place, span: member.key_span.as_ref() }),
            other => self.wrong(member, other, "a table", "{ … }", faults),
        }
    }

    pub fn text(&self, key: &str, faults: &mut Faults) -> Option<&'a str> {
        let member = self.get(key)?;
        match &member.node.value {
            NodeValue::Text(text) => Some(text),
            other => self.wrong(member, other, "a string", "\"…\"", faults),
        }
    }

    /// A text that is not blank.
    pub fn word(&self, key: &str, faults: &mut Faults) -> Option<&'a str> {
        let text = self.text(key, faults)?;
        if text.trim().is_empty() {
            let span = self.get(key).and_then(|member| member.node.span.clone());
            faults.add(span, format!("`{key}` {} is empty", self.place), "write it, or take the key out");
            return None;
        }
        Some(text.trim())
    }

    /// true or false.
    pub fn flag(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        let member = self.get(key)?;
        match &member.node.value {
            NodeValue::Flag(flag) => Some(*flag),
            other => self.wrong(member, other, "true or false", "true", faults),
        }
    }

    pub fn number(&self, key: &str, faults: &mut Faults) -> Option<f64> {
        let member = self.get(key)?;
        match &member.node.value {
            #[expect(clippy::cast_precision_loss, reason = "a scale has few digits")]
            NodeValue::Whole(whole) => Some(*whole as f64),
            NodeValue::Number(number) => Some(*number),
            other => self.wrong(member, other, "a number", "100", faults),
        }
    }

    /// Texts, each with its place: an array of them, or one alone.
    pub fn texts(&self, key: &str, faults: &mut Faults) -> Vec<(&'a str, Option<Range<usize>>)> {
        let Some(member) = self.get(key) else { return Vec::new() };
        match &member.node.value {
            NodeValue::Text(text) => vec![(text, member.node.span.clone())],
            NodeValue::List(list) => list.iter().filter_map(|node| self.text_of(key, node, faults)).collect(),
            other => {
                let _ = self.wrong::<()>(member, other, "a string or an array of strings", "[\"…\"]", faults);
                Vec::new()
            }
        }
    }

    /// HTTP codes.
    pub fn codes(&self, key: &str, faults: &mut Faults) -> Vec<u16> {
        let Some(member) = self.get(key) else { return Vec::new() };
        let nodes: &[DescriptionNode] = match &member.node.value {
            NodeValue::List(list) => list,
            NodeValue::Whole(_) => std::slice::from_ref(&member.node),
            other => {
                let _ = self.wrong::<()>(member, other, "an array of HTTP codes", "[404]", faults);
                return Vec::new();
            }
        };
        nodes.iter().filter_map(|node| code(node, key, faults)).collect()
    }

    fn text_of(
        &self,
        key: &str,
        node: &'a DescriptionNode,
        faults: &mut Faults,
    ) -> Option<(&'a str, Option<Range<usize>>)> {
        match &node.value {
            NodeValue::Text(text) => Some((text, node.span.clone())),
            other => {
                let message = format!("`{key}` {} holds {} among its strings", self.place, other.kind());
                faults.add(node.span.clone(), message, "write it in quotes");
                None
            }
        }
    }

    fn wrong<T>(&self, member: &Member, found: &NodeValue, wanted: &str, how: &str, faults: &mut Faults) -> Option<T> {
        let message = format!("`{}` {} must be {wanted}, not {}", member.key, self.place, found.kind());
        faults.add(member.node.span.clone(), message, format!("write {} = {how}", member.key));
        None
    }
}

/// An HTTP code.
pub fn code(node: &DescriptionNode, key: &str, faults: &mut Faults) -> Option<u16> {
    let found = match &node.value {
        NodeValue::Whole(code) => u16::try_from(*code).ok(),
        NodeValue::Text(text) => text.trim().parse().ok(),
        NodeValue::Number(_) | NodeValue::Flag(_) | NodeValue::Moment(_) | NodeValue::List(_) | NodeValue::Table(_) => {
            None
        }
    };
    let code = found.filter(|code| (100..=599).contains(code));
    if code.is_none() {
        faults.add(node.span.clone(), format!("`{key}` holds what is no HTTP code"), "a code is a number like 404");
    }
    code
}
