//! What a filter means while it is being typed: what stands unfinished at its end is not held against it.

use super::parse::FIELDS;
use super::value;
use crate::domain::state::State;

/// The filter that has been typed as far as it goes: `state:fai` means the states that begin so, and a field without
/// its value, a quote or a parenthesis that is still open and an `and` that nothing follows mean nothing yet.
pub(super) fn as_far_as_it_goes(text: &str) -> String {
    let mut text = text.to_owned();
    if quotes(&text) % 2 == 1 {
        text.push('"');
    } else {
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '!' | '"');
        let word = text.rsplit(ends).next().unwrap_or_default();
        let kept = text.len() - word.len();
        if let Some(meant) = word.split_once(':').and_then(|(field, value)| meant(field, value)) {
            text.truncate(kept);
            text.push_str(&meant);
        }
    }
    drop_what_nothing_follows(&mut text);
    let open = text.matches('(').count().saturating_sub(text.matches(')').count());
    text.push_str(&")".repeat(open));
    text
}

/// What a field with an unfinished value means: nothing, or all values that it can become. None: nothing is
/// unfinished about it.
fn meant(field: &str, value: &str) -> Option<String> {
    let field = field.to_ascii_lowercase();
    FIELDS.contains(&field.as_str()).then_some(())?;
    let (done, last) = value.rsplit_once(',').map_or((None, value), |(done, last)| (Some(done), last));
    if last.is_empty() {
        return Some(done.map(|done| format!("{field}:{done}")).unwrap_or_default());
    }
    let begins = |word: &&str| word.starts_with(&last.to_lowercase());
    let words: Vec<&str> = match field.as_str() {
        "state" => State::ALL.map(State::as_str).into_iter().filter(begins).collect(),
        "is" => value::IS.map(|(word, _)| word).into_iter().filter(begins).collect(),
        _ if last.chars().all(|c| c.is_ascii_digit() || "<>=~.".contains(c)) => return Some(String::new()),
        _ => Vec::new(),
    };
    let done = done.map(|done| format!("{done},")).unwrap_or_default();
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

/// Quotes that begin or end something.
fn quotes(text: &str) -> usize {
    text.matches('"').count() - text.matches("\\\"").count()
}
