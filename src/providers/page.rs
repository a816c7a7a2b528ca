//! Pages where an answer was expected: proxies, login pages, debug pages. Only their title, or how they begin, is of
//! use.

use std::borrow::Cow;

/// How much of a page is looked at.
const HEAD: usize = 64 * 1024;

/// Whether a text is HTML or XML.
pub fn is_markup(text: &[u8]) -> bool {
    matches!(text, [b'<', next, ..] if next.is_ascii_alphabetic() || matches!(next, b'!' | b'?'))
}

/// The page's title, else its first heading, else (XML) its message, else the beginning of its text.
pub fn title(text: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(text.get(..text.len().min(HEAD)).unwrap_or(text));
    let found = ["title", "h1", "h2", "message"].into_iter().find_map(|name| element(&head, name));
    let said = found.or_else(|| Some(plain(&head))).map(|said| squeezed(&said));
    said.as_deref().and_then(shortened)
}

/// Of a plain text what comes before its first empty line: a debug page goes on for 30 KB.
pub fn beginning(text: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(text.get(..text.len().min(HEAD)).unwrap_or(text));
    let lines = head.lines().skip_while(|line| line.trim().is_empty()).take_while(|line| !line.trim().is_empty());
    shortened(&squeezed(&lines.collect::<Vec<_>>().join(" ")))
}

/// At most 300 characters of it; None if it is empty.
fn shortened(text: &str) -> Option<String> {
    const LONGEST: usize = 300;
    let shown = match text.char_indices().nth(LONGEST) {
        Some(_) => text.chars().take(LONGEST - 1).chain(['…']).collect(),
        None => text.to_owned(),
    };
    Some(shown).filter(|said| !said.is_empty())
}

/// The text within the first element of this name that says anything.
fn element(page: &str, name: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let (open, close) = (format!("<{name}"), format!("</{name}"));
    let mut from = 0;
    while let Some(found) = lower.get(from..)?.find(&open) {
        let start = from + found + open.len();
        from = start;
        if !lower.get(start..)?.starts_with(|c: char| c == '>' || c.is_ascii_whitespace()) {
            continue;
        }
        let inside = start + lower.get(start..)?.find('>')? + 1;
        let end = lower.get(inside..)?.find(&close).map_or(page.len(), |length| inside + length);
        let said = plain(page.get(inside..end)?);
        if !said.trim().is_empty() {
            return Some(said);
        }
    }
    None
}

/// The text outside of tags, the commonest entities decoded.
fn plain(markup: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for c in markup.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                out.push(' ');
            }
            c if !in_tag => out.push(c),
            _ => {}
        }
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&nbsp;", " ")];
    let decoded = entities.into_iter().fold(Cow::Borrowed(out.as_str()), |text, (entity, c)| {
        if text.contains(entity) { Cow::Owned(text.replace(entity, c)) } else { text }
    });
    decoded.replace("&amp;", "&")
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
