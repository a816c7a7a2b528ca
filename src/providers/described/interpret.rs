//! What a response to the status read means, by a description, and why.

use std::borrow::Cow;

use super::condition::all_hold;
use super::items::ResponseCounts;
use super::model::{Description, Progress};
use super::words::normal;
use crate::domain::files::{FileCounts, FileResult};
use crate::domain::provider::OneShot;
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::response::Response;
use crate::domain::state::{PollOutcome, State};
use crate::json::pointer::{FoundValues, PointerId};
use crate::json::scan::{self, ValueKind};
use crate::providers::refusal::{self, Asked};
use crate::providers::reply::{self, capped, json_text};
use crate::providers::{cost, names, page, percent};

/// What was looked at, in order, each as a sentence; nothing where nobody asks, as at every poll.
#[derive(Debug)]
pub struct Why(Option<Vec<String>>);

impl Why {
    /// For somebody who asks.
    pub fn asked() -> Self {
        Self(Some(Vec::new()))
    }

    /// For nobody.
    pub fn unasked() -> Self {
        Self(None)
    }

    pub fn into_sentences(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }

    /// Says a step, which nobody words unless somebody asks.
    pub fn say(&mut self, sentence: impl FnOnce() -> String) {
        if let Some(sentences) = &mut self.0 {
            sentences.push(sentence());
        }
    }
}

pub fn read(description: &Description, asked: &Asked<'_>, response: &Response, why: &mut Why) -> Reading {
    let is_success = (200..300).contains(&response.status);
    let refused = |why: &mut Why| {
        let reading = match is_success {
            true => refusal::malformed(response),
            false => refusal::refused(asked, response),
        };
        why.say(|| format!("HTTP {} is no answer about the job: {}", response.status, reading.read));
        reading
    };
    if !is_success && !description.codes.contains_key(&response.status) {
        return refused(why);
    }
    let lookup = description.lookup.find(&response.body);
    let is_document = lookup.is_ok();
    if let Err(error) = &lookup {
        why.say(|| format!("the body is no JSON: {error}"));
    }
    let found = lookup.unwrap_or_else(|_| FoundValues::nothing());
    if is_success && let Some(reading) = not_about_it(description, asked, &found, response, why) {
        return reading;
    }
    let decided = decided(description, response.status, &response.body, (&found, is_document), why);
    if decided.state.is_none() {
        let says_anything = is_document && description.lookup.says_anything(&found);
        if !says_anything || !is_success {
            return refused(why);
        }
        why.say(|| "no rule holds and no word stands there: the state stays as it was".to_owned());
    }
    Reading::answered(answer(description, response, &found, decided, why))
}

/// A 2xx that is about another job, or a refusal.
fn not_about_it(
    description: &Description,
    asked: &Asked<'_>,
    found: &FoundValues<'_>,
    response: &Response,
    why: &mut Why,
) -> Option<Reading> {
    let status = &description.status;
    let named = status.id.iter().find_map(|id| reply::text(found.standing(*id)?));
    if named.is_some_and(|named| named != asked.id.trim()) {
        let noun = description.nouns.first().map_or("job", String::as_str);
        let reason = format!("the response is about another {noun}");
        why.say(|| reason.clone());
        return Some(refusal::malformed_because(reason));
    }
    if status.rejected.is_empty() || !all_hold(&status.rejected, found) {
        return None;
    }
    let said = reply::Object::parse(&response.body).map(|object| reply::sentence(&object)).unwrap_or_default();
    let conditions: Vec<&str> = status.rejected.iter().map(super::condition::Condition::as_str).collect();
    let conditions = conditions.join(", ");
    why.say(|| format!("what `rejected` asks for holds: {conditions}"));
    let reason = said.text.unwrap_or_else(|| format!("the service refuses and gives no reason: {conditions}"));
    Some(Reading { error_code: said.code, ..Reading::refused(PollOutcome::Rejected, reason) })
}

/// The state that a body says, if it says one.
pub fn state(description: &Description, http_status: u16, body: &[u8], found: &FoundValues<'_>) -> Option<State> {
    let mut untold = Why::unasked();
    let decided = decided(description, http_status, body, (found, true), &mut untold);
    let state = decided.state?;
    let over = state.is_terminal();
    let counts = counts(description, body, found, over).0;
    Some(adjusted(state, decided.by, counts, &mut untold))
}

