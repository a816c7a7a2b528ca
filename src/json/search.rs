//! Plain-text search over raw bytes, in slices, so that nobody waits for a hundred megabytes.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use crate::json::index::{Document, NodeId};
use crate::json::scan::ValueKind;

/// What is looked for: a plain text, in any case. In JSON strings its escaped spellings are found too.
#[derive(Debug, Clone)]
pub struct Needle {
    text: String,
    regex: Regex,
    /// No match is longer, in bytes.
    longest: usize,
}

/// What came of one slice of searching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice<T> {
    /// The nearest match.
    Found(T),
    /// There is none up to the end (or the beginning).
    Nothing,
    /// There is none up to here: go on from this byte.
    UpTo(usize),
}

/// Backwards, a window of this many bytes is searched forwards for its last match, then ever larger ones.
const WINDOW: usize = 1 << 9;
/// No window is larger.
const LARGEST_WINDOW: usize = 1 << 17;
/// Matches in mere punctuation that one slice puts up with.
const PATIENCE: usize = 1 << 12;

impl Needle {
    /// None for an empty text.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let pattern: String = text.chars().map(spellings).collect();
        let regex = RegexBuilder::new(&pattern).case_insensitive(true).size_limit(1 << 26).build().ok()?;
        Some(Self { text: text.to_owned(), regex, longest: 12 * text.chars().count() })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// All matches in a short text.
    pub fn ranges<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.regex.find_iter(text.as_bytes()).map(|found| found.range())
    }

    /// The first match that begins at `from` or later; at most `most` bytes are read.
    pub fn forward(&self, bytes: &[u8], from: usize, most: usize) -> Slice<Range<usize>> {
        let most = most.max(2 * self.longest);
        let end = bytes.len().min(from.saturating_add(most));
        let Some(slice) = bytes.get(from..end) else { return Slice::Nothing };
        match self.regex.find(slice) {
            Some(found) => Slice::Found(found.start() + from..found.end() + from),
            None if end == bytes.len() => Slice::Nothing,
            None => Slice::UpTo(end - self.longest),
        }
    }

    /// The last match that ends at `to` or earlier; about `most` bytes are read.
    pub fn backward(&self, bytes: &[u8], to: usize, most: usize) -> Slice<Range<usize>> {
        let mut window = WINDOW.max(2 * self.longest);
        let mut end = to.min(bytes.len());
        let least = end.saturating_sub(most.max(window));
        loop {
            let start = end.saturating_sub(window);
            let slice = bytes.get(start..end).unwrap_or_default();
            // One match may hide another that begins within it.
            let begin = |at: usize| self.regex.find_at(slice, at);
            let all = std::iter::successors(begin(0), |found| begin(found.start() + 1));
            if let Some(found) = all.last() {
                return Slice::Found(found.start() + start..found.end() + start);
            }
            if start == 0 {
                return Slice::Nothing;
            }
            end = start + self.longest;
            window = (window * 2).min(LARGEST_WINDOW.max(2 * self.longest));
            if start <= least {
                return Slice::UpTo(end);
            }
        }
    }

    /// The first value at or after a byte whose key or text matches.
    pub fn forward_in(&self, document: &Document, from: usize, most: usize) -> Slice<NodeId> {
        let until = from.saturating_add(most);
        let (mut at, mut misses) = (from, 0);
        loop {
            match self.forward(document.body(), at, until.saturating_sub(at)) {
                Slice::Found(found) => match value_with(document, &found) {
                    Some(node) => return Slice::Found(node),
                    None => (at, misses) = (found.start + 1, misses + 1),
                },
                Slice::Nothing => return Slice::Nothing,
                Slice::UpTo(at) => return Slice::UpTo(at),
            }
            if at >= until || misses > PATIENCE {
                return Slice::UpTo(at);
            }
        }
    }

    /// How many values match, and how many of them up to this one.
    pub fn count_in(&self, document: &Document, to: NodeId) -> (usize, usize) {
        let (mut at, mut upto, mut all) = (0, 0, 0);
        loop {
            match self.forward_in(document, at, document.body().len()) {
                Slice::Found(node) => {
                    all += 1;
                    upto += usize::from(node.0 <= to.0);
                    at = document.start(NodeId(node.0.saturating_add(1)));
                }
                Slice::UpTo(on) if on > at => at = on,
                Slice::Nothing | Slice::UpTo(_) => return (upto, all),
            }
        }
    }

    /// The last value before a byte whose key or text matches.
    pub fn backward_in(&self, document: &Document, to: usize, most: usize) -> Slice<NodeId> {
        let least = to.saturating_sub(most);
        let (mut at, mut misses) = (to, 0);
        loop {
            match self.backward(document.body(), at, at - least) {
                Slice::Found(found) => match value_with(document, &found) {
                    Some(node) => return Slice::Found(node),
                    None => (at, misses) = (found.end - 1, misses + 1),
                },
                Slice::Nothing => return Slice::Nothing,
                Slice::UpTo(at) => return Slice::UpTo(at),
            }
            if at <= least || misses > PATIENCE {
                return Slice::UpTo(at);
            }
        }
    }
}

