//! JSON lines: the three kinds of `--format jsonl`, their keys in the order of the contract.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::value::RawValue;

use crate::domain::clean::is_harmless;
use crate::domain::cost::Cost;
use crate::domain::files::FileCounts;
use crate::domain::job::Job;
use crate::domain::observation::{Observation, SavedBody};
use crate::domain::state::{PollOutcome, State};
use crate::domain::stats::StateCounts;

/// What a job is now.
#[derive(Debug, Serialize)]
pub struct StateLine<'a> {
    v: u8,
    r#type: &'static str,
    time: String,
    job: String,
    service: &'a str,
    provider: &'static str,
    id: &'a str,
    name: Option<&'a str>,
    tags: &'a [String],
    state: &'static str,
    previous: Option<&'static str>,
    provider_status: Option<&'a str>,
    http_status: Option<u16>,
    service_status_code: Option<i64>,
    #[serde(serialize_with = "whole_or_not")]
    progress: Option<f64>,
    fail_reason: Option<&'a str>,
    error_code: Option<&'a str>,
    warning: Option<&'a str>,
    files: Option<FileCounts>,
    lost_because: Option<&'static str>,
    first_seen: Option<String>,
    running_since: Option<String>,
    finished_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sent_again: bool,
    saved: Option<SavedBytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<Option<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> StateLine<'a> {
    /// The line of a change, or of the first sight of a job.
    pub fn new(now: Timestamp, job: &'a Job, previous: Option<State>, known: &'a Observation) -> Self {
        Self {
            v: 1,
            r#type: "state",
            time: utc(now),
            job: job.label(),
            service: &job.service,
            provider: job.key.provider.as_str(),
            id: &job.key.id,
            name: job.name.as_deref(),
            tags: &job.tags,
            state: known.state.as_str(),
            previous: previous.map(State::as_str),
            provider_status: known.word.as_deref(),
            http_status: known.http_status,
            service_status_code: known.service_status_code,
            progress: known.progress,
            fail_reason: known.fail_reason.as_deref(),
            error_code: known.error_code.as_deref(),
            warning: known.warning.as_deref(),
            files: known.files,
            lost_because: known.lost.map(|cause| cause.as_str()),
            first_seen: known.first_seen.map(utc),
            running_since: known.running_since.map(utc),
            finished_at: known.finished_at.map(utc),
            expires_at: known.expires_at.map(utc),
            sent_again: known.sent_again,
            saved: known.saved.as_ref().map(SavedBytes::from),
            cost: known.cost.as_deref().and_then(Cost::parse).and_then(number),
            batch: job.batch.as_deref(),
            fields: known.fields.as_ref().and_then(|fields| serde_json::from_str(&fields.values).ok()),
            read: None,
            reason: None,
        }
    }

    /// The same with what the last read was, for `once`, `status` and `show`.
    pub fn with_read(now: Timestamp, job: &'a Job, known: &'a Observation) -> Self {
        let last = known.last_poll.as_ref();
        let reason = last.filter(|last| last.read != PollOutcome::Answered).and_then(|last| last.reason.as_deref());
        Self { read: Some(last.map(|last| last.read.as_str())), reason, ..Self::new(now, job, None, known) }
    }
}

#[derive(Debug, Serialize)]
struct SavedBytes {
    bytes: u64,
    sha256: String,
}

impl From<&SavedBody> for SavedBytes {
    fn from(saved: &SavedBody) -> Self {
        Self { bytes: saved.bytes, sha256: saved.sha256.to_string() }
    }
}

/// A read that was not `ok`.
#[derive(Debug, Serialize)]
pub struct ReadLine<'a> {
    v: u8,
    r#type: &'static str,
    time: String,
    job: String,
    service: &'a str,
    read: &'static str,
    http_status: Option<u16>,
    reason: &'a str,
    retry_in_ms: Option<u64>,
}

impl<'a> ReadLine<'a> {
    pub fn new(
        now: Timestamp,
        job: &'a Arc<Job>,
        read: PollOutcome,
        http_status: Option<u16>,
        reason: &'a str,
        retry_in: Option<Duration>,
    ) -> Self {
        Self {
            v: 1,
            r#type: "read",
            time: utc(now),
            job: job.label(),
            service: &job.service,
            read: read.as_str(),
            http_status,
            reason,
            retry_in_ms: retry_in.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// How many jobs are in each state, as members of a line.
#[derive(Debug)]
pub struct ByState([(State, u32); 8]);

impl ByState {
    /// The counts of these states, in this order.
    pub fn new(states: [State; 8], jobs: &StateCounts) -> Self {
        Self(states.map(|state| (state, jobs.of(state))))
    }
}

impl Serialize for ByState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(state, jobs)| (state.as_str(), jobs)))
    }
}

