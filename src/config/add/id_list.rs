//! Ids one a line, as files of ids and standard input have them: `#` comments, a name after a tab.

use crate::domain::id::{self, NoId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedId<'a> {
    /// The line, counted from 1.
    pub line: usize,
    /// What is in the place of the id.
    pub text: &'a str,
    /// The id or address, or why it is none.
    pub id: Result<&'a str, NoId>,
    /// The name after the first tab; None if it is blank.
    pub name: Option<&'a str>,
}

/// The ids of a text, in its order. Empty lines and those that begin with `#` are passed over.
pub fn read<'a>(text: &'a str, is_service: impl Fn(&str) -> bool) -> impl Iterator<Item = ListedId<'a>> {
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let line_text = id::trimmed(line);
        if line_text.is_empty() || line_text.starts_with('#') {
            return None;
        }
        let (id, name) = line_text.split_once('\t').unwrap_or((line_text, ""));
        let name = Some(id::trimmed(name)).filter(|name| !name.is_empty());
        Some(ListedId { line: number, text: id, id: id::read(id, &is_service), name })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_an_id_a_line_a_name_after_a_tab_and_comments() {
        let text = "\u{feff}# ids of november\r\n\r\n 7 \r\n8\tinvoice 17.pdf\r\n \t\n9\t\n  # more\na b\nllama/7\tx\n";
        let read: Vec<_> =
            read(text, |name| name == "llama").map(|listed| (listed.line, listed.id, listed.name)).collect();
        let expected = [
            (3, Ok("7"), None),
            (4, Ok("8"), Some("invoice 17.pdf")),
            (6, Ok("9"), None),
            (8, Err(NoId::WhiteSpace), None),
            (9, Err(NoId::Service), Some("x")),
        ];
        assert_eq!(read, expected);
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_always_an_id(text in "\\PC{0,60}|[a-z0-9\t\n# {}/\u{feff}]{0,60}") {
            for listed in read(&text, |_| false) {
                if let Ok(id) = listed.id {
                    proptest::prop_assert_eq!(id::read(id, |_| false), Ok(id));
                }
            }
        }
    }
}
