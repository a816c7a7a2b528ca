//! Batches that are kept: what each came to, and what became worse, better or other from one to another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::cost::Cost;
use super::human;
use super::job::Job;
use super::note;
use super::observation::Observation;
use super::state::State;
use super::stats::StateCounts;

/// A job took longer where it ran a quarter longer, and by five seconds or more: polls are so far apart where nothing else is
/// said, and tell times no finer.
const SLOWER: (u32, u32) = (5, 4);
const NOTICEABLE: Duration = Duration::from_secs(5);
/// A job is dearer where it costs a tenth more.
const DEARER: i64 = 10;
/// How many levels of an output are looked into; what is nested deeper is compared as text.
const DEEPEST: u8 = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOutcome {
    /// Its name; None for jobs of no batch.
    pub name: Option<Arc<str>>,
    /// When the first of its jobs was seen first.
    pub first: Option<Timestamp>,
    /// When something last changed about one of its jobs.
    pub last: Option<Timestamp>,
    /// Its jobs by state, and their cost.
    pub counts: StateCounts,
}

/// The batches that these jobs are of, the one that began last at the end.
pub fn batches<'a>(jobs: impl IntoIterator<Item = (&'a Job, &'a Observation)>) -> Vec<BatchOutcome> {
    let mut by_name: BTreeMap<Option<Arc<str>>, BatchOutcome> = BTreeMap::new();
    for (job, known) in jobs {
        let batch = by_name.entry(job.batch.clone()).or_insert_with(|| BatchOutcome {
            name: job.batch.clone(),
            first: None,
            last: None,
            counts: StateCounts::default(),
        });
        batch.first = batch.first.into_iter().chain(known.first_seen).min();
        batch.last = batch.last.into_iter().chain(known.finished_at).chain(known.changed_at).max();
        batch.counts.add(known);
    }
    let mut all: Vec<BatchOutcome> = by_name.into_values().collect();
    all.sort_by_key(|batch| batch.first);
    all
}

/// What makes a job of one batch the counterpart of one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The name, or what the job is called without one; of several alike the first goes with the first.
    Name,
    /// The service's id.
    Id,
}

impl Match {
    fn key<'a>(self, job: &'a Job, known: &'a Observation) -> String {
        match self {
            Self::Name => job.name.as_deref().or(known.title.as_deref()).unwrap_or(&job.key.id).to_owned(),
            Self::Id => job.key.canonical_id().into_owned(),
        }
    }
}

/// The jobs of two batches, side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs<T> {
    /// Jobs that are in both, by what they are matched by, in the order of the second batch.
    pub both: Vec<(String, T, T)>,
    /// Jobs that only the first has.
    pub only_first: usize,
    /// Jobs that only the second has.
    pub only_second: usize,
}

/// Finds the counterparts. `of` gives what is declared and known of a job.
pub fn pairs<T>(first: Vec<T>, second: Vec<T>, by: Match, of: impl Fn(&T) -> (&Job, &Observation)) -> Pairs<T> {
    let keyed = |jobs: Vec<T>| {
        let mut alike: HashMap<String, usize> = HashMap::new();
        let with_key = |job: T| {
            let (declared, known) = of(&job);
            let key = by.key(declared, known);
            let place = alike.entry(key.clone()).or_default();
            *place += 1;
            ((key, *place), job)
        };
        jobs.into_iter().map(with_key).collect::<Vec<_>>()
    };
    let mut before: HashMap<(String, usize), T> = keyed(first).into_iter().collect();
    let mut pairs = Pairs { both: Vec::new(), only_first: 0, only_second: 0 };
    for (key, job) in keyed(second) {
        match before.remove(&key) {
            Some(counterpart) => pairs.both.push((key.0, counterpart, job)),
            None => pairs.only_second += 1,
        }
    }
    pairs.only_first = before.len();
    pairs
}

/// What is other about a job than it was about its counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobChange {
    /// It failed, is partial, cancelled or lost, and its counterpart succeeded.
    NewlyFailed,
    /// It succeeded, and its counterpart did not.
    Fixed,
    /// Both succeeded, and it ran a quarter longer, and by a second or more.
    Slower,
    /// It cost a tenth more.
    Dearer,
    /// Both have an output, and not the same.
    OtherOutput,
}