/// A character as it may be spelled in a JSON string.
fn spellings(c: char) -> String {
    let plain = regex::escape(c.encode_utf8(&mut [0; 4]));
    match c {
        '"' | '\\' => format!(r"(?:{plain}|\\{plain})"),
        '/' => r"\\?/".to_owned(),
        '\n' => r"(?:\n|\\n)".to_owned(),
        '\t' => r"(?:\t|\\t)".to_owned(),
        c if c.is_ascii() => plain,
        c => {
            let cases = [c.to_lowercase().collect::<Vec<_>>(), c.to_uppercase().collect(), vec![c]];
            let escapes = cases.iter().filter_map(|case| match case.as_slice() {
                [one] => {
                    Some(one.encode_utf16(&mut [0; 2]).iter().map(|unit| format!(r"\\u{unit:04x}")).collect::<String>())
                }
                _ => None,
            });
            format!("(?:{plain}|{})", escapes.collect::<Vec<_>>().join("|"))
        }
    }
}

/// The value in whose key or text a match lies, not only in the punctuation around them.
fn value_with(document: &Document, found: &Range<usize>) -> Option<NodeId> {
    let node = document.node_at(found.start);
    let inside = |range: Range<usize>| range.start <= found.start && found.end <= range.end;
    let in_value = || match document.kind(node) {
        ValueKind::Object | ValueKind::Array => false,
        ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::Null => inside(document.value_range(node)),
    };
    (document.key_range(node).is_some_and(inside) || in_value()).then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::sync::atomic::AtomicBool;

    fn all(text: &str, needle: &str, most: usize) -> (Vec<u32>, Vec<u32>) {
        let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), &AtomicBool::new(false)).unwrap();
        let needle = Needle::new(needle).unwrap();
        let (mut there, mut back) = (vec![], vec![]);
        let mut at = 0;
        loop {
            match needle.forward_in(&document, at, most) {
                Slice::Found(node) => {
                    there.push(node.0);
                    at = document.start(NodeId(node.0 + 1));
                }
                Slice::Nothing => break,
                Slice::UpTo(on) => at = on,
            }
        }
        at = text.len();
        loop {
            match needle.backward_in(&document, at, most) {
                Slice::Found(node) => {
                    back.insert(0, node.0);
                    at = document.start(node);
                }
                Slice::Nothing => break,
                Slice::UpTo(on) => at = on,
            }
        }
        (there, back)
    }

    #[test]
    fn keys_and_values_are_found_in_any_case_and_spelling_and_punctuation_is_not() {
        let text = r#"{"Äpfel":[1,"\u00c4PFEL"],"b":{"c":"x \"quoted\" y","pfel":true},"n":-12.5,"slash":"a\/b"}"#;
        let cases: &[(&str, &[u32])] = &[
            ("äpfel", &[1, 3]),
            ("PFEL", &[1, 3, 6]),
            ("\"quoted\"", &[5]),
            ("12.5", &[7]),
            ("a/b", &[8]),
            ("true", &[6]),
            ("{", &[]),
            (",\"b", &[]),
            ("nowhere", &[]),
        ];
        for (needle, nodes) in cases {
            assert_eq!(all(text, needle, 1 << 20), (nodes.to_vec(), nodes.to_vec()), "{needle}");
        }
    }

    #[test]
    fn a_match_that_begins_within_one_in_mere_punctuation_is_found_both_ways() {
        assert_eq!(all(r#"["a",",\"b"]"#, "\",\"", 1 << 20), (vec![2], vec![2]));
    }

    #[test]
    fn slices_find_what_one_search_finds() {
        let text = format!("[{}\"a needle\"]", "1,\"needles and pins\",".repeat(300));
        let (there, back) = all(&text, "NEEDLE", 1 << 30);
        assert_eq!(there.len(), 301);
        assert_eq!(there, back);
        assert_eq!(all(&text, "NEEDLE", 100), (there.clone(), there));
    }
}
