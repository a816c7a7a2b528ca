//! What to say about a job in one line: a row's one most useful fact, its state and its read health in words.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::clean::Clean;
use super::cost::Cost;
use super::fact::Health;
use super::files::FileCounts;
use super::human;
use super::observation::{LastPoll, Observation};
use super::provider::FETCHING;
use super::state::{PollOutcome, State};

/// A row's one most useful fact: why it failed or was lost, else what came of its files, else, while it is not over,
/// why it is not being read as it should be, else the service's own word. Empty if there is nothing to say.
pub fn note(known: &Observation, health: &Health, now: Timestamp, zone: &TimeZone) -> Clean {
    let over = known.state.is_terminal();
    if over {
        let mark = if *health == Health::SavedHere { "saved here: " } else { "" };
        return Clean::new(&format!("{mark}{}", outcome(known)));
    }
    if let Some(trouble) = trouble(known, health, now, zone) {
        return Clean::new(&trouble);
    }
    match (&known.word, known.progress.filter(|_| !is_fetching(known))) {
        (Some(word), Some(progress)) => Clean::new(&format!("{word}, {progress:.0}%")),
        (Some(word), None) => Clean::new(word),
        (None, Some(progress)) => Clean::new(&format!("{progress:.0}%")),
        (None, None) if known.is_observed() => Clean::default(),
        (None, None) => Clean::new("not polled yet"),
    }
}

/// What an unfinished job that is polled as it should be does, for how long where that is asked for, and how far it is:
/// `running 48s, 65%`. An unknown state is the service's own word. What is done but for its result is being fetched,
/// which took none of that time.
pub fn activity(known: &Observation, time: Option<Duration>) -> Clean {
    let time = time.map(|time| format!(" {}", human::duration(time))).unwrap_or_default();
    let progress = known.progress.map(|progress| format!(", {progress:.0}%")).unwrap_or_default();
    match (known.state, &known.word) {
        (State::Unknown, Some(word)) => Clean::new(word),
        (State::Unknown, None) => Clean::new(if known.is_observed() { "no status" } else { "not polled yet" }),
        _ if is_fetching(known) => Clean::from(FETCHING),
        (state, _) => Clean::from(format!("{state}{time}{progress}")),
    }
}

/// Why a job is not a plain success: the service's own reason, else what became of a lost result. Not sanitised.
pub fn reason(known: &Observation) -> Option<&str> {
    let own = known.fail_reason.as_deref().filter(|reason| !reason.trim().is_empty());
    own.or_else(|| known.lost.map(|cause| cause.sentence()))
}

/// Why a job is not polled as it should be; None if it is.
pub fn trouble(known: &Observation, health: &Health, now: Timestamp, zone: &TimeZone) -> Option<String> {
    let said = match health {
        Health::Fresh => return refused(known),
        Health::Stale => match &known.last_poll {
            Some(last) if last.read == PollOutcome::Answered => {
                format!("no response for {}", human::duration(human::age(last.at, now)))
            }
            Some(_) | None => refused(known).unwrap_or_else(|| "no response yet".to_owned()),
        },
        Health::Paused => "paused".to_owned(),
        Health::Throttled(until) => format!("rate limited until {}", human::clock(*until, zone)),
        Health::KeyRefused => "token missing or rejected".to_owned(),
        Health::Held => "on hold: the store cannot be used".to_owned(),
        Health::Following(owner) => format!("following {owner}"),
        Health::GivenUp(why) => format!("stopped polling: {why}"),
        Health::SavedHere => "saved here, not uploaded to the team's store yet".to_owned(),
    };
    Some(said)
}

/// A job's state as a sentence: what it means. Why: see [`reason`].
pub fn in_words(known: &Observation) -> Clean {
    let said = match known.state {
        State::Queued => "queued".to_owned(),
        State::Running => "running".to_owned(),
        State::Succeeded => "finished".to_owned(),
        State::Partial => "finished, partly failed".to_owned(),
        State::Failed => "failed".to_owned(),
        State::Cancelled => "cancelled".to_owned(),
        State::Lost => "finished, the result is gone from the server".to_owned(),
        State::Unknown => match &known.word {
            Some(word) => format!("unknown status {word:?}; polling continues"),
            None if known.is_observed() => "no status in the response; polling continues".to_owned(),
            None => never_observed(known.last_poll.as_ref()),
        },
    };
    Clean::new(&said)
}

