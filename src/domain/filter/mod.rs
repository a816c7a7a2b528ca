//! The filter language, the same in the list and in `--filter`: which jobs are meant.
//!
//! `parse` makes a filter of text or says what to write instead; `matches` is cheap enough to run over every job at
//! every key press, on text that was lower-cased beforehand.

use std::ops::Range;

use jiff::Timestamp;

use term::Term;

pub use subject::{FilterSubject, SearchText};

mod parse;
mod subject;
mod term;
mod typing;
mod value;

/// The names of all fields.
pub fn fields() -> impl Iterator<Item = &'static str> {
    parse::FIELDS.into_iter()
}

/// The language as help and manual show it: what to write, and what it finds.
pub const SYNTAX: &[(&str, &str)] = &[
    ("login timeout", "all these words, any case, in name, id, service, tags or reason"),
    ("\"did not load\"", "this phrase"),
    ("state:failed,partial", "one of these states: queued running succeeded partial failed cancelled lost unknown"),
    ("is:problem", "problem, active, finished, stale, stuck, saved or marked"),
    ("service:prod tag:nov", "exactly this service, this tag; also provider: name: id:"),
    ("name:acme* id:6b1f*", "with * for any text"),
    ("file:*.pdf", "jobs with a file of such a name"),
    ("age:>10m took:>=2m", "longer ago, or that ran longer (time: as the column shows it); > >= < <= with s m h d"),
    ("size:>1mb", "by the size of the saved reply; b kb mb gb"),
    ("cost:>0.1 total:>1000", "by cost in US dollars, by a field of your own; vendor:acme* by its text"),
    ("batch:november", "jobs of this batch"),
    ("http:5xx", "by HTTP code: 404, 5xx or >=500"),
    ("reason:~\"timeout|timed out\"", "by regular expression; also name: id: service: tag: file:"),
    ("!state:succeeded", "all but these"),
    ("a and (b or c)", "and may be left out; quote the words and, or to look for them"),
];

/// A filter that was understood.
#[derive(Debug, Clone)]
pub struct Filter {
    source: String,
    root: FilterNode,
    /// Whether it means what it says, and not what it may become.
    finished: bool,
}

/// A filter that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// What is wrong, as a range of bytes of the text, on character boundaries; empty at its end if something is
    /// missing there.
    pub span: Range<usize>,
    /// Why, and what to write instead: one sentence without control characters.
    pub message: String,
}

#[derive(Debug, Clone)]
enum FilterNode {
    All(Vec<FilterNode>),
    Any(Vec<FilterNode>),
    Not(Box<FilterNode>),
    Term(Term),
}

impl Filter {
    /// Reads a filter. Blank text is the filter that lets everything through.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Self::parse_with(text, &[])
    }

    /// Reads a filter that may name fields of the user's own.
    pub fn parse_with(text: &str, own: &[&str]) -> Result<Self, FilterError> {
        Ok(Self { source: text.to_owned(), root: parse::parse(text, own)?, finished: true })
    }

    /// Reads a filter that is being typed: what is unfinished at its end narrows nothing yet, or as far as it goes.
    /// It may name fields of the user's own.
    pub fn parse_unfinished(text: &str, own: &[&str]) -> Result<Self, FilterError> {
        let whole = Self::parse_with(text, own);
        let meant = match &whole {
            Ok(_) => typing::begun(text, own),
            Err(_) => Some(typing::as_far_as_it_goes(text, own)),
        };
        match meant.and_then(|meant| parse::parse(&meant, own).ok()) {
            Some(root) => Ok(Self { source: text.to_owned(), root, finished: false }),
            None => whole,
        }
    }

    /// What is left of a filter without the word that this error is about; None if that is no filter either.
    pub fn without(text: &str, error: &FilterError, own: &[&str]) -> Option<Self> {
        Self::parse_unfinished(&typing::without(text, &error.span), own).ok()
    }

    /// The text that it was made of.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it lets everything through because nothing was written.
    pub fn is_empty(&self) -> bool {
        matches!(&self.root, FilterNode::All(nodes) if nodes.is_empty())
    }

    /// Whether it asks for something of a job that changes with time alone.
    pub fn depends_on_time(&self) -> bool {
        self.root.any(&|term| {
            matches!(term, Term::Age(_) | Term::Time(_))
                || matches!(term, Term::Is(all) if all.contains(&term::Is::Stuck))
        })
    }

    /// Whether it asks for the names of a job's files.
    pub fn needs_files(&self) -> bool {
        self.root.any(&Term::needs_files)
    }

    /// Whether this job is meant.
    pub fn matches(&self, subject: &FilterSubject<'_>, now: Timestamp) -> bool {
        self.root.matches(subject, now)
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self { source: String::new(), root: FilterNode::All(Vec::new()), finished: true }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.finished == other.finished
    }
}

impl Eq for Filter {}

impl FilterError {
    /// The text with the bad part underlined, two lines, control characters made visible. For a message on stderr.
    pub fn excerpt(&self, text: &str) -> String {
        let shown = |part: &str| super::clean::Clean::new(part).to_string();
        let before = shown(text.get(..self.span.start).unwrap_or_default());
        let bad = shown(text.get(self.span.clone()).unwrap_or_default());
        let after = shown(text.get(self.span.end..).unwrap_or_default());
        let indent = unicode_width::UnicodeWidthStr::width(before.as_str());
        let length = unicode_width::UnicodeWidthStr::width(bad.as_str()).max(1);
        format!("{before}{bad}{after}\n{}{}", " ".repeat(indent), "^".repeat(length))
    }
}

impl FilterNode {
    fn matches(&self, subject: &FilterSubject<'_>, now: Timestamp) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(subject, now)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(subject, now)),
            Self::Not(node) => !node.matches(subject, now),
            Self::Term(term) => term.matches(subject, now),
        }
    }

    fn any(&self, wanted: &dyn Fn(&Term) -> bool) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|node| node.any(wanted)),
            Self::Not(node) => node.any(wanted),
            Self::Term(term) => wanted(term),
        }
    }
}

#[cfg(test)]
mod tests;
