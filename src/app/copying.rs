//! Copying and saving: which bytes of which jobs, decided here; how they get there is decided elsewhere.

use std::collections::{HashMap, HashSet};

use super::action::Action;
use super::detail::Loaded;
use super::detail::moving::{file_title, result_of};
use super::detail::summary::{TextContext, history, report};
use super::effect::{CopyName, Effect, JobSnapshot, TAKES, What};
use super::list::jobs::Row;
use super::overlay::copy_menu::{CopyItem, CopyMenu};
use super::{App, UTC};
use crate::domain::clean::Clean;
use crate::domain::job::JobIx;
use crate::domain::{human, note};

/// A bug report that is being put together.
#[derive(Debug, Default)]
pub(super) struct Reporting {
    jobs: Vec<JobIx>,
    /// Whose past has not come yet.
    awaited: HashSet<JobIx>,
}

impl App {
    /// Copies something of these jobs.
    pub(super) fn copy(&mut self, what: What, jobs: &[JobIx]) -> Vec<Effect> {
        let of = self.named(&what, jobs);
        match what {
            What::Text(_) => vec![Effect::Copy { what, jobs: Vec::new(), of }],
            What::Curl => vec![Effect::Copy { what, jobs: self.subjects(jobs), of }],
            What::Report(_) => {
                self.reporting = Reporting { jobs: jobs.to_vec(), awaited: jobs.iter().copied().collect() };
                jobs.iter().copied().map(Effect::LoadHistory).collect()
            }
            What::Raw | What::Body | What::Output | What::SavedPath => {
                let saved = self.saved_subjects(jobs);
                if saved.is_empty() {
                    return self.say_nothing_is_saved("nothing to copy", jobs);
                }
                vec![Effect::Copy { what, jobs: saved, of }]
            }
        }
    }

    /// What a copy is called when it is done: whose it is, and what of it.
    fn named(&self, what: &What, jobs: &[JobIx]) -> CopyName {
        let whose = match jobs {
            [] => return CopyName::default(),
            [ix] => self.jobs.get(*ix).map(|row| row.title.to_string()).unwrap_or_default(),
            many => format!("{} jobs", many.len()),
        };
        // Only the copy itself knows whether a response has a separate output: see `Copied`.
        let part = match what {
            What::Raw => "raw output",
            What::Body => "response body",
            What::Output => "decoded output",
            What::Curl => "curl command",
            What::SavedPath => "path",
            What::Report(_) => "bug report",
            What::Text(_) => "text",
        };
        CopyName::new(whose, part)
    }

    /// `y`: the result of the file under the cursor, else the job's raw output.
    pub(super) fn copy_raw(&mut self, ix: JobIx) -> Vec<Effect> {
        if let Some((_, file, content)) = self.file_under_cursor(ix) {
            let of = CopyName::new(file_title(&file), "result");
            return vec![Effect::Copy { what: What::Text(result_of(&file, &content)), jobs: Vec::new(), of }];
        }
        let mut effects = self.copy(What::Raw, &[ix]);
        let Some(known) = self.jobs.get(ix).map(|row| &row.known) else { return effects };
        if let Some(Effect::Copy { of, .. }) = effects.first_mut() {
            // What is kept of a lost job is no result.
            if known.saved.is_none() {
                of.part = "no result, response kept";
            }
        }
        effects
    }

    /// A job's past came, or will not come any more: a report that waits for nothing else is copied.
    pub(super) fn go_on_reporting(&mut self, ix: JobIx) -> Vec<Effect> {
        if !self.reporting.awaited.remove(&ix) || !self.reporting.awaited.is_empty() {
            return Vec::new();
        }
        let jobs = std::mem::take(&mut self.reporting.jobs);
        let jobs = self.subjects(&jobs);
        if jobs.is_empty() {
            return self.say_nothing_is_saved("nothing to report", &[]);
        }
        let reports = jobs.iter().filter_map(|subject| Some((subject.ix, self.report(subject.ix)?))).collect();
        let reported = jobs.len();
        vec![Effect::Copy {
            what: What::Report(reports),
            jobs,
            of: CopyName::new(human::counted(reported, "job"), "bug report"),
        }]
    }

    /// `s`: the result of the file under the cursor, else of the marked jobs or the selected one.
    pub(super) fn save_chosen(&mut self) -> Vec<Effect> {
        let under_cursor = self.list.selected().and_then(|ix| self.file_under_cursor(ix));
        match under_cursor.filter(|_| self.jobs.marked() == 0) {
            Some((_, file, content)) => {
                vec![Effect::SaveText { name: file.name.clone(), ending: "json", text: result_of(&file, &content) }]
            }
            None => self.save(&self.chosen()),
        }
    }

