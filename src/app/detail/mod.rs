//! The detail: which tab is open, where its window is in each job, and what of the jobs was loaded.
//!
//! The tab stays from job to job; scroll, folds and search are kept per job, so that going to another and back changes
//! nothing.

mod batch;
pub(in crate::app) mod moving;
pub mod raw;
pub mod regions;
pub mod summary;
pub mod tab;
pub mod tree;
mod tree_row;
pub mod view;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::app::effect::BodyPart;
use crate::app::event::Content;
use crate::app::scroll::RowCursor;
use crate::domain::clean::Clean;
use crate::domain::files::FileResult;
use crate::domain::job::JobIx;
use crate::domain::observation::BodyId;
use crate::json::index::Document;
pub use batch::Figures;
use raw::RawView;
use summary::History;
pub use tab::{Tab, TabContent};
use tree::{DecodedString, KeptTree, TreeView};

/// Something that is loaded elsewhere.
#[derive(Debug, Clone, Default)]
pub enum Loaded<T> {
    /// Not asked for.
    #[default]
    No,
    /// On its way.
    Asked,
    Ready(T),
    /// Not available, and why.
    Failed(Clean),
}

impl<T> Loaded<T> {
    pub fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(it) => Some(it),
            Self::No | Self::Asked | Self::Failed(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn ready_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Ready(it) => Some(it),
            Self::No | Self::Asked | Self::Failed(_) => None,
        }
    }
}

/// Scroll, folds and search of a job's detail.
#[derive(Debug, Clone, Default)]
pub struct ViewState {
    /// First line of the Summary that is seen.
    pub summary: usize,
    /// First line of the History that is seen.
    pub history: usize,
    /// First line of the batch that is seen.
    pub batch: usize,
    /// The cursor in the table of files.
    pub files: RowCursor,
    /// The file whose tree is open, by its number in the body.
    pub file: Option<usize>,
    /// Whether texts are cut at the right edge instead of being wrapped.
    pub cut: bool,
    pub search: String,
    /// What is kept of the raw tab: of which body, the first byte that is seen, and whether lines are wrapped.
    pub raw: Option<(BodyId, usize, bool)>,
    /// What is kept of the trees: of which body, and which part of it.
    pub trees: HashMap<BodyPart, (BodyId, KeptTree)>,
}

impl ViewState {
    /// The first line that is seen of a tab of text; of any other that of the Summary.
    pub fn top(&mut self, tab: Tab) -> &mut usize {
        match tab {
            Tab::Batch => &mut self.batch,
            Tab::History => &mut self.history,
            Tab::Summary | Tab::Output | Tab::Raw | Tab::Files => &mut self.summary,
        }
    }
}

/// What was loaded of a job's body.
#[derive(Debug, Clone)]
pub struct LoadedBody {
    /// The store's number of it.
    pub body: BodyId,
    /// It, and what is in it.
    pub content: Loaded<Arc<Content>>,
    pub raw: Option<RawView>,
    /// The tree of the decoded output.
    pub output: Loaded<TreeView>,
    /// The trees of single files, by their number in the body.
    pub files: HashMap<usize, Loaded<TreeView>>,
    /// The files in the order of the table: failed first.
    pub order: Vec<usize>,
}

/// What was loaded of a job's past.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Its reads and changes.
    pub history: Loaded<History>,
    /// Whether more has happened since it was asked for.
    pub outdated: bool,
}

/// How many bodies are kept in memory at most.
const KEPT: usize = 8;
/// How many bytes of bodies are kept in memory, unless a single one is longer.
const KEPT_BYTES: usize = 64 << 20;

#[derive(Debug, Default)]
pub struct Detail {
    /// The open tab, of whatever job is selected.
    pub tab: Tab,
    /// The tab that comes back when another job is selected: the batch was shown in its place.
    pub returns_to: Option<Tab>,
    views: HashMap<JobIx, ViewState>,
    /// Latest used last.
    bodies: Vec<(JobIx, LoadedBody)>,
    pasts: HashMap<JobIx, Past>,
}

impl Detail {
    /// Opens the tab to the right, or to the left.
    pub fn turn(&mut self, right: bool) {
        (self.tab, self.returns_to) = (self.tab.step(right), None);
    }

