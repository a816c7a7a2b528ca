//! The values of a filter's fields: durations, sizes, HTTP codes, words, patterns; and what was probably meant.

use std::ops::RangeInclusive;
use std::time::Duration;

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};
use winnow::Parser;
use winnow::ascii::alpha1;
use winnow::combinator::{opt, repeat};
use winnow::error::ContextError;
use winnow::token::take_while;

use super::term::{FieldTest, Is, Limit, Op, TextPattern};
use crate::domain::cost::Cost;
use crate::domain::state::State;

/// The words of `is:`.
pub(super) const IS: [(&str, Is); 7] = [
    ("problem", Is::Problem),
    ("active", Is::Active),
    ("finished", Is::Finished),
    ("stale", Is::Stale),
    ("saved", Is::Saved),
    ("marked", Is::Marked),
    ("stuck", Is::Stuck),
];

/// What is wrong with a value, or with the name of a field, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    #[error("say whether longer or shorter: {0}:>10m or {0}:<10m")]
    DurationSign(&'static str),
    #[error("{0:?} is no duration: write 30s, 10m, 1h30m or 2d")]
    Duration(String),
    #[error("say whether larger or smaller: size:>1mb or size:<1mb")]
    SizeSign,
    #[error("{0:?} is no size: write 500b, 48kb, 1.5mb or 2gb")]
    Size(String),
    #[error("say whether more or less: cost:>0.1 or cost:<0.1")]
    CostSign,
    #[error("{0:?} is no amount: write 0.1 or 12")]
    Cost(String),
    #[error("{0:?} is no number: write 0.1 or 1000")]
    Number(String),
    #[error("{0:?} is no HTTP code: write 404, 5xx or >=500")]
    Http(String),
    #[error("this regular expression is too large: use a shorter one")]
    LargeRegex,
    #[error("not a regular expression: {0}")]
    Regex(String),
    #[error("there is no {what} {word:?}: {}", listed(meant.as_deref(), known))]
    Unknown { what: &'static str, word: String, meant: Option<String>, known: String },
}

const OPS: [(&str, Op); 5] =
    [(">=", Op::AtLeast), ("<=", Op::AtMost), (">", Op::More), ("<", Op::Less), ("=", Op::Equal)];

/// A state by its word; `canceled` too.
pub(super) fn state(word: &str) -> Result<State, ValueError> {
    let lower = word.to_lowercase();
    let found = State::from_word(if lower == "canceled" { "cancelled" } else { &lower });
    found.ok_or_else(|| unknown("state", word, &State::ALL.map(State::as_str)))
}

/// One of the words of `is:`.
pub(super) fn is(word: &str) -> Result<Is, ValueError> {
    let found = IS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, is)| *is).ok_or_else(|| unknown("word for is:", word, &IS.map(|(name, _)| name)))
}

/// `>10m`, `<=1h30m`.
pub(super) fn duration(field: &'static str, text: &str) -> Result<Limit<Duration>, ValueError> {
    let (op, rest) = op(text).ok_or(ValueError::DurationSign(field))?;
    let part = (number, unit).verify_map(|(number, unit): (f64, &str)| Some(number * seconds(unit)?));
    let sum = whole(repeat(1.., part).fold(|| 0.0, |sum: f64, part| sum + part), rest);
    let bound = sum.and_then(|sum| Duration::try_from_secs_f64(sum).ok());
    let bound = bound.ok_or_else(|| ValueError::Duration(rest.to_owned()))?;
    Ok(Limit { op, bound })
}

/// `>1mb`, `<=500`.
pub(super) fn size(text: &str) -> Result<Limit<u64>, ValueError> {
    let (op, rest) = op(text).ok_or(ValueError::SizeSign)?;
    let size = (number, opt(unit)).verify_map(|(number, unit): (f64, Option<&str>)| Some(number * bytes(unit)?));
    let bound = whole(size, rest).ok_or_else(|| ValueError::Size(rest.to_owned()))?;
    // Float to integer conversion saturates, which is what a size beyond all sizes should do.
    Ok(Limit { op, bound: bound as u64 })
}

/// `>0.1`, `<=$4`.
pub(super) fn cost(text: &str) -> Result<Limit<Cost>, ValueError> {
    let (op, rest) = op(text).ok_or(ValueError::CostSign)?;
    let bound = Cost::parse(rest).ok_or_else(|| ValueError::Cost(rest.to_owned()))?;
    Ok(Limit { op, bound })
}

/// `>1000`, `acme*`, `acme`: of a field of the user's own.
pub(super) fn own(text: &str) -> Result<FieldTest, ValueError> {
    let Some((op, rest)) = op(text) else { return Ok(FieldTest::Text(pattern(text, false))) };
    let bound = Cost::parse(rest).ok_or_else(|| ValueError::Number(rest.to_owned()))?;
    Ok(FieldTest::Limit(Limit { op, bound }))
}

