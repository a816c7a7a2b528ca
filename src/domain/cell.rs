//! A cell of CSV: what is written for a text, so that no spreadsheet takes it for a formula.

use super::clean::{escaped, is_harmless};

/// What makes a cell a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A text as a cell: guarded, then quoted where that is needed.
pub fn cell(text: &str) -> String {
    quoted(&guarded(text))
}

/// A cell that no spreadsheet takes for a formula: a leading `=`, `+`, `-`, `@`, tab or carriage return gets a `'`
/// before it. What a terminal would obey is written out; line breaks stay, quoted by the writer, but a carriage return
/// alone would let a cell overwrite the line that it is in. Where spreadsheets part at `;` or tabs, what follows one
/// begins a cell: it is guarded likewise.
pub fn guarded(cell: &str) -> String {
    let mut harmless = String::with_capacity(cell.len());
    let mut rest = cell.chars().peekable();
    let mut parted = false;
    while let Some(c) = rest.next() {
        if parted && c != ' ' {
            if c.is_ascii() && FORMULA.contains(&c) {
                harmless.push('\'');
            }
            parted = false;
        }
        parted = parted || matches!(c, ';' | '\t' | '\n');
        match c {
            '\r' if rest.peek() == Some(&'\n') => harmless.push(c),
            '\n' | '\t' => harmless.push(c),
            c if is_harmless(c) => harmless.push(c),
            c => harmless.push_str(&escaped(c)),
        }
    }
    let formula = cell.starts_with(FORMULA);
    if formula { format!("'{harmless}") } else { harmless }
}

/// A cell as it is written: quoted where it holds anything at which some spreadsheet parts.
fn quoted(cell: &str) -> String {
    if cell.contains([',', ';', '\t', '"', '\n', '\r']) || cell.starts_with(' ') || cell.ends_with(' ') {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_at_which_some_spreadsheet_parts_is_quoted() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("a\tb", "\"a\tb\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("a\nb", "\"a\nb\""),
            (" a", "\" a\""),
            ("", ""),
        ];
        for (cell, written) in cases {
            assert_eq!(quoted(cell), written, "{cell:?}");
        }
    }

    #[test]
    fn no_cell_becomes_a_formula() {
        let cases = [
            ("=1+1", "'=1+1"),
            ("+1 555", "'+1 555"),
            ("-cmd", "'-cmd"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "'\\x0dx"),
            ("a\rb\r\nc", "a\\x0db\r\nc"),
            ("a=b", "a=b"),
            ("a;=1+1", "a;'=1+1"),
            ("a; =1+1", "a; '=1+1"),
            ("a\t@SUM(A1)", "a\t'@SUM(A1)"),
            ("a\n-cmd", "a\n'-cmd"),
            ("a;b=c;;d", "a;b=c;;d"),
            (";;+1", ";;'+1"),
            ("a\u{1b}]0;t\u{7}", "a\\x1b]0;t\\x07"),
        ];
        for (cell, safe) in cases {
            assert_eq!(guarded(cell), safe, "{cell:?}");
        }
    }
}
