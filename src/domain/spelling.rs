//! In which ways a text of others may write a secret that it repeats.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A shorter token cannot be told from ordinary text: masking it would damage results.
pub const SHORTEST: usize = 6;

/// What a URL escapes.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The same where a slash is let be.
const RESERVED_IN_PATHS: &AsciiSet = &RESERVED.remove(b'/');

/// Secrets as they are, and as JSON, HTML and URLs would spell them, each in the ways that are about; longest first.
pub fn of_all<'a>(secrets: impl Iterator<Item = &'a str>) -> Vec<Vec<u8>> {
    let mut spellings: Vec<Vec<u8>> = secrets.flat_map(spellings_of).collect();
    spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    spellings
}

fn spellings_of(plain: &str) -> Vec<Vec<u8>> {
    if plain.len() < SHORTEST {
        return Vec::new();
    }
    let json = serde_json::to_string(plain).unwrap_or_default();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    let html = |quote: &str, apostrophe: &str| {
        let text = plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text.replace('"', quote).replace('\'', apostrophe)
    };
    let url = utf8_percent_encode(plain, RESERVED).to_string();
    let path = utf8_percent_encode(plain, RESERVED_IN_PATHS).to_string();
    let mut spellings = vec![
        plain.to_owned(),
        json.to_owned(),
        json.replace('/', "\\/"),
        json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        html("&quot;", "&#x27;"),
        html("&quot;", "&#39;"),
        html("&#34;", "&#39;"),
        lower_escapes(&url),
        lower_escapes(&path),
        url,
        path,
    ];
    spellings.retain(|spelling| !spelling.is_empty());
    spellings.sort_unstable();
    spellings.dedup();
    spellings.into_iter().map(String::into_bytes).collect()
}

/// `%2F` as `%2f`.
fn lower_escapes(url: &str) -> String {
    let mut parts = url.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{text}%{}{rest}", digits.to_ascii_lowercase())
    })
}
