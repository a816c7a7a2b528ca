//! The texts of the detail: a job's summary, its history, and both as they stand in a bug report.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use crate::app::action::Action;
use crate::app::keys::Keymap;
use crate::app::list::jobs::{Jobs, Row};
use crate::app::text::{self, BAR_CELL, LABEL, TextLine, Tone};
use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::clean::Clean;
use crate::domain::cost::Cost;
use crate::domain::fact::Health;
use crate::domain::files::FileCounts;
use crate::domain::observation::SavedBody;
use crate::domain::state::{PollOutcome, State};
use crate::domain::{human, note};

/// What the texts are made of besides the job.
#[derive(Debug, Clone, Copy)]
pub struct TextContext<'a> {
    pub now: Timestamp,
    /// In which times are shown.
    pub zone: &'a TimeZone,
    /// The jobs of the batch: which of them share a reason, how long they took.
    pub jobs: &'a Jobs,
    pub keymap: &'a Keymap,
    /// Whether it is for a report: nothing is cut, times have their date, and no keys are named.
    pub for_report: bool,
}

/// A job's polls and changes of state, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    pub attempts: Vec<Attempt>,
    pub changes: Vec<StateChange>,
}

/// A label and what it is the label of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryEntry {
    /// One or two words.
    pub label: &'static str,
    /// Harmless text.
    pub text: String,
    pub tone: Tone,
}

/// Of a reason that no other job has.
const ONLY: &str = "only this job";
/// Cells of a duration bar at most.
const BAR: usize = 32;
/// From this many columns on, entries stand in two columns.
const TWO_COLUMNS: u16 = 84;

/// The badge of the state, the reason in full, the times as a bar, and the rest in one or two columns.
pub fn summary(row: &Row, context: TextContext<'_>, width: u16) -> Vec<TextLine> {
    let mut lines = vec![badge(row, context)];
    if let Some(reason) = note::reason(&row.known) {
        lines.extend([TextLine::heading(""), TextLine::of(Tone::Strong, &Clean::new(reason))]);
        let hint = context.keymap.hint(Action::Errors, "failures by reason");
        let same = same_error(row, context.jobs).filter(|same| same != ONLY);
        let same = same.map(|same| format!("same error: {same}{hint}"));
        lines.extend(same.map(|same| TextLine::of(Tone::Dim, &same)));
    }
    lines.push(TextLine::heading(""));
    lines.extend(times(row, context, width));
    let entries = entries(row, context);
    if width < TWO_COLUMNS {
        lines.extend(entries.iter().map(|entry| TextLine::labelled(entry.label, entry.tone, &entry.text)));
    } else {
        lines.extend(two_columns(entries, usize::from(width)));
    }
    lines
}

/// Everything about a job for a report, the state first.
pub fn report(row: &Row, context: TextContext<'_>) -> Vec<SummaryEntry> {
    let known = &row.known;
    let entry = |label, text: String| SummaryEntry { label, text, tone: Tone::Plain };
    let word = known.word.as_deref().map(|word| format!(" ({})", Clean::new(word))).unwrap_or_default();
    let mut out = vec![entry("state", format!("{}{word}", known.state))];
    out.extend(note::reason(known).map(|reason| entry("reason", Clean::new(reason).to_string())));
    let durations = [("queued", note::queued(known, context.now)), ("ran", note::ran(known, context.now))];
    out.extend(durations.into_iter().filter_map(|(label, time)| Some(entry(label, human::duration(time?)))));
    out.extend(entries(row, context));
    out.extend(same_error(row, context.jobs).map(|same| entry("same error", same)));
    out
}

/// Every change of state and the last polls, newest first.
pub fn history(history: &History, context: TextContext<'_>) -> Vec<TextLine> {
    let mut lines = vec![TextLine::heading("Changes of state")];
    let changes = distinct(&history.changes);
    if changes.is_empty() {
        lines.push(TextLine::of(Tone::Dim, "none yet"));
    }
    let older = changes.iter().rev().skip(1).map(Some).chain([None]);
    for (change, older) in changes.iter().rev().zip(older) {
        let line = TextLine::labelled(&moment(change.at, context), Tone::State(change.state), change.state.as_str());
        lines.push(line.with(Tone::Plain, &change_text(change, older.copied())));
    }
    lines.extend([TextLine::heading(""), TextLine::heading("Polls")]);
    lines.extend(history.attempts.iter().rev().map(|attempt| attempt_line(attempt, context)));
    if history.attempts.is_empty() {
        lines.push(TextLine::of(Tone::Dim, "none yet"));
    }
    lines
}

