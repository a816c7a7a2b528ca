//! How commands put things for people: symbols and labels, ages, sizes, the note of a job.

use std::time::Duration;

use crossterm::style::{Color, Stylize};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::output::Look;
use crate::domain::clean::Clean;
use crate::domain::observation::Observation;
use crate::domain::state::{Read, State};
use crate::exit::Tally;

/// A state's symbol and label, such as `✗ FAIL`, without colour. At most six cells.
pub fn mark(state: State, look: Look) -> String {
    let (symbol, ascii, label) = match state {
        State::Queued => ("◌", ".", "WAIT"),
        State::Running => ("▸", "*", "RUN"),
        State::Succeeded => ("✓", "+", "DONE"),
        State::Partial => ("◧", "%", "PART"),
        State::Failed => ("✗", "x", "FAIL"),
        State::Cancelled => ("⊘", "-", "CANC"),
        State::Lost => ("∅", "!", "LOST"),
        State::Unknown => ("?", "?", "?"),
    };
    format!("{} {label}", if look.ascii { ascii } else { symbol })
}

/// Text in a state's colour.
pub fn painted(text: &str, state: State, look: Look) -> String {
    if !look.colour {
        return text.to_owned();
    }
    let styled = match state {
        State::Queued => return text.to_owned(),
        State::Running => text.with(Color::DarkCyan),
        State::Succeeded => text.with(Color::DarkGreen),
        State::Partial => text.with(Color::DarkYellow).bold(),
        State::Failed => text.with(Color::DarkRed).bold(),
        State::Cancelled => text.with(Color::DarkMagenta),
        State::Lost => text.with(Color::DarkRed).reverse(),
        State::Unknown => text.bold(),
    };
    styled.to_string()
}

/// The one most useful fact about a job: reason, else files, else warning, else the last read, else the service's word.
pub fn note(known: &Observation) -> Clean {
    let last = known.last_read.as_ref().filter(|last| last.read != Read::Ok && !known.is_over());
    let text = if let Some(reason) = &known.fail_reason {
        reason.clone()
    } else if let Some(cause) = known.lost {
        format!("{cause}: {}", cause.sentence())
    } else if let Some(files) = known.files.filter(|files| files.failed > 0) {
        format!("{} of {} files failed", files.failed, files.total)
    } else if let Some(last) = last {
        format!("{}: {}", last.read, last.reason.as_deref().unwrap_or("no reason given"))
    } else if let Some(warning) = &known.warning {
        warning.clone()
    } else if let Some(word) = &known.word {
        progress(word, known.progress)
    } else {
        String::new()
    };
    Clean::new(&text)
}

/// How long a job runs or ran; None where that is not known.
pub fn took(known: &Observation, now: Timestamp) -> Option<Duration> {
    let from = known.running_since.or(known.first_seen)?;
    let to = if known.is_over() { known.finished_at? } else { now };
    Some(between(from, to))
}

/// The time from one moment to another, never below zero.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A duration in two units: `38s`, `4m33s`, `1h02m`, `3d04h`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// A number of bytes: `71 B`, `3.1 KB`, `212 KB`, `1.2 GB`, by thousands.
pub fn size(bytes: u64) -> String {
    let mut unit = "B";
    let mut whole = bytes;
    let mut tenths = 0;
    for next in ["KB", "MB", "GB", "TB"] {
        if whole < 1000 {
            break;
        }
        tenths = whole % 1000 / 100;
        whole /= 1000;
        unit = next;
    }
    if unit == "B" || whole >= 100 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}

/// A time of day here, `14:26:02`.
pub fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// A date and time here, with the zone.
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// The counts of a batch in words: `9 jobs: 5 succeeded, 1 partial, 2 failed, 1 lost`.
pub fn counts(tally: &Tally) -> String {
    let total = tally.total();
    let mut parts: Vec<String> = State::ALL
        .into_iter()
        .filter(|state| *state != State::Unknown && tally.count(*state) > 0)
        .map(|state| format!("{} {state}", tally.count(state)))
        .collect();
    if tally.unknown > tally.never_observed {
        parts.push(format!("{} unknown", tally.unknown - tally.never_observed));
    }
    if tally.never_observed > 0 {
        parts.push(format!("{} never observed", tally.never_observed));
    }
    let jobs = if total == 1 { "job" } else { "jobs" };
    if parts.is_empty() { format!("{total} {jobs}") } else { format!("{total} {jobs}: {}", parts.join(", ")) }
}

fn progress(word: &str, percent: Option<f64>) -> String {
    percent.map_or_else(|| word.to_owned(), |percent| format!("{word} {percent:.0} %"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::files::FileCounts;
    use crate::domain::state::LostBecause;

    #[test]
    fn durations_and_sizes_are_short() {
        let spans = [(0, "0s"), (59, "59s"), (273, "4m33s"), (3725, "1h02m"), (273_600, "3d04h")];
        for (seconds, text) in spans {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        let sizes = [(71, "71 B"), (999, "999 B"), (3100, "3.1 KB"), (212_345, "212 KB"), (1_234_567_890, "1.2 GB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn the_note_of_a_job_is_its_most_useful_fact_and_harmless() {
        let cases = [
            (Observation::default(), ""),
            (Observation { word: Some("EXECUTING".to_owned()), ..Observation::default() }, "EXECUTING"),
            (
                Observation { word: Some("running".to_owned()), progress: Some(40.0), ..Observation::default() },
                "running 40 %",
            ),
            (
                Observation { files: Some(FileCounts { total: 4, failed: 1 }), ..Observation::default() },
                "1 of 4 files failed",
            ),
            (Observation { fail_reason: Some("a\u{1b}[2Jb\nc".to_owned()), ..Observation::default() }, "ab c"),
            (
                Observation { lost: Some(LostBecause::Gone), ..Observation::default() },
                "gone: the service no longer knows this job",
            ),
        ];
        for (known, text) in cases {
            assert_eq!(note(&known).as_str(), text);
        }
    }

    #[test]
    fn counts_name_only_what_there_is() {
        assert_eq!(counts(&Tally { succeeded: 5, lost: 1, ..Tally::default() }), "6 jobs: 5 succeeded, 1 lost");
        assert_eq!(
            counts(&Tally { unknown: 3, never_observed: 1, ..Tally::default() }),
            "3 jobs: 2 unknown, 1 never observed"
        );
        assert_eq!(counts(&Tally::default()), "0 jobs");
    }
}
