//! Prints JSON with two spaces of indentation, every number and string byte for byte as it came.

use std::io::{self, Write};

use crate::json::scan::{self, ScanError};

/// Why nothing, or not all, was printed.
#[derive(Debug, thiserror::Error)]
pub enum PrettyError {
    /// The text is no JSON.
    #[error(transparent)]
    Broken(#[from] ScanError),
    /// The writer failed.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Writes the text's one document, indented, with a line break at the end. Order and duplicate keys are kept.
/// Nothing is written of a text that is no JSON. Best given a buffered writer.
pub fn pretty(text: &[u8], out: &mut dyn Write) -> Result<(), PrettyError> {
    let document = scan::document(text)?;
    let text = text.get(..document.end).unwrap_or_default();
    let mut at = document.start;
    let mut depth = 0;
    while let Some(&byte) = text.get(at) {
        let end = match byte {
            b'{' | b'[' => {
                out.write_all(&[byte])?;
                let after = scan::after_space(text, at + 1);
                match text.get(after) {
                    Some(closing @ (b'}' | b']')) => {
                        out.write_all(&[*closing])?;
                        after + 1
                    }
                    _ => {
                        depth += 1;
                        new_line(depth, out)?;
                        after
                    }
                }
            }
            b'}' | b']' => {
                depth -= 1;
                new_line(depth, out)?;
                out.write_all(&[byte])?;
                at + 1
            }
            b',' => {
                out.write_all(b",")?;
                new_line(depth, out)?;
                at + 1
            }
            b':' => {
                out.write_all(b": ")?;
                at + 1
            }
            _ => {
                let end = scan::end_of_leaf(text, at)?;
                out.write_all(text.get(at..end).unwrap_or_default())?;
                end
            }
        };
        at = scan::after_space(text, end);
    }
    out.write_all(b"\n")?;
    Ok(())
}

/// The text's one document without white space between its tokens, everything else byte for byte as it came.
pub fn compact(text: &[u8]) -> Result<Vec<u8>, ScanError> {
    let document = scan::document(text)?;
    let text = text.get(..document.end).unwrap_or_default();
    let mut out = Vec::with_capacity(document.len());
    let mut at = document.start;
    while let Some(&byte) = text.get(at) {
        let end = match byte {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => at + 1,
            _ => scan::end_of_leaf(text, at)?,
        };
        out.extend_from_slice(text.get(at..end).unwrap_or_default());
        at = scan::after_space(text, end);
    }
    Ok(out)
}

/// Levels that are indented; deeper ones are not indented further, or a text of brackets alone would grow a thousandfold.
const DEEPEST: usize = 64;

fn new_line(depth: usize, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "\n{:1$}", "", depth.min(DEEPEST) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        let mut out = Vec::new();
        pretty(text.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_strings_order_and_duplicates_come_out_as_they_went_in() {
        let cases = [
            (
                r#" {"b":1.0e400,"a":[ ],"a":[-0,NaN,"\u00e9\/"], "c" : {"d":{}}} "#,
                concat!(
                    "{\n  \"b\": 1.0e400,\n  \"a\": [],\n  \"a\": [\n    -0,\n    NaN,\n    \"\\u00e9\\/\"\n  ],\n",
                    "  \"c\": {\n    \"d\": {}\n  }\n}\n"
                ),
            ),
            ("\u{feff}1.50", "1.50\n"),
            ("[[1]]", "[\n  [\n    1\n  ]\n]\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(printed(text), expected);
        }
    }

    #[test]
    fn compact_json_keeps_every_digit_and_every_string() {
        let text = b"{ \"a b\\\" \\\\\" : [ 1.0e400 ,\n\t-0 , \"\xc3\xa9  x\" ] }";
        assert_eq!(compact(text).unwrap(), "{\"a b\\\" \\\\\":[1.0e400,-0,\"\u{e9}  x\"]}".as_bytes());
        assert!(compact(b"[1,]").is_err());
    }

    #[test]
    fn nothing_is_printed_of_a_broken_text_and_the_byte_is_named() {
        let mut out = Vec::new();
        let error = pretty(b"{\"a\":1,}", &mut out).unwrap_err();
        assert_eq!((error.to_string().as_str(), out.len()), ("expected a key at byte 7", 0));
    }

    #[test]
    fn no_depth_is_too_deep() {
        let text = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        assert!(printed(&text).len() < 50_000_000);
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_reads_the_same_and_prints_the_same(keys in proptest::collection::vec("\\PC{0,5}", 0..5), text in "\\PC*", number: i64) {
            let members: serde_json::Map<_, _> = keys.iter().map(|key| (key.clone(), serde_json::json!([number, {}, [], text, null]))).collect();
            let value = serde_json::Value::Object(members);
            let pretty = printed(&value.to_string());
            proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), value.clone());
            proptest::prop_assert_eq!(&printed(&pretty), &pretty);
            proptest::prop_assert_eq!(serde_json::to_string_pretty(&value).unwrap() + "\n", pretty);
        }
    }
}
