//! One pass over a text: fields and elements are visited where they stand, and what nobody looks into is passed over
//! once. As lenient and as strict as [`scan`].

use std::borrow::Cow;
use std::ops::Range;

use crate::json::scan::{self, ScanError, ValueKind};

/// A place in a text, before a value or behind it.
#[derive(Debug)]
pub struct JsonCursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> JsonCursor<'a> {
    /// Before the text's one document.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: scan::start_of(text) }
    }

    /// What kind of value is here. None if no value can begin so.
    pub fn kind(&self) -> Option<ValueKind> {
        scan::kind(self.text.get(self.at..)?)
    }

    /// The byte at which it is.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Passes over a value, whatever it is, and says where it is.
    pub fn skip(&mut self) -> Result<Range<usize>, ScanError> {
        let start = self.at;
        self.at = scan::end_of_value(self.text, start)?;
        Ok(start..self.at)
    }

    /// Visits the members of an object in their order, duplicates included, each with its decoded key and the cursor
    /// before its value, and says where the object is. A value that a visit leaves alone is passed over.
    pub fn fields(
        &mut self,
        mut visit: impl FnMut(Cow<'a, str>, &mut Self) -> Result<(), ScanError>,
    ) -> Result<Range<usize>, ScanError> {
        self.members(b'{', b'}', "no object", "expected `,` or `}`", |cursor| {
            let key = cursor.at;
            cursor.at = scan::after_key(cursor.text, key)?;
            let key = cursor.text.get(key..cursor.at).and_then(|key| scan::string(scan::until_colon(key)));
            cursor.visited(|cursor| visit(key.unwrap_or_default(), cursor))
        })
    }

    /// Visits the elements of an array in their order, each with the cursor before it, and says where the array
    /// is. An element that a visit leaves alone is passed over.
    pub fn elements(
        &mut self,
        mut visit: impl FnMut(&mut Self) -> Result<(), ScanError>,
    ) -> Result<Range<usize>, ScanError> {
        self.members(b'[', b']', "no array", "expected `,` or `]`", |cursor| cursor.visited(&mut visit))
    }

    /// Refuses anything but white space from here on.
    pub fn finish(self) -> Result<(), ScanError> {
        scan::end_of_text(self.text, self.at)
    }

    fn visited(&mut self, visit: impl FnOnce(&mut Self) -> Result<(), ScanError>) -> Result<(), ScanError> {
        let start = self.at;
        visit(self)?;
        if self.at == start {
            self.skip()?;
        }
        Ok(())
    }

    fn members(
        &mut self,
        opening: u8,
        closing: u8,
        other_kind: &'static str,
        expected: &'static str,
        mut visit: impl FnMut(&mut Self) -> Result<(), ScanError>,
    ) -> Result<Range<usize>, ScanError> {
        let start = self.at;
        if self.text.get(start) != Some(&opening) {
            return Err(ScanError { at: start, what: other_kind });
        }
        self.at = scan::after_space(self.text, start + 1);
        let mut more = self.text.get(self.at) != Some(&closing);
        while more {
            visit(self)?;
            self.at = scan::after_space(self.text, self.at);
            match self.text.get(self.at) {
                Some(b',') => self.at = scan::after_space(self.text, self.at + 1),
                Some(byte) if *byte == closing => more = false,
                other => return Err(scan::unexpected(self.at, other, expected)),
            }
        }
        self.at += 1;
        Ok(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visit_looks_into_and_what_it_leaves_alone_are_passed_over_alike() {
        let text = br#" {"a":[1,{"b":[2]},"x"],"left":{"c":[3]},"n":-1.5} "#;
        let (mut keys, mut inner) = (Vec::new(), Vec::new());
        let mut cursor = JsonCursor::new(text);
        let place = cursor.fields(|key, cursor| {
            if key == "a" {
                cursor.elements(|cursor| {
                    if cursor.kind() == Some(ValueKind::Object) {
                        cursor.fields(|key, _| {
                            inner.push(key);
                            Ok(())
                        })?;
                    }
                    Ok(())
                })?;
            }
            keys.push(key);
            Ok(())
        });
        assert_eq!(place, Ok(1..text.len() - 1));
        assert_eq!((keys, inner), (vec!["a".into(), "left".into(), "n".into()], vec![Cow::Borrowed("b")]));
        assert_eq!(cursor.finish(), Ok(()));
    }

    #[test]
    fn what_is_no_json_is_refused_at_the_same_byte_whether_it_is_looked_into_or_not() {
        for text in
            [r#"{"a":[1 2]}"#, r#"{"a":[1,]}"#, r#"{"a":{"b"}}"#, r#"{"a":[{"#, r#"{"a":[1}]}"#, r#"{"a":[tru]}"#]
        {
            let looked = JsonCursor::new(text.as_bytes()).fields(|_, cursor| {
                match cursor.kind() {
                    Some(ValueKind::Object) => cursor.fields(|_, _| Ok(()))?,
                    _ => cursor.elements(|_| Ok(()))?,
                };
                Ok(())
            });
            let left = JsonCursor::new(text.as_bytes()).skip();
            assert!(left.is_err() && looked.is_err(), "{text}");
            assert_eq!(looked.map_err(|error| error.at), left.map_err(|error| error.at), "{text}");
        }
    }
}