impl JobChange {
    /// Every change, what matters most first.
    pub const ALL: [Self; 5] = [Self::NewlyFailed, Self::Fixed, Self::Slower, Self::Dearer, Self::OtherOutput];

    /// The word of CSV and JSON lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewlyFailed => "newly_failed",
            Self::Fixed => "fixed",
            Self::Slower => "slower",
            Self::Dearer => "dearer",
            Self::OtherOutput => "other_output",
        }
    }

    /// Whether it is a change for the worse. Another output may be either.
    pub fn is_worse(self) -> bool {
        match self {
            Self::NewlyFailed | Self::Slower | Self::Dearer => true,
            Self::Fixed | Self::OtherOutput => false,
        }
    }
}

/// What changed from one job to its counterpart, as far as what is known of them tells; not their outputs.
pub fn changes(before: &Observation, after: &Observation) -> Vec<JobChange> {
    let mut changes = Vec::new();
    let succeeded = |known: &Observation| known.state == State::Succeeded;
    let fell_short = |known: &Observation| known.state.is_terminal() && !succeeded(known);
    if succeeded(before) && fell_short(after) {
        changes.push(JobChange::NewlyFailed);
    }
    if fell_short(before) && succeeded(after) {
        changes.push(JobChange::Fixed);
    }
    if succeeded(before)
        && succeeded(after)
        && let (Some(was), Some(is)) = (note::took(before), note::took(after))
        && is * SLOWER.1 > was * SLOWER.0
        && is >= was + NOTICEABLE
    {
        changes.push(JobChange::Slower);
    }
    if let (Some(was), Some(is)) = (cost(before), cost(after))
        && is > was
        && (is - was).times(DEARER) > was
    {
        changes.push(JobChange::Dearer);
    }
    changes
}

pub fn cost(known: &Observation) -> Option<Cost> {
    known.cost.as_deref().and_then(Cost::parse)
}

/// A field that differs between two outputs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherField {
    /// Its name, `result.total` where it stands in an object; empty where the outputs have no fields.
    pub name: String,
    /// What it was and what it is, each in short; empty where it is not there. Of the elements of an array those of the
    /// first that differs. Not sanitised.
    pub values: [String; 2],
}

/// How much of a value is shown.
const SHOWN: usize = 32;

/// What differs between two outputs, JSON texts: the fields of an object, of an array those of its elements. One without
/// a name where the outputs have no fields or are no JSON. None where they are the same but for white space and the
/// order of fields.
pub fn fields_that_differ(before: &[u8], after: &[u8]) -> Vec<OtherField> {
    if before == after {
        return Vec::new();
    }
    let mut fields = BTreeMap::new();
    match (serde_json::from_slice::<&RawValue>(before), serde_json::from_slice(after)) {
        (Ok(before), Ok(after)) => match (elements(before), elements(after)) {
            (Some(was), Some(is)) => {
                was.iter().zip(&is).for_each(|(was, is)| add_differing((was, is), "", 1, &mut fields));
                if was.len() != is.len() {
                    let sizes = [was.len(), is.len()].map(|count| human::counted(count, "element"));
                    fields.insert(String::new(), sizes);
                }
            }
            _ => add_differing((before, after), "", 0, &mut fields),
        },
        _ => drop(fields.insert(String::new(), [before, after].map(|text| short(&String::from_utf8_lossy(text))))),
    }
    fields.into_iter().map(|(name, values)| OtherField { name, values }).collect()
}

/// Adds the fields that differ, this many levels further down than the first.
fn add_differing(
    (before, after): (&RawValue, &RawValue),
    path: &str,
    further: u8,
    fields: &mut BTreeMap<String, [String; 2]>,
) {
    if is_same(before, after, DEEPEST) {
        return;
    }
    let (Some(old), Some(new)) = (members(before), members(after)) else {
        fields.entry(path.to_owned()).or_insert_with(|| [before, after].map(|value| short(value.get())));
        return;
    };
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if is_same(old, new, DEEPEST) => {}
            (Some(old), Some(new)) if further > 0 => add_differing((old, new), &path, further - 1, fields),
            (old, new) => {
                let text = |value: Option<&&RawValue>| value.map(|value| short(value.get())).unwrap_or_default();
                fields.entry(path).or_insert_with(|| [text(old), text(new)]);
            }
        }
    }
}