/// The outcome of a poll in two or three words.
pub fn read_in_words(read: PollOutcome) -> &'static str {
    match read {
        PollOutcome::Answered => "answered",
        PollOutcome::Throttled => "rate limited",
        PollOutcome::Unreachable => "unreachable",
        PollOutcome::ServerError => "server error",
        PollOutcome::Malformed => "unreadable response",
        PollOutcome::Unauthorized => "token rejected",
        PollOutcome::NotFound => "not found",
        PollOutcome::Rejected => "request rejected",
    }
}

/// Since when a job is what it is now: its end, else its start, else its first sight. What SINCE and `age:` count from.
pub fn since(known: &Observation) -> Option<Timestamp> {
    known.finished_at.or(known.running_since).or(known.first_seen)
}

/// How long a finished job ran; None if it is not over, or nobody knows when it began.
pub fn took(known: &Observation) -> Option<Duration> {
    let (end, start) = (known.finished_at?, known.running_since?);
    Some(human::age(start, end))
}

/// Whether a job ran already when it was first seen, and its service does not say since when: it ran longer than is known.
pub fn began_unseen(known: &Observation) -> bool {
    known.running_since.is_some() && known.running_since == known.first_seen
}

/// How long a job waited before it ran, so far if it still waits. None if it was never seen waiting.
pub fn queued(known: &Observation, now: Timestamp) -> Option<Duration> {
    let seen = known.first_seen?;
    match known.running_since {
        Some(started) if started > seen => Some(human::age(seen, started)),
        None if known.state == State::Queued => Some(human::age(seen, now)),
        Some(_) | None => None,
    }
}

/// How long a job ran, so far if it still runs. None if nobody knows when it began.
pub fn ran(known: &Observation, now: Timestamp) -> Option<Duration> {
    match known.state {
        State::Running => known.running_since.or(known.first_seen).map(|since| human::age(since, now)),
        State::Queued | State::Unknown => None,
        State::Succeeded | State::Partial | State::Failed | State::Cancelled | State::Lost => took(known),
    }
}

/// The one time of a row: how long an unfinished job has been in its state, how long a finished one took in all.
pub fn time(known: &Observation, now: Timestamp) -> Option<Duration> {
    if known.state.is_terminal() {
        let start = known.running_since.or(known.first_seen).filter(|start| Some(*start) != known.finished_at)?;
        return Some(human::age(start, known.finished_at?));
    }
    since(known).map(|since| human::age(since, now))
}

fn never_observed(last: Option<&LastPoll>) -> String {
    let Some(last) = last else { return "not polled yet".to_owned() };
    let code = last.http_status.map(|code| format!(" (HTTP {code})")).unwrap_or_default();
    format!("never polled successfully: {}{code}", read_in_words(last.read))
}

fn outcome(known: &Observation) -> String {
    let reason = reason(known);
    match known.state {
        State::Partial => match (known.files, reason) {
            (Some(files), Some(reason)) => format!("{}: {reason}", files_failed(files)),
            (Some(files), None) => files_failed(files),
            (None, Some(reason)) => reason.to_owned(),
            (None, None) => word(known),
        },
        State::Succeeded => known.warning.clone().or_else(|| yield_of(known)).unwrap_or_else(|| word(known)),
        State::Failed | State::Cancelled | State::Lost => match (reason, known.files) {
            (Some(reason), _) => reason.to_owned(),
            (None, Some(files)) if known.state == State::Cancelled => {
                let (word, all) = (word(known), human::counted(files.total, "file"));
                // What did not fail may not have been begun: progress alone tells.
                match known.progress.filter(|progress| *progress < 100.0) {
                    Some(progress) => format!("{word}: {progress:.0}% of {all} finished"),
                    None => format!("{word}: {} of {all} finished", files.total.saturating_sub(files.failed)),
                }
            }
            (None, Some(files)) => format!("{} {}/{} files", word(known), files.failed, files.total),
            (None, None) if known.state == State::Failed => "no reason: the service gave none".to_owned(),
            (None, None) => word(known),
        },
        State::Queued | State::Running | State::Unknown => word(known),
    }
}