    /// `v`: the result of the file under the cursor, else the job's decoded output, else its raw output.
    pub(super) fn open_pager(&mut self) -> Vec<Effect> {
        let selected: Vec<JobIx> = self.list.selected().into_iter().collect();
        let Some(job) = self.saved_subjects(&selected).pop() else {
            return self.say_nothing_is_saved("nothing to show", &selected);
        };
        if let Some((_, file, content)) = self.file_under_cursor(job.ix) {
            return vec![Effect::OpenPager { what: What::Text(result_of(&file, &content)), job }];
        }
        vec![Effect::OpenPager { what: What::Output, job }]
    }

    /// Saves the raw output of these jobs to files.
    pub(super) fn save(&mut self, jobs: &[JobIx]) -> Vec<Effect> {
        let saved = self.saved_subjects(jobs);
        if saved.is_empty() {
            return self.say_nothing_is_saved("nothing to save", jobs);
        }
        vec![Effect::SaveFile { what: What::Raw, jobs: saved }]
    }

    /// Says what there is not, and why: a lost result will not come any more.
    pub(super) fn say_nothing_is_saved(&mut self, what: &str, jobs: &[JobIx]) -> Vec<Effect> {
        let rows: Vec<&Row> = jobs.iter().filter_map(|ix| self.jobs.get(*ix)).collect();
        let why = match rows.as_slice() {
            [] => "there is no job".to_owned(),
            [row] if row.known.state.is_terminal() => note::reason(&row.known).unwrap_or("it has no result").to_owned(),
            [_] => "the job is not finished, nothing is saved yet".to_owned(),
            [_, ..] => "none of these jobs has a saved result".to_owned(),
        };
        self.say_bad(format!("{what}: {why}"))
    }

    /// Copies the path of the value under the cursor.
    pub(super) fn copy_path(&mut self) -> Vec<Effect> {
        match self.with_view(|view, _| view.under_cursor()).flatten().map(|under| under.path) {
            Some(path) => self.copy(What::Text(path.into()), &[]),
            None => self.say_bad("no path here: open Output or Files"),
        }
    }

    /// Opens the copy menu for the marked jobs, else for the selected one.
    pub(super) fn open_copy_menu(&mut self) -> Vec<Effect> {
        let jobs = self.chosen();
        let title = match jobs.as_slice() {
            [] => return self.say_bad("there is no job to copy from"),
            [ix] => match self.file_under_cursor(*ix) {
                Some((_, file, _)) => file_title(&file),
                None => self.jobs.get(*ix).map(|row| row.title.clone()).unwrap_or_default(),
            },
            many => Clean::from(format!("{} jobs", many.len())),
        };
        let items = self.copy_items(&jobs);
        self.copying = jobs.clone();
        self.show(CopyMenu::new(title, jobs, items));
        Vec::new()
    }

    /// The sizes of the copy menu, once the body is here.
    pub(super) fn refresh_copy_menu(&mut self) {
        if self.overlay.as_deref().is_some_and(|overlay| overlay.opener() == Action::CopyMenu) {
            let jobs = std::mem::take(&mut self.copying);
            let title = match jobs.as_slice() {
                [ix] => self.jobs.get(*ix).map(|row| row.title.clone()).unwrap_or_default(),
                many => Clean::from(format!("{} jobs", many.len())),
            };
            let items = self.copy_items(&jobs);
            self.copying.clone_from(&jobs);
            self.show(CopyMenu::new(title, jobs, items));
        }
    }

