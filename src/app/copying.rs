//! Copying and saving: which bytes of which jobs, decided here; how they get there is decided elsewhere.

use super::detail::shown_body;
use super::dialog::{CopyItem, Overlay};
use super::effect::{Effect, Subject, What};
use super::jobs::Row;
use super::scroll::Cursor;
use super::summary::{Circumstances, summary};
use super::{App, UTC};
use crate::domain::clean::Clean;
use crate::domain::job::JobIx;
use crate::domain::{human, note};

impl App {
    /// Copies something of these jobs.
    pub(super) fn copy(&mut self, what: What, jobs: &[JobIx]) -> Vec<Effect> {
        match what {
            What::Text(_) => vec![Effect::Copy { what, jobs: Vec::new() }],
            What::Curl | What::Report(_) => vec![Effect::Copy { what, jobs: self.subjects(jobs) }],
            What::Raw | What::Body | What::Output | What::SavedPath => {
                let saved = self.saved_subjects(jobs);
                if saved.is_empty() {
                    return self.say_nothing_is_saved("there is nothing to copy", jobs);
                }
                vec![Effect::Copy { what, jobs: saved }]
            }
        }
    }

    /// Saves the raw output of these jobs to files.
    pub(super) fn save(&mut self, jobs: &[JobIx]) -> Vec<Effect> {
        let saved = self.saved_subjects(jobs);
        if saved.is_empty() {
            return self.say_nothing_is_saved("there is nothing to write to a file", jobs);
        }
        vec![Effect::SaveFile { what: What::Raw, jobs: saved }]
    }

    /// Says what there is not, and why: a lost result will not come any more.
    pub(super) fn say_nothing_is_saved(&mut self, what: &str, jobs: &[JobIx]) -> Vec<Effect> {
        let rows: Vec<&Row> = jobs.iter().filter_map(|ix| self.jobs.get(*ix)).collect();
        let why = match rows.as_slice() {
            [] => "there is no job".to_owned(),
            [row] if row.known.state.is_terminal() => note::reason(&row.known).unwrap_or("it has no result").to_owned(),
            [_] => "the job is not over, and nothing of it is saved yet".to_owned(),
            [_, ..] => "none of these jobs has a saved result".to_owned(),
        };
        self.say_bad(format!("{what}: {why}"))
    }

    /// Copies the path of the value under the cursor.
    pub(super) fn copy_path(&mut self) -> Vec<Effect> {
        match self.tree_under_cursor().map(|tree| tree.path()) {
            Some(path) => self.copy(What::Text(path.into()), &[]),
            None => self.say_bad("there is no path here: open the tab Output, or a file"),
        }
    }

    /// Opens the copy menu for the marked jobs, else for the selected one.
    pub(super) fn open_copy_menu(&mut self) -> Vec<Effect> {
        let jobs = self.chosen();
        let title = match jobs.as_slice() {
            [] => return self.say_bad("there is no job to copy from"),
            [ix] => self.jobs.get(*ix).map(|row| Clean::new(row.job.title())).unwrap_or_default(),
            many => Clean::from(format!("{} jobs", many.len())),
        };
        let items = self.copy_items(&jobs);
        self.overlay = Overlay::Copy { title, jobs, items, cursor: Cursor::default() };
        Vec::new()
    }

    /// The sizes of the copy menu, once the body is here.
    pub(super) fn refresh_copy_menu(&mut self) {
        if let Overlay::Copy { jobs, .. } = &self.overlay {
            let fresh = self.copy_items(&jobs.clone());
            if let Overlay::Copy { items, .. } = &mut self.overlay {
                *items = fresh;
            }
        }
    }