fn badge(row: &Row, context: TextContext<'_>) -> TextLine {
    let known = &row.known;
    let over = row.gave_up().is_some();
    let name = if over { "GIVEN UP".to_owned() } else { known.state.as_str().to_uppercase() };
    let state = if over { State::Failed } else { known.state };
    let mut line = TextLine::of(Tone::Badge(state), &format!(" {name} "));
    line = line.with(Tone::Plain, "  ").with(Tone::Strong, &row.title);
    let mut tail = format!("   {}", Clean::new(&row.job.service));
    let word = known.word.as_deref().filter(|word| !word.eq_ignore_ascii_case(known.state.as_str()));
    if let Some(word) = word {
        tail.push_str(&format!(" · service says {}", Clean::new(word)));
    }
    if let Some(at) = known.finished_at {
        tail.push_str(&format!(" · {}", moment(at, context)));
    }
    line.with(Tone::Dim, &tail)
}

/// Queued and running time in numbers, and as one bar on the scale of the batch.
fn times(row: &Row, context: TextContext<'_>, width: u16) -> Vec<TextLine> {
    let known = &row.known;
    let (queued, ran) = (note::queued(known, context.now), note::ran(known, context.now));
    if queued.is_none() && ran.is_none() {
        return Vec::new();
    }
    let bar = usize::from(width).saturating_sub(40).min(BAR);
    let (wait, run) = bar_cells(queued, ran, context.jobs.tally().longest, bar);
    let mut line = TextLine::labelled("time", Tone::Plain, "");
    if let Some(queued) = queued {
        let so_far = if ran.is_none() && !known.state.is_terminal() { " so far" } else { "" };
        line = line.with(Tone::Dim, "queued ").with(Tone::Plain, &format!("{}{so_far} ", human::duration(queued)));
        line = line.with(Tone::Dim, &"▂".repeat(wait));
    }
    if let Some(ran) = ran {
        let word = match (known.state.is_terminal(), note::began_unseen(known)) {
            (true, false) => "ran ",
            (true, true) => "ran at least ",
            (false, false) => "running ",
            (false, true) => "running for at least ",
        };
        let gap = if queued.is_some() { " " } else { "" };
        line =
            line.with(Tone::Plain, gap).with(Tone::Dim, word).with(Tone::Plain, &format!("{} ", human::duration(ran)));
        line = line.with(Tone::Fill(known.state), &BAR_CELL.repeat(run));
    }
    if let Some(progress) = known.progress.filter(|_| !known.state.is_terminal()) {
        line = line.with(Tone::Plain, &format!(" {progress:.0}%"));
    }
    vec![line]
}

/// How many cells of a bar are queued and running time, on this scale. What took time at all has a cell.
pub fn bar_cells(queued: Option<Duration>, ran: Option<Duration>, scale: Duration, cells: usize) -> (usize, usize) {
    let whole = scale.as_secs_f64().max(1.0);
    let part = |time: Option<Duration>| match time {
        Some(time) if cells > 0 && time >= Duration::from_secs(1) => {
            ((time.as_secs_f64() / whole * cells as f64).round() as usize).clamp(1, cells)
        }
        Some(_) | None => 0,
    };
    let run = part(ran);
    (part(queued).min(cells - run.min(cells)), run.min(cells))
}

