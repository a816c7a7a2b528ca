//! `[services.<name>.fields]`: the user's own fields of a service's results.

use std::sync::Arc;

use super::field::{TomlField as Given, TomlTable};
use crate::config::problems::{Problem, Problems, known_keys};
use crate::domain::field::{Aggregate, Field, Of};
use crate::domain::filter;
use crate::providers;

const EXAMPLE: &str = "\"/message/0/result/output/total\", or { at = \"output:/vendor\", column = true }";

/// The fields of a service in the file's order. What is wrong with them goes to `problems`.
pub fn fields(service: &TomlTable<'_>, problems: &mut Problems) -> Arc<[Field]> {
    let Some(table) =
        service.get("fields").and_then(|field| field.table("write each as name = \"/pointer\"", problems))
    else {
        return Arc::default();
    };
    table.all().iter().filter_map(|given| field(given, problems)).collect()
}

fn field(given: &Given<'_>, problems: &mut Problems) -> Option<Field> {
    let name = given.key;
    let is_name = !name.is_empty()
        && name.len() <= 32
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_name || !starts_well {
        let problem = Problem::at(given.key_span.clone(), "this is no name for a field");
        problems.add(problem.help("a name has small letters, digits, `_` and `-`, and begins with a letter"));
        return None;
    }
    if filter::fields().any(|known| known == name) && !["cost", "time"].contains(&name) {
        let problem = Problem::at(given.key_span.clone(), format!("`{name}` is a word of the filter already"));
        problems.add(problem.help("give the field another name"));
        return None;
    }
    let whole = Field {
        name: name.into(),
        of: Of::Body,
        at: String::new(),
        fold: Aggregate::First,
        column: false,
        width: None,
        title: None,
    };
    if given.value.is_str() {
        let (of, at) = pointer(given, problems)?;
        return Some(Field { of, at, ..whole });
    }
    let table = given.table(&format!("write {EXAMPLE}"), problems)?;
    table.expect_only(known_keys::FIELD, "in a field", problems);
    let fold = table.get("fold").and_then(|field| fold(&field, problems)).unwrap_or_default();
    let column = table.get("column").and_then(|field| field.flag(problems)).unwrap_or(false);
    let width = table.get("width").and_then(|field| field.count(problems)).and_then(|width| u16::try_from(width).ok());
    let title = table.get("title").and_then(|field| field.word("\"TOTAL\"", problems)).map(str::to_owned);
    let Some(at) = table.get("at") else {
        let problem = Problem::at(given.span.clone(), "no `at` in this field");
        problems.add(problem.help(format!("write {EXAMPLE}")).absence());
        return None;
    };
    let (of, at) = pointer(&at, problems)?;
    Some(Field { of, at, fold, column, width, title, ..whole })
}

/// A pointer, and what it begins at.
fn pointer(field: &Given<'_>, problems: &mut Problems) -> Option<(Of, String)> {
    let text = field.text("\"/message/0/result/output/total\"", problems)?;
    let (of, at) = text.strip_prefix("output:").map_or((Of::Body, text), |at| (Of::Output, at));
    match providers::fields::check_pointer(at) {
        Ok(()) => Some((of, at.to_owned())),
        Err(error) => {
            field.wrong(error.to_string(), format!("write it like {EXAMPLE}"), problems);
            None
        }
    }
}

fn fold(field: &Given<'_>, problems: &mut Problems) -> Option<Aggregate> {
    let word = field.word("\"sum\"", problems)?;
    let fold = Aggregate::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, fold)| fold);
    if fold.is_none() {
        let words: Vec<&str> = Aggregate::ALL.iter().map(|(word, _)| *word).collect();
        let help = match known_keys::meant(word, &words) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("one of {}", words.join(", ")),
        };
        field.wrong("there is no such fold", help, problems);
    }
    fold
}
