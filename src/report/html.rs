//! The report as one page of HTML: no network, no script needed, light and dark, fit to be printed.

use maud::{DOCTYPE, Markup, PreEscaped, html as page};

use super::{Report, chart, fact, saved, shown, shown_lines, states, times};
use crate::domain::cost::Cost;
use crate::domain::durations;
use crate::domain::human;
use crate::domain::note;

const STYLE: &str = include_str!("../../assets/report/report.css");

/// Sorts the table of jobs by the column whose heading is clicked. The page is whole without it.
const SCRIPT: &str = include_str!("../../assets/report/report.js");

/// Nothing is loaded from anywhere, whatever a stranger's text may say.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// How many jobs of one reason are named.
const MOST_NAMED: usize = 20;

/// The whole page.
pub fn html(report: &Report<'_>) -> String {
    let title = shown(&report.title);
    let counts = report.counts();
    let all = durations::all(&report.samples());
    page! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p.outcome { (report.outcome()) }
                (chart::states(&states(&counts)))
                p.legend {
                    @for (state, count) in states(&counts) {
                        span { i class=(state.as_str()) {} (count) " " (state.as_str()) }
                    }
                }
                (finishes(report))
                div.pair {
                    (chart::histogram("queued", all.queued.as_ref()))
                    (chart::histogram("ran", all.ran.as_ref()))
                }
                (services(report))
                (reasons(report))
                (jobs(report))
                (failures(report))
                h2 { "Results" }
                p { "Saved results are kept in " code { (shown(&report.saved_in)) } ". " code { "jobdeck export DIR" }
                    " writes them to a folder, " code { "jobdeck show JOB --raw" } " prints one." }
                p.dim { "Made by jobdeck " (env!("CARGO_PKG_VERSION")) ", " (report.moment(report.made_at)) "." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn finishes(report: &Report<'_>) -> Markup {
    let Some((first, length, counts)) = durations::over_time(&report.samples(), chart::SPANS) else { return page! {} };
    let last = report.span().map_or(first, |(_, last)| last);
    page! {
        figure {
            figcaption { "finished over time, a bar is " (human::duration(length)) }
            (chart::bars(&counts, "finished over time"))
            div.axis { span { (report.moment(first)) } span { (report.moment(last)) } }
        }
    }
}

fn services(report: &Report<'_>) -> Markup {
    let cost = |cost: Option<Cost>| cost.map(|cost| cost.to_string()).unwrap_or_default();
    page! {
        h2 { "Services" }
        table {
            thead { tr { th { "service" } th { "jobs" } th { "over" } th { "succeeded" } th { "queued, median" }
                th { "ran, median" } th { "ran, 90 %" } th { "per minute" } th { "cost" } th { "per priced job" } } }
            tbody {
                @for group in report.by_service() {
                    @let ran = group.ran.as_ref();
                    tr {
                        td { (shown(&group.name)) }
                        td.n { (group.jobs.len()) }
                        td.n { (group.finished) }
                        td.n { (human::percent(group.succeeded as u64, group.finished as u64)) }
                        td.n { (group.queued.as_ref().map(|spread| human::duration(spread.median)).unwrap_or_default()) }
                        td.n { (ran.map(|spread| human::duration(spread.median)).unwrap_or_default()) }
                        td.n { (ran.map(|spread| human::duration(spread.p90)).unwrap_or_default()) }
                        td.n { (group.per_minute.map(|rate| format!("{rate:.1}")).unwrap_or_default()) }
                        td.n { (cost(group.cost)) }
                        td.n { (cost(group.cost_per_job())) }
                    }
                }
            }
        }
    }
}

fn reasons(report: &Report<'_>) -> Markup {
    let groups = report.by_reason();
    if groups.is_empty() {
        return page! {};
    }
    page! {
        h2 { "Failures by reason" }
        table {
            thead { tr { th { "jobs" } th { "reason" } th { "which" } } }
            tbody {
                @for group in groups {
                    tr {
                        td.n { (group.jobs.len()) }
                        td { (shown(&group.name)) }
                        td {
                            @for (nth, at) in group.jobs.iter().take(MOST_NAMED).enumerate() {
                                @if nth > 0 { ", " }
                                a href=(format!("#job-{at}")) { (report.name(*at)) }
                            }
                            @if group.jobs.len() > MOST_NAMED { " and " (group.jobs.len() - MOST_NAMED) " more" }
                        }
                    }
                }
            }
        }
    }
}

fn jobs(report: &Report<'_>) -> Markup {
    page! {
        h2 { "Jobs" }
        table #jobs {
            thead { tr { th { "state" } th { "name" } th { "service" } th { "id" } th { "queued" } th { "ran" }
                th { "finished" } th { "cost" } th { "saved" } th { "reason" } } }
            tbody {
                @for (at, (job, known)) in report.jobs.iter().enumerate() {
                    @let (queued, ran) = times(known);
                    @let seconds = |time: Option<std::time::Duration>| time.map_or(-1.0, |time| time.as_secs_f64());
                    tr #(format!("row-{at}")) {
                        td { i class=(known.state.as_str()) {} (known.state.as_str()) }
                        td { (shown(job.title())) }
                        td { (shown(&job.service)) }
                        td.id { (shown(&job.key.id)) }
                        td.n data-n=(seconds(durations::queued(known))) { (queued) }
                        td.n data-n=(seconds(note::took(known))) { (ran) }
                        td.t { (known.finished_at.map(|at| report.moment(at)).unwrap_or_default()) }
                        td.n { (known.cost.as_deref().and_then(Cost::parse).map(|cost| cost.to_string()).unwrap_or_default()) }
                        td.n data-n=(known.saved.as_ref().map_or(0, |saved| saved.bytes)) { (saved(known)) }
                        td.why { (cut(&fact(known))) }
                    }
                }
            }
        }
    }
}

/// Each reason in full, the job's name before it.
fn failures(report: &Report<'_>) -> Markup {
    let failed =
        report.jobs.iter().enumerate().filter_map(|(at, (job, known))| Some((at, job, known, note::reason(known)?)));
    let failed: Vec<_> = failed.collect();
    if failed.is_empty() {
        return page! {};
    }
    page! {
        h2 { "Reasons in full" }
        dl {
            @for (at, job, known, reason) in failed {
                dt #(format!("job-{at}")) { i class=(known.state.as_str()) {} (shown(job.title())) " " span.dim { (shown(&job.label())) } }
                dd { @for line in shown_lines(reason) { (line) br; } }
            }
        }
    }
}

/// The beginning of a text in a table; the whole text is below.
fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(160).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
