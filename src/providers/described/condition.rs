//! Conditions over a response: a pointer alone, or compared with a literal.

use super::words::is_same;
use crate::json::pointer::{FoundValues, Lookup, NoPointer, Pointer, PointerId};
use crate::json::scan::{self, ValueKind};
use crate::providers::reply::{json_text, number};

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    at: PointerId,
    holds: ConditionTest,
    text: String,
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCondition {
    #[error("nothing stands behind `{0}`")]
    Open(&'static str),
    #[error("behind `{0}` stands a number, not `{1}`")]
    NoNumber(&'static str, String),
    /// What is compared is no pointer.
    #[error(transparent)]
    Pointer(#[from] NoPointer),
}

#[derive(Debug, Clone, PartialEq)]
enum ConditionTest {
    Stands,
    Nothing,
    Is(String),
    IsNot(String),
    Above(f64),
    Below(f64),
}

impl Condition {
    /// Reads one. Its pointer is taken up in `lookup`.
    pub fn parse(text: &str, lookup: &mut Lookup) -> Result<Self, NoCondition> {
        let trimmed = text.trim();
        let compared = ["!=", "=", ">", "<"]
            .into_iter()
            .filter_map(|sign| trimmed.split_once(sign).map(|(pointer, literal)| (sign, pointer, literal.trim())))
            .min_by_key(|(sign, pointer, _)| (pointer.len(), usize::MAX - sign.len()));
        let (pointer, holds) = match compared {
            // A `!` in front is "not", and no sign.
            None => match trimmed.strip_prefix('!') {
                Some(pointer) => (pointer, ConditionTest::Nothing),
                None => (trimmed, ConditionTest::Stands),
            },
            Some((sign, _, "")) => return Err(NoCondition::Open(sign)),
            Some((sign, pointer, literal)) => {
                let amount =
                    || number(literal.as_bytes()).ok_or_else(|| NoCondition::NoNumber(sign, literal.to_owned()));
                let test = match sign {
                    "!=" => ConditionTest::IsNot(literal.to_owned()),
                    "=" => ConditionTest::Is(literal.to_owned()),
                    ">" => ConditionTest::Above(amount()?),
                    _ => ConditionTest::Below(amount()?),
                };
                (pointer, test)
            }
        };
        let at = lookup.add(Pointer::parse(pointer.trim())?);
        Ok(Self { at, holds, text: trimmed.to_owned() })
    }

    /// Whether it holds; of several places that a pointer with `*` leads to, one is enough.
    pub fn holds(&self, found: &FoundValues<'_>) -> bool {
        let any = |test: &dyn Fn(&[u8]) -> bool| found.values(self.at).any(test);
        match &self.holds {
            ConditionTest::Stands => found.standing(self.at).is_some(),
            ConditionTest::Nothing => found.standing(self.at).is_none(),
            ConditionTest::Is(literal) => any(&|value| is(value, literal)),
            ConditionTest::IsNot(literal) => !any(&|value| is(value, literal)),
            ConditionTest::Above(bound) => any(&|value| amount(value).is_some_and(|amount| amount > *bound)),
            ConditionTest::Below(bound) => any(&|value| amount(value).is_some_and(|amount| amount < *bound)),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether all of them hold.
pub fn all_hold(conditions: &[Condition], found: &FoundValues<'_>) -> bool {
    conditions.iter().all(|condition| condition.holds(found))
}

fn is(value: &[u8], literal: &str) -> bool {
    match scan::kind(value) {
        Some(ValueKind::String) => scan::string(value).is_some_and(|text| is_same(&text, literal)),
        Some(ValueKind::Number) => number(value).is_some_and(|one| number(literal.as_bytes()) == Some(one)),
        Some(ValueKind::Bool | ValueKind::Null | ValueKind::Object | ValueKind::Array) | None => {
            json_text(value) == literal
        }
    }
}

/// A number, or a text that is one.
fn amount(value: &[u8]) -> Option<f64> {
    match scan::string(value) {
        Some(text) => number(text.trim().as_bytes()),
        None => number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_pointer_alone_or_compared_with_a_literal() {
        let body =
            r#"{"s":"In-Progress","n":3,"t":"7.5","z":0,"e":"","no":null,"f":false,"l":[{"c":3},{"c":0}],"o":{}}"#;
        let cases = [
            ("/s", true),
            ("!/s", false),
            ("/e", false),
            ("!/no", true),
            ("!/missing", true),
            ("/z", true),
            ("/o", true),
            ("/s = in_progress", true),
            ("/s=in progress", true),
            ("/s != done", true),
            ("/missing != done", true),
            ("/missing = done", false),
            ("/n = 3.0", true),
            ("/n > 2", true),
            ("/n < 3", false),
            ("/t > 7", true),
            ("/s > 1", false),
            ("/f = false", true),
            ("/no = null", true),
            ("/l/*/c > 0", true),
            ("/l/*/c = 0", true),
            ("/l/*/c != 3", false),
            ("/l/*/d", false),
        ];
        for (text, expected) in cases {
            let mut lookup = Lookup::default();
            let condition = Condition::parse(text, &mut lookup).unwrap();
            assert_eq!(condition.holds(&lookup.find(body.as_bytes()).unwrap()), expected, "{text}");
        }
        for text in ["status", "/a >", "/a > x", "/a ~2 = 1", "/~", "!status"] {
            assert!(Condition::parse(text, &mut Lookup::default()).is_err(), "{text}");
        }
    }
}