    fn copy_items(&mut self, jobs: &[JobIx]) -> Vec<CopyItem> {
        let mut items = Vec::new();
        let mut add = |key, name, detail: String, what| items.push(CopyItem { key, name, detail, warning: "", what });
        let file = match jobs {
            [ix] => self.file_under_cursor(*ix),
            _ => None,
        };
        let content = match jobs {
            [ix] => self.detail.body(*ix).and_then(|body| body.content.ready().cloned()),
            _ => None,
        };
        let size = |bytes: usize| human::bytes(u64::try_from(bytes).unwrap_or(u64::MAX));
        let known = jobs.iter().filter_map(|ix| self.jobs.get(*ix)).map(|row| &row.known);
        let saved: Vec<u64> = known.filter_map(|known| Some(known.kept_body()?.bytes)).collect();
        if let Some((_, file, content)) = &file {
            let result = result_of(file, content);
            add('r', "result of this file", size(result.len()), What::Text(result));
            if let Some(error) = &file.error {
                add('f', "error of this file", size(error.len()), What::Text(error.clone().into()));
            }
            add('n', "name of this file", file_title(file).to_string(), What::Text(file.name.clone().into()));
        }
        let file = file.is_some();
        if !saved.is_empty() {
            let whole = human::bytes(saved.iter().sum());
            // Of several jobs the bodies are not looked into for this.
            let of = match jobs {
                [_] => String::new(),
                all => format!(", {} of {} jobs", saved.len(), all.len()),
            };
            let raw = match (&content, jobs) {
                (Some(content), _) => match &content.raw {
                    Some(raw) => size(raw.len()),
                    None => format!("{}, full response (no output)", size(content.body.len())),
                },
                (None, [_]) => String::new(),
                (None, _) => format!("up to {whole}{of}"),
            };
            add(
                if file { 'R' } else { 'r' },
                if file { "raw output of the job" } else { "raw output" },
                raw,
                What::Raw,
            );
            add('b', "response body", format!("{whole}{of}"), What::Body);
            let output = content.as_ref().map(|content| content.output.as_ref().map(bytes::Bytes::len));
            if output != Some(None) {
                let output = output.flatten().map(size).unwrap_or_default();
                add('o', "decoded output, pretty JSON", output, What::Output);
            }
        }
        let rows: Vec<&Row> = jobs.iter().filter_map(|ix| self.jobs.get(*ix)).collect();
        let reasons = lines(&rows, |row| note::reason(&row.known).map(str::to_owned));
        if !reasons.is_empty() {
            add(if file { 'e' } else { 'f' }, "failure reason", size(reasons.len()), What::Text(reasons.into()));
        }
        let ids = lines(&rows, |row| Some(row.job.key.id.clone()));
        let mut table = lines(&rows, |row| Some(self.as_tsv(row)));
        if rows.len() > 1 {
            table.insert_str(0, "state\tname\tprovider\tservice\tid\tfinished\ttook\tnote\n");
        }
        let under_cursor = self.with_view(|view, _| view.under_cursor()).flatten();
        if let ([_], Some(under)) = (jobs, under_cursor.filter(|_| !file)) {
            add('v', "value under the cursor", size(under.value.len()), What::Text(under.value));
            add('p', "path under the cursor", Clean::new(&under.path).to_string(), What::Text(under.path.into()));
        }
        let id = if jobs.len() == 1 { Clean::new(&ids).to_string() } else { format!("{} ids", jobs.len()) };
        add('i', "job id", id, What::Text(ids.into()));
        add('l', "row as TSV", size(table.len()), What::Text(table.into()));
        add('c', "curl command", "token as $VAR".to_owned(), What::Curl);
        if !saved.is_empty() {
            add('F', "path of the saved file", String::new(), What::SavedPath);
        }
        add('m', "bug report", "Markdown, redacted".to_owned(), What::Report(HashMap::new()));
        if self.subjects(jobs).iter().any(JobSnapshot::may_take_the_result)
            && let Some(curl) = items.iter_mut().find(|item| item.what == What::Curl)
        {
            curl.warning = TAKES;
        }
        items
    }

    fn as_tsv(&self, row: &Row) -> String {
        let known = &row.known;
        let note = note::note(known, &row.health, self.now.wall, self.zone());
        let fields = [
            known.state.to_string(),
            row.title.to_string(),
            row.job.key.provider.to_string(),
            Clean::new(&row.job.service).to_string(),
            Clean::new(&row.job.key.id).to_string(),
            known.finished_at.map(human::stamp).unwrap_or_default(),
            note::took(known).map(human::duration).unwrap_or_default(),
            note.to_string(),
        ];
        fields.join("\t")
    }

    /// Everything about a job as Markdown. No token, no URL's query, no file of the user's is in it.
    fn report(&self, ix: JobIx) -> Option<String> {
        let row = self.jobs.get(ix)?;
        let context = TextContext { zone: &UTC, for_report: true, ..self.text_context() };
        let mut out = format!("### {}\n\n", Clean::new(&row.job.label()));
        for entry in report(row, context) {
            out.push_str(&format!("- {}: {}\n", entry.label, entry.text));
        }
        let past = self.detail.past(ix).map(|past| &past.history);
        if let Some(Loaded::Ready(past)) = past {
            out.push('\n');
            for line in history(past, context) {
                out.push_str(&format!("{}\n", line.text().trim()));
            }
        }
        Some(out)
    }

    pub(super) fn subjects(&self, jobs: &[JobIx]) -> Vec<JobSnapshot> {
        jobs.iter().filter_map(|ix| self.subject(*ix)).collect()
    }

    pub(super) fn saved_subjects(&self, jobs: &[JobIx]) -> Vec<JobSnapshot> {
        self.subjects(jobs).into_iter().filter(|subject| subject.known.kept_body().is_some()).collect()
    }
}

/// One line a job, without a line break at the end.
fn lines(rows: &[&Row], text: impl Fn(&Row) -> Option<String>) -> String {
    let texts: Vec<String> = rows.iter().filter_map(|row| text(row)).collect();
    texts.join("\n")
}