/// What decides a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecidedBy {
    Rule,
    Word,
    Code,
}

struct Decided {
    /// None: nothing says one.
    state: Option<State>,
    by: Option<DecidedBy>,
    word: Option<String>,
}

fn answer(
    description: &Description,
    response: &Response,
    found: &FoundValues<'_>,
    decided: Decided,
    why: &mut Why,
) -> Answer {
    let status = &description.status;
    let over = decided.state.is_some_and(State::is_terminal);
    let (counts, list) = counts(description, &response.body, found, over);
    let state = decided.state.map(|state| adjusted(state, decided.by, counts, why));
    let failed = matches!(state, Some(State::Partial | State::Failed | State::Cancelled | State::Lost));
    let reason = failed.then(|| reason(description, found, list.as_deref())).flatten();
    let error_code = failed.then(|| first(&status.error_code, found)).flatten();
    let percent = status.progress.as_ref().and_then(|progress| progressed(progress, state, found));
    let counters = counts.filter(|_| status.items.is_some());
    let percent = percent.or_else(|| percent::bounded(counters?.percent()?));
    let time = |ids: &[PointerId]| ids.iter().find_map(|id| reply::time(found.standing(*id)?));
    let uncounted = status.items.as_ref().zip(counts).and_then(|(items, counts)| {
        let missing = items.missing(&counts);
        for (key, ids) in &missing {
            why.say(|| nothing_at(description, key, ids));
        }
        let first = || missing.first().map(|(key, ids)| nothing_at(description, key, ids));
        (state == Some(State::Succeeded)).then(|| uncounted(&counts, first())).flatten()
    });
    say_missing(description, found, (state, percent, reason.as_deref()), why);
    let warning = if failed { None } else { reply::joined(first(&status.warning, found).into_iter().chain(uncounted)) };
    let stands = |id: &PointerId| found.standing(*id).is_some() && !description.lookup.is_whole(*id);
    let has_result = || description.results.iter().flat_map(|place| &place.here).any(stands);
    let own_cost = status.cost.and_then(|id| {
        cost::sum(found.values(id).filter_map(reply::text).collect::<Vec<_>>().iter().map(String::as_str))
    });
    let list = list.unwrap_or_default();
    let verdict = match state {
        None => Verdict::NoWord,
        // What was handed out once and is gone was taken by somebody: whether by us, what is known of the job tells.
        Some(State::Lost) if decided.by != Some(DecidedBy::Code) && description.one_shot() != OneShot::Never => {
            Verdict::Acknowledged
        }
        Some(State::Lost) => Verdict::Expired,
        Some(state) => Verdict::State(state),
    };
    Answer {
        verdict,
        word: decided.word,
        progress: percent,
        fail_reason: reason,
        error_code,
        files: counts.and_then(|counts| file_counts(&counts)),
        cost: own_cost.or_else(|| cost::sum(list.iter().filter_map(|item| item.cost.as_deref()))),
        title: names::title(&list),
        warning,
        service_status_code: status.service_code.and_then(|id| reply::code(found.standing(id)?)),
        created_at: time(&status.times.created),
        started_at: time(&status.times.started),
        finished_at: time(&status.times.finished).filter(|_| state.is_some_and(State::is_terminal)),
        expires_at: time(&status.times.expires),
        eta: time(&status.times.expected),
        // What comes while a job runs on is not kept: it grows from poll to poll.
        has_payload: !matches!(state, Some(State::Queued | State::Running)) && has_result(),
        ..Answer::default()
    }
}

fn word(description: &Description, found: &FoundValues<'_>, why: &mut Why) -> Option<String> {
    let status = &description.status;
    let at = status.word.iter().find_map(|id| Some((*id, found.standing(*id)?)));
    let Some((id, value)) = at else {
        if !status.word.is_empty() {
            why.say(|| "no word stands where one is looked for".to_owned());
        }
        return None;
    };
    let word = match scan::string(value) {
        Some(word) => capped(&word),
        None => capped(&json_text(value)),
    };
    why.say(|| {
        let pointer = description.lookup.pointer(id).map(ToString::to_string).unwrap_or_default();
        format!("the word at {pointer} is `{word}`")
    });
    (!word.is_empty()).then_some(word)
}

