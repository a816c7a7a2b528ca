//! The state of the view as text, for the next start: what cannot be read then is left out.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::detail::{Place, Tab};
use super::effect::Part;
use super::layout::{Class, Pane};
use super::list::{SortBy, Wanted};
use super::tree::KeptTree;
use super::{App, Times};
use crate::domain::filter::Filter;
use crate::domain::job::JobIx;

/// How many jobs' places are kept.
const KEPT: usize = 2000;

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    sort: String,
    reversed: bool,
    filter: String,
    problems: bool,
    focus: String,
    zoom: bool,
    times: String,
    selected: Option<String>,
    splits: BTreeMap<String, u16>,
    places: BTreeMap<String, KeptPlace>,
}

/// Where the reader stood in a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptPlace {
    tab: String,
    summary: usize,
    attempts: usize,
    file: usize,
    cut: bool,
    search: String,
    raw: Option<(i64, usize, bool)>,
    output: Option<(i64, KeptTree)>,
    files: BTreeMap<usize, (i64, KeptTree)>,
}

/// What waits for its job to be declared, by the job's label.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    selected: Option<String>,
    places: HashMap<String, KeptPlace>,
}

impl App {
    /// As `Options::view` takes it.
    pub(super) fn view_text(&mut self) -> String {
        self.detail.remember();
        let (sort, reversed) = self.list.sort();
        let wanted = self.list.wanted();
        let places = self.detail.places().filter_map(|(ix, place)| {
            let kept = KeptPlace {
                tab: place.tab.as_str().to_owned(),
                summary: place.summary,
                attempts: place.attempts,
                file: place.files.at,
                cut: place.cut,
                search: place.search.clone(),
                raw: place.raw,
                output: place.trees.get(&Part::Output).cloned(),
                files: place.trees.iter().filter_map(|(part, tree)| Some((file(*part)?, tree.clone()))).collect(),
            };
            (kept != KeptPlace::of(&Place::default())).then_some((self.jobs.get(ix)?.job.label(), kept))
        });
        let kept = Kept {
            sort: sort.as_str().to_owned(),
            reversed,
            filter: wanted.filter.source().to_owned(),
            problems: wanted.problems,
            focus: name(&PANES, self.focus),
            zoom: self.zoom,
            times: name(&TIMES, self.times),
            selected: self.selected().map(|(_, row)| row.job.label()),
            splits: self.splits.iter().map(|(class, split)| (name(&CLASSES, *class), *split)).collect(),
            places: places.take(KEPT).collect(),
        };
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// Takes back what an earlier start kept.
    pub(super) fn restore(&mut self, view: &str) {
        let Ok(kept) = serde_json::from_str::<Kept>(view) else { return };
        let sort = SortBy::ALL.into_iter().find(|sort| sort.as_str() == kept.sort);
        self.list.set_sort(sort.unwrap_or_default(), kept.reversed);
        let filter = Filter::parse(&kept.filter).unwrap_or_default();
        self.list.want(Wanted { filter, problems: kept.problems, group: None });
        self.focus = named(&PANES, &kept.focus).unwrap_or(self.focus);
        self.zoom = kept.zoom;
        self.times = named(&TIMES, &kept.times).unwrap_or_default();
        let splits = kept.splits.iter().filter_map(|(class, split)| Some((named(&CLASSES, class)?, *split)));
        self.splits = splits.collect();
        self.waiting = Waiting { selected: kept.selected, places: kept.places.into_iter().collect() };
    }

    /// A job is there that the reader may have been in before.
    pub(super) fn restore_place(&mut self, ix: JobIx) {
        if self.waiting.selected.is_none() && self.waiting.places.is_empty() {
            return;
        }
        let Some(label) = self.jobs.get(ix).map(|row| row.job.label()) else { return };
        if self.waiting.selected.as_ref() == Some(&label) {
            self.waiting.selected = None;
            if !self.list.is_held() {
                self.list.prefer(Some(ix));
            }
        }
        if let Some(kept) = self.waiting.places.remove(&label) {
            let place = self.detail.place_mut(ix);
            place.tab = Tab::ALL.into_iter().find(|tab| tab.as_str() == kept.tab).unwrap_or_default();
            (place.summary, place.attempts, place.files.at) = (kept.summary, kept.attempts, kept.file);
            (place.cut, place.search, place.raw) = (kept.cut, kept.search, kept.raw);
            let files = kept.files.into_iter().map(|(n, tree)| (Part::File(n), tree));
            place.trees = kept.output.map(|tree| (Part::Output, tree)).into_iter().chain(files).collect();
        }
    }
}

impl KeptPlace {
    fn of(place: &Place) -> Self {
        Self { tab: place.tab.as_str().to_owned(), ..Self::default() }
    }
}

fn file(part: Part) -> Option<usize> {
    match part {
        Part::Output => None,
        Part::File(n) => Some(n),
    }
}

const PANES: [(&str, Pane); 3] = [("list", Pane::List), ("detail", Pane::Detail), ("log", Pane::Log)];
const TIMES: [(&str, Times); 3] = [("relative", Times::Relative), ("local", Times::Local), ("utc", Times::Utc)];
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
