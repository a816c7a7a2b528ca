//! What is wrong with a file: collected over the whole of it, then shown with line, column, caret and what to do.

pub mod excerpt;
pub mod known_keys;
mod unclosed;

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use self::excerpt::Excerpts;
use super::ConfigError;
use crate::domain::clean::Clean;

/// One thing that is wrong. Its texts hold no value of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    span: Range<usize>,
    message: String,
    help: Option<String>,
    is_absence: bool,
    /// The file that it is in, if that is another one.
    file: Option<Arc<OtherFile>>,
}

/// A further file that the one under reading names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherFile {
    pub path: PathBuf,
    pub text: String,
}

impl Problem {
    /// Something wrong at these bytes of the file.
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, is_absence: false, file: None }
    }

    /// With what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub fn within(self, file: &Arc<OtherFile>) -> Self {
        Self { file: Some(Arc::clone(file)), ..self }
    }

    /// It is that something is not there: nothing to be said of a file that could not be read whole.
    pub fn absence(self) -> Self {
        Self { is_absence: true, ..self }
    }
}

/// All that is wrong with one file.
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Of the list, those in front that are errors of syntax.
    of_syntax: usize,
}

impl Problems {
    /// The errors of syntax in a text.
    pub fn of_syntax(list: Vec<Problem>) -> Self {
        Self { of_syntax: list.len(), list }
    }

    pub fn add(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them for a person, in the order of the file.
    pub fn into_error(self, path: &Path, text: &str) -> ConfigError {
        let excerpts = Excerpts::new(text);
        let line = |problem: &Problem| excerpts.position(problem.span.start).line;
        let (syntax, rest) = self.list.split_at_checked(self.of_syntax).unwrap_or_default();
        let broken: std::collections::HashSet<usize> = syntax.iter().map(line).collect();
        // What follows from a line that could not be read is not another error.
        let follows = |problem: &Problem| {
            !broken.is_empty()
                && problem.file.is_none()
                && (problem.is_absence || problem.span == (0..0) || broken.contains(&line(problem)))
        };
        let mut shown: Vec<&Problem> = syntax.iter().chain(rest.iter().filter(|problem| !follows(problem))).collect();
        // Two services may name one file.
        shown.sort_by_key(|problem| (problem.file.as_ref().map(|file| &file.path), problem.span.start));
        shown.dedup_by(|one, other| {
            (&one.file, one.span.start, &one.message) == (&other.file, other.span.start, &other.message)
        });
        let shown = shown.iter().map(|problem| match &problem.file {
            None => rendered(problem, path, &excerpts),
            Some(file) => rendered(problem, &file.path, &Excerpts::new(&file.text)),
        });
        ConfigError { problems: shown.collect() }
    }
}

/// What to do about an error of the TOML reader, by how its message begins.
const REMEDIES: &[(&str, &str)] = &[
    ("key with no value", "write key = \"value\", or a # before what is a remark"),
    ("unexpected key or value", "write one key a line, and text in quotes"),
    ("string values must be quoted", "write it in quotes"),
    ("missing value for key", "write the value after the ="),
    ("missing comma", "put a comma between them"),
];

/// The errors of syntax in a text, given those that the TOML reader found, and the text without what it gives up at, byte
/// for byte as long.
pub fn syntax(text: &str, errors: Vec<toml::de::Error>) -> (Vec<Problem>, String) {
    if errors.is_empty() {
        return (Vec::new(), text.to_owned());
    }
    let (unclosed, mended) = unclosed::without(text);
    // What the reader says of lines that follow from an open bracket is no error of theirs.
    let errors = if unclosed.is_empty() { errors } else { DeTable::parse_recoverable(&mended).1 };
    let excerpts = Excerpts::new(text);
    let line = |at: usize| excerpts.position(at).line;
    let told: std::collections::HashSet<usize> = unclosed.iter().map(|open| line(open.opening.start)).collect();
    let is_new = |error: &&toml::de::Error| error.span().is_none_or(|span| !told.contains(&line(span.start)));
    let rest = errors.iter().filter(is_new).map(of_reader);
    let problems = unclosed.iter().map(|open| {
        let opening = text.get(open.opening.clone()).unwrap_or_default();
        Problem::at(open.opening.clone(), format!("`{opening}` is not closed"))
            .help(format!("end it with {}", open.closing))
    });
    (problems.chain(rest).collect(), without_broken_lines(mended, &errors))
}

/// The same text, byte for byte as long, with spaces for the lines at which the reader gives up.
fn without_broken_lines(text: String, errors: &[toml::de::Error]) -> String {
    let mut bytes = text.clone().into_bytes();
    let gives_up = |error: &&toml::de::Error| {
        error.message().starts_with("key with no value") || error.message().starts_with("missing value for key")
    };
    for span in errors.iter().filter(gives_up).filter_map(toml::de::Error::span) {
        let at = span.start.min(bytes.len());
        let (before, after) = bytes.split_at_mut(at);
        let start = before.rsplit_mut(|byte| *byte == b'\n').next().into_iter().flatten();
        let end = after.split_mut(|byte| *byte == b'\n').next().into_iter().flatten();
        start.chain(end).for_each(|byte| *byte = b' ');
    }
    String::from_utf8(bytes).unwrap_or(text)
}

/// What the TOML reader found.
fn of_reader(error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    if message == "duplicate key" {
        return Problem::at(span, "this key or table is given twice")
            .help("keep one of them; for several jobs write [[jobs]] with two brackets before each");
    }
    let remedy = REMEDIES.iter().find(|(begins, _)| message.starts_with(begins)).map(|(_, remedy)| *remedy);
    Problem::at(span, message).help(remedy.unwrap_or("`jobdeck init -c example.toml` writes a file to compare with"))
}

fn rendered(problem: &Problem, path: &Path, excerpts: &Excerpts<'_>) -> String {
    let path = Clean::new(&path.to_string_lossy());
    let at = excerpts.position(problem.span.start);
    let (line, carets) = excerpts.lines(&problem.span);
    let number = at.line.to_string();
    let gutter = " ".repeat(number.len());
    let mut text = format!("{path}:{number}:{}: {}\n", at.column, Clean::new(&problem.message));
    // Writing to a String cannot fail.
    let _ = write!(text, "{gutter} |\n{number} | {line}\n{gutter} | {carets}");
    if let Some(help) = &problem.help {
        let _ = write!(text, "\n{gutter} = {}", Clean::new(help));
    }
    text
}
