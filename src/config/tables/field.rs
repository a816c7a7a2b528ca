//! One table of a file and its fields: looked up by name, and taken as what they have to be.

use std::ops::Range;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::config::problems::{Problem, Problems, known_keys};
use crate::domain::service::Rate;
use crate::domain::units::{self, UnitError};

/// A table and where it begins.
#[derive(Debug, Clone, Copy)]
pub struct TomlTable<'a> {
    table: &'a DeTable<'a>,
    header: (usize, usize),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct TomlField<'a> {
    /// The key as it is written. Not to be shown but through `known_keys::quoted`.
    pub key: &'a str,
    pub key_span: Range<usize>,
    /// What it is set to.
    pub value: &'a DeValue<'a>,
    pub span: Range<usize>,
}

impl<'a> TomlTable<'a> {
    /// A whole file.
    pub fn of_file(table: &'a DeTable<'a>) -> Self {
        Self { table, header: (0, 0) }
    }

    pub fn raw(&self) -> &'a DeTable<'a> {
        self.table
    }

    /// Where the table begins: its header, or its first brace.
    pub fn span(&self) -> Range<usize> {
        self.header.0..self.header.1
    }

    pub fn get(&self, key: &str) -> Option<TomlField<'a>> {
        self.table.get_key_value(key).map(|(key, value)| TomlField::of(key, value))
    }

    /// All fields, in the order of the file.
    pub fn all(&self) -> Vec<TomlField<'a>> {
        let mut fields: Vec<_> = self.table.iter().map(|(key, value)| TomlField::of(key, value)).collect();
        fields.sort_by_key(|field| field.key_span.start);
        fields
    }

    /// Every key that is not known is an error. `place` ends the sentence: `in [poll]`.
    pub fn expect_only(&self, known: &[&str], place: &str, problems: &mut Problems) {
        for (key, _) in self.table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let problem = Problem::at(key.span(), format!("unknown {} {place}", known_keys::quoted(name)));
            problems.add(match known_keys::meant(name, known) {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem.help(format!("known here: {}", known.join(", "))),
            });
        }
    }

    /// A field that must stand; `what` begins the sentence: `a command`.
    pub fn required(&self, key: &str, what: &str, help: &str, problems: &mut Problems) -> Option<TomlField<'a>> {
        let field = self.get(key);
        if field.is_none() {
            self.wrong(format!("{what} needs `{key}`"), help, problems);
        }
        field
    }

    /// One of a few words; the default where the key does not stand.
    pub fn one_of<T: Copy + Default>(&self, key: &str, words: &[(&str, T)], problems: &mut Problems) -> T {
        let Some(field) = self.get(key) else { return T::default() };
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let all = format!("\"{}\"", known.join("\" or \""));
        let Some(given) = field.text(&all, problems) else { return T::default() };
        let found = words.iter().find(|(word, _)| *word == given.trim());
        if found.is_none() {
            field.wrong(format!("`{key}` has no such value"), format!("write {all}"), problems);
        }
        found.map(|(_, value)| *value).unwrap_or_default()
    }

    /// Whether plain http is allowed; what is wrong with the key is told where it is read.
    pub fn is_insecure(&self) -> bool {
        self.get("insecure").and_then(|field| field.value.as_bool()).unwrap_or(false)
    }

    /// Something is wrong with the table as a whole.
    pub fn wrong(&self, message: impl Into<String>, help: impl Into<String>, problems: &mut Problems) {
        problems.add(Problem::at(self.span(), message).help(help));
    }
}

impl<'a> TomlField<'a> {
    fn of(key: &'a toml::Spanned<toml::de::DeString<'a>>, value: &'a toml::Spanned<DeValue<'a>>) -> Self {
        Self { key: key.get_ref(), key_span: key.span(), value: value.get_ref(), span: value.span() }
    }

