//! The report in Markdown: for an issue, a summary of CI, a chat.

use std::fmt::Write as _;

use super::{Report, fact, saved, shown, times};
use crate::domain::cost::Cost;
use crate::domain::durations;
use crate::domain::human;
use crate::domain::markdown::escaped;

/// How many jobs of one reason are named.
const MOST_NAMED: usize = 10;

pub fn markdown(report: &Report<'_>) -> String {
    let mut text = format!("# {}\n\n{}\n", escaped(&shown(&report.title)), escaped(&report.outcome()));
    let all = durations::all(&report.samples());
    for (what, spread) in [("queued", &all.queued), ("ran", &all.ran)] {
        if let Some(spread) = spread {
            let [median, p90, longest] = [spread.median, spread.p90, spread.longest].map(human::duration);
            // Writing to a String cannot fail.
            let _ = write!(text, "\n- {what}: median {median}, 90 % within {p90}, longest {longest}");
        }
    }
    text.push('\n');
    let reasons = report.by_reason();
    if !reasons.is_empty() {
        text.push_str("\n## Failures by reason\n\n| jobs | reason | which |\n|---:|---|---|\n");
        for group in reasons {
            let named: Vec<String> = group.jobs.iter().take(MOST_NAMED).map(|at| escaped(&report.name(*at))).collect();
            let more = match group.jobs.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let reason = escaped(&shown(&group.name));
            let _ = writeln!(text, "| {} | {reason} | {}{more} |", group.jobs.len(), named.join(", "));
        }
    }
    text.push_str("\n## Jobs\n\n| state | name | service | queued | ran | cost | saved | reason |\n|---|---|---|---:|---:|---:|---:|---|\n");
    for (job, known) in &report.jobs {
        let (queued, ran) = times(known);
        let cost = known.cost.as_deref().and_then(Cost::parse).map(|cost| cost.to_string()).unwrap_or_default();
        let [name, service, reason] = [shown(job.title()), shown(&job.service), fact(known)].map(|cell| escaped(&cell));
        let _ = writeln!(
            text,
            "| {} | {name} | {service} | {queued} | {ran} | {cost} | {} | {reason} |",
            known.state.as_str(),
            saved(known)
        );
    }
    let _ = writeln!(text, "\nSaved results: {}", escaped(&shown(&report.saved_in)));
    text
}
