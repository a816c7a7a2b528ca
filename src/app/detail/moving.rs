//! Moving, folding and searching in the detail: each key goes to the view that is open, whatever it is.

use super::tree::{FoldAction, SearchOutcome};
use super::view::{Size, TableView, TextView, UnderCursor, View};
use super::{Tab, TabContent};
use crate::app::App;
use crate::app::action::Action;
use crate::app::effect::{BodyPart, Effect};
use crate::app::event::Content;
use crate::app::layout::Pane;
use crate::app::scroll::Motion;
use crate::app::text::{self, TextLine};
use crate::domain::clean::Clean;
use crate::domain::files::FileResult;
use crate::domain::human;
use crate::domain::job::JobIx;

impl App {
    /// Hands over what is open in the selected job's detail, and its cells; None as long as it is not loaded.
    pub(in crate::app) fn with_view<R>(&mut self, then: impl FnOnce(&mut dyn View, Size) -> R) -> Option<R> {
        let ix = self.list.selected()?;
        let file = self.detail.view(ix).file;
        let regions = self.regions(ix);
        let size = regions.size(self.detail.tab == Tab::Files && file.is_some());
        let tab = self.detail.tab;
        let answer = match (tab.content(), file) {
            (TabContent::Text, _) => {
                let lines = self.text_lines(tab, ix, size)?;
                let state = self.detail.view_mut(ix);
                let mut needle = state.search.clone();
                let answer = then(&mut TextView { lines, top: state.top(tab), needle: &mut needle }, size);
                state.search = needle;
                answer
            }
            (TabContent::Bytes, _) => then(self.detail.body_mut(ix)?.raw.as_mut()?, size),
            (TabContent::Tree, _) => then(self.detail.body_mut(ix)?.output.ready_mut()?, size),
            (TabContent::Files, Some(file)) => then(self.detail.body_mut(ix)?.files.get_mut(&file)?.ready_mut()?, size),
            (TabContent::Files, None) => {
                let under_cursor = self.file_under_cursor(ix).map(|(n, file, content)| UnderCursor {
                    path: format!(".message[{n}]"),
                    value: result_of(&file, &content),
                });
                let body = self.detail.body(ix)?;
                let content = body.content.ready()?;
                let names = body.order.iter().filter_map(|n| Some(content.files.get(*n)?.name.clone())).collect();
                let state = self.detail.view_mut(ix);
                let (cursor, needle) = (&mut state.files, &mut state.search);
                then(&mut TableView { names, cursor, needle, under_cursor }, size)
            }
        };
        Some(answer)
    }

    /// The file that the keys of the detail act on: in the Files tab the one under the cursor, or the opened one.
    pub(in crate::app) fn file_under_cursor(&self, ix: JobIx) -> Option<(usize, FileResult, std::sync::Arc<Content>)> {
        if self.detail.tab != Tab::Files || self.focus == Pane::Log {
            return None;
        }
        let number = self.shown_file(ix)?;
        let content = self.detail.body(ix)?.content.ready()?.clone();
        let file = content.files.get(number)?.clone();
        Some((number, file, content))
    }

    /// The lines of a tab of text, wrapped; None as long as it is not loaded, and of any other tab.
    pub fn text_lines(&self, tab: Tab, ix: JobIx, size: Size) -> Option<Vec<TextLine>> {
        match tab {
            Tab::Batch => Some(self.batch_lines(size.width.into(), size.height.into())),
            Tab::Summary => Some(self.summary_lines(ix, size.width)),
            Tab::History => self.history_lines(ix, size.width),
            Tab::Output | Tab::Raw | Tab::Files => None,
        }
    }

    /// The lines of the summary, wrapped to a width.
    pub fn summary_lines(&self, ix: JobIx, width: u16) -> Vec<TextLine> {
        let Some(row) = self.jobs.get(ix) else { return Vec::new() };
        let lines = super::summary::summary(row, self.text_context(), width);
        text::wrapped(lines, width.into(), !self.detail.view(ix).cut)
    }

    /// The lines of the history, wrapped to a width; None as long as it is not loaded.
    fn history_lines(&self, ix: JobIx, width: u16) -> Option<Vec<TextLine>> {
        let history = self.detail.past(ix)?.history.ready()?;
        let lines = super::summary::history(history, self.text_context());
        Some(text::wrapped(lines, width.into(), !self.detail.view(ix).cut))
    }

    /// How far down the open view is.
    pub fn percent(&self, ix: JobIx) -> Option<u8> {
        let mut view = self.detail.view(ix);
        let regions = self.regions(ix);
        let size = regions.size(view.file.is_some());
        let tab = self.detail.tab;
        match tab.content() {
            TabContent::Text => {
                let lines = self.text_lines(tab, ix, size)?;
                TextView { lines, top: view.top(tab), needle: &mut String::new() }.percent(size)
            }
            TabContent::Bytes => View::percent(self.detail.body(ix)?.raw.as_ref()?, size),
            TabContent::Tree => View::percent(self.detail.body(ix)?.output.ready()?, size),
            TabContent::Files => View::percent(self.detail.body(ix)?.files.get(&view.file?)?.ready()?, size),
        }
    }

    /// Moves the cursor or the window of the open tab.
    pub(in crate::app) fn go_in_detail(&mut self, motion: Motion) {
        let _ = self.with_view(|view, size| view.go(motion, size));
    }

