//! What a filter means while it is being typed: what is unfinished at its end is not held against it.

use std::ops::Range;

use super::parse::FIELDS;
use super::value;
use crate::domain::state::State;

/// Fields whose value is the whole of a text.
const TEXTS: [&str; 7] = ["name", "id", "service", "provider", "tag", "file", "batch"];

/// The filter that has been typed as far as it goes: `state:fai` means the states that begin so, and a field without
/// its value, a quote or a parenthesis that is still open and an `and` that nothing follows mean nothing yet.
pub(super) fn as_far_as_it_goes(text: &str, own: &[&str]) -> String {
    let mut text = text.to_owned();
    if quotes(&text) % 2 == 1 {
        text.push('"');
    } else {
        let word = last_word(&text);
        let kept = text.len() - word.len();
        if let Some(meant) = word.split_once(':').and_then(|(field, value)| meant(field, value, own)) {
            text.truncate(kept);
            text.push_str(&meant);
        }
    }
    drop_what_nothing_follows(&mut text);
    let open = text.matches('(').count().saturating_sub(text.matches(')').count());
    text.push_str(&")".repeat(open));
    text
}

/// The filter of all that its last word can become, where that is the value of a field of text: `tag:nig` means the
/// tags that begin so. None: it has no such word at its end.
pub(super) fn begun(text: &str, own: &[&str]) -> Option<String> {
    let word = last_word(text);
    let (field, value) = word.split_once(':')?;
    let field = field.to_ascii_lowercase();
    let is_text = TEXTS.contains(&&*field) || own.contains(&&*field) && !value.starts_with(['<', '>', '=']);
    let begins = is_text && !value.starts_with('~') && !value.is_empty();
    (begins && quotes(text).is_multiple_of(2)).then(|| format!("{text}*"))
}

/// The text without the word in which this range begins.
pub(super) fn without(text: &str, bad: &Range<usize>) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')');
    let (before, rest) = text.split_at_checked(bad.start).unwrap_or((text, ""));
    let kept = before
        .rfind(ends)
        .map_or(0, |at| at + before.get(at..).and_then(|end| end.chars().next()).map_or(0, char::len_utf8));
    let after = rest.get(bad.len()..).unwrap_or_default();
    let after = after.find(ends).and_then(|at| after.get(at..)).unwrap_or_default();
    format!("{}{after}", before.get(..kept).unwrap_or_default())
}

/// What a field with an unfinished value means: nothing, or all values that it can become. None: nothing is
/// unfinished about it.
fn meant(field: &str, value: &str, own: &[&str]) -> Option<String> {
    let field = field.to_ascii_lowercase();
    (FIELDS.contains(&field.as_str()) || own.contains(&field.as_str())).then_some(())?;
    let (done, last) = value.rsplit_once(',').map_or((None, value), |(done, last)| (Some(done), last));
    if last.is_empty() {
        return Some(done.map(|done| format!("{field}:{done}")).unwrap_or_default());
    }
    let begins = |word: &&str| word.starts_with(&last.to_lowercase());
    let done = done.map(|done| format!("{done},")).unwrap_or_default();
    let words: Vec<&str> = match field.as_str() {
        text if TEXTS.contains(&text) && !value.starts_with('~') => return Some(format!("{field}:{done}{last}*")),
        "state" => State::ALL.map(State::as_str).into_iter().filter(begins).collect(),
        "is" => value::IS.map(|(word, _)| word).into_iter().filter(begins).collect(),
        _ if last.chars().all(|c| c.is_ascii_digit() || "<>=~.".contains(c)) => return Some(String::new()),
        _ => Vec::new(),
    };
    (!words.is_empty()).then(|| format!("{field}:{done}{}", words.join(",")))
}

fn drop_what_nothing_follows(text: &mut String) {
    loop {
        let kept = text.trim_end();
        let kept = kept.strip_suffix(['!', '(']).or_else(|| {
            let (before, word) = kept.rsplit_once(char::is_whitespace).unwrap_or(("", kept));
            (word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or")).then_some(before)
        });
        match kept.map(str::len) {
            Some(length) => text.truncate(length),
            None => return,
        }
    }
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '!' | '"')).next().unwrap_or_default()
}

/// Quotes that begin or end something.
fn quotes(text: &str) -> usize {
    text.matches('"').count() - text.matches("\\\"").count()
}
