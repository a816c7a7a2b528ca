//! Moving, folding and searching in the detail.

use super::App;
use super::detail::Tab;
use super::effect::{Effect, Part};
use super::layout::Pane;
use super::scroll::{self, Motion};
use super::text;
use super::tree::{Fold, Found, TreeView, rows_seen};
use crate::domain::human;
use crate::domain::job::JobIx;

impl App {
    /// Height of the open tree.
    fn tree_rows(&self, ix: JobIx) -> u16 {
        let parts = self.parts(ix);
        rows_seen(if self.detail.place(ix).tab == Tab::Files { parts.below.height } else { parts.main.height })
    }

    /// Width and height of the open text or of the raw bytes.
    fn page(&self, ix: JobIx) -> (u16, u16) {
        let main = self.parts(ix).main;
        (main.width, main.height)
    }

    /// Moves the cursor or the window of the open tab.
    pub(super) fn go_in_detail(&mut self, motion: Motion) {
        let Some(ix) = self.list.selected() else { return };
        let (width, height) = self.page(ix);
        let place = self.detail.place(ix);
        let tree_rows = self.tree_rows(ix);
        match place.tab {
            Tab::Summary | Tab::Attempts => {
                let len = self.detail_lines(width.into()).map_or(0, |lines| lines.len());
                self.scroll_text(ix, |top| scroll::slide(top, motion, len, height.into()));
            }
            Tab::Raw => {
                if let Some(raw) = self.detail.body_mut(ix).and_then(|body| body.raw.as_mut()) {
                    raw.go(motion, width.saturating_sub(1), height);
                }
            }
            Tab::Files if place.file.is_none() => {
                let files = self.detail.body(ix).map_or(0, |body| body.order.len());
                self.detail.place_mut(ix).files.go(motion, files, usize::from(height).saturating_sub(1));
            }
            Tab::Output | Tab::Files => {
                if let Some(tree) = self.detail.open_tree(ix) {
                    tree.go(motion, tree_rows);
                }
            }
        }
    }

    /// `Enter`: a fold of a tree, or a file's own tree.
    pub(super) fn open_in_detail(&mut self) -> Vec<Effect> {
        let Some(ix) = self.list.selected() else { return Vec::new() };
        let place = self.detail.place(ix);
        match place.tab {
            Tab::Output => return self.fold(Fold::Toggle),
            Tab::Files if place.file.is_some() => return self.fold(Fold::Toggle),
            Tab::Files => {
                let file = self.detail.body(ix).and_then(|body| body.order.get(place.files.at).copied());
                self.detail.place_mut(ix).file = file;
            }
            Tab::Summary | Tab::Raw | Tab::Attempts => self.zoom = !self.zoom,
        }
        Vec::new()
    }

    /// Folds in a tree; goes sideways in the raw tab. A very long string is decoded elsewhere.
    pub(super) fn fold(&mut self, fold: Fold) -> Vec<Effect> {
        let Some(ix) = self.list.selected() else { return Vec::new() };
        let (width, _) = self.page(ix);
        let rows = self.tree_rows(ix);
        let place = self.detail.place(ix);
        if place.tab == Tab::Raw {
            if let Some(raw) = self.detail.body_mut(ix).and_then(|body| body.raw.as_mut()) {
                raw.go_sideways(matches!(fold, Fold::Unfold | Fold::UnfoldAll), width.saturating_sub(1));
            }
            return Vec::new();
        }
        let decode = self.detail.open_tree(ix).and_then(|tree| tree.fold(fold, rows));
        let part = if place.tab == Tab::Output { Some(Part::Output) } else { place.file.map(Part::File) };
        let body = self.detail.body(ix).map(|body| body.body);
        match (decode, part, body) {
            (Some(decode), Some(part), Some(body)) => {
                let _ = self.say("decoding the string");
                vec![Effect::Decode { ix, body, part, decode }]
            }
            (_, _, _) => Vec::new(),
        }
    }

    /// The tab to the right or to the left.
    pub(super) fn turn_tab(&mut self, right: bool) {
        if let Some(ix) = self.list.selected() {
            let place = self.detail.place_mut(ix);
            place.tab = place.tab.step(right);
        }
    }

    /// Wraps long lines, or cuts them.
    pub(super) fn toggle_wrap(&mut self) {
        let Some(ix) = self.list.selected() else { return };
        if self.detail.place(ix).tab == Tab::Raw {
            if let Some(raw) = self.detail.body_mut(ix).and_then(|body| body.raw.as_mut()) {
                raw.toggle_wrap();
            }
        } else {
            let place = self.detail.place_mut(ix);
            place.cut = !place.cut;
        }
    }

