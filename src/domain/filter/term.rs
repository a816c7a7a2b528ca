//! One condition of a filter, and whether a job meets it.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use memchr::memmem::Finder;
use regex::Regex;

use super::subject::FilterSubject;
use crate::domain::cost::Cost;
use crate::domain::durations;
use crate::domain::field::{self, FieldValue};
use crate::domain::human;
use crate::domain::note;
use crate::domain::state::State;

/// One condition.
#[derive(Debug, Clone)]
pub(super) enum Term {
    /// The text is anywhere in name, id, service, tags or reason.
    Word(Box<Finder<'static>>),
    State(Vec<State>),
    Is(Vec<Is>),
    Text(TextField, Vec<TextPattern>),
    Age(Vec<Limit<Duration>>),
    Took(Vec<Limit<Duration>>),
    /// What the column of that name shows.
    Time(Vec<Limit<Duration>>),
    Size(Vec<Limit<u64>>),
    Http(Vec<RangeInclusive<i64>>),
    Cost(Vec<Limit<Cost>>),
    /// A field of the user's own.
    Own(Box<str>, Vec<FieldTest>),
}

/// What the value of a user's field must be.
#[derive(Debug, Clone)]
pub(super) enum FieldTest {
    Limit(Limit<Cost>),
    Text(TextPattern),
}

/// A field that holds text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextField {
    Name,
    Id,
    Service,
    Provider,
    Tag,
    File,
    Reason,
    Batch,
}

/// What `is:` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    Problem,
    Active,
    Finished,
    Stale,
    Saved,
    Marked,
    Stuck,
}

/// What a text must look like; lower-cased, as the text is.
#[derive(Debug, Clone)]
pub(super) enum TextPattern {
    Exactly(String),
    Contains(Box<Finder<'static>>),
    /// What is between the stars, in order; the first and the last are the text's ends.
    Glob(Vec<Finder<'static>>),
    Regex(Regex),
}

/// A bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit<T> {
    pub(super) op: Op,
    pub(super) bound: T,
}

/// How a value compares to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Term {
    pub(super) fn matches(&self, subject: &FilterSubject<'_>, now: Timestamp) -> bool {
        let known = subject.known;
        match self {
            Self::Word(word) => word.find(subject.text.all().as_bytes()).is_some(),
            Self::State(states) => states.contains(&known.state),
            Self::Is(all) => all.iter().any(|is| is.holds(subject, now)),
            Self::Text(field, patterns) => patterns.iter().any(|pattern| field.matches(pattern, subject)),
            Self::Age(limits) => meets(limits, note::since(known).map(|since| human::age(since, now))),
            Self::Took(limits) => meets(limits, note::took(known)),
            Self::Time(limits) => meets(limits, note::time(known, now)),
            Self::Size(limits) => meets(limits, known.saved.as_ref().map(|saved| saved.bytes)),
            Self::Cost(limits) => meets(limits, known.cost.as_deref().and_then(Cost::parse)),
            Self::Own(name, tests) => {
                let value = known.fields.as_ref().and_then(|fields| field::value_of(&fields.values, name));
                value.is_some_and(|value| tests.iter().any(|test| test.holds(&value)))
            }
            Self::Http(ranges) => {
                let last = known.last_poll.as_ref().and_then(|last| last.http_status);
                let codes = [last.map(i64::from), known.http_status.map(i64::from), known.service_status_code];
                codes.into_iter().flatten().any(|code| ranges.iter().any(|range| range.contains(&code)))
            }
        }
    }

    pub(super) fn needs_files(&self) -> bool {
        matches!(self, Self::Text(TextField::File, _))
    }
}

impl TextField {
    fn matches(self, pattern: &TextPattern, subject: &FilterSubject<'_>) -> bool {
        match self {
            Self::Name => pattern.matches(subject.text.title()),
            Self::Id => pattern.matches(subject.text.id()),
            Self::Service => pattern.matches(subject.text.service()),
            Self::Provider => pattern.matches(subject.job.key.provider.as_str()),
            Self::Tag => subject.text.tags().any(|tag| pattern.matches(tag)),
            Self::File => subject.files.iter().any(|file| pattern.matches(&file.to_lowercase())),
            Self::Reason => pattern.matches(subject.text.reason()),
            Self::Batch => pattern.matches(&subject.job.batch.as_deref().unwrap_or_default().to_lowercase()),
        }
    }
}

impl Is {
    fn holds(self, subject: &FilterSubject<'_>, now: Timestamp) -> bool {
        match self {
            Self::Problem => subject.known.state.is_problem() || subject.given_up || is_stuck(subject, now),
            Self::Active => !subject.known.state.is_terminal(),
            Self::Finished => subject.known.state.is_terminal(),
            Self::Stale => subject.stale,
            Self::Saved => subject.known.saved.is_some(),
            Self::Marked => subject.marked,
            Self::Stuck => is_stuck(subject, now),
        }
    }
}

impl FieldTest {
    fn holds(&self, value: &FieldValue) -> bool {
        match self {
            Self::Limit(limit) => value.amount().is_some_and(|amount| limit.op.holds(amount, limit.bound)),
            Self::Text(pattern) => pattern.matches(&value.text().to_lowercase()),
        }
    }
}

impl TextPattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(exactly) => text == exactly,
            Self::Contains(part) => part.find(text.as_bytes()).is_some(),
            Self::Regex(regex) => regex.is_match(text),
            Self::Glob(parts) => globbed(parts, text.as_bytes()),
        }
    }
}

impl Op {
    fn holds<T: Ord>(self, value: T, bound: T) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Equal => value == bound,
            Self::AtLeast => value >= bound,
            Self::More => value > bound,
        }
    }
}

fn meets<T: Ord + Copy>(limits: &[Limit<T>], value: Option<T>) -> bool {
    value.is_some_and(|value| limits.iter().any(|limit| limit.op.holds(value, limit.bound)))
}

fn globbed(parts: &[Finder<'static>], text: &[u8]) -> bool {
    let [first, middle @ .., last] = parts else { return false };
    let Some(mut rest) = text.strip_prefix(first.needle()).and_then(|rest| rest.strip_suffix(last.needle())) else {
        return false;
    };
    for part in middle {
        let Some(at) = part.find(rest) else { return false };
        rest = rest.get(at + part.needle().len()..).unwrap_or_default();
    }
    true
}

fn is_stuck(subject: &FilterSubject<'_>, now: Timestamp) -> bool {
    durations::is_stuck(subject.known, subject.job.traits.alert_after, now)
}
