//! The texts of the detail: a job's summary, and its attempts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::action::Action;
use super::jobs::Row;
use super::keys::Keymap;
use super::text::{Line, Tone};
use crate::domain::attempt::{Attempt, Change};
use crate::domain::clean::Clean;
use crate::domain::fact::Health;
use crate::domain::observation::Saved;
use crate::domain::state::PollOutcome;
use crate::domain::{human, note};

/// What a summary is made of besides the job.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// In which times are shown.
    pub zone: &'a TimeZone,
    /// How many other jobs share the reason.
    pub alike: u32,
    /// The keys in force.
    pub keymap: &'a Keymap,
    /// Whether it is for a reader elsewhere: nothing is cut, times have their date, and no keys are told.
    pub whole: bool,
}

/// A job's reads and changes of state, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The reads.
    pub attempts: Vec<Attempt>,
    /// The changes.
    pub changes: Vec<Change>,
}

/// The state in words, the reason in full, ids, times, read health, what is saved, and who shares the reason.
pub fn summary(row: &Row, around: Circumstances<'_>) -> Vec<Line> {
    let known = &row.known;
    let mut lines = vec![Line { tone: Tone::State(known.state), ..Line::new("", head(row, around)) }];
    if let Some(reason) = note::reason(known) {
        lines.push(Line::warn("reason", Clean::new(reason).to_string()));
    }
    if let Some(code) = &known.error_code {
        lines.push(Line::new("code", Clean::new(code).to_string()));
    }
    lines.push(Line::new("state", note::in_words(known).to_string()));
    if let Some(warning) = &known.warning {
        lines.push(Line::warn("warning", Clean::new(warning).to_string()));
    }
    if let Some(files) = known.files {
        let hint = if around.whole { "" } else { "   (tab Files)" };
        lines.push(Line::new("files", format!("{} of {} failed{hint}", files.failed, files.total)));
    }
    lines.push(read_line(row, around));
    match &known.saved {
        Some(saved) => lines.push(Line::new("saved", saved_text(saved, row, around))),
        None if known.state.is_terminal() => lines.push(Line::warn("saved", "no result: there is no copy on disk")),
        None => {}
    }
    if let Some(evidence) = &known.evidence {
        let hash = if around.whole { format!(", sha256 {}", evidence.sha256) } else { String::new() };
        let size = human::bytes(evidence.bytes);
        let text = format!("{size} of what came of a reply, at {}{hash}", moment(evidence.at, around));
        lines.push(Line::new("kept", text));
    }
    if row.is_problem() {
        lines.push(Line::new("alike", alike_text(around)));
    }
    lines.push(Line::new("times", times(row, around)));
    lines.push(Line::new("id", Clean::new(&row.job.key.id).to_string()));
    lines
        .push(Line::new("service", format!("{}  {}", Clean::new(&row.job.service), Clean::new(&row.job.key.endpoint))));
    if !row.job.tags.is_empty() {
        lines.push(Line::new("tags", Clean::new(&row.job.tags.join(" ")).to_string()));
    }
    lines
}

/// What stands over a job's files: state, ids, what is saved, and a blank line.
pub fn over_files(row: &Row, around: Circumstances<'_>) -> Vec<Line> {
    let known = &row.known;
    let word = known.word.as_deref().map(Clean::new).unwrap_or_default();
    let failed = known.files.map(|files| format!(", {} of {} files failed", files.failed, files.total));
    let state = format!("{}  {word}{}", row.job.key.provider, failed.unwrap_or_default());
    let mut id = Clean::new(&row.job.key.id).to_string();
    if let Some(took) = note::took(known) {
        id.push_str(&format!("   took {}", human::duration(took)));
    }
    let mut lines = vec![Line { tone: Tone::State(known.state), ..Line::new("", state) }];
    lines.push(Line::new(row.job.traits.id_noun, id));
    if let Some(saved) = &known.saved {
        let hash: String = saved.sha256.to_string().chars().take(8).collect();
        let at = moment(saved.at, around);
        let text = format!("{} at {at}, HTTP {}, sha256 {hash}…", human::bytes(saved.bytes), saved.http_status);
        lines.push(Line::new("saved", text));
    }
    lines.push(Line::heading(""));
    lines
}

/// Every change of state and the last reads, newest first.
pub fn attempts(history: &History, around: Circumstances<'_>) -> Vec<Line> {
    let mut lines = vec![Line::heading("changes of state, newest first")];
    let changes = told(&history.changes);
    if changes.is_empty() {
        lines.push(Line::new("none yet", ""));
    }
    let older = changes.iter().rev().skip(1).map(Some).chain([None]);
    for (change, older) in changes.iter().rev().zip(older) {
        lines.push(Line::new(moment(change.at, around), change_text(change, older.copied())));
    }
    lines.push(Line::heading("reads, newest first"));
    for attempt in history.attempts.iter().rev() {
        lines.push(attempt_line(attempt, around));
    }
    if history.attempts.is_empty() {
        lines.push(Line::new("none yet", ""));
    }
    lines
}

fn head(row: &Row, around: Circumstances<'_>) -> String {
    let known = &row.known;
    let provider = row.job.key.provider;
    let id = &row.job.key.id;
    let id = if around.whole { Clean::new(id).to_string() } else { short(id) };
    let mut text = format!("{provider} {} {id}", row.job.traits.id_noun);
    if let Some(word) = &known.word {
        text.push_str(&format!("   status {}", Clean::new(word)));
    }
    if let Some(took) = note::took(known) {
        text.push_str(&format!("   took {}", human::duration(took)));
    }
    if let Some(at) = known.finished_at {
        text.push_str(&format!("   at {}", moment(at, around)));
    }
    text
}