    /// Searches a pane for a text from where the reader stands.
    pub(super) fn search(&mut self, pane: Pane, text: String) -> Vec<Effect> {
        match pane {
            Pane::List => Vec::new(),
            Pane::Log => {
                self.log.set_search(text);
                self.next_match(true)
            }
            Pane::Detail => {
                let Some(ix) = self.list.selected() else { return Vec::new() };
                self.detail.place_mut(ix).search.clone_from(&text);
                let (width, height) = self.page(ix);
                let rows = self.tree_rows(ix);
                let found = match self.detail.place(ix).tab {
                    Tab::Summary | Tab::Attempts => return self.next_match(true),
                    Tab::Raw => {
                        let raw = self.detail.body_mut(ix).and_then(|body| body.raw.as_mut());
                        raw.map(|raw| raw.search(&text, width.saturating_sub(1), height))
                    }
                    Tab::Output | Tab::Files => self.detail.open_tree(ix).map(|tree| tree.search(&text, rows)),
                };
                self.say_found(found)
            }
        }
    }

    /// Goes to the next match of the focused pane, or to the one before.
    pub(super) fn next_match(&mut self, forward: bool) -> Vec<Effect> {
        match self.focus {
            Pane::List => self.next_row(forward),
            Pane::Log => {
                let rows = self.layout().rows(Pane::Log);
                if self.log.find(forward, rows) { Vec::new() } else { self.say("no match in the log") }
            }
            Pane::Detail => {
                let Some(ix) = self.list.selected() else { return Vec::new() };
                let (width, height) = self.page(ix);
                let rows = self.tree_rows(ix);
                let found = match self.detail.place(ix).tab {
                    Tab::Summary | Tab::Attempts => return self.find_in_text(ix, forward),
                    Tab::Raw => self.detail.body_mut(ix).and_then(|body| body.raw.as_mut()).map(|raw| match forward {
                        true => raw.next_match(width.saturating_sub(1), height),
                        false => raw.previous_match(width.saturating_sub(1), height),
                    }),
                    Tab::Output | Tab::Files => self.detail.open_tree(ix).map(|tree| match forward {
                        true => tree.next_match(rows),
                        false => tree.previous_match(rows),
                    }),
                };
                self.say_found(found)
            }
        }
    }

    /// One more slice of a search in a large body.
    pub(super) fn go_on_searching(&mut self) {
        let where_it_was = self.searching.take();
        let Some(ix) = self.list.selected() else { return };
        // A reader who went elsewhere does not look for it any more.
        if where_it_was != Some((ix, self.detail.place(ix).tab)) {
            return;
        }
        let (width, height) = self.page(ix);
        let rows = self.tree_rows(ix);
        let found = match self.detail.place(ix).tab {
            Tab::Summary | Tab::Attempts => None,
            Tab::Raw => {
                let raw = self.detail.body_mut(ix).and_then(|body| body.raw.as_mut());
                raw.map(|raw| raw.go_on_searching(width.saturating_sub(1), height))
            }
            Tab::Output | Tab::Files => self.detail.open_tree(ix).map(|tree| tree.go_on_searching(rows)),
        };
        let _ = self.say_found(found);
    }

    /// The open tree of the selected job.
    pub(super) fn tree_under_cursor(&mut self) -> Option<&mut TreeView> {
        let ix = self.list.selected()?;
        self.detail.open_tree(ix)
    }

    fn say_found(&mut self, found: Option<Found>) -> Vec<Effect> {
        match found {
            Some(Found::Here { wrapped }) => {
                let hits = self.tree_under_cursor().and_then(|tree| tree.hits());
                let count =
                    hits.map(|(nth, all)| format!("{} of {}", human::count(nth as u64), human::count(all as u64)));
                let round = wrapped.then(|| "went on at the other end".to_owned());
                let said: Vec<String> = count.into_iter().chain(round).collect();
                if said.is_empty() { Vec::new() } else { self.say(said.join(", ")) }
            }
            None => Vec::new(),
            Some(Found::Nowhere) => self.say("no match"),
            Some(Found::NotYet) => {
                self.searching = self.list.selected().map(|ix| (ix, self.detail.place(ix).tab));
                Vec::new()
            }
        }
    }

    fn find_in_text(&mut self, ix: JobIx, forward: bool) -> Vec<Effect> {
        let (width, height) = self.page(ix);
        let place = self.detail.place(ix);
        let lines = self.detail_lines(width.into()).unwrap_or_default();
        let from = if place.tab == Tab::Summary { place.summary } else { place.attempts };
        match text::find(&lines, &place.search, from, forward) {
            Some(at) => {
                let lowest = lines.len().saturating_sub(height.into());
                self.scroll_text(ix, |_| at.min(lowest));
                Vec::new()
            }
            None => self.say("no match"),
        }
    }

    fn scroll_text(&mut self, ix: JobIx, to: impl FnOnce(usize) -> usize) {
        let place = self.detail.place_mut(ix);
        let top = match place.tab {
            Tab::Summary => &mut place.summary,
            Tab::Output | Tab::Raw | Tab::Files | Tab::Attempts => &mut place.attempts,
        };
        *top = to(*top);
    }

    /// In a filtered list every row is a match.
    fn next_row(&mut self, forward: bool) -> Vec<Effect> {
        let rows = self.list_rows();
        self.list.go_to_next(forward, rows, |_| true);
        Vec::new()
    }
}