/// By rules, then by the word, then by the HTTP code.
fn decided(
    description: &Description,
    http_status: u16,
    body: &[u8],
    (found, is_document): (&FoundValues<'_>, bool),
    why: &mut Why,
) -> Decided {
    let word = word(description, found, why);
    let mut rules = description.rules.iter().zip(1..);
    if let Some((rule, number)) = rules.find(|(rule, _)| is_document && all_hold(&rule.when, found)) {
        why.say(|| {
            let conditions: Vec<&str> = rule.when.iter().map(super::condition::Condition::as_str).collect();
            format!("rule {number} decides: {} ({})", rule.state, conditions.join(", "))
        });
        return Decided { state: Some(rule.state), by: Some(DecidedBy::Rule), word };
    }
    let bare = word.as_deref().map(|word| match &description.status.strip {
        Some(strip) => Cow::Owned(stripped(word, strip)),
        None => Cow::Borrowed(word),
    });
    if let Some(bare) = &bare
        && let Some(state) = description.words.state(bare)
    {
        why.say(|| format!("`{bare}` is {state} by [states]"));
        return Decided { state: Some(state), by: Some(DecidedBy::Word), word };
    }
    // A web page comes from a proxy in between.
    let code = description.codes.get(&http_status).filter(|_| !page::is_markup(body.trim_ascii()));
    let state = match code {
        Some(state) => {
            why.say(|| format!("HTTP {http_status} is {state} by [codes]"));
            Some((*state, Some(DecidedBy::Code)))
        }
        None if word.is_some() => {
            why.say(|| "no rule holds, and [states] knows no such word: unknown, and polled on".to_owned());
            Some((State::Unknown, None))
        }
        None => None,
    };
    let (state, by) = state.unzip();
    Decided { state, by: by.flatten(), word }
}

/// Without what is taken off a word's front, whatever its case.
fn stripped(word: &str, strip: &str) -> String {
    let (word, strip) = (normal(word), normal(strip));
    word.strip_prefix(&strip).map_or_else(|| word.clone(), str::to_owned)
}

/// What a response says of its job's items, and their list, which counts once the job is over.
fn counts(
    description: &Description,
    body: &[u8],
    found: &FoundValues<'_>,
    over: bool,
) -> (Option<ResponseCounts>, Option<Vec<FileResult>>) {
    let status = &description.status;
    let list = status.item_list.as_ref().filter(|_| over).map(|list| list.items(body, found));
    let counters = status.items.as_ref().and_then(|items| items.counts(found));
    (counters.or_else(|| list.as_deref().map(ResponseCounts::of)), list)
}

/// What the items make of a state: a success with failed items is none, and a failure with some that worked is a part
/// of one. What a rule calls failed stays failed unless failed items are counted beside those that worked.
fn adjusted(state: State, by: Option<DecidedBy>, counts: Option<ResponseCounts>, why: &mut Why) -> State {
    let Some(counts) = counts else { return state };
    let (failed, total) = (counts.failed.unwrap_or(0.0), counts.total);
    let worked = counts.succeeded.or_else(|| total.map(|total| total - failed));
    let next = match state {
        State::Succeeded if failed > 0.0 && worked.is_some_and(|worked| worked <= 0.0) => State::Failed,
        State::Succeeded if failed > 0.0 => State::Partial,
        State::Failed
            if counts.succeeded.is_some_and(|worked| worked > 0.0)
                && (by != Some(DecidedBy::Rule) || counts.failed.is_some()) =>
        {
            State::Partial
        }
        State::Succeeded
        | State::Failed
        | State::Queued
        | State::Running
        | State::Partial
        | State::Cancelled
        | State::Lost
        | State::Unknown => state,
    };
    if next != state {
        why.say(|| format!("items make it {next}: {} worked, {failed} failed", worked.unwrap_or(0.0)));
    }
    next
}

fn reason(description: &Description, found: &FoundValues<'_>, list: Option<&[FileResult]>) -> Option<String> {
    let given = first(&description.status.reason, found);
    let of_item = || list?.iter().find(|item| item.failed && item.error.is_some())?.error.clone();
    given.or_else(of_item)
}

/// The first text at one of several places; an object or a list is its JSON text.
fn first(ids: &[PointerId], found: &FoundValues<'_>) -> Option<String> {
    ids.iter().find_map(|id| found.values(*id).find_map(shown))
}

fn shown(value: &[u8]) -> Option<String> {
    match scan::kind(value)? {
        ValueKind::Null => None,
        ValueKind::Bool => (value == b"true").then(|| "true".to_owned()),
        ValueKind::String | ValueKind::Number => reply::text(value),
        ValueKind::Object | ValueKind::Array => {
            let empty = value.iter().filter(|byte| !byte.is_ascii_whitespace()).count() == 2;
            (!empty).then(|| capped(&json_text(value)))
        }
    }
}

fn progressed(progress: &Progress, state: Option<State>, found: &FoundValues<'_>) -> Option<f64> {
    if !progress.states.is_empty() && !state.is_some_and(|state| progress.states.contains(&state)) {
        return None;
    }
    let value = found.standing(progress.at)?;
    let Some(pattern) = &progress.pattern else {
        let percent = percent::of(value, progress.scale)?;
        let is_whole = percent == 1.0 && progress.scale.is_none() && !value.contains(&b'%');
        // What a success says of itself is no hundredth.
        let is_done = matches!(state, Some(State::Succeeded | State::Partial));
        return Some(if is_whole && is_done { 100.0 } else { percent });
    };
    let text = scan::string(value).map_or_else(|| json_text(value), std::borrow::Cow::into_owned);
    let last = pattern.0.captures_iter(&text).last()?;
    percent::of_text(last.get(1)?.as_str(), Some(progress.scale.unwrap_or(100.0)))
}

/// Says at which places of a description that are no matter of course nothing stands.
fn say_missing(
    description: &Description,
    found: &FoundValues<'_>,
    (state, percent, reason): (Option<State>, Option<f64>, Option<&str>),
    why: &mut Why,
) {
    let status = &description.status;
    let over = state.is_some_and(State::is_terminal);
    let failed = matches!(state, Some(State::Failed | State::Partial));
    let times = &status.times;
    let progress: Vec<PointerId> = status.progress.iter().map(|progress| progress.at).collect();
    let places = [
        ("id", &status.id, true),
        ("progress", &progress, percent.is_none() && state == Some(State::Running)),
        ("reason", &status.reason, failed && reason.is_none()),
        ("times.created", &times.created, true),
        ("times.started", &times.started, over),
        ("times.finished", &times.finished, over),
    ];
    for (key, ids, expected) in places {
        if expected && !ids.is_empty() && ids.iter().all(|id| found.standing(*id).is_none()) {
            why.say(|| nothing_at(description, key, ids));
        }
    }
}

/// That nothing stands where a key says.
fn nothing_at(description: &Description, key: &str, ids: &[PointerId]) -> String {
    let places = ids.iter().filter_map(|id| description.lookup.pointer(*id)).map(ToString::to_string);
    format!("nothing stands at {} ({key})", places.collect::<Vec<_>>().join(", "))
}

/// What is odd about the counters of a success: fewer items came to an end than there are.
fn uncounted(counts: &ResponseCounts, missing: Option<String>) -> Option<String> {
    let (total, over) = (counts.total?, counts.over());
    let nobody_counts = counts.succeeded.is_none() && missing.is_none();
    (over < total && !nobody_counts).then(|| match missing {
        Some(missing) => format!("{over} of {total} items are counted: {missing}"),
        None => format!("{} of {total} items neither succeeded nor failed", total - over),
    })
}

fn file_counts(counts: &ResponseCounts) -> Option<FileCounts> {
    let total = counts.total.unwrap_or_else(|| counts.over());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast saturates, and it is no less than 0"
    )]
    let whole = |amount: f64| amount.max(0.0) as u32;
    (total > 0.0).then(|| FileCounts { total: whole(total), failed: whole(counts.failed.unwrap_or(0.0)) })
}
