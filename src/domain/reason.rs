//! Reasons folded to patterns, so that failures which differ only in a number, an id or a name are counted as one.
//!
//! One pass from left to right: what was looked at is not looked at again, so a hostile reason costs no more than a
//! plain one of its length.

use std::collections::HashMap;

use super::clean::Clean;

/// Failures that share a reason but for its details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonGroup<T> {
    /// The reason with its details as `#`.
    pub pattern: Clean,
    /// The first reason of the group, whole.
    pub example: Clean,
    /// Whose reasons they are, in the order given.
    pub items: Vec<T>,
}

/// Groups things by their folded reasons, the largest group first, equal ones by their pattern.
pub fn groups<'a, T>(reasons: impl IntoIterator<Item = (&'a str, T)>) -> Vec<ReasonGroup<T>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<ReasonGroup<T>> = Vec::new();
    for (reason, item) in reasons {
        let pattern = fold(reason);
        let place = places.get(&pattern).copied();
        if let Some(group) = place.and_then(|place| groups.get_mut(place)) {
            group.items.push(item);
            continue;
        }
        let group = ReasonGroup { pattern: Clean::new(&pattern), example: Clean::new(reason), items: vec![item] };
        places.insert(pattern, groups.len());
        groups.push(group);
    }
    groups.sort_by(|a, b| b.items.len().cmp(&a.items.len()).then_with(|| a.pattern.cmp(&b.pattern)));
    groups
}

/// A reason with its numbers, ids, quoted parts, addresses, times and paths as `#`, and its white space as single
/// spaces. HTTP codes of errors stay where they stand as such: they say what went wrong.
pub fn fold(reason: &str) -> String {
    let mut out = String::with_capacity(reason.len());
    let mut quotes = Quotes::default();
    let mut rest = reason;
    let mut before = None;
    let mut word_before = "";
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
            if !out.is_empty() && !rest.is_empty() {
                out.push(' ');
            }
            before = Some(' ');
            continue;
        }
        let opens = before.is_none_or(|c: char| !c.is_alphanumeric());
        if opens && let Some(after) = quotes.skip(first, rest) {
            hide(&mut out);
            rest = after;
            before = Some(first);
            word_before = "'";
            continue;
        }
        let end = rest.find(ends_a_word).filter(|end| *end > 0).unwrap_or_else(|| match ends_a_word(first) {
            true => first.len_utf8(),
            false => rest.len(),
        });
        let (mut word, mut after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if word.contains("://") {
            let end = rest.find(ends_an_address).unwrap_or(rest.len());
            (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        }
        fold_word(word, announces_a_code(word_before), &mut out);
        before = word.chars().next_back();
        if word != "=" {
            word_before = word;
        }
        rest = after;
    }
    out
}

/// Which kinds of quotes are known to be closed no more in what is left.
#[derive(Default)]
struct Quotes {
    unclosed: Vec<char>,
}

impl Quotes {
    /// What follows the quoted part that begins here, if one does.
    fn skip<'a>(&mut self, first: char, rest: &'a str) -> Option<&'a str> {
        let close = match first {
            '"' | '\'' | '`' => first,
            '“' => '”',
            '‘' => '’',
            '«' => '»',
            _ => return None,
        };
        if self.unclosed.contains(&close) {
            return None;
        }
        let inner = rest.get(first.len_utf8()..)?;
        let closed = inner.match_indices(close).find_map(|(at, quote)| {
            let after = inner.get(at + quote.len()..)?;
            (!after.starts_with(char::is_alphanumeric)).then_some(after)
        });
        if closed.is_none() {
            self.unclosed.push(close);
        }
        closed
    }
}

fn ends_a_word(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '"' | '\'' | '`' | '“' | '‘' | '«' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '|' | '='
        )
}

fn ends_an_address(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | ')' | ']')
}

fn fold_word(word: &str, code_may_follow: bool, out: &mut String) {
    let bare = word.trim_end_matches(['.', ':', '!', '?']);
    let tail = word.get(bare.len()..).unwrap_or_default();
    if code_may_follow && is_error_code(bare) {
        out.push_str(bare);
    } else if is_address(bare) || is_path(bare) || is_identifier(bare) || is_time(bare) {
        hide(out);
    } else {
        fold_numbers(bare, out);
    }
    out.push_str(tail);
}

