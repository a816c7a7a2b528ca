//! JSON pointers, with `*` for any element, looked up over the bytes of a text.

use std::fmt;
use std::ops::Range;

use super::cursor::JsonCursor;
use super::scan::{ScanError, ValueKind};

/// The longest path: it bounds the recursion below.
const DEEPEST: usize = 32;

/// A JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    /// A key of an object, or an index of an array.
    To(String),
    /// Any element, or the value of any key.
    Any,
}

/// Why a text is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPointer {
    /// It begins otherwise.
    #[error("a pointer begins with `/`")]
    NoSlash,
    /// A `~` that is no escape.
    #[error("`~` is written `~0` in a pointer, and `/` in a key `~1`")]
    Escape,
    /// Too many steps.
    #[error("a pointer has at most 32 steps")]
    TooDeep,
}

impl Pointer {
    /// A pointer of a text: empty for the whole, else `/` before each step.
    pub fn parse(text: &str) -> Result<Self, NoPointer> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/').ok_or(NoPointer::NoSlash)?;
        let steps: Vec<Step> = steps.split('/').map(Step::parse).collect::<Result<_, _>>()?;
        if steps.len() > DEEPEST { Err(NoPointer::TooDeep) } else { Ok(Self(steps)) }
    }

    /// The JSON texts that it leads to in a text of one document, in their order. Of a key that an object has twice the
    /// last counts.
    pub fn find<'a>(&self, text: &'a [u8]) -> Result<Vec<&'a [u8]>, ScanError> {
        let mut found = Vec::new();
        walk(&self.0, &mut JsonCursor::new(text), &mut found)?;
        Ok(found.into_iter().filter_map(|range| text.get(range)).collect())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Any => f.write_str("/*"),
            Step::To(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1")),
        })
    }
}

impl Step {
    fn parse(text: &str) -> Result<Self, NoPointer> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let mut key = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match (c, c == '~') {
                (c, false) => key.push(c),
                (_, true) => match rest.next() {
                    Some('0') => key.push('~'),
                    Some('1') => key.push('/'),
                    Some(_) | None => return Err(NoPointer::Escape),
                },
            }
        }
        Ok(Self::To(key))
    }

    fn leads_to(&self, key: &str) -> bool {
        match self {
            Self::To(wanted) => wanted == key,
            Self::Any => true,
        }
    }
}

fn walk(steps: &[Step], cursor: &mut JsonCursor<'_>, found: &mut Vec<Range<usize>>) -> Result<(), ScanError> {
    let Some((step, rest)) = steps.split_first() else {
        found.push(cursor.skip()?);
        return Ok(());
    };
    match cursor.kind() {
        Some(ValueKind::Object) => {
            let before = found.len();
            cursor.fields(|key, cursor| {
                if !step.leads_to(&key) {
                    return Ok(());
                }
                if let Step::To(_) = step {
                    found.truncate(before);
                }
                walk(rest, cursor, found)
            })?;
        }
        Some(ValueKind::Array) => {
            let mut index = 0_usize;
            cursor.elements(|cursor| {
                let key = index.to_string();
                index += 1;
                if step.leads_to(&key) { walk(rest, cursor, found) } else { Ok(()) }
            })?;
        }
        Some(ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::Null) | None => {
            cursor.skip()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_through_keys_and_elements_and_a_star_to_all_of_them() {
        let text = r#"{"a":{"b":[{"c":1},{"c":2.50},{"d":3}],"x/y~":"k"},"n":null,"t":{"c":9},"t":{"c":[]}}"#;
        let cases = [
            ("/a/b/*/c", &["1", "2.50"][..]),
            ("/a/b/1", &[r#"{"c":2.50}"#]),
            ("/a/x~1y~0", &["\"k\""]),
            ("/n", &["null"]),
            ("/n/deeper", &[]),
            ("/t/c", &["[]"]),
            ("/a/b/7", &[]),
            ("/a/*/0/c", &["1"]),
            ("", &[text]),
        ];
        for (pointer, expected) in cases {
            let found = Pointer::parse(pointer).unwrap().find(text.as_bytes()).unwrap();
            let found: Vec<_> = found.into_iter().map(|value| std::str::from_utf8(value).unwrap()).collect();
            assert_eq!(found, expected, "{pointer}");
        }
        assert!(Pointer::parse("/a").unwrap().find(b"{\"a\":1").is_err());
    }

    #[test]
    fn what_is_no_pointer_is_refused_and_what_is_one_comes_out_as_it_was() {
        for text in ["a", "/a~2", "/a~", &"/x".repeat(33)] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
        for text in ["", "/", "/a~1b/~0/*/0", "/ä b"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_pointer_panic(text in "\\PC{0,40}|[\\[\\]{}\":,a0*/ ]{0,40}", pointer in "(/[a0*~]{0,3}){0,4}") {
            if let Ok(pointer) = Pointer::parse(&pointer) {
                let _ = pointer.find(text.as_bytes());
            }
        }
    }
}