/// The last line: all selected jobs by state.
#[derive(Debug, Serialize)]
pub struct SummaryLine {
    v: u8,
    r#type: &'static str,
    time: String,
    total: u32,
    #[serde(flatten)]
    states: ByState,
    never_observed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Box<RawValue>>,
    exit: u8,
}

impl SummaryLine {
    /// The line of these counts.
    pub fn new(now: Timestamp, jobs: &StateCounts, exit: u8) -> Self {
        Self {
            v: 1,
            r#type: "summary",
            time: utc(now),
            total: jobs.total(),
            states: ByState::new(State::ALL, jobs),
            never_observed: jobs.never_observed(),
            cost: jobs.cost().and_then(number),
            exit,
        }
    }
}

/// An amount as a JSON number with all its digits.
pub fn number(cost: Cost) -> Option<Box<RawValue>> {
    RawValue::from_string(cost.digits()).ok()
}

/// A line's JSON text, without the line break. What could mislead a terminal comes as `\u` escapes: nothing is lost
/// and nothing is obeyed.
pub fn json(line: &impl Serialize) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Harmless);
    match line.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => {
            tracing::error!("failed to write a JSON line: {error}");
            String::new()
        }
    }
}

/// JSON text with everything in it that could mislead a terminal as `\u` escapes. Line breaks stay.
pub fn harmless_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) || c == '\n' {
            out.push(c);
        } else {
            push_escaped(&mut out, c);
        }
    }
    out
}

/// A time as JSON lines and tables for machines have it: UTC, RFC 3339, milliseconds.
pub fn utc(at: Timestamp) -> String {
    format!("{at:.3}")
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.chars().all(is_harmless) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        writer.write_all(harmless_json(fragment).as_bytes())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.write_string_fragment(writer, fragment)
    }
}