/// `404`, `503`: three digits that begin with 4 or 5.
fn is_error_code(word: &str) -> bool {
    word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a number behind this word is a code: at the beginning of a sentence or of a parenthesis, after `HTTP/1.1`,
/// after `status code`.
fn announces_a_code(word: &str) -> bool {
    if word.is_empty() || word.ends_with([':', '(', '[']) {
        return true;
    }
    let word = word.to_ascii_lowercase();
    word.starts_with("http") || ["status", "code", "status_code", "statuscode", "error"].contains(&word.as_str())
}

/// `https://…`, `s3://…`, `a@b.c`.
fn is_address(word: &str) -> bool {
    word.contains("://") || word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

/// `/var/x`, `~/x`, `./x`, `C:\x`, `a/b/c`; not `and/or`, not `3/3`.
fn is_path(word: &str) -> bool {
    let rooted = ["/", "~/", "./", "../"].iter().any(|root| word.starts_with(root)) && word.len() > 1;
    rooted || word.contains(":\\") || word.bytes().filter(|byte| *byte == b'/').count() >= 2
}

/// A UUID, a long hexadecimal number, or a long mix of letters and digits as services make for ids.
fn is_identifier(word: &str) -> bool {
    let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if !plain || digits == 0 {
        return false;
    }
    let hex = word.strip_prefix("0x").unwrap_or(word);
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_hex && (hex.len() >= 7 || hex.len() < word.len()) {
        return true;
    }
    let changes = word.as_bytes().windows(2).filter(|pair| match pair {
        [a, b] => a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() && a.is_ascii_digit() != b.is_ascii_digit(),
        _ => false,
    });
    word.len() >= 8 && changes.count() >= 3
}

/// `2026-11-21T10:00:00.123Z`, `14:26:02`, `2026-11-21`, `1.2.3`, `10.0.0.1:8080`: digits and what is between them.
fn is_time(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    word.starts_with(|c: char| c.is_ascii_digit())
        && digits >= 2
        && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z' | b'+'))
}

/// Runs of digits, with their decimals; a unit behind one is separate: `60s` and `60 s` are the same.
fn fold_numbers(word: &str, out: &mut String) {
    let mut rest = word;
    while let Some(at) = rest.find(|c: char| c.is_numeric()) {
        let (text, number) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(text);
        hide(out);
        let inside = |c: char| c.is_numeric() || c == '.';
        let end = number.find(|c| !inside(c)).unwrap_or(number.len());
        rest = number.get(end..).unwrap_or_default();
        let is_unit = (1..=3).contains(&rest.len()) && rest.chars().all(|c| c.is_ascii_alphabetic());
        if text.is_empty() && is_unit {
            out.push(' ');
        }
    }
    out.push_str(rest);
}

/// Puts one `#`, however many details follow each other.
fn hide(out: &mut String) {
    if !out.ends_with('#') {
        out.push('#');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_details_only_are_one_pattern() {
        let cases = [
            ("OCR returned 0 characters on page 1", "OCR returned # characters on page #"),
            ("Login page did not load within 60s", "Login page did not load within # s"),
            ("Login page did not load within 7.5 s", "Login page did not load within # s"),
            ("503 upstream: CUDA OOM", "503 upstream: CUDA OOM"),
            ("HTTP 504: 504 Gateway Time-out", "HTTP 504: 504 Gateway Time-out"),
            ("service responded with status code 422", "service responded with status code 422"),
            ("file is corrupt (status 400)", "file is corrupt (status 400)"),
            ("HTTP/1.1 502 (404) Status: 500", "HTTP/# 502 (404) Status: 500"),
            ("502, tried 500 times on page 404", "502, tried # times on page #"),
            ("200 items, error 12, error 600", "# items, error #, error #"),
            ("selector '#user name' not found", "selector # not found"),
            ("it didn't work, it can't", "it didn't work, it can't"),
            ("no \"file one.pdf\" here", "no # here"),
            ("GET https://x.y/z?a=1: refused", "GET #: refused"),
            ("task 6b1f1c2e-0000-4aaa-8bbb-123456789abc failed", "task # failed"),
            ("task 98nlux8b0eu6 failed", "task # failed"),
            ("commit deadbe1 gone", "commit # gone"),
            ("at 0x7fff, address", "at #, address"),
            ("at 2026-11-21T10:00:00.123Z again", "at # again"),
            ("open /var/lib/x.db: denied", "open #: denied"),
            ("open C:\\temp\\x.db: denied", "open #: denied"),
            ("ERROR 3/3 files", "ERROR #/# files"),
            ("scan-0419 and/or scan-0420", "scan-# and/or scan-#"),
            ("mail to a.b@c.de bounced", "mail to # bounced"),
            ("two\n\n  lines\tof\u{a0}text ", "two lines of text"),
            ("code=500, line=(12)", "code=500, line=(#)"),
            ("défaillance № 12 漢字", "défaillance № # 漢字"),
            ("", ""),
            ("   ", ""),
            ("'", "'"),
        ];
        for (reason, pattern) in cases {
            assert_eq!(fold(reason), pattern, "{reason:?}");
        }
    }

    #[test]
    fn groups_come_largest_first_with_their_first_reason_as_example() {
        let reasons = [("b 1", 10), ("a 2", 11), ("b 3", 12), ("c", 13)];
        let found: Vec<_> = groups(reasons)
            .into_iter()
            .map(|group| (group.pattern.to_string(), group.example.to_string(), group.items))
            .collect();
        let expected = [("b #", "b 1", vec![10, 12]), ("a #", "a 2", vec![11]), ("c", "c", vec![13])];
        assert_eq!(found, expected.map(|(pattern, example, items)| (pattern.to_owned(), example.to_owned(), items)));
    }

    #[test]
    fn a_hostile_reason_is_folded_as_fast_as_a_plain_one() {
        for hostile in ["'x ", "'x'x", "\"", "1a", "a1'", "/", "(", "``", "“", "1.", "://"] {
            let reason = hostile.repeat(200_000);
            assert!(fold(&reason).len() <= reason.len() * 2, "{hostile:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn folding_a_pattern_again_changes_no_count_of_words_and_never_panics(reason in "\\PC{0,200}") {
            let _ = fold(&reason);
        }
    }
}