    fn copy_items(&mut self, jobs: &[JobIx]) -> Vec<CopyItem> {
        let mut items = Vec::new();
        let mut add = |key, name, detail: String, what| items.push(CopyItem { key, name, detail, what });
        let content = match jobs {
            [ix] => self.detail.body(*ix).and_then(|body| body.content.ready().cloned()),
            _ => None,
        };
        let size = |bytes: usize| human::bytes(u64::try_from(bytes).unwrap_or(u64::MAX));
        let known = jobs.iter().filter_map(|ix| self.jobs.get(*ix)).map(|row| &row.known);
        let saved: Vec<u64> = known
            .filter(|known| shown_body(known).is_some())
            .filter_map(|known| Some(known.saved.as_ref().or(known.evidence.as_deref())?.bytes))
            .collect();
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
                    None => format!("{}, the whole reply", size(content.body.len())),
                },
                (None, [_]) => String::new(),
                (None, _) => format!("up to {whole}{of}"),
            };
            add('r', "raw output", raw, What::Raw);
            add('b', "raw response body", format!("{whole}{of}"), What::Body);
            let output = content.as_ref().map(|content| content.output.as_ref().map(bytes::Bytes::len));
            if output != Some(None) {
                let output = output.flatten().map(size).unwrap_or_default();
                add('o', "decoded output, pretty JSON", output, What::Output);
            }
        }
        let rows: Vec<&Row> = jobs.iter().filter_map(|ix| self.jobs.get(*ix)).collect();
        let reasons = lines(&rows, |row| note::reason(&row.known).map(str::to_owned));
        if !reasons.is_empty() {
            add('f', "fail reason", size(reasons.len()), What::Text(reasons.into()));
        }
        let ids = lines(&rows, |row| Some(row.job.key.id.clone()));
        let table = lines(&rows, |row| Some(self.as_tsv(row)));
        let report = self.report(&rows);
        if let ([_], Some(tree)) = (jobs, self.tree_under_cursor()) {
            let (value, path) = (tree.value(), tree.path());
            add('v', "value under cursor", size(value.len()), What::Text(value));
            add('p', "path under cursor", Clean::new(&path).to_string(), What::Text(path.into()));
        }
        let id = if jobs.len() == 1 { Clean::new(&ids).to_string() } else { format!("{} ids", jobs.len()) };
        add('i', "job id", id, What::Text(ids.into()));
        add('l', "line in list as TSV", size(table.len()), What::Text(table.into()));
        add('c', "curl for the status read", "key as a variable".to_owned(), What::Curl);
        if !saved.is_empty() {
            add('F', "path of the saved file", String::new(), What::SavedPath);
        }
        add('m', "all as a bug report", "Markdown, redacted".to_owned(), What::Report(report));
        items
    }

    fn as_tsv(&self, row: &Row) -> String {
        let known = &row.known;
        let note = note::note(known, &row.health, self.now.wall, self.zone());
        let fields = [
            known.state.to_string(),
            Clean::new(row.job.title()).to_string(),
            row.job.key.provider.to_string(),
            Clean::new(&row.job.service).to_string(),
            Clean::new(&row.job.key.id).to_string(),
            known.finished_at.map(|at| at.to_string()).unwrap_or_default(),
            note::took(known).map(human::duration).unwrap_or_default(),
            note.to_string(),
        ];
        fields.join("\t")
    }

    /// Everything about the jobs as Markdown. No token, no URL's query, no file of the user's is in it.
    fn report(&self, rows: &[&Row]) -> String {
        let mut out = String::new();
        for row in rows {
            out.push_str(&format!("### {}\n\n", Clean::new(&row.job.label())));
            for line in summary(row, Circumstances { zone: &UTC, ..self.around(row) }) {
                let label = if line.label.is_empty() { row.known.state.as_str().into() } else { line.label };
                out.push_str(&format!("- {label}: {}\n", line.text));
            }
            out.push('\n');
        }
        out
    }

    fn subjects(&self, jobs: &[JobIx]) -> Vec<Subject> {
        jobs.iter().filter_map(|ix| self.subject(*ix)).collect()
    }

    pub(super) fn saved_subjects(&self, jobs: &[JobIx]) -> Vec<Subject> {
        self.subjects(jobs).into_iter().filter(|subject| shown_body(&subject.known).is_some()).collect()
    }
}

/// One line a job, without a line break at the end.
fn lines(rows: &[&Row], text: impl Fn(&Row) -> Option<String>) -> String {
    let texts: Vec<String> = rows.iter().filter_map(|row| text(row)).collect();
    texts.join("\n")
}