    /// A table. `help` says how it is written.
    pub fn table(&self, help: &str, problems: &mut Problems) -> Option<TomlTable<'a>> {
        let table = self.value.as_table();
        if table.is_none() {
            self.must_be("a table", help, problems);
        }
        table.map(|table| TomlTable { table, header: (self.span.start, self.span.end) })
    }

    /// The tables of an array of tables. `help` says how it is written.
    pub fn tables(&self, help: &str, problems: &mut Problems) -> Vec<TomlTable<'a>> {
        let Some(array) = self.value.as_array() else {
            self.must_be("an array of tables", help, problems);
            return Vec::new();
        };
        let element = |value: &'a toml::Spanned<DeValue<'a>>| {
            TomlField { value: value.get_ref(), span: value.span(), ..self.clone() }.table(help, problems)
        };
        array.iter().filter_map(element).collect()
    }

    /// A string, as it is, but for NUL: no name, path or program can hold one.
    pub fn text(&self, example: &str, problems: &mut Problems) -> Option<&'a str> {
        let Some(text) = self.value.as_str() else {
            self.must_be("a string", &format!("write it in quotes: {example}"), problems);
            return None;
        };
        if text.contains('\0') {
            let message = format!("{} holds a NUL character", known_keys::quoted(self.key));
            self.wrong(message, "take \\u0000 out of it", problems);
            return None;
        }
        Some(text)
    }

    /// A string that is not blank, trimmed.
    pub fn word(&self, example: &str, problems: &mut Problems) -> Option<&'a str> {
        let word = self.text(example, problems)?.trim();
        if word.is_empty() {
            let message = format!("{} is empty", known_keys::quoted(self.key));
            self.wrong(message, format!("write it like {example}"), problems);
            return None;
        }
        Some(word)
    }

    /// The strings of an array, each with its place.
    pub fn texts(&self, example: &str, problems: &mut Problems) -> Option<Vec<(&'a str, Range<usize>)>> {
        let help = format!("write {example}");
        let Some(array) = self.value.as_array() else {
            self.must_be("an array of strings", &help, problems);
            return None;
        };
        let mut texts = Vec::with_capacity(array.len());
        for value in array.iter() {
            match value.get_ref().as_str() {
                Some(text) => texts.push((text, value.span())),
                None => {
                    let message =
                        format!("{} holds {} among its strings", known_keys::quoted(self.key), kind(value.get_ref()));
                    problems.add(Problem::at(value.span(), message).help(help.clone()));
                }
            }
        }
        (texts.len() == array.len()).then_some(texts)
    }

    /// A program and its arguments.
    pub fn argv(&self, example: &str, problems: &mut Problems) -> Option<Vec<String>> {
        let argv = self.texts(example, problems)?;
        if argv.first().is_none_or(|(program, _)| program.trim().is_empty()) {
            self.wrong("this command names no program", format!("write {example}"), problems);
            return None;
        }
        Some(argv.into_iter().map(|(word, _)| word.to_owned()).collect())
    }

    /// Something is wrong with the value.
    pub fn wrong(&self, message: impl Into<String>, help: impl Into<String>, problems: &mut Problems) {
        problems.add(Problem::at(self.span.clone(), message).help(help));
    }

    /// Something is wrong with the key.
    pub fn wrong_key(&self, message: impl Into<String>, help: impl Into<String>, problems: &mut Problems) {
        problems.add(Problem::at(self.key_span.clone(), message).help(help));
    }

    /// true or false.
    pub fn flag(&self, problems: &mut Problems) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.must_be("true or false", "write it without quotes", problems);
        }
        flag
    }

    /// A whole number above zero.
    pub fn count(&self, problems: &mut Problems) -> Option<usize> {
        let Some(integer) = self.value.as_integer() else {
            self.must_be("a whole number", "write it like 16, without quotes", problems);
            return None;
        };
        match usize::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(count) if count > 0 => Some(count),
            Ok(_) | Err(_) => {
                let message = format!("{} must be a whole number above zero", known_keys::quoted(self.key));
                self.wrong(message, "leave the key out for the default", problems);
                None
            }
        }
    }

    /// A duration above zero.
    pub fn duration(&self, problems: &mut Problems) -> Option<Duration> {
        let text = self.text("\"500ms\", \"5s\", \"1m 30s\" or \"2h\"", problems)?;
        self.parsed(units::duration(text), problems)
    }

    /// A number of bytes above zero.
    pub fn size(&self, problems: &mut Problems) -> Option<u64> {
        let text = self.text("\"500 MB\" or \"4 GiB\"", problems)?;
        self.parsed(units::size(text), problems)
    }

    /// A rate above zero.
    pub fn rate(&self, problems: &mut Problems) -> Option<Rate> {
        let text = self.text("\"20/s\", \"100/min\" or \"500/h\"", problems)?;
        self.parsed(units::rate(text), problems)
    }

    fn parsed<T>(&self, parsed: Result<T, UnitError>, problems: &mut Problems) -> Option<T> {
        parsed
            .map_err(|error| {
                let message = format!("{} {error}", known_keys::quoted(self.key));
                self.wrong(message, error.help(), problems);
            })
            .ok()
    }

    fn must_be(&self, what: &str, help: &str, problems: &mut Problems) {
        let message = format!("{} must be {what}, not {}", known_keys::quoted(self.key), kind(self.value));
        self.wrong(message, help, problems);
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
