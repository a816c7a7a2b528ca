//! The state of the view as text, for the next start: what cannot be read then is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::detail::Tab;
use super::detail::tree::KeptTree;
use super::effect::{BodyPart, Effect};
use super::layout::{Class, Pane};
use super::list::folds::FoldBy;
use super::list::{ListFilter, SortBy};
use super::{App, TimeFormat};
use crate::domain::clean::Clean;
use crate::domain::filter::Filter;
use crate::domain::job::JobIx;
use crate::domain::observation::BodyId;

/// How many views are kept.
const KEPT: usize = 2000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptView {
    sort: String,
    reversed: bool,
    filter: String,
    problems: bool,
    folded: String,
    open: BTreeSet<String>,
    focus: String,
    zoom: bool,
    times: String,
    selected: Option<String>,
    splits: BTreeMap<String, u16>,
    beside: BTreeMap<String, bool>,
    tab: String,
    views: BTreeMap<String, KeptState>,
}

/// Scroll, folds and search of a job's detail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptState {
    summary: usize,
    history: usize,
    file: usize,
    cut: bool,
    search: String,
    raw: Option<(BodyId, usize, bool)>,
    output: Option<(BodyId, KeptTree)>,
    files: BTreeMap<usize, (BodyId, KeptTree)>,
}

/// What waits for its job to be declared, by the job's label.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    selected: Option<String>,
    views: HashMap<String, KeptState>,
}

impl App {
    /// As `DashboardOptions::view` takes it.
    pub(super) fn view_text(&mut self) -> String {
        self.detail.remember();
        let (sort, reversed) = self.list.sort();
        let wanted = self.list.wanted();
        let views = self.detail.views().filter_map(|(ix, view)| {
            let kept = KeptState {
                summary: view.summary,
                history: view.history,
                file: view.files.at,
                cut: view.cut,
                search: view.search.clone(),
                raw: view.raw,
                output: view.trees.get(&BodyPart::Output).cloned(),
                files: view.trees.iter().filter_map(|(part, tree)| Some((file(*part)?, tree.clone()))).collect(),
            };
            (kept != KeptState::default()).then_some((self.jobs.get(ix)?.job.label(), kept))
        });
        let kept = KeptView {
            sort: sort.word(self.list.columns()),
            reversed,
            filter: wanted.filter.source().to_owned(),
            problems: wanted.problems,
            folded: self.list.folds().by().as_str().to_owned(),
            open: self.list.folds().opened().iter().cloned().collect(),
            focus: name(&PANES, self.focus),
            zoom: self.zoom,
            times: name(&TIMES, self.times),
            selected: self.selected().map(|(_, row)| row.job.label()),
            tab: self.detail.returns_to.unwrap_or(self.detail.tab).as_str().to_owned(),
            beside: self.beside.iter().map(|(class, beside)| (name(&CLASSES, *class), *beside)).collect(),
            splits: self.splits.iter().map(|(class, split)| (name(&CLASSES, *class), *split)).collect(),
            views: views.take(KEPT).collect(),
        };
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// Takes back what an earlier start kept.
    pub(super) fn restore(&mut self, view: &str) {
        let Ok(kept) = serde_json::from_str::<KeptView>(view) else { return };
        let sort = {
            let columns = self.list.columns();
            SortBy::all(columns).into_iter().find(|sort| sort.word(columns) == kept.sort)
        };
        self.list.set_sort(sort.unwrap_or_default(), kept.reversed);
        let filter = Filter::parse_with(&kept.filter, &self.list.field_names()).unwrap_or_default();
        self.list.want(ListFilter { filter, problems: kept.problems, group: None });
        let by = FoldBy::ALL.into_iter().find(|by| by.as_str() == kept.folded).unwrap_or_default();
        self.list.set_folds(by, kept.open.into_iter().collect());
        self.focus = named(&PANES, &kept.focus).unwrap_or(self.focus);
        self.zoom = kept.zoom;
        self.times = named(&TIMES, &kept.times).unwrap_or_default();
        let splits = kept.splits.iter().filter_map(|(class, split)| Some((named(&CLASSES, class)?, *split)));
        self.splits = splits.collect();
        let beside = kept.beside.iter().filter_map(|(class, beside)| Some((named(&CLASSES, class)?, *beside)));
        self.beside = beside.collect();
        self.detail.tab = Tab::ALL.into_iter().find(|tab| tab.as_str() == kept.tab).unwrap_or_default();
        let _ = self.say_restored();
        self.waiting = Waiting { selected: kept.selected, views: kept.views.into_iter().collect() };
    }

    /// Says what is as it was left and hides jobs, or orders them otherwise.
    fn say_restored(&mut self) -> Vec<Effect> {
        let (wanted, (sort, reversed)) = (self.list.wanted(), self.list.sort());
        let filter = (!wanted.filter.is_empty()).then(|| format!("filter {}", Clean::new(wanted.filter.source())));
        let problems = wanted.problems.then(|| "problems only".to_owned());
        let narrow = wanted.is_narrow();
        let by = self.list.folds().by();
        let folded = (by != FoldBy::Nothing).then(|| format!("folded by {}", by.as_str()));
        let sorted = (sort != SortBy::default() || reversed).then(|| {
            let reversed = if reversed { ", reversed" } else { "" };
            format!("{}{reversed}", sort.title(self.list.columns()))
        });
        let zoomed = self.zoom.then(|| format!("one pane alone{}", self.keymap.hint(Action::Zoom, "shows all")));
        let parts: Vec<String> = [filter, problems, folded, sorted, zoomed].into_iter().flatten().collect();
        if parts.is_empty() {
            return Vec::new();
        }
        let all = if narrow { self.keymap.hint(Action::Back, "lists all jobs") } else { String::new() };
        self.say(format!("as you left it: {}{all}", parts.join(", ")))
    }

    /// A job is there that the reader may have been in before.
    pub(super) fn restore_place(&mut self, ix: JobIx) {
        if self.waiting.selected.is_none() && self.waiting.views.is_empty() {
            return;
        }
        let Some(label) = self.jobs.get(ix).map(|row| row.job.label()) else { return };
        if self.waiting.selected.as_ref() == Some(&label) {
            self.waiting.selected = None;
            if !self.list.is_held() {
                self.list.prefer(Some(ix));
            }
        }
        if let Some(kept) = self.waiting.views.remove(&label) {
            let view = self.detail.view_mut(ix);
            (view.summary, view.history, view.files.at) = (kept.summary, kept.history, kept.file);
            (view.cut, view.search, view.raw) = (kept.cut, kept.search, kept.raw);
            let files = kept.files.into_iter().map(|(n, tree)| (BodyPart::File(n), tree));
            view.trees = kept.output.map(|tree| (BodyPart::Output, tree)).into_iter().chain(files).collect();
        }
    }
}

fn file(part: BodyPart) -> Option<usize> {
    match part {
        BodyPart::Output => None,
        BodyPart::File(n) => Some(n),
    }
}

const PANES: [(&str, Pane); 3] = [("list", Pane::List), ("detail", Pane::Detail), ("log", Pane::Log)];
const TIMES: [(&str, TimeFormat); 3] =
    [("relative", TimeFormat::Relative), ("local", TimeFormat::Local), ("utc", TimeFormat::Utc)];
const CLASSES: [(&str, Class); 5] = [
    ("tiny", Class::Tiny),
    ("single", Class::Single),
    ("stacked", Class::Stacked),
    ("side", Class::Side),
    ("wide", Class::Wide),
];

fn name<T: PartialEq>(table: &[(&str, T)], value: T) -> String {
    table.iter().find(|(_, other)| *other == value).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
}
