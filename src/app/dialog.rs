//! What may stand over the panes: help, copy menu, failures by reason, palette. One at a time.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};

use super::effect::What;
use super::input::Input;
use super::jobs::Jobs;
use super::keys::{self, Binding, Context, Keymap};
use super::scroll::Cursor;
use super::text::Line;
use crate::domain::clean::Clean;
use crate::domain::filter::SYNTAX;
use crate::domain::job::JobIx;
use crate::domain::{note, reason};

/// What stands over the panes.
#[derive(Debug, Clone, Default)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The help page.
    Help {
        /// The first line that is seen.
        top: usize,
        /// The pane that it is about.
        context: Context,
        /// Only lines with this text, while it is being typed or after.
        search: Input,
        /// Whether it is being typed.
        typing: bool,
    },
    /// What can be copied.
    Copy {
        /// Of what.
        title: Clean,
        /// The jobs that are meant.
        jobs: Vec<JobIx>,
        /// The choices.
        items: Vec<CopyItem>,
        /// The choice under the cursor.
        cursor: Cursor,
    },
    /// Failures by reason.
    Errors {
        /// The reasons, the most frequent first.
        reasons: Vec<Reason>,
        /// The reason under the cursor.
        cursor: Cursor,
    },
    /// Every action by name.
    Palette {
        /// What is typed.
        input: Input,
        /// The action under the cursor.
        cursor: Cursor,
    },
    /// What is wrong with the jobs file.
    File {
        /// The first line that is seen.
        top: usize,
    },
}

impl Overlay {
    /// Whether nothing stands over the panes.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// A choice of the copy menu.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyItem {
    /// Its key.
    pub key: char,
    /// What it is.
    pub name: &'static str,
    /// Its size or its beginning; empty if not known.
    pub detail: String,
    /// What is copied.
    pub what: What,
}

/// Failures that share a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The reason with its details as `#`.
    pub pattern: Clean,
    /// The kinds of services that gave it.
    pub providers: String,
    /// Whose it is.
    pub jobs: Vec<JobIx>,
    /// How many of their files, where it is a reason of files.
    pub files: usize,
}

/// The failures grouped over all services. Each failed file counts by its own reason, as far as it is known.
pub fn reasons(jobs: &Jobs) -> Vec<Reason> {
    let given = jobs.iter().filter(|(_, row)| row.is_problem()).flat_map(|(ix, row)| {
        let whole = row.errors.is_empty().then(|| (note::reason(&row.known).unwrap_or_default(), (ix, false)));
        let files = row.errors.iter().map(move |error| (error.as_str(), (ix, true)));
        whole.into_iter().chain(files)
    });
    let given = given.map(|(reason, whose)| (if reason.is_empty() { "no reason given" } else { reason }, whose));
    let mut reasons: Vec<Reason> = reason::groups(given)
        .into_iter()
        .map(|group| {
            let files = group.items.iter().filter(|(_, file)| *file).count();
            let mut owners: Vec<JobIx> = group.items.into_iter().map(|(ix, _)| ix).collect();
            owners.dedup();
            let mut providers: Vec<&str> = Vec::new();
            for row in owners.iter().filter_map(|ix| jobs.get(*ix)) {
                let provider = row.job.key.provider.as_str();
                if !providers.contains(&provider) {
                    providers.push(provider);
                }
            }
            Reason { pattern: group.pattern, providers: providers.join(" "), jobs: owners, files }
        })
        .collect();
    reasons.sort_by_key(|reason| Reverse((reason.jobs.len(), reason.files)));
    reasons
}

/// How many jobs have any of these reasons.
pub fn jobs_of(reasons: &[Reason]) -> usize {
    reasons.iter().flat_map(|reason| &reason.jobs).collect::<HashSet<_>>().len()
}

/// The reasons as a table of tab-separated values.
pub fn reasons_table(reasons: &[Reason]) -> String {
    let mut out = "jobs\tfiles\treason\tservices\n".to_owned();
    for reason in reasons {
        let Reason { pattern, providers, jobs, files } = reason;
        out.push_str(&format!("{}\t{files}\t{pattern}\t{providers}\n", jobs.len()));
    }
    out
}

/// The reasons as comma-separated values.
pub fn reasons_csv(reasons: &[Reason]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    // A spreadsheet takes a cell that begins like this for a formula.
    let tamed = |text: &str| if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    let mut out = "jobs,files,reason,services\n".to_owned();
    for reason in reasons {
        let (pattern, providers) = (quoted(&tamed(&reason.pattern)), quoted(&reason.providers));
        out.push_str(&format!("{},{},{pattern},{providers}\n", reason.jobs.len(), reason.files));
    }
    out
}

/// The help page: the keys of the pane first, then those of everywhere, then those of the other panes, then the
/// filter language; only lines with this text.
pub fn help(keymap: &Keymap, context: Context, search: &str) -> Vec<Line> {
    let rank = |other: Context| match other {
        other if other == context => 0,
        Context::Everywhere => 1,
        Context::List | Context::Detail | Context::Log => 2,
    };
    let mut contexts = [Context::Everywhere, Context::List, Context::Detail, Context::Log];
    contexts.sort_by_key(|other| rank(*other));
    let search = search.to_lowercase();
    let mut lines = Vec::new();
    for context in contexts {
        let rows: Vec<Line> = keys::table()
            .iter()
            .filter(|binding| binding.context == context)
            .map(|binding| Line::new(key_names(keymap, binding), format!("{}   ({})", binding.help, binding.name)))
            .filter(|line| has(line, &search))
            .collect();
        section(&mut lines, context.as_str(), rows);
    }
    let syntax = SYNTAX.iter().map(|(text, help)| Line::new(*text, *help)).filter(|line| has(line, &search));
    section(&mut lines, "filter language", syntax.collect());
    lines
}

/// The keys of a line of the table, as they are in force.
pub fn key_names(keymap: &Keymap, binding: &Binding) -> String {
    let keys: Vec<String> = keymap.keys(binding.action).iter().map(ToString::to_string).collect();
    keys.join(" ")
}

/// The lines of the table whose name or help fits what was typed, the best first.
pub fn palette(typed: &str) -> Vec<&'static Binding> {
    if typed.trim().is_empty() {
        return keys::table().iter().collect();
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let names: HashMap<&str, &Binding> = keys::table().iter().map(|binding| (binding.name, binding)).collect();
    let mut found: Vec<&Binding> = pattern
        .match_list(keys::table().iter().map(|binding| binding.name), &mut matcher)
        .into_iter()
        .filter_map(|(name, _)| names.get(name).copied())
        .collect();
    let helps = keys::table().iter().filter(|binding| binding.help.to_lowercase().contains(&typed.to_lowercase()));
    for binding in helps {
        if !found.contains(&binding) {
            found.push(binding);
        }
    }
    found
}

fn has(line: &Line, search: &str) -> bool {
    search.is_empty() || line.label.to_lowercase().contains(search) || line.text.to_lowercase().contains(search)
}

fn section(lines: &mut Vec<Line>, title: &str, rows: Vec<Line>) {
    if rows.is_empty() {
        return;
    }
    if !lines.is_empty() {
        lines.push(Line::heading(""));
    }
    lines.push(Line::heading(title));
    lines.extend(rows);
}