/// A value in one line, cut where it is long. White space inside of texts counts as one space.
fn short(text: &str) -> String {
    let mut words = String::new();
    for word in text.split_whitespace() {
        words.extend((!words.is_empty()).then_some(' '));
        words.push_str(word);
        if words.len() > SHOWN * 4 {
            break;
        }
    }
    let end = words.char_indices().nth(SHOWN).map(|(at, _)| at);
    match end {
        Some(end) => format!("{}...", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

/// Whether two values mean the same, this many levels down. Numbers are compared digit by digit.
fn is_same(before: &RawValue, after: &RawValue, levels: u8) -> bool {
    if before.get() == after.get() || levels == 0 {
        return before.get() == after.get();
    }
    let levels = levels - 1;
    if let (Some(before), Some(after)) = (members(before), members(after)) {
        return before.len() == after.len()
            && before.iter().all(|(name, value)| after.get(name).is_some_and(|other| is_same(value, other, levels)));
    }
    if let (Some(before), Some(after)) = (elements(before), elements(after)) {
        return before.len() == after.len()
            && before.iter().zip(&after).all(|(before, after)| is_same(before, after, levels));
    }
    let text = |value: &RawValue| serde_json::from_str::<String>(value.get()).ok();
    text(before).is_some_and(|before| text(after).is_some_and(|after| before == after))
}

fn members(value: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobKey, ProviderName};

    fn job(batch: Option<&str>, id: &str, name: Option<&str>) -> Job {
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "e".into(), id: id.to_owned() };
        let name = name.map(str::to_owned);
        let tags = Arc::default();
        Job {
            key,
            service: "s".into(),
            name,
            tags,
            traits: Default::default(),
            batch: batch.map(Into::into),
            resubmits: Arc::default(),
        }
    }

    fn known(state: State, ran_ms: i64, cost: Option<&str>) -> Observation {
        let at = |ms| Some(Timestamp::from_millisecond(ms).unwrap());
        let (first_seen, running_since, finished_at) = (at(0), at(1000), at(1000 + ran_ms));
        Observation { state, first_seen, running_since, finished_at, cost: cost.map(Into::into), ..Default::default() }
    }

    #[test]
    fn a_batch_is_counted_and_dated_by_its_jobs_and_jobs_of_none_are_together() {
        let jobs = [job(Some("nov"), "1", None), job(None, "2", None), job(Some("nov"), "3", None)];
        let mut facts = [State::Succeeded, State::Queued, State::Lost].map(|state| known(state, 5000, Some("0.1")));
        facts[0].first_seen = Some(Timestamp::from_second(-9).unwrap());
        let all = batches(jobs.iter().zip(&facts));
        let shown: Vec<_> = all.iter().map(|batch| (batch.name.as_deref(), batch.counts.total())).collect();
        assert_eq!(shown, [(Some("nov"), 2), (None, 1)]);
        assert_eq!(all[0].first, facts[0].first_seen);
        assert_eq!(all[0].last, facts[2].finished_at);
        assert_eq!(all[0].counts.cost(), Cost::parse("0.2"));
    }

    #[test]
    fn jobs_go_together_by_name_in_their_order_or_by_id() {
        let first = [("1", Some("a")), ("2", Some("a")), ("3", None), ("4", Some("gone"))];
        let second = [("5", Some("a")), ("3", None), ("6", Some("a")), ("7", Some("a"))];
        let of = |batch: &[(&str, Option<&str>)]| {
            batch.iter().map(|(id, name)| (job(None, id, *name), Observation::default())).collect()
        };
        let found = |by| {
            let pairs = pairs(of(&first), of(&second), by, |(job, known)| (job, known));
            let ids: Vec<_> =
                pairs.both.into_iter().map(|(_, (a, _), (b, _))| format!("{}-{}", a.key.id, b.key.id)).collect();
            (ids.join(" "), pairs.only_first, pairs.only_second)
        };
        assert_eq!(found(Match::Name), ("1-5 3-3 2-6".to_owned(), 1, 1));
        assert_eq!(found(Match::Id), ("3-3".to_owned(), 3, 3));
    }

    #[test]
    fn a_job_is_worse_where_it_fails_or_takes_or_costs_noticeably_more() {
        use State::{Cancelled, Failed, Partial, Running, Succeeded};
        let was = (Succeeded, 8000, Some("1"));
        let cases = [
            (was, (Succeeded, 8000, Some("1")), &[][..]),
            (was, (Failed, 90_000, None), &[JobChange::NewlyFailed]),
            (was, (Partial, 1, Some("2")), &[JobChange::NewlyFailed, JobChange::Dearer]),
            (was, (Running, 90_000, None), &[]),
            ((Cancelled, 1, None), was, &[JobChange::Fixed]),
            ((Failed, 1, None), (Partial, 1, None), &[]),
            (was, (Succeeded, 12_999, Some("1.1")), &[]),
            (was, (Succeeded, 13_000, Some("1.11")), &[JobChange::Slower, JobChange::Dearer]),
            ((Succeeded, 40_000, None), (Succeeded, 50_000, None), &[]),
            ((Succeeded, 40_000, None), (Succeeded, 50_001, None), &[JobChange::Slower]),
            ((Succeeded, 1000, None), (Succeeded, 2000, Some("1")), &[]),
            ((Succeeded, 1, Some("0")), (Succeeded, 1, Some("0.01")), &[JobChange::Dearer]),
        ];
        for (before, after, expected) in cases {
            let of = |(state, ran, cost)| known(state, ran, cost);
            assert_eq!(changes(&of(before), &of(after)), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn of_two_outputs_the_fields_that_differ_are_named_with_what_they_were_and_are() {
        let cases = [
            (r#"{"a":1,"b":{"x":[1,"é"]}}"#, "{ \"b\": {\"x\":[1, \"\\u00e9\"]}, \"a\": 1 }", ""),
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"b":3,"d":"x"}"#, "b: 2 > 3, c: 3 > , d:  > \"x\""),
            (
                r#"{"a":10000000000000000000001}"#,
                r#"{"a":10000000000000000000002}"#,
                "a: 10000000000000000000001 > 10000000000000000000002",
            ),
            (r#"{"a":{"x":1}}"#, "{\"a\":{\"x\":\n\t2}}", "a: {\"x\":1} > {\"x\": 2}"),
            (r#"[{"f":"n","r":{"x":1,"y":2}}]"#, r#"[{"f":"n","r":{"x":2,"y":2}}]"#, "r.x: 1 > 2"),
            (r#"[{"a":1},{"a":1}]"#, r#"[{"a":2},{"a":3}]"#, "a: 1 > 2"),
            (r#"[{"f":"n","r":null}]"#, r#"[{"f":"m","r":{"x":2}}]"#, "f: \"n\" > \"m\", r: null > {\"x\":2}"),
            ("[1,2]", "[1,2,3]", ": 2 elements > 3 elements"),
            ("1", "2", ": 1 > 2"),
            ("not JSON", "{}", ": not JSON > {}"),
            (
                "\"a text that goes on and on and on\"",
                "\"ünï ünï ünï ünï ünï ünï ünï ünï ünï\"",
                ": \"a text that goes on and on and ... > \"ünï ünï ünï ünï ünï ünï ünï ünï...",
            ),
        ];
        for (before, after, expected) in cases {
            let fields = fields_that_differ(before.as_bytes(), after.as_bytes());
            let shown: Vec<String> = fields
                .into_iter()
                .map(|OtherField { name, values: [was, is] }| format!("{name}: {was} > {is}"))
                .collect();
            assert_eq!(shown.join(", "), expected, "{before} {after}");
        }
        let deep = |end: &str| format!("{}{end}{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(fields_that_differ(deep("1").as_bytes(), deep("2").as_bytes()).len(), 1);
    }
}
