//! All that is known of one job, in words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::output::OutputStyle;
use super::style;
use crate::domain::clean::Clean;
use crate::domain::cost::Cost;
use crate::domain::observation::SavedBody;
use crate::domain::state::PollOutcome;
use crate::domain::{field, human, note};
use crate::session::select::KnownJob;

/// One line a fact, the label first, with what was fetched beside the result; a reason of many lines goes on below its label.
pub fn lines(entry: &KnownJob, also: &BTreeMap<String, SavedBody>, look: OutputStyle) -> Vec<String> {
    let (job, known) = (&entry.job, &entry.known);
    let mut facts: Vec<(&str, String)> = Vec::new();
    let mut fact = |label, text: Option<String>| facts.extend(text.map(|text| (label, text)));
    let when = |at: Option<Timestamp>| at.map(moment);

    let word = known.word.as_ref().map(|word| format!(" (the service says {:?})", Clean::new(word).as_str()));
    let mark = style::mark(known.state, look);
    let mark = style::painted(&mark, known.state, look);
    fact("state", Some(format!("{mark}  {}{}", note::in_words(known), word.unwrap_or_default())));
    fact("lost because", known.lost.map(|cause| format!("{cause}: {}", cause.sentence())));
    fact("reason", known.fail_reason.clone());
    fact("error code", known.error_code.clone());
    fact("warning", known.warning.clone());
    fact("name", job.name.clone());
    fact("id", Some(job.key.id.clone()));
    fact("service", Some(format!("{} ({}, {})", job.service, job.key.provider, job.key.endpoint)));
    fact("tags", (!job.tags.is_empty()).then(|| job.tags.join(" ")));
    fact("progress", known.progress.map(|percent| format!("{percent} %")));
    fact("cost", known.cost.as_deref().and_then(Cost::parse).map(|cost| cost.to_string()));
    if let Some(fields) = &known.fields {
        for (name, value) in field::values(&fields.values) {
            fact("field", Some(format!("{name}: {}", value.text())));
        }
    }
    fact("batch", job.batch.as_deref().map(str::to_owned));
    fact("files", known.files.map(|files| format!("{}, of which {} failed", files.total, files.failed)));
    fact("HTTP", known.http_status.map(|status| status.to_string()));
    fact("status code", known.service_status_code.map(|status| format!("{status} (of the user's own service)")));
    fact("first seen", when(known.first_seen));
    fact("running since", when(known.running_since));
    fact("finished", when(known.finished_at));
    fact("expires", when(known.expires_at.filter(|_| known.saved.is_none())));
    fact("took", note::took(known).map(human::duration));
    for (label, saved) in [("saved", known.saved.as_ref()), ("kept", known.evidence.as_deref())] {
        fact(label, saved.map(stored));
    }
    for (name, saved) in also {
        fact("beside it", Some(format!("{name}: {}", stored(saved))));
    }
    let last = known.last_poll.as_ref().map(|last| {
        let status = last.http_status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
        let reason =
            last.reason.as_ref().filter(|_| last.read != PollOutcome::Answered).map(|reason| format!(": {reason}"));
        format!("{}{status}, {}{}", note::read_in_words(last.read), moment(last.at), reason.unwrap_or_default())
    });
    fact("last poll", Some(last.unwrap_or_else(|| "never".to_owned())));

    let mut lines = vec![Clean::new(&job.label()).to_string()];
    for (label, text) in &facts {
        let mut label = *label;
        for line in text.lines() {
            let line = if label == "state" { line.to_owned() } else { Clean::new(line).to_string() };
            lines.push(format!("{label:>14}  {line}").trim_end().to_owned());
            label = "";
        }
    }
    lines
}

/// How much was saved, when, and its checksum.
fn stored(saved: &SavedBody) -> String {
    let masked = if saved.masked { ", our token masked" } else { "" };
    let size = human::bytes(saved.bytes);
    format!("{size} ({} bytes) {}, sha256 {}{masked}", saved.bytes, moment(saved.at), saved.sha256)
}

/// A date and time here, with the zone.
fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::job::{Job, JobKey, ProviderName};
    use crate::domain::observation::Observation;
    use crate::domain::state::State;

    #[test]
    fn a_job_in_words_has_its_reason_in_full_and_nothing_that_a_terminal_would_obey() {
        let key =
            JobKey { provider: ProviderName::VESSL, endpoint: "https://h/s".into(), id: "9\u{1b}[2J8".to_owned() };
        let job =
            Job { name: Some("hello".to_owned()), tags: ["nov".to_owned()].into(), ..crate::tests::job(key, "llama") };
        let known = Observation {
            state: State::Failed,
            word: Some("failed\u{202e}".to_owned()),
            fail_reason: Some("CUDA out of memory\n\u{1b}]52;c;x\u{7}tried 2 GB".to_owned()),
            http_status: Some(200),
            service_status_code: Some(503),
            ..Observation::default()
        };
        let entry = KnownJob::new(Arc::new(job), known);
        let text = "\
llama/98
         state  ✗ FAIL  failed (the service says \"failed\")
        reason  CUDA out of memory
                tried 2 GB
          name  hello
            id  98
       service  llama (vessl, https://h/s)
          tags  nov
          HTTP  200
   status code  503 (of the user's own service)
     last poll  never";
        assert_eq!(lines(&entry, &BTreeMap::new(), OutputStyle::default()).join("\n"), text);
    }
}
