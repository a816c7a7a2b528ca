//! Text in Markdown: nothing in it is markup.

/// Text as it may stand in a line or a cell of a table.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '#' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_the_bars_of_a_table_stay_text() {
        assert_eq!(escaped("a|b <i> [x](y) `c` & _d_"), "a\\|b &lt;i&gt; \\[x\\](y) \\`c\\` &amp; \\_d\\_");
    }
}