fn entries(row: &Row, context: TextContext<'_>) -> Vec<SummaryEntry> {
    let known = &row.known;
    let mut out = Vec::new();
    let mut add = |label, tone, text: String| out.push(SummaryEntry { label, text, tone });
    let plain = Tone::Plain;
    if let Some(code) = &known.error_code {
        add("code", plain, Clean::new(code).to_string());
    }
    if let Some(warning) = &known.warning {
        add("warning", Tone::Warn, Clean::new(warning).to_string());
    }
    if let Some(files) = known.files {
        add("files", plain, files_text(files, known.state));
    }
    let (tone, text) = poll_text(row, context);
    add("last poll", tone, text);
    match &known.saved {
        Some(saved) => add("saved", plain, saved_text(saved, row, context)),
        None if known.state.is_terminal() => add("saved", Tone::Warn, "no result on disk".to_owned()),
        None => {}
    }
    if let Some(kept) = &known.evidence {
        let hash = if context.for_report { format!(", sha256 {}", kept.sha256) } else { String::new() };
        let text = format!("response, {}, {}{hash} (no result)", human::bytes(kept.bytes), moment(kept.at, context));
        add("kept", plain, text);
    }
    if let Some(cost) = known.cost.as_deref().and_then(Cost::parse) {
        add("cost", plain, cost.to_string());
    }
    if let Some(at) = known.eta.filter(|_| !known.state.is_terminal()) {
        add("expected", plain, moment(at, context));
    }
    // What is here does not go.
    if let Some(at) = known.expires_at.filter(|_| known.saved.is_none()) {
        add("expires", plain, moment(at, context));
    }
    if let Some(at) = known.first_seen {
        add("first seen", Tone::Dim, moment(at, context));
    }
    if let Some(at) = known.running_since {
        add("started", Tone::Dim, moment(at, context));
    }
    if let Some(at) = known.finished_at {
        add("finished", Tone::Dim, moment(at, context));
    }
    let again = row.again.and_then(|ix| context.jobs.get(ix));
    match again.map(|again| format!("as {}, {}", again.title, again.known.state)) {
        Some(again) => add("sent again", plain, again),
        None if known.sent_again => add("sent again", plain, "by a command of yours".to_owned()),
        None => {}
    }
    if !row.job.resubmits.is_empty() {
        // One that was taken off the list has its id left.
        let title = |key| context.jobs.submitted_again(key).map(|old| old.title.clone());
        let old = row.job.resubmits.iter().map(|key| title(key).unwrap_or_else(|| Clean::new(&key.id)).to_string());
        add("replaces", plain, old.collect::<Vec<_>>().join(", "));
    }
    add(row.job.traits.id_noun, plain, Clean::new(&row.job.key.id).to_string());
    if !row.job.tags.is_empty() {
        add("tags", plain, Clean::new(&row.job.tags.join(" ")).to_string());
    }
    let endpoint =
        format!("{}  {}  {}", row.job.key.provider, Clean::new(&row.job.service), Clean::new(&row.job.key.endpoint));
    add("service", Tone::Dim, endpoint);
    out
}

/// `3 files, all ok`. What did not fail of a job that did may not have been begun.
pub fn files_text(files: FileCounts, state: State) -> String {
    let failed = match files.failed {
        0 if state == State::Succeeded => "all ok".to_owned(),
        0 => "none failed".to_owned(),
        failed => format!("{failed} failed"),
    };
    format!("{}, {failed}", human::counted(files.total, "file"))
}

/// Short entries side by side, long ones over the whole width, in this order within each kind.
fn two_columns(entries: Vec<SummaryEntry>, width: usize) -> Vec<TextLine> {
    let column = width / 2;
    let fits = |entry: &SummaryEntry| entry.text.width() + LABEL < column;
    let (short, long): (Vec<_>, Vec<_>) = entries.into_iter().partition(fits);
    let one = |entry: &SummaryEntry| TextLine::labelled(entry.label, entry.tone, &entry.text);
    let (left, right) = short.split_at(short.len().div_ceil(2));
    let mut lines = text::beside(left.iter().map(one).collect(), right.iter().map(one).collect(), column);
    lines.extend(long.iter().map(one));
    lines
}

/// With how many jobs that are still to do a job shares its reason; None of one that is not to do. Its files may give
/// several.
fn same_error(row: &Row, jobs: &Jobs) -> Option<String> {
    let counts = jobs.same_reasons(row);
    let most = *counts.first()?;
    // A response that nobody looked into may hold the same.
    let least = if jobs.replies().may_hide_reasons() { "at least " } else { "" };
    let of =
        if counts.len() > 1 { format!(", the most frequent of {} in its files", counts.len()) } else { String::new() };
    Some(match most {
        0 | 1 => format!("{ONLY}{of}"),
        most => format!("{least}{}{of}", human::counted(most, "job")),
    })
}