/// `404`, `5xx`, `>=500`.
pub(super) fn http(text: &str) -> Result<RangeInclusive<i64>, ValueError> {
    let bad = || ValueError::Http(text.to_owned());
    let class = take_while(3, |c: char| c.is_ascii_digit() || c == 'x' || c == 'X');
    if let Some((op, rest)) = op(text) {
        let code: i64 = rest.parse().map_err(|_| bad())?;
        return Ok(match op {
            Op::Less => 0..=code.saturating_sub(1),
            Op::AtMost => 0..=code,
            Op::Equal => code..=code,
            Op::AtLeast => code..=999,
            Op::More => code.saturating_add(1)..=999,
        });
    }
    let code = whole(class, text).ok_or_else(bad)?.to_ascii_lowercase();
    let digits = code.trim_end_matches('x');
    let number: i64 = digits.parse().map_err(|_| bad())?;
    match digits.len() {
        1 => Ok(number * 100..=number * 100 + 99),
        2 => Ok(number * 10..=number * 10 + 9),
        _ => Ok(number..=number),
    }
}

/// A text, with `*` for any text.
pub(super) fn pattern(text: &str, contains: bool) -> TextPattern {
    let lower = text.to_lowercase();
    if lower.contains('*') {
        let padding = if contains { "*" } else { "" };
        let padded = format!("{padding}{lower}{padding}");
        TextPattern::Glob(padded.split('*').map(finder).collect())
    } else if contains {
        TextPattern::Contains(Box::new(finder(&lower)))
    } else {
        TextPattern::Exactly(lower)
    }
}

/// A regular expression, any case, of bounded size.
pub(super) fn regex(text: &str) -> Result<Regex, ValueError> {
    let built = RegexBuilder::new(text).case_insensitive(true).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
    built.map_err(|error| {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return ValueError::LargeRegex;
        }
        // The library pictures the place over several lines; its last line says what is wrong.
        let picture = error.to_string();
        let why = picture.lines().last().unwrap_or_default();
        ValueError::Regex(why.trim_start_matches("error: ").to_owned())
    })
}

/// What looks for this text.
pub(super) fn finder(text: &str) -> Finder<'static> {
    Finder::new(text.as_bytes()).into_owned()
}

/// A word that is none of these, with the one that was probably meant.
pub(super) fn unknown(what: &'static str, word: &str, known: &[&str]) -> ValueError {
    let meant = closest(word, known).map(str::to_owned);
    ValueError::Unknown { what, word: word.chars().take(40).collect(), meant, known: known.join(", ") }
}

fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.is_empty() || word.len() > 40 {
        return None;
    }
    let lower = word.to_lowercase();
    let begins = known.iter().find(|name| name.starts_with(&lower));
    let near = || {
        let distances = known.iter().map(|name| (strsim::damerau_levenshtein(name, &lower), name));
        let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
        (distance <= 1 + lower.len() / 4).then_some(name)
    };
    begins.or_else(near).copied()
}

fn listed(meant: Option<&str>, known: &str) -> String {
    match meant {
        Some(meant) => format!("did you mean {meant}? There are {known}"),
        None => format!("there are {known}"),
    }
}

fn op(text: &str) -> Option<(Op, &str)> {
    OPS.iter().find_map(|(sign, op)| Some((*op, text.strip_prefix(sign)?)))
}

fn whole<'a, O>(parser: impl Parser<&'a str, O, ContextError>, text: &'a str) -> Option<O> {
    let mut parser = parser;
    parser.parse(text).ok()
}

fn number(input: &mut &str) -> winnow::Result<f64> {
    let digits = || take_while(1..=15, |c: char| c.is_ascii_digit());
    (digits(), opt(('.', digits()))).take().verify_map(|text: &str| text.parse::<f64>().ok()).parse_next(input)
}

fn unit<'a>(input: &mut &'a str) -> winnow::Result<&'a str> {
    alpha1.parse_next(input)
}

fn seconds(unit: &str) -> Option<f64> {
    match unit.to_ascii_lowercase().as_str() {
        "ms" => Some(0.001),
        "s" | "sec" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        "d" => Some(86_400.0),
        "w" => Some(604_800.0),
        _ => None,
    }
}

fn bytes(unit: Option<&str>) -> Option<f64> {
    match unit.unwrap_or("b").to_ascii_lowercase().as_str() {
        "b" => Some(1.0),
        "k" | "kb" => Some(1e3),
        "m" | "mb" => Some(1e6),
        "g" | "gb" => Some(1e9),
        "t" | "tb" => Some(1e12),
        "kib" => Some(1024.0),
        "mib" => Some(1_048_576.0),
        "gib" => Some(1_073_741_824.0),
        _ => None,
    }
}