fn push_escaped(out: &mut String, c: char) {
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

#[expect(clippy::ref_option, reason = "the shape that serde calls it with")]
fn whole_or_not<S: Serializer>(progress: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match progress {
        None => serializer.serialize_none(),
        Some(percent) if percent.fract() == 0.0 && (0.0..=100.0).contains(percent) =>
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of 0 to 100")]
            serializer.serialize_u8(*percent as u8)
        }
        Some(percent) => serializer.serialize_f64(*percent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checksum::Checksum;
    use crate::domain::job::{JobKey, ProviderName};
    use crate::domain::observation::{BodyId, FieldValues, LastPoll};
    use crate::domain::state::LostBecause;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn job() -> Arc<Job> {
        Arc::new(Job {
            name: Some("scan 7".to_owned()),
            tags: ["nov".to_owned()].into(),
            ..crate::tests::job(
                JobKey { provider: ProviderName::UNSTRACT, endpoint: "https://h".into(), id: "e7\u{202e}".to_owned() },
                "invoices",
            )
        })
    }

    fn partial() -> Observation {
        Observation {
            state: State::Partial,
            word: Some("COMPLETED".to_owned()),
            http_status: Some(200),
            progress: Some(40.0),
            fail_reason: Some("a\u{1b}[31m\u{9b}\u{7f}\n\"".to_owned()),
            files: Some(FileCounts { total: 3, failed: 1 }),
            first_seen: Some(at("2026-11-21T10:00:00Z")),
            running_since: Some(at("2026-11-21T10:00:01.5Z")),
            finished_at: Some(at("2026-11-21T10:00:02.123456Z")),
            saved: Some(SavedBody {
                body: BodyId(1),
                bytes: 5119,
                sha256: Checksum::from_hex(&"9f".repeat(32)).unwrap(),
                http_status: 200,
                at: at("2026-11-21T10:00:02Z"),
                masked: false,
            }),
            last_poll: Some(LastPoll {
                read: PollOutcome::Throttled,
                http_status: Some(429),
                reason: Some("slow down".to_owned()),
                at: at("2026-11-21T10:00:02Z"),
            }),
            ..Observation::default()
        }
    }

    const PARTIAL: &str = concat!(
        r#"{"v":1,"type":"state","time":"2026-11-21T10:00:03.123Z","job":"invoices/e7\u202e","service":"invoices","#,
        r#""provider":"unstract","id":"e7\u202e","name":"scan 7","tags":["nov"],"state":"partial","previous":"running","#,
        r#""provider_status":"COMPLETED","http_status":200,"service_status_code":null,"progress":40,"#,
        r#""fail_reason":"a\u001b[31m\u009b\u007f\n\"","error_code":null,"warning":null,"files":{"total":3,"failed":1},"#,
        r#""lost_because":null,"first_seen":"2026-11-21T10:00:00.000Z","running_since":"2026-11-21T10:00:01.500Z","#,
        r#""finished_at":"2026-11-21T10:00:02.123Z","saved":{"bytes":5119,"sha256":"9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f"}"#
    );

    #[test]
    fn the_reference_explains_every_key_of_a_state_line() {
        let known = Observation {
            cost: Some("0.10".into()),
            expires_at: Some(at("2026-11-22T10:00:00Z")),
            sent_again: true,
            fields: Some(Box::new(FieldValues { taken_by: String::new(), values: "{\"total\":12.50}".to_owned() })),
            ..partial()
        };
        let job = Job { batch: Some("nov".into()), ..Job::clone(&job()) };
        let line = json(&StateLine::with_read(at("2026-11-21T10:00:03.123Z"), &job, &known));
        assert!(line.contains("\"cost\":0.1,\"batch\":\"nov\",\"fields\":{\"total\":12.50}"), "{line}");
        let keys: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        let explained = crate::cli::commands::reference::STATE_FIELDS.map(|(name, _)| name);
        assert_eq!(keys.keys().collect::<Vec<_>>(), explained);
    }

    #[test]
    fn a_state_line_has_its_keys_in_the_order_of_the_contract_and_nothing_that_a_terminal_would_obey() {
        let (job, known, now) = (job(), partial(), at("2026-11-21T10:00:03.123Z"));
        let line = json(&StateLine::new(now, &job, Some(State::Running), &known));
        assert_eq!(line, format!("{PARTIAL}}}"));
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["fail_reason"], "a\u{1b}[31m\u{9b}\u{7f}\n\"");
    }

    #[test]
    fn a_line_of_once_and_status_says_what_the_last_read_was_and_why_it_was_not_ok() {
        let (job, mut known, now) = (job(), partial(), at("2026-11-21T10:00:03.123Z"));
        let head = PARTIAL.replace(r#""previous":"running""#, r#""previous":null"#);
        let line = |known: &Observation| json(&StateLine::with_read(now, &job, known));
        assert_eq!(line(&known), format!(r#"{head},"read":"throttled","reason":"slow down"}}"#));
        known.last_poll = Some(LastPoll { read: PollOutcome::Answered, http_status: Some(200), reason: None, at: now });
        assert_eq!(line(&known), format!(r#"{head},"read":"ok"}}"#));
        known.last_poll = None;
        assert_eq!(line(&known), format!(r#"{head},"read":null}}"#));
    }

    #[test]
    fn a_read_line_says_when_the_job_is_read_again() {
        let now = at("2026-11-21T10:00:03Z");
        let wait = Some(Duration::from_secs(18));
        assert_eq!(
            json(&ReadLine::new(now, &job(), PollOutcome::Throttled, Some(429), "slow down", wait)),
            concat!(
                r#"{"v":1,"type":"read","time":"2026-11-21T10:00:03.000Z","job":"invoices/e7\u202e","service":"invoices","#,
                r#""read":"throttled","http_status":429,"reason":"slow down","retry_in_ms":18000}"#
            )
        );
    }

    #[test]
    fn the_summary_counts_every_state() {
        let lost = Observation {
            state: State::Lost,
            lost: Some(LostBecause::Expired),
            first_seen: Some(Timestamp::UNIX_EPOCH),
            ..Observation::default()
        };
        let mut jobs = StateCounts::default();
        [&lost, &partial(), &Observation::default()].into_iter().for_each(|known| jobs.add(known));
        assert_eq!(
            json(&SummaryLine::new(at("2026-11-21T10:00:03Z"), &jobs, 5)),
            concat!(
                r#"{"v":1,"type":"summary","time":"2026-11-21T10:00:03.000Z","total":3,"queued":0,"running":0,"succeeded":0,"#,
                r#""partial":1,"failed":0,"cancelled":0,"lost":1,"unknown":1,"never_observed":1,"exit":5}"#
            )
        );
        jobs.add(&Observation { cost: Some("0.10".into()), ..partial() });
        let line = json(&SummaryLine::new(at("2026-11-21T10:00:03Z"), &jobs, 5));
        assert!(line.ends_with(r#""never_observed":1,"cost":0.1,"exit":5}"#), "{line}");
    }

    #[test]
    fn progress_is_a_whole_number_where_it_is_one() {
        for (percent, text) in [(0.0, "0"), (100.0, "100"), (33.5, "33.5")] {
            let known = Observation { progress: Some(percent), ..partial() };
            let line = json(&StateLine::new(Timestamp::UNIX_EPOCH, &job(), None, &known));
            assert!(line.contains(&format!(r#""progress":{text},"#)), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_through_a_json_line_unchanged_and_harmless(text in "\\PC*|[\\x00-\\u{9f}\\u{200b}-\\u{206f}\\u{e0001}]*") {
            let line = json(&text);
            proptest::prop_assert!(line.chars().all(is_harmless));
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
