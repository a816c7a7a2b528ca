//! Names of files made of foreign text: they stay in their directory, on every system, and no two jobs share one.

use crate::domain::checksum::short_digest;

/// Bytes that a name made of foreign text may have at most; a number and an ending still fit behind it.
const LONGEST: usize = 120;

/// Device names of Windows: such a file could not be copied there.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// One path component made of a text: never empty, never `.` or `..`, no separator, nothing a shell or a terminal takes
/// badly, ASCII only. A safe text in lower case stays as it is, any other gets a mark of the original: so two texts
/// never become one name, not even where case does not count, and a text has the same name every time.
pub fn file_name(text: &str) -> String {
    let mut name: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .take(LONGEST)
        .collect();
    if name.starts_with(['.', '-']) {
        name.insert(0, '_');
    }
    while name.ends_with('.') {
        name.pop();
    }
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    if DEVICES.contains(&stem.as_str()) || name.is_empty() {
        name.insert(0, '_');
    }
    let as_it_is = name == text && !name.contains(|c: char| c.is_ascii_uppercase());
    if as_it_is { name } else { format!("{name}~{}", short_digest(text.as_bytes())) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::{Component, Path};

    use super::*;

    #[test]
    fn a_safe_text_is_its_own_name_and_any_other_gets_a_mark() {
        let cases = [
            ("invoices__e748d90f-af7d", "invoices__e748d90f-af7d"),
            ("a/b", "a_b~c14cddc033f64b9d"),
            ("", "_~e3b0c44298fc1c14"),
            ("..", "_~5ec1f7e700f37c3d"),
            ("../../etc/passwd", "_.._.._etc_passwd~"),
            ("-rf", "_-rf~"),
            ("nul.txt", "_nul.txt~"),
            ("Scan", "Scan~"),
        ];
        for (text, name) in cases {
            let given = file_name(text);
            assert!(given.starts_with(name) && given.contains('~') == name.contains('~'), "{text:?}: {given}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_never_climbs_out_is_never_empty_and_never_anothers(
            texts in proptest::collection::hash_set("\\PC*|[./\\\\a-cA-C\\x00-\\x1f~]*|(\\.\\./)*", 1..8)
        ) {
            let mut seen = HashSet::new();
            for text in texts {
                let name = file_name(&text);
                let parts: Vec<_> = Path::new(&name).components().collect();
                let one = matches!(parts.as_slice(), [Component::Normal(part)] if part.to_str() == Some(name.as_str()));
                proptest::prop_assert!(one, "{:?}", name);
                proptest::prop_assert!(name.is_ascii() && name.len() < 200 && !name.starts_with(['.', '-']));
                proptest::prop_assert!(seen.insert(name.to_lowercase()), "{:?} twice", name);
            }
        }
    }
}
