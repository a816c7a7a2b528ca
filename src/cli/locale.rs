//! What the locale says about the characters that can be drawn.

use std::env;

/// Whether the locale is one of UTF-8 in which borders and blocks are one cell wide.
pub fn is_narrow_utf8() -> bool {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let Some(locale) = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")) else { return false };
    let locale = locale.to_ascii_lowercase();
    let wide = ["zh", "ja", "ko"].iter().any(|language| locale.starts_with(language));
    !wide && (locale.contains("utf-8") || locale.contains("utf8"))
}