/// Whether the job is done and its result is being fetched.
fn is_fetching(known: &Observation) -> bool {
    known.state == State::Running && known.word.as_deref() == Some(FETCHING)
}

/// What the last read came to, if it was no answer.
fn refused(known: &Observation) -> Option<String> {
    let last = known.last_poll.as_ref().filter(|last| last.read != PollOutcome::Answered)?;
    let what = read_in_words(last.read);
    Some(match &last.reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what.to_owned(),
    })
}

fn word(known: &Observation) -> String {
    known.word.clone().unwrap_or_default()
}

fn files_failed(files: FileCounts) -> String {
    format!("{} of {} failed", files.failed, human::counted(files.total, "file"))
}

/// `4 files, 48 KB, $0.041`; None where none of it is known.
fn yield_of(known: &Observation) -> Option<String> {
    let files = known.files.map(|files| human::counted(files.total, "file"));
    let size = known.saved.as_ref().map(|saved| human::bytes(saved.bytes));
    let cost = known.cost.as_deref().and_then(Cost::parse).map(|cost| cost.to_string());
    let parts: Vec<String> = [files, size, cost].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::{BodyId, LastPoll, SavedBody};
    use crate::domain::owner::Owner;
    use crate::domain::state::LostBecause;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn job(state: State, word: &str) -> Observation {
        Observation { state, word: Some(word.to_owned()), first_seen: Some(at(0)), ..Observation::default() }
    }

    fn files(total: u32, failed: u32) -> Option<FileCounts> {
        Some(FileCounts { total, failed })
    }

    fn saved(bytes: u64) -> Option<SavedBody> {
        Some(SavedBody {
            body: BodyId(1),
            bytes,
            sha256: Default::default(),
            http_status: 200,
            at: at(0),
            masked: false,
        })
    }

    fn read(read: PollOutcome, reason: Option<&str>) -> Option<LastPoll> {
        Some(LastPoll { read, http_status: None, reason: reason.map(str::to_owned), at: at(62) })
    }

    #[test]
    fn a_row_says_its_one_most_useful_fact() {
        let reason = Some("Login page did not load".to_owned());
        let cases = [
            (
                Observation { fail_reason: reason.clone(), ..job(State::Failed, "failed") },
                Health::Fresh,
                "Login page did not load",
            ),
            (
                Observation { files: files(2, 1), ..job(State::Cancelled, "STOPPED") },
                Health::Fresh,
                "STOPPED: 1 of 2 files finished",
            ),
            (
                Observation { files: files(87, 0), progress: Some(59.8), ..job(State::Cancelled, "stopped") },
                Health::Fresh,
                "stopped: 60% of 87 files finished",
            ),
            (
                Observation { fail_reason: Some(" ".into()), files: files(3, 3), ..job(State::Failed, "ERROR") },
                Health::Fresh,
                "ERROR 3/3 files",
            ),
            (
                Observation { files: files(4, 1), ..job(State::Partial, "COMPLETED") },
                Health::Fresh,
                "1 of 4 files failed",
            ),
            (
                Observation {
                    files: files(4, 1),
                    fail_reason: Some("OCR\nno".into()),
                    ..job(State::Partial, "COMPLETED")
                },
                Health::Fresh,
                "1 of 4 files failed: OCR no",
            ),
            (
                Observation { files: files(4, 0), saved: saved(48_000), ..job(State::Succeeded, "COMPLETED") },
                Health::Stale,
                "4 files, 48 KB",
            ),
            (Observation { files: files(1, 0), ..job(State::Succeeded, "COMPLETED") }, Health::Fresh, "1 file"),
            (
                Observation { saved: saved(1_200), cost: Some("0.041".into()), ..job(State::Succeeded, "completed") },
                Health::Fresh,
                "1.2 KB, $0.0410",
            ),
            (job(State::Succeeded, "completed"), Health::Fresh, "completed"),
            (
                Observation { warning: Some("bytes missing".into()), ..job(State::Succeeded, "completed") },
                Health::Fresh,
                "bytes missing",
            ),
            (
                Observation { lost: Some(LostBecause::Gone), ..job(State::Lost, "running") },
                Health::Fresh,
                "no longer known to the service",
            ),
            (job(State::Running, "EXECUTING"), Health::Fresh, "EXECUTING"),
            (Observation { progress: Some(40.0), ..job(State::Running, "running") }, Health::Fresh, "running, 40%"),
            (
                Observation { last_poll: read(PollOutcome::Answered, None), ..job(State::Running, "EXECUTING") },
                Health::Stale,
                "no response for 38s",
            ),
            (
                Observation {
                    last_poll: read(PollOutcome::Unreachable, Some("timed out")),
                    ..job(State::Running, "x")
                },
                Health::Stale,
                "unreachable: timed out",
            ),
            (
                Observation { last_poll: read(PollOutcome::Throttled, None), ..job(State::Queued, "x") },
                Health::Fresh,
                "rate limited",
            ),
            (job(State::Queued, "x"), Health::Throttled(at(0)), "rate limited until 08:00:00Z"),
            (job(State::Queued, "x"), Health::Following(Owner::here(7)), "following pid 7"),
            (job(State::Failed, "failed"), Health::SavedHere, "saved here: no reason: the service gave none"),
            (Observation::default(), Health::KeyRefused, "token missing or rejected"),
            (Observation::default(), Health::Fresh, "not polled yet"),
            (job(State::Failed, "\u{1b}[31mfailed"), Health::Fresh, "no reason: the service gave none"),
        ];
        for (known, health, text) in cases {
            assert_eq!(note(&known, &health, at(100), &TimeZone::UTC).as_str(), text);
        }
    }

    #[test]
    fn age_counts_from_the_end_and_a_clock_that_runs_behind_makes_no_negative_time() {
        let mut known = job(State::Running, "x");
        assert_eq!(since(&known), Some(at(0)));
        known.running_since = Some(at(5));
        assert_eq!((since(&known), took(&known)), (Some(at(5)), None));
        known.finished_at = Some(at(65));
        assert_eq!((since(&known), took(&known)), (Some(at(65)), Some(Duration::from_secs(60))));
        known.finished_at = Some(at(1));
        assert_eq!(took(&known), Some(Duration::ZERO));
    }

    #[test]
    fn a_job_that_no_read_brought_an_answer_of_is_not_called_unread() {
        let last = |read, http_status| Some(LastPoll { read, http_status, reason: None, at: at(62) });
        let cases = [
            (None, "not polled yet"),
            (last(PollOutcome::NotFound, Some(404)), "never polled successfully: not found (HTTP 404)"),
            (last(PollOutcome::Unreachable, None), "never polled successfully: unreachable"),
        ];
        for (last_poll, text) in cases {
            assert_eq!(in_words(&Observation { last_poll, ..Observation::default() }).as_str(), text);
        }
    }

    #[test]
    fn a_job_whose_result_is_fetched_is_called_that_wherever_it_stands() {
        for progress in [None, Some(100.0)] {
            let known = Observation { progress, ..job(State::Running, FETCHING) };
            assert_eq!(activity(&known, Some(Duration::from_secs(9))).as_str(), "fetching");
            assert_eq!(note(&known, &Health::Fresh, at(9), &TimeZone::UTC).as_str(), "fetching");
        }
        let known = Observation { progress: Some(40.0), ..job(State::Running, "rendering") };
        assert_eq!(activity(&known, Some(Duration::from_secs(9))).as_str(), "running 9s, 40%");
    }

    #[test]
    fn every_state_has_its_sentence() {
        let mut sentences: Vec<_> = State::ALL.iter().map(|state| in_words(&job(*state, "odd"))).collect();
        sentences.sort();
        sentences.dedup();
        assert_eq!(sentences.len(), State::ALL.len());
    }
}
