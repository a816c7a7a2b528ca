//! What is wrong with a file: collected over the whole of it, then shown with line, column, caret and what to do.

pub mod excerpt;
pub mod known_keys;

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// What the TOML reader found.
    pub fn of_syntax(errors: &[toml::de::Error]) -> Self {
        let list: Vec<_> = errors.iter().map(syntax).collect();
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
    ("invalid basic string", "end the text with the quote that it began with, in the same line"),
    ("invalid literal string", "end the text with the quote that it began with, in the same line"),
    ("unexpected key or value", "write one key a line, and text in quotes"),
    ("string values must be quoted", "write it in quotes"),
    ("missing value for key", "write the value after the ="),
    ("unclosed inline table", "end it with }"),
    ("unclosed array", "end it with ]"),
    ("unclosed table", "end the name with ]"),
    ("missing comma", "put a comma between them, and end the table with }"),
];

/// What the TOML reader found.
pub fn syntax(error: &toml::de::Error) -> Problem {
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
