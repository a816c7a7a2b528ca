//! Many jobs at once, for `once` and `status`: a table, JSON lines or CSV.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::args::ListFormat;
use super::csv::{self, Sheet};
use super::failure::Failure;
use super::output::{OutputStyle, StdoutWriter};
use super::style;
use crate::domain::clean::Clean;
use crate::domain::observation::Observation;
use crate::domain::state::State;
use crate::domain::{human, note};
use crate::session::jsonl::{StateLine, SummaryLine, json};
use crate::session::select::{self, KnownJob};

/// Prints the jobs in their order, and the counts below them where the format has a place for them.
pub fn print(entries: &[KnownJob], format: ListFormat, look: OutputStyle, exit: u8) -> Result<(), Failure> {
    let now = Timestamp::now();
    let counts = select::counts(entries);
    let mut out = StdoutWriter::new();
    match format {
        ListFormat::Table => {
            for line in table(entries, look, now) {
                out.line(&line)?;
            }
            out.line(&counts.sentence())?;
        }
        ListFormat::Jsonl => {
            for entry in entries {
                out.line(&json(&StateLine::with_read(now, &entry.job, &entry.known)))?;
            }
            out.line(&json(&SummaryLine::new(now, &counts, exit)))?;
        }
        ListFormat::Csv => {
            let fields = csv::field_names(entries);
            let mut sheet = Sheet::new(&mut out, &fields, false)?;
            for entry in entries {
                sheet.add(&csv::row(entry, &fields, None))?;
            }
            sheet.finish()?;
        }
    }
    out.flush()?;
    Ok(())
}

fn table(entries: &[KnownJob], look: OutputStyle, now: Timestamp) -> Vec<String> {
    let header = ["STATE", "JOB", "NAME", "SINCE", "TOOK", "SAVED", "NOTE"];
    let rows: Vec<Vec<String>> = entries.iter().map(|entry| cells(entry, look, now)).collect();
    let (header, rows) = without_ids_of_named(entries, header.map(str::to_owned).to_vec(), rows, look);
    let states = std::iter::once(None).chain(entries.iter().map(|entry| Some(entry.known.state)));
    let right = header.len() - 4..header.len() - 1;
    style::columns(&header, rows, right)
        .into_iter()
        .zip(states)
        .map(|(line, state)| {
            let line = cut(&line, look);
            let (Some(state), true) = (state, look.colour) else { return line };
            let mark = style::mark(state, look);
            line.replacen(&mark, &style::painted(&mark, state, look), 1)
        })
        .collect()
}

/// What is left to notes beside long ids, at the least.
const LEAST_NOTE: usize = 40;

/// Where ids leave notes too little of the terminal's width, a job that has a name is called by it, with its service: that is
/// enough to name it.
fn without_ids_of_named(
    entries: &[KnownJob],
    mut header: Vec<String>,
    mut rows: Vec<Vec<String>>,
    look: OutputStyle,
) -> (Vec<String>, Vec<Vec<String>>) {
    let widest = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.width() + 2).max();
    let before_note: usize = (0..6).filter_map(widest).sum();
    let is_wide = look.width.is_none_or(|width| before_note + LEAST_NOTE <= width);
    if is_wide || entries.iter().all(|entry| entry.job.name.is_none()) {
        return (header, rows);
    }
    for (row, entry) in rows.iter_mut().zip(entries) {
        let name = row.remove(2);
        if let (false, Some(job)) = (name.is_empty(), row.get_mut(1)) {
            *job = format!("{}/{name}", entry.job.service);
        }
    }
    header.remove(2);
    (header, rows)
}

fn cells(entry: &KnownJob, look: OutputStyle, now: Timestamp) -> Vec<String> {
    let known = &entry.known;
    let dash = || "-".to_owned();
    let age = note::since(known).map_or_else(dash, |seen| human::duration(human::age(seen, now)));
    let took = took(known, now).map_or_else(dash, human::duration);
    let saved = known.saved.as_ref().map_or_else(dash, |saved| human::bytes(saved.bytes));
    let note = note::note(known, &entry.health, now, &TimeZone::system()).to_string();
    vec![
        style::mark(known.state, look),
        Clean::new(&entry.job.label()).to_string(),
        entry.job.name.as_deref().map(Clean::new).unwrap_or_default().to_string(),
        age,
        took,
        saved,
        note,
    ]
}

/// How long a job ran, or has been running.
fn took(known: &Observation, now: Timestamp) -> Option<Duration> {
    let running = known.running_since.filter(|_| known.state == State::Running);
    note::took(known).or_else(|| running.map(|since| human::age(since, now)))
}

/// A line cut to the terminal's width; whole where standard output is no terminal.
fn cut(line: &str, look: OutputStyle) -> String {
    let Some(width) = look.width.filter(|width| line.width() > *width) else { return line.to_owned() };
    let (ellipsis, room) = if look.ascii { ("~", width.saturating_sub(1)) } else { ("…", width.saturating_sub(1)) };
    let mut used = 0;
    let mut kept = String::new();
    for cluster in line.graphemes(true) {
        used += cluster.width();
        if used > room {
            break;
        }
        kept.push_str(cluster);
    }
    kept + ellipsis
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::job::{Job, JobKey, ProviderName};

    fn entry(id: &str, name: Option<&str>, state: State, reason: &str) -> KnownJob {
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "".into(), id: id.to_owned() };
        let job = Job { name: name.map(str::to_owned), ..crate::tests::job(key, "llama") };
        let known = Observation {
            state,
            fail_reason: Some(reason.to_owned()),
            first_seen: Some(Timestamp::UNIX_EPOCH),
            running_since: Some(Timestamp::UNIX_EPOCH),
            finished_at: Some(Timestamp::from_second(38).unwrap()),
            ..Observation::default()
        };
        KnownJob::new(Arc::new(job), known)
    }

    fn drawn(look: OutputStyle) -> String {
        let entries = [
            entry("98nl", Some("漢字 prompt"), State::Failed, "CUDA\u{1b}[2J out of\nmemory"),
            entry("x", None, State::Succeeded, ""),
        ];
        table(&entries, look, Timestamp::from_second(60).unwrap()).join("\n")
    }

    #[test]
    fn a_table_aligns_by_cells_and_takes_nothing_that_a_terminal_would_obey() {
        let wide = "\
STATE   JOB         NAME         SINCE  TOOK  SAVED  NOTE
✗ FAIL  llama/98nl  漢字 prompt    22s   38s      -  CUDA out of memory
✓ DONE  llama/x                    22s   38s      -";
        assert_eq!(drawn(OutputStyle::default()), wide);
        let narrow = "\
STATE   JOB                SINCE  TOOK  SAVED  NOTE
x FAIL  llama/漢字 prompt    22s   38s      -  CUDA out of ~
+ DONE  llama/x              22s   38s      -";
        assert_eq!(drawn(OutputStyle { width: Some(60), ascii: true, ..OutputStyle::default() }), narrow);
    }

    #[test]
    fn colour_is_on_the_state_alone() {
        let plain = drawn(OutputStyle::default());
        let coloured = drawn(OutputStyle { colour: true, ..OutputStyle::default() });
        assert_ne!(plain, coloured);
        assert_eq!(anstrip(&coloured), plain);
    }

    fn anstrip(text: &str) -> String {
        text.lines().map(|line| Clean::new(line).to_string()).collect::<Vec<_>>().join("\n")
    }
}