fn poll_text(row: &Row, context: TextContext<'_>) -> (Tone, String) {
    let known = &row.known;
    let last = known.last_poll.as_ref().map(|last| {
        let code = last.http_status.map(|code| format!(" (HTTP {code})")).unwrap_or_default();
        format!("{}, {}{code}", moment(last.at, context), note::read_in_words(last.read))
    });
    let trouble = if known.state.is_terminal() && !matches!(row.health, Health::GivenUp(_) | Health::SavedHere) {
        None
    } else {
        note::trouble(known, &row.health, context.now, context.zone)
    };
    match (trouble, last) {
        (Some(trouble), Some(last)) => (Tone::Warn, format!("{}; last: {last}", Clean::new(&trouble))),
        (Some(trouble), None) => (Tone::Warn, Clean::new(&trouble).to_string()),
        (None, Some(last)) => (Tone::Plain, last),
        (None, None) => (Tone::Plain, "not polled yet".to_owned()),
    }
}

fn saved_text(saved: &SavedBody, row: &Row, context: TextContext<'_>) -> String {
    let hash = saved.sha256.to_string();
    let hash = if context.for_report { hash } else { hash.chars().take(8).chain(['…']).collect() };
    let mut text = format!("{}, sha256 {hash}", human::bytes(saved.bytes));
    if context.for_report {
        text.push_str(&format!(", {}, HTTP {}", moment(saved.at, context), saved.http_status));
    }
    if row.job.traits.one_shot {
        text.push_str(" (only copy, deleted on the server)");
    }
    if saved.masked {
        text.push_str(" (it contained the token, which was masked)");
    }
    text
}

/// The changes of state or of the service's word: mere progress is none.
fn distinct(changes: &[StateChange]) -> Vec<&StateChange> {
    let mut kept: Vec<&StateChange> = Vec::new();
    for change in changes {
        if kept.last().is_none_or(|last| (last.state, &last.word) != (change.state, &change.word)) {
            kept.push(change);
        }
    }
    kept
}

/// How long a job had been what it was, and the service's word if that is another.
fn change_text(change: &StateChange, older: Option<&StateChange>) -> String {
    let mut text = String::new();
    if let Some(word) = change.word.as_ref().filter(|word| !word.eq_ignore_ascii_case(change.state.as_str())) {
        text.push_str(&format!(" ({})", Clean::new(word)));
    }
    match (older, change.previous) {
        (Some(older), _) => {
            text.push_str(&format!(" after {} {}", human::duration(human::age(older.at, change.at)), older.state));
        }
        (None, None) => text.push_str(" when first seen"),
        (None, Some(_)) => {}
    }
    text
}

fn attempt_line(attempt: &Attempt, context: TextContext<'_>) -> TextLine {
    let mut text = match attempt.http_status {
        Some(code) => format!("HTTP {code}  {}  {}", human::latency(attempt.latency), human::bytes(attempt.bytes)),
        None => format!("no response  {}", human::latency(attempt.latency)),
    };
    text.push_str(&format!("  {}", note::read_in_words(attempt.read)));
    if let Some(word) = &attempt.word {
        text.push_str(&format!("  {}", Clean::new(word)));
    }
    if let Some(wait) = attempt.retry_after {
        text.push_str(&format!("  Retry-After {}", human::duration(wait)));
    }
    if attempt.count > 1 {
        text.push_str(&format!("  x{} until {}", attempt.count, moment(attempt.last, context)));
    }
    if let Some(reason) = &attempt.reason {
        text.push_str(&format!("  {}", Clean::new(reason)));
    }
    let tone = if attempt.read == PollOutcome::Answered { Tone::Plain } else { Tone::Warn };
    TextLine::labelled(&moment(attempt.first, context), tone, &text)
}

fn moment(at: Timestamp, context: TextContext<'_>) -> String {
    if context.for_report { human::stamp(at) } else { human::moment(at, context.now, context.zone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_a_job_that_succeeded_all_files_are_called_ok() {
        let cases = [
            (State::Succeeded, 0, "3 files, all ok"),
            (State::Failed, 0, "3 files, none failed"),
            (State::Running, 0, "3 files, none failed"),
            (State::Partial, 1, "3 files, 1 failed"),
        ];
        for (state, failed, text) in cases {
            assert_eq!(files_text(FileCounts { total: 3, failed }, state), text);
        }
    }
}