/// An id that fits a line: `6b1f…c2`.
fn short(id: &str) -> String {
    let id = Clean::new(id);
    let count = id.chars().count();
    if count <= 20 {
        return id.to_string();
    }
    let head: String = id.chars().take(4).collect();
    let tail: String = id.chars().skip(count - 2).collect();
    format!("{head}…{tail}")
}

fn read_line(row: &Row, around: Circumstances<'_>) -> Line {
    let known = &row.known;
    let last = known.last_poll.as_ref().map(|last| {
        let code = last.http_status.map(|code| format!(" (HTTP {code})")).unwrap_or_default();
        format!("{}{code} at {}", note::read_in_words(last.read), moment(last.at, around))
    });
    let trouble = if known.state.is_terminal() && !matches!(row.health, Health::GivenUp(_)) {
        None
    } else {
        note::trouble(known, &row.health, around.now, around.zone)
    };
    match (trouble, last) {
        (Some(trouble), Some(last)) => Line::warn("read", format!("{}   last: {last}", Clean::new(&trouble))),
        (Some(trouble), None) => Line::warn("read", Clean::new(&trouble).to_string()),
        (None, Some(last)) => Line::new("read", last),
        (None, None) => Line::new("read", "not read yet"),
    }
}

fn saved_text(saved: &Saved, row: &Row, around: Circumstances<'_>) -> String {
    let hash = saved.sha256.to_string();
    let hash = if around.whole { hash } else { hash.chars().take(16).chain(['…']).collect() };
    let mut text = format!("{} at {}, HTTP {}", human::bytes(saved.bytes), moment(saved.at, around), saved.http_status);
    text.push_str(&format!(", sha256 {hash}"));
    if row.job.traits.one_shot {
        text.push_str("   (the only copy: the service hands it out once)");
    }
    if saved.masked {
        text.push_str("   (our own token stood in it and was masked)");
    }
    text
}

fn alike_text(around: Circumstances<'_>) -> String {
    let text = match around.alike {
        0 => "no other job has this reason".to_owned(),
        1 => "1 other job has this reason".to_owned(),
        more => format!("{more} other jobs have this reason"),
    };
    if around.whole { text } else { text + &around.keymap.hint(Action::Errors, "groups failures") }
}

fn times(row: &Row, around: Circumstances<'_>) -> String {
    let known = &row.known;
    let parts = [
        ("first seen", known.first_seen),
        ("running since", known.running_since),
        ("finished", known.finished_at),
        ("expected", known.eta),
    ];
    let mut known: Vec<_> = parts.into_iter().filter_map(|(what, at)| Some((at?, what))).collect();
    known.sort_by_key(|(at, _)| *at);
    let told: Vec<String> = known.into_iter().map(|(at, what)| format!("{what} {}", moment(at, around))).collect();
    if told.is_empty() { "none known yet".to_owned() } else { told.join("   ") }
}

/// The changes of state or of the service's word: mere progress is none.
fn told(changes: &[Change]) -> Vec<&Change> {
    let mut told: Vec<&Change> = Vec::new();
    for change in changes {
        if told.last().is_none_or(|last| (last.state, &last.word) != (change.state, &change.word)) {
            told.push(change);
        }
    }
    told
}

/// What became of a job, how long it had been what it was before, and the service's word if that is another.
fn change_text(change: &Change, older: Option<&Change>) -> String {
    let mut text = match change.previous {
        Some(previous) if previous == change.state => change.state.to_string(),
        Some(previous) => format!("{previous} -> {}", change.state),
        None => format!("{}, first seen", change.state),
    };
    if let Some(older) = older {
        text.push_str(&format!("   after {}", human::duration(human::age(older.at, change.at))));
    }
    if let Some(word) = change.word.as_ref().filter(|word| !word.eq_ignore_ascii_case(change.state.as_str())) {
        text.push_str(&format!("   status {}", Clean::new(word)));
    }
    text
}

fn attempt_line(attempt: &Attempt, around: Circumstances<'_>) -> Line {
    let mut text = match attempt.http_status {
        Some(code) => format!("HTTP {code}  {}  {}", human::latency(attempt.latency), human::bytes(attempt.bytes)),
        None => format!("no reply  {}", human::latency(attempt.latency)),
    };
    text.push_str(&format!("  {}", note::read_in_words(attempt.read)));
    if let Some(word) = &attempt.word {
        text.push_str(&format!("  {}", Clean::new(word)));
    }
    if let Some(wait) = attempt.retry_after {
        text.push_str(&format!("  Retry-After {}", human::duration(wait)));
    }
    if attempt.count > 1 {
        text.push_str(&format!("  x{} until {}", attempt.count, moment(attempt.last, around)));
    }
    if let Some(reason) = &attempt.reason {
        text.push_str(&format!("  {}", Clean::new(reason)));
    }
    let tone = if attempt.read == PollOutcome::Answered { Tone::Plain } else { Tone::Warn };
    Line { tone, ..Line::new(moment(attempt.first, around), text) }
}

fn moment(at: Timestamp, around: Circumstances<'_>) -> String {
    if around.whole { human::stamp(at) } else { human::moment(at, around.now, around.zone) }
}
