//! JSON pointers with `*` for any element, and many of them looked up in one pass over the bytes of a text.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::cursor::JsonCursor;
use super::scan::{ScanError, ValueKind};
use super::text::quoted;

/// The longest path: deeper is no answer of a service, and it bounds the recursion below.
const DEEPEST: usize = 32;

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
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
    #[error("a pointer begins with `/`")]
    NoSlash,
    #[error("`~` is written `~0` in a pointer, and `/` in a key `~1`")]
    Escape,
    #[error("a pointer has at most 32 steps")]
    TooDeep,
}

impl Pointer {
    /// A pointer of a text: empty for the whole, else `/` before each step, `~1` for a slash and `~0` for a tilde.
    pub fn parse(text: &str) -> Result<Self, NoPointer> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let steps = text.strip_prefix('/').ok_or(NoPointer::NoSlash)?;
        let steps: Vec<Step> = steps.split('/').map(Step::parse).collect::<Result<_, _>>()?;
        if steps.len() > DEEPEST { Err(NoPointer::TooDeep) } else { Ok(Self(steps)) }
    }

    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// The pointer as a path that jq takes.
    pub fn jq(&self) -> String {
        let step = |step: &Step| match step {
            Step::Any => "[]".to_owned(),
            Step::To(key) if key.parse::<usize>().is_ok() => format!("[{key}]"),
            Step::To(key) if key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => format!(".{key}"),
            Step::To(key) => format!("[{}]", quoted(key)),
        };
        self.0.iter().map(step).collect()
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
        let mut rest = text.split('~');
        let mut key = rest.next().unwrap_or_default().to_owned();
        for part in rest {
            let (c, part) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
                (Some(part), _) => ('~', part),
                (None, Some(part)) => ('/', part),
                (None, None) => return Err(NoPointer::Escape),
            };
            key.push(c);
            key.push_str(part);
        }
        Ok(Self::To(key))
    }
}

/// The number of a pointer in a [`Lookup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PointerId(usize);

/// Many pointers, to be looked up together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lookup {
    pointers: Vec<Pointer>,
    root: Branch,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Branch {
    ends: Vec<usize>,
    to: Vec<(String, Branch)>,
    any: Option<Box<Branch>>,
}

impl Lookup {
    /// Takes a pointer up. The same pointer twice is one.
    pub fn add(&mut self, pointer: Pointer) -> PointerId {
        if let Some(known) = self.pointers.iter().position(|other| *other == pointer) {
            return PointerId(known);
        }
        let id = self.pointers.len();
        let mut branch = &mut self.root;
        for step in &pointer.0 {
            branch = match step {
                Step::Any => branch.any.get_or_insert_default(),
                Step::To(key) => {
                    let at = branch.to.iter().position(|(known, _)| known == key);
                    let at = at.unwrap_or_else(|| {
                        branch.to.push((key.clone(), Branch::default()));
                        branch.to.len() - 1
                    });
                    match branch.to.get_mut(at) {
                        Some((_, branch)) => branch,
                        None => return PointerId(id),
                    }
                }
            };
        }
        branch.ends.push(id);
        self.pointers.push(pointer);
        PointerId(id)
    }

    /// Whether no pointer was taken up.
    pub fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }

    /// A pointer that was taken up.
    pub fn pointer(&self, id: PointerId) -> Option<&Pointer> {
        self.pointers.get(id.0)
    }

    pub fn is_whole(&self, id: PointerId) -> bool {
        self.pointer(id).is_some_and(Pointer::is_whole)
    }

    /// Whether any of them is not empty, the whole apart.
    pub fn says_anything(&self, found: &FoundValues<'_>) -> bool {
        let inner = self.pointers.iter().zip(0..).filter(|(pointer, _)| !pointer.is_whole());
        inner.into_iter().any(|(_, id)| !found.ranges(PointerId(id)).is_empty())
    }

    /// Looks all of them up in one pass over a text that holds one document.
    pub fn find<'a>(&self, text: &'a [u8]) -> Result<FoundValues<'a>, ScanError> {
        let mut found = FoundValues { text, places: vec![Vec::new(); self.pointers.len()] };
        let mut cursor = JsonCursor::new(text);
        let mut overridden = Vec::new();
        walk(&[&self.root], &mut cursor, &mut found, &mut overridden)?;
        cursor.finish()?;
        found.forget_inside(overridden);
        Ok(found)
    }
}

/// Where the pointers of a [`Lookup`] lead in one text.
#[derive(Debug)]
pub struct FoundValues<'a> {
    text: &'a [u8],
    places: Vec<Vec<Range<usize>>>,
}

impl<'a> FoundValues<'a> {
    /// Nothing of anything: of a text that is no document.
    pub fn nothing() -> Self {
        Self { text: b"", places: Vec::new() }
    }

    /// Where a pointer leads, in the text's order.
    pub fn ranges(&self, id: PointerId) -> &[Range<usize>] {
        self.places.get(id.0).map_or(&[], Vec::as_slice)
    }