    /// `Enter`: a fold of a tree, or a file's own tree.
    pub(in crate::app) fn open_in_detail(&mut self) -> Vec<Effect> {
        let Some(ix) = self.list.selected() else { return Vec::new() };
        let state = self.detail.view(ix);
        match (self.detail.tab.content(), state.file) {
            (TabContent::Tree, _) | (TabContent::Files, Some(_)) => return self.fold(FoldAction::Toggle),
            (TabContent::Files, None) => {
                let file = self.detail.body(ix).and_then(|body| body.order.get(state.files.at).copied());
                self.detail.view_mut(ix).file = file;
            }
            (TabContent::Text | TabContent::Bytes, _) => self.zoom = !self.zoom,
        }
        Vec::new()
    }

    /// Folds in a tree; goes sideways in the raw tab. A very long string is decoded elsewhere.
    pub(in crate::app) fn fold(&mut self, fold: FoldAction) -> Vec<Effect> {
        let opened = self.list.selected().is_some_and(|ix| self.detail.view(ix).file.is_some());
        match self.detail.tab.content() {
            TabContent::Files if !opened => {
                return self.say(format!("a file has folds{}", self.keymap.hint(Action::Open, "opens it")));
            }
            TabContent::Text => {
                return self.say(format!("{} has nothing to fold: Output has", self.detail.tab.as_str()));
            }
            TabContent::Tree | TabContent::Files | TabContent::Bytes => {}
        }
        let decode = self.with_view(|view, size| view.fold(fold, size)).flatten();
        let Some((ix, decode)) = self.list.selected().zip(decode) else { return Vec::new() };
        let part = self
            .detail
            .view(ix)
            .file
            .filter(|_| self.detail.tab == Tab::Files)
            .map_or(BodyPart::Output, BodyPart::File);
        let Some(body) = self.detail.body(ix).map(|body| body.body) else { return Vec::new() };
        let _ = self.say("decoding the string");
        vec![Effect::Decode { ix, body, part, decode }]
    }

    /// Wraps long lines, or cuts them.
    pub(in crate::app) fn toggle_wrap(&mut self) {
        let Some(ix) = self.list.selected() else { return };
        if self.with_view(|view, _| view.toggle_wrap()) != Some(true) {
            let state = self.detail.view_mut(ix);
            state.cut = !state.cut;
        }
    }

    /// Searches a pane for a text from where its window is.
    pub(in crate::app) fn search(&mut self, pane: Pane, text: String) -> Vec<Effect> {
        match pane {
            Pane::List => Vec::new(),
            Pane::Log => {
                self.log.set_search(text);
                self.next_match(true)
            }
            Pane::Detail => {
                if let Some(ix) = self.list.selected() {
                    self.detail.view_mut(ix).search.clone_from(&text);
                }
                let found = self.with_view(|view, size| view.search(&text, size));
                self.say_found(found)
            }
        }
    }

    /// Goes to the next match of the focused pane, or to the previous one.
    pub(in crate::app) fn next_match(&mut self, forward: bool) -> Vec<Effect> {
        match self.focus {
            // In a filtered list every row is a match.
            Pane::List => {
                let rows = self.list_rows();
                self.list.go_to_next(forward, rows, |_| true);
                Vec::new()
            }
            Pane::Log => {
                let rows = self.layout().rows(Pane::Log);
                if self.log.find(forward, rows) { Vec::new() } else { self.say("no match in the log") }
            }
            Pane::Detail => {
                let found = self.with_view(|view, size| view.next_match(forward, size));
                self.say_found(found)
            }
        }
    }

    /// One more slice of a search in a large body.
    pub(in crate::app) fn go_on_searching(&mut self) {
        let began = self.searching.take();
        // Whoever went elsewhere does not look for it any more.
        if began.is_some() && began == self.list.selected().map(|ix| (ix, self.detail.tab)) {
            let found = self.with_view(|view, size| view.go_on_searching(size));
            let _ = self.say_found(found);
        }
    }

    fn say_found(&mut self, found: Option<SearchOutcome>) -> Vec<Effect> {
        match found {
            Some(SearchOutcome::Here { wrapped }) => {
                let hits = self.with_view(|view, _| view.hits()).flatten();
                let count =
                    hits.map(|(nth, all)| format!("{} of {}", human::count(nth as u64), human::count(all as u64)));
                let round = wrapped.then(|| "search wrapped".to_owned());
                let said: Vec<String> = count.into_iter().chain(round).collect();
                if said.is_empty() { Vec::new() } else { self.say(said.join(", ")) }
            }
            None => Vec::new(),
            Some(SearchOutcome::Nowhere) => self.say("no match"),
            Some(SearchOutcome::NotYet) => {
                self.searching = self.list.selected().map(|ix| (ix, self.detail.tab));
                Vec::new()
            }
        }
    }
}

/// The result of a file, else its whole object, as received.
pub(in crate::app) fn result_of(file: &FileResult, content: &Content) -> bytes::Bytes {
    let range = file.result.clone().unwrap_or_else(|| file.range.clone());
    let whole = range.start <= range.end && range.end <= content.body.len();
    if whole { content.body.slice(range) } else { bytes::Bytes::new() }
}

/// A file's name and why it failed, to be shown.
pub(in crate::app) fn file_title(file: &FileResult) -> Clean {
    Clean::new(&file.name)
}