    /// Scroll, folds and search of a job.
    pub fn view(&self, ix: JobIx) -> ViewState {
        self.views.get(&ix).cloned().unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn view_mut(&mut self, ix: JobIx) -> &mut ViewState {
        self.views.entry(ix).or_default()
    }

    /// Every job whose detail was moved in.
    pub fn views(&self) -> impl Iterator<Item = (JobIx, &ViewState)> {
        self.views.iter().map(|(ix, view)| (*ix, view))
    }

    /// What was loaded of a job's body.
    pub fn body(&self, ix: JobIx) -> Option<&LoadedBody> {
        self.bodies.iter().find(|(other, _)| *other == ix).map(|(_, body)| body)
    }

    /// The same, to be changed.
    pub fn body_mut(&mut self, ix: JobIx) -> Option<&mut LoadedBody> {
        self.bodies.iter_mut().find(|(other, _)| *other == ix).map(|(_, body)| body)
    }

    /// What was loaded of a job's past.
    pub fn past(&self, ix: JobIx) -> Option<&Past> {
        self.pasts.get(&ix)
    }

    /// A job's body is wanted: whether it has to be loaded.
    pub fn want_body(&mut self, ix: JobIx, body: BodyId) -> bool {
        if let Some(at) = self.bodies.iter().position(|(other, _)| *other == ix) {
            let entry = self.bodies.remove(at);
            let same = entry.1.body == body;
            if same {
                self.bodies.push(entry);
                return false;
            }
        }
        let fresh = LoadedBody {
            body,
            content: Loaded::Asked,
            raw: None,
            output: Loaded::No,
            files: HashMap::new(),
            order: Vec::new(),
        };
        self.bodies.push((ix, fresh));
        self.forget_bodies();
        true
    }

    /// A body came. False if nobody waits for it any more.
    pub fn take_body(&mut self, ix: JobIx, body: BodyId, result: Result<Arc<Content>, Clean>) -> bool {
        let Some(entry) = self.body_mut(ix).filter(|entry| entry.body == body) else { return false };
        match result {
            Ok(content) => {
                entry.order = failed_first(&content.files);
                let mut raw = RawView::new(content.raw.clone().unwrap_or_else(|| content.body.clone()));
                entry.content = Loaded::Ready(content);
                if let Some((_, top, wrap)) = self.view(ix).raw.filter(|(of, ..)| *of == body) {
                    raw.take_up((top, wrap));
                }
                if let Some(entry) = self.body_mut(ix) {
                    entry.raw = Some(raw);
                }
            }
            Err(why) => entry.content = Loaded::Failed(why),
        }
        self.forget_bodies();
        true
    }

    /// A tree is wanted: the text that has to be indexed, if it has to be.
    pub fn want_tree(&mut self, ix: JobIx, part: BodyPart) -> Option<(BodyId, Bytes)> {
        let entry = self.body_mut(ix)?;
        let content = entry.content.ready()?.clone();
        let (slot, text) = match part {
            BodyPart::Output => (&mut entry.output, content.tree().cloned()),
            BodyPart::File(n) => {
                let range = content.files.get(n)?.range.clone();
                let whole = range.start <= range.end && range.end <= content.body.len();
                (entry.files.entry(n).or_default(), whole.then(|| content.body.slice(range)))
            }
        };
        if !matches!(slot, Loaded::No) {
            return None;
        }
        let fault = || content.fault.clone().unwrap_or_else(|| "it cannot be found in this reply".into());
        *slot = if text.is_some() { Loaded::Asked } else { Loaded::Failed(fault()) };
        text.map(|text| (entry.body, text))
    }

    /// The reader turned to this job: an index that is being built for another one will not come.
    pub fn give_up_other_trees(&mut self, ix: JobIx) {
        for (_, body) in self.bodies.iter_mut().filter(|(other, _)| *other != ix) {
            let trees = std::iter::once(&mut body.output).chain(body.files.values_mut());
            for tree in trees.filter(|tree| matches!(tree, Loaded::Asked)) {
                *tree = Loaded::No;
            }
        }
    }

    /// A tree came. False if nobody waits for it any more.
    pub fn take_tree(&mut self, ix: JobIx, body: BodyId, part: BodyPart, tree: Result<Arc<Document>, Clean>) -> bool {
        let kept = self.views.get(&ix).and_then(|view| view.trees.get(&part)).filter(|(of, _)| *of == body);
        let kept = kept.map(|(_, kept)| kept.clone());
        let Some(entry) = self.body_mut(ix).filter(|entry| entry.body == body) else { return false };
        let output = entry.content.ready().map(|content| content.output_path.clone()).unwrap_or_default();
        let (slot, prefix) = match part {
            BodyPart::Output => (&mut entry.output, output),
            BodyPart::File(n) => (entry.files.entry(n).or_default(), format!(".message[{n}]")),
        };
        *slot = match tree {
            Ok(document) => {
                let mut tree = TreeView::new(document, &prefix);
                if let Some(kept) = kept {
                    tree.take_up(&kept);
                }
                Loaded::Ready(tree)
            }
            Err(why) => Loaded::Failed(why),
        };
        true
    }

    /// A long string was decoded. False if its tree is not here any more.
    pub fn take_decoded(&mut self, ix: JobIx, body: BodyId, part: BodyPart, decoded: DecodedString) -> bool {
        let entry = self.body_mut(ix).filter(|entry| entry.body == body);
        let tree = entry.and_then(|entry| match part {
            BodyPart::Output => entry.output.ready_mut(),
            BodyPart::File(n) => entry.files.get_mut(&n)?.ready_mut(),
        });
        let Some(tree) = tree else { return false };
        tree.attach(decoded);
        true
    }

    /// Keeps scroll and folds of what is loaded, so that it can be dropped.
    pub fn remember(&mut self) {
        let Self { views, bodies, .. } = self;
        for (ix, body) in bodies.iter() {
            remember(views, *ix, body);
        }
    }

    /// A job's past is wanted: whether it has to be asked for.
    pub fn want_past(&mut self, ix: JobIx) -> bool {
        let past = self.pasts.entry(ix).or_default();
        let wanted = match past.history {
            Loaded::No => true,
            Loaded::Asked => false,
            Loaded::Ready(_) | Loaded::Failed(_) => past.outdated,
        };
        if matches!(past.history, Loaded::No) {
            past.history = Loaded::Asked;
        }
        past.outdated &= !wanted;
        wanted
    }

    /// A job's past came.
    pub fn take_past(&mut self, ix: JobIx, history: History) {
        self.pasts.entry(ix).or_default().history = Loaded::Ready(history);
    }

    /// Something has happened to a job.
    pub fn outdate_past(&mut self, ix: JobIx) {
        if let Some(past) = self.pasts.get_mut(&ix) {
            past.outdated = true;
        }
    }

    /// A job is off the list.
    pub fn forget(&mut self, ix: JobIx) {
        self.views.remove(&ix);
        self.pasts.remove(&ix);
        self.bodies.retain(|(other, _)| *other != ix);
    }

    fn forget_bodies(&mut self) {
        let size = |body: &LoadedBody| body.content.ready().map_or(0, |content| content.body.len());
        let mut total: usize = self.bodies.iter().map(|(_, body)| size(body)).sum();
        while self.bodies.len() > KEPT || (self.bodies.len() > 1 && total > KEPT_BYTES) {
            let (ix, gone) = self.bodies.remove(0);
            remember(&mut self.views, ix, &gone);
            total = total.saturating_sub(size(&gone));
        }
    }
}

fn remember(views: &mut HashMap<JobIx, ViewState>, ix: JobIx, body: &LoadedBody) {
    let fresh = body.content.ready().map(|content| RawView::new(content.body.clone()).kept());
    let raw = body.raw.as_ref().map(RawView::kept).filter(|kept| fresh.as_ref() != Some(kept));
    let output = body.output.ready().map(|tree| (BodyPart::Output, tree));
    let files = body.files.iter().filter_map(|(n, tree)| Some((BodyPart::File(*n), tree.ready()?)));
    let trees = output.into_iter().chain(files).map(|(part, tree)| (part, (body.body, tree.kept())));
    let trees: Vec<_> = trees.filter(|(_, (_, kept))| *kept != KeptTree::default()).collect();
    if raw.is_none() && trees.is_empty() && !views.contains_key(&ix) {
        return;
    }
    let view = views.entry(ix).or_default();
    view.raw = raw.map(|(top, wrap)| (body.body, top, wrap));
    view.trees.extend(trees);
}

fn failed_first(files: &[FileResult]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|n| files.get(*n).is_some_and(|file| !file.failed));
    order
}