    /// The JSON texts that a pointer leads to, in the text's order.
    pub fn values(&self, id: PointerId) -> impl Iterator<Item = &'a [u8]> {
        self.ranges(id).iter().filter_map(|range| self.text.get(range.clone()))
    }

    /// Forgets what was found inside these ranges, of which two are nested or apart.
    fn forget_inside(&mut self, mut ranges: Vec<Range<usize>>) {
        if ranges.is_empty() {
            return;
        }
        ranges.sort_by_key(|range| (range.start, Reverse(range.end)));
        ranges.dedup_by(|inner, outer| inner.end <= outer.end);
        for places in &mut self.places {
            places.retain(|place| {
                let before = ranges.partition_point(|range| range.start <= place.start);
                before.checked_sub(1).and_then(|last| ranges.get(last)).is_none_or(|range| place.end > range.end)
            });
        }
    }

    /// The first of them that is neither null nor an empty string.
    pub fn standing(&self, id: PointerId) -> Option<&'a [u8]> {
        self.values(id).find(|value| stands(value))
    }
}

/// Whether a value is neither null nor an empty string.
pub fn stands(value: &[u8]) -> bool {
    value != b"null" && value != b"\"\""
}

/// Notes where the branches end. Of duplicate keys the last wins: the ranges of earlier ones are noted as overridden.
fn walk<'a>(
    branches: &[&Branch],
    cursor: &mut JsonCursor<'a>,
    found: &mut FoundValues<'a>,
    overridden: &mut Vec<Range<usize>>,
) -> Result<(), ScanError> {
    let goes_on = branches.iter().any(|branch| !branch.to.is_empty() || branch.any.is_some());
    let range = match cursor.kind() {
        Some(ValueKind::Object) if goes_on => {
            let mut seen: HashMap<String, Range<usize>> = HashMap::new();
            cursor.fields(|key, cursor| {
                let inner: Vec<&Branch> = branches.iter().flat_map(|branch| branch.follow(&key)).collect();
                if inner.is_empty() {
                    return Ok(());
                }
                let start = cursor.position();
                walk(&inner, cursor, found, overridden)?;
                overridden.extend(seen.insert(key.into_owned(), start..cursor.position()));
                Ok(())
            })?
        }
        Some(ValueKind::Array) if goes_on => {
            let mut index = 0_usize;
            cursor.elements(|cursor| {
                let key = index.to_string();
                index += 1;
                let inner: Vec<&Branch> = branches.iter().flat_map(|branch| branch.follow(&key)).collect();
                if inner.is_empty() { Ok(()) } else { walk(&inner, cursor, found, overridden) }
            })?
        }
        Some(_) | None => cursor.skip()?,
    };
    for id in branches.iter().flat_map(|branch| &branch.ends) {
        if let Some(places) = found.places.get_mut(*id) {
            places.push(range.clone());
        }
    }
    Ok(())
}

impl Branch {
    fn follow(&self, key: &str) -> impl Iterator<Item = &Self> {
        let named = self.to.iter().filter(move |(known, _)| known == key).map(|(_, branch)| branch);
        named.chain(self.any.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    fn found(pointers: &[&str], text: &str) -> Vec<Vec<String>> {
        let mut lookup = Lookup::default();
        let ids: Vec<PointerId> = pointers.iter().map(|text| lookup.add(Pointer::parse(text).unwrap())).collect();
        let found = lookup.find(text.as_bytes()).unwrap();
        let texts = |id| found.values(id).map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        ids.into_iter().map(texts).collect()
    }

    #[test]
    fn pointers_are_found_in_one_pass_and_of_duplicate_keys_the_last_wins() {
        let text = r#"{"a":{"b":[{"c":1},{"c":2},{"d":3}],"x/y~":"k"},"n":null,"a2":{"c":9},"a2":{"c":[]}}"#;
        let pointers = ["/a/b/*/c", "/a/b/1", "/a/x~1y~0", "/n", "/n/deeper", "/a2/c", "/*/c", "/a/b/*/c/x", "/a/b/7"];
        let expected: Vec<Vec<&str>> = vec![
            vec!["1", "2"],
            vec![r#"{"c":2}"#],
            vec!["\"k\""],
            vec!["null"],
            vec![],
            vec!["[]"],
            vec!["[]"],
            vec![],
            vec![],
        ];
        assert_eq!(found(&pointers, text), expected);
        assert_eq!(found(&[""], " [1] "), vec![vec!["[1]"]]);
        let twice = r#"{"a":{"b":1,"b":2},"c":{"b":3},"a":{"d":4,"d":5}}"#;
        assert_eq!(found(&["/*/b", "/*/*", "/a"], twice), vec![vec!["3"], vec!["3", "5"], vec![r#"{"d":4,"d":5}"#]]);
        assert!(Lookup::default().find(b"{\"a\":1").is_err());
    }

    #[test]
    fn a_pointer_that_is_none_is_refused() {
        for text in ["a", "status", "/a~2", "/a~", &"/x".repeat(33)] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
        for text in ["", "/", "/a~1b/~0/*/0", "/ä b"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Pointer::parse("/a/0/*/x-y").unwrap().jq(), r#".a[0][]["x-y"]"#);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_lookup_panic(text in "\\PC{0,40}|[\\[\\]{}\":,a0*/ ]{0,40}", pointer in "(/[a0*~]{0,3}){0,4}") {
            let mut lookup = Lookup::default();
            if let Ok(pointer) = Pointer::parse(&pointer) {
                let id = lookup.add(pointer);
                if let Ok(found) = lookup.find(text.as_bytes()) {
                    proptest::prop_assert!(found.values(id).all(|value| scan::kind(value).is_some()));
                }
            }
        }
    }
}
