//! The tree tab's state: cursor, scroll, folds, decoded strings and search over one indexed document. Pure.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use super::tree_row::{FoldMark, Label, TreeRow};
use super::tree_row::{scalar, sizes};
use crate::json::index::{Document, NodeId};
use crate::json::rows::{Folds, RowId, VisibleRows};
use crate::json::scan::{self, ValueKind};
use crate::json::search::{Needle, Slice};
use crate::json::text;

/// How far the cursor or the window goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Motion {
    Up,
    Down,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    Top,
    Bottom,
}

/// What can be done with the folds at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldAction {
    /// `h`: folds an open row; on a leaf or a folded row goes to the parent.
    Fold,
    /// `l`: opens a folded row, or a string that is JSON; on an open row goes to its first child.
    Unfold,
    /// `Enter`: the other way round.
    Toggle,
    /// `d`: shows a string as the JSON document it holds, or a decoded one as text again.
    Decode,
    /// `H`
    FoldAll,
    /// `L`
    UnfoldAll,
}

/// A string that is JSON and too long to be decoded between two key strokes: run it elsewhere, then
/// [`TreeView::attach`].
#[derive(Debug, Clone)]
pub struct Decode {
    place: RowId,
    document: Arc<Document>,
}

impl PartialEq for Decode {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place && Arc::ptr_eq(&self.document, &other.document)
    }
}

/// What is kept of a view.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptTree {
    folds: Folds,
    cursor: u32,
}

/// What a decoded string holds.
#[derive(Debug, Clone)]
pub struct DecodedString {
    place: RowId,
    document: Arc<Document>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchOutcome {
    /// The cursor is on a match. `wrapped`: it was found past the end (or the beginning).
    Here {
        /// Whether the search went round.
        wrapped: bool,
    },
    /// There is none.
    Nowhere,
    /// Not found yet in this slice of work: call `go_on_searching` until it says something else.
    NotYet,
}

/// The tree tab of one job. Cheap to clone: documents are shared.
#[derive(Debug, Clone)]
pub struct TreeView {
    rows: VisibleRows,
    cursor: RowId,
    top: RowId,
    prefix: String,
    needle: Option<Needle>,
    search: Option<TreeSearch>,
}

/// A search that is under way.
#[derive(Debug, Clone, Copy)]
struct TreeSearch {
    forward: bool,
    /// The decoded string that is searched; None for the document itself.
    host: Option<RowId>,
    at: usize,
    /// Whether it went round, and where it began: no further than there.
    wrapped: bool,
    began: usize,
}

/// Strings up to this length are decoded at once.
const QUICK: usize = 1 << 22;
/// In documents up to this length matches are counted.
const COUNTED: usize = 1 << 20;
/// Single folds that are kept.
const FOLDS: usize = 1000;
/// Bytes searched in one slice.
const SLICE: usize = 1 << 23;

impl TreeView {
    /// A fresh view of a document, folded as [`VisibleRows::new`] says. `prefix` is the path of the document in the
    /// body it was cut from (`.message[1]`), empty for a whole body.
    pub fn new(document: Arc<Document>, prefix: &str) -> Self {
        let rows = VisibleRows::new(document);
        let first = rows.first();
        Self { rows, cursor: first, top: first, prefix: prefix.to_owned(), needle: None, search: None }
    }

    /// What is folded and where the cursor is, to be kept.
    pub fn kept(&self) -> KeptTree {
        KeptTree { folds: self.rows.folds(FOLDS), cursor: self.outermost(self.cursor).node.0 }
    }

    /// Takes up what was kept of the same document.
    pub fn take_up(&mut self, kept: &KeptTree) {
        self.rows.set_folds(&kept.folds);
        let known = self.rows.main().is_some_and(|main| usize::try_from(kept.cursor).is_ok_and(|n| n < main.values()));
        if known {
            self.cursor = self.rows.visible(self.rows.place_in(None, NodeId(kept.cursor)));
        }
    }

    /// Moves the cursor. `height` is the number of rows that are seen, here and below: [`rows_seen`].
    pub fn go(&mut self, motion: Motion, height: u16) {
        let page = usize::from(height.max(1));
        self.top = self.top_for(height);
        match motion {
            Motion::Up => self.cursor = self.up(self.cursor, 1),
            Motion::Down => self.cursor = self.down(self.cursor, 1),
            Motion::HalfUp => self.scroll_up(page.div_ceil(2)),
            Motion::HalfDown => self.scroll_down(page.div_ceil(2)),
            Motion::PageUp => self.scroll_up(page),
            Motion::PageDown => self.scroll_down(page),
            Motion::Top => self.cursor = self.rows.first(),
            Motion::Bottom => self.cursor = self.rows.last(),
        }
        self.top = self.top_for(height);
    }

    /// Folds or unfolds. A very long string is to be decoded elsewhere.
    #[must_use]
    pub fn fold(&mut self, fold: FoldAction, height: u16) -> Option<Decode> {
        self.top = self.top_for(height);
        let cursor = self.cursor;
        let mut work = None;
        match fold {
            FoldAction::Fold if self.rows.is_open(cursor) => self.rows.set_open(cursor, false),
            FoldAction::Fold => self.cursor = self.rows.parent(cursor).unwrap_or(cursor),
            FoldAction::Unfold if self.rows.is_open(cursor) => {
                self.cursor = self.rows.first_child(cursor).unwrap_or(cursor);
            }
            FoldAction::Unfold if self.rows.is_container(cursor) => self.rows.set_open(cursor, true),
            FoldAction::Unfold => work = self.decode(),
            FoldAction::Toggle if self.rows.is_container(cursor) => {
                self.rows.set_open(cursor, !self.rows.is_open(cursor));
            }
            FoldAction::Toggle => work = self.decode(),
            FoldAction::Decode if self.rows.is_decoded(cursor) => self.rows.show_text(cursor),
            FoldAction::Decode => work = self.decode(),
            FoldAction::FoldAll => self.rows.set_all(false),
            FoldAction::UnfoldAll => self.rows.set_all(true),
        }
        self.settle(height);
        work
    }

    /// Shows a decoded string in its place.
    pub fn attach(&mut self, decoded: DecodedString) {
        self.rows.attach(decoded.place, decoded.document);
    }

    /// Searches keys and values for a plain text in any case, from the cursor on (the cursor's row included).
    /// An empty text ends the search.
    pub fn search(&mut self, text: &str, height: u16) -> SearchOutcome {
        self.needle = Needle::new(text);
        self.begin(true, true, height)
    }

    /// `n`
    pub fn next_match(&mut self, height: u16) -> SearchOutcome {
        self.begin(true, false, height)
    }

    /// `N`
    pub fn previous_match(&mut self, height: u16) -> SearchOutcome {
        self.begin(false, false, height)
    }

    /// One more slice of a search that is not over, about 20 ms at the most.
    pub fn go_on_searching(&mut self, height: u16) -> SearchOutcome {
        let mut most = SLICE;
        while let Some(search) = self.search.take() {
            match self.search_on(search, &mut most) {
                Ok(node) => {
                    self.cursor = self.rows.place_in(search.host, node);
                    self.rows.reveal(self.cursor);
                    self.settle(height);
                    return SearchOutcome::Here { wrapped: search.wrapped };
                }
                Err(search) => self.search = search,
            }
            if most == 0 && self.search.is_some() {
                return SearchOutcome::NotYet;
            }
        }
        SearchOutcome::Nowhere
    }

    /// At which match the cursor is, and how many there are; None where counting would take long, or a decoded string
    /// is searched too.
    pub fn hits(&self) -> Option<(usize, usize)> {
        let (needle, main) = self.needle.as_ref().zip(self.rows.main())?;
        let quick = main.body().len() <= COUNTED && !self.rows.holds_decoded();
        quick.then(|| needle.count_in(main, self.cursor.node))
    }

    /// What is searched for, to be shown and highlighted.
    pub fn needle(&self) -> Option<&Needle> {
        self.needle.as_ref()
    }

    /// The path of the cursor, whole, as copied by `c`: `.output.steps[0]`, `.["a b"]`, `.result | fromjson | .x`.
    pub fn path(&self) -> String {
        self.rows.path(self.cursor, &self.prefix)
    }

    /// The end of the path, as much of it as fills that many cells or more. Foreign text, not sanitised.
    pub fn path_end(&self, cells: usize) -> String {
        self.rows.path_end(self.cursor, &self.prefix, cells)
    }

    /// The source bytes of the value at the cursor (of the decoded text, within a decoded string).
    pub fn value(&self) -> Bytes {
        self.rows.document(self.cursor).map(|document| document.value(self.cursor.node)).unwrap_or_default()
    }

    /// Where the value at the cursor is in the document. None within a decoded string.
    pub fn value_range(&self) -> Option<Range<usize>> {
        match self.rows.host(self.cursor) {
            Some(_) => None,
            None => self.rows.main().map(|document| document.value_range(self.cursor.node)),
        }
    }

    /// How far down the cursor is, in percent of the bytes.
    pub fn percent(&self) -> u8 {
        if self.rows.next(self.cursor).is_none() {
            return 100;
        }
        let mut place = self.cursor;
        while let Some(host) = self.rows.host(place) {
            place = host;
        }
        let document = self.rows.main();
        let (start, length) = document.map_or((0, 1), |main| (main.start(place.node), main.body().len().max(1)));
        u8::try_from(start.saturating_mul(100) / length).unwrap_or(100)
    }

    /// The rows of a window of this height and width (in cells), the cursor's among them. Changes nothing.
    pub fn window(&self, height: u16, width: u16) -> Vec<TreeRow> {
        std::iter::successors(Some(self.top_for(height)), |place| self.rows.next(*place))
            .take(usize::from(height))
            .filter_map(|place| self.row(place, usize::from(width)))
            .collect()
    }

    fn row(&self, place: RowId, width: usize) -> Option<TreeRow> {
        let document = self.rows.document(place)?;
        let kind = document.kind(place.node);
        let (text, whole, size) = match self.rows.held_document(place) {
            Some(held) => (sizes(held, NodeId::ROOT), true, 0),
            None => match kind {
                ValueKind::Object | ValueKind::Array => (sizes(document, place.node), true, 0),
                ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::Null => {
                    let source = document.body().get(document.value_range(place.node)).unwrap_or_default();
                    let (text, whole) = scalar(source, width);
                    (text, whole, source.len() as u64)
                }
            },
        };
        let fold = match (self.rows.is_container(place), self.rows.is_open(place)) {
            (true, true) => FoldMark::Open,
            (true, false) => FoldMark::Folded,
            (false, _) => FoldMark::Leaf,
        };
        let label = match document.key_range(place.node) {
            Some(key) => Some(Label::Key(text::shown(document.body().get(key).unwrap_or_default(), width).text)),
            None => document.parent(place.node).map(|_| Label::Number(document.index_in_parent(place.node))),
        };
        let decoded = self.rows.is_decoded(place);
        let at_cursor = place == self.cursor;
        Some(TreeRow { depth: self.rows.levels(place), at_cursor, fold, label, kind, text, whole, size, decoded })
    }

    fn decode(&mut self) -> Option<Decode> {
        let place = self.cursor;
        if self.rows.show_document(place) {
            return None;
        }
        let document = self.rows.document(place)?;
        let value = document.value(place.node);
        if !text::may_hold_json(&value) {
            return None;
        }
        let work = Decode { place, document: Arc::clone(document) };
        if value.len() > QUICK {
            return Some(work);
        }
        if let Some(decoded) = work.run(&AtomicBool::new(false)) {
            self.attach(decoded);
        }
        None
    }

    fn begin(&mut self, forward: bool, with_cursor: bool, height: u16) -> SearchOutcome {
        let began = self.edge(self.outermost(self.cursor), forward);
        let inside = forward && !with_cursor && self.rows.is_decoded(self.cursor);
        let (host, at) = if inside {
            (Some(self.cursor), 0)
        } else {
            (self.rows.host(self.cursor), self.edge(self.cursor, forward && !with_cursor))
        };
        self.search = self.needle.is_some().then_some(TreeSearch { forward, host, at, wrapped: false, began });
        self.go_on_searching(height)
    }

    /// The next match, or where to go on; `most` bytes may be read.
    fn search_on(&self, mut search: TreeSearch, most: &mut usize) -> Result<NodeId, Option<TreeSearch>> {
        let document = search.host.map_or_else(|| self.rows.main(), |host| self.rows.held_document(host));
        let (needle, document) = self.needle.as_ref().zip(document).ok_or(None)?;
        let (slice, ahead) = if search.forward {
            (needle.forward_in(document, search.at, *most), document.body().len().saturating_sub(search.at))
        } else {
            (needle.backward_in(document, search.at, *most), search.at)
        };
        *most = most.saturating_sub(ahead);
        match (slice, search.host) {
            (Slice::Found(node), _) => return Ok(node),
            (Slice::UpTo(at), _) => (search.at, *most) = (at, 0),
            (Slice::Nothing, Some(host)) => (search.at, search.host) = (self.edge(host, true), self.rows.host(host)),
            (Slice::Nothing, None) if search.wrapped => return Err(None),
            (Slice::Nothing, None) => {
                search.at = if search.forward { 0 } else { document.body().len() };
                search.wrapped = true;
            }
        }
        let beyond = if search.forward { search.at > search.began } else { search.at < search.began };
        let round = search.wrapped && search.host.is_none() && beyond;
        Err((!round).then_some(search))
    }

    /// Where a row begins in its document, or where the row after it does.
    fn edge(&self, place: RowId, after: bool) -> usize {
        let node = if after { NodeId(place.node.0.saturating_add(1)) } else { place.node };
        self.rows.document(place).map_or(0, |document| document.start(node))
    }

    fn outermost(&self, mut place: RowId) -> RowId {
        while let Some(host) = self.rows.host(place) {
            place = host;
        }
        place
    }

    fn settle(&mut self, height: u16) {
        self.cursor = self.rows.visible(self.cursor);
        self.top = self.rows.visible(self.top);
        self.top = self.top_for(height);
    }

    /// The first row of a window of this height, moved no more than it takes to have the cursor in it and, where there
    /// are rows enough, no empty lines.
    fn top_for(&self, height: u16) -> RowId {
        let below = usize::from(height).saturating_sub(1);
        if self.rows.order(self.cursor, self.top) == Ordering::Less {
            return self.filled(self.cursor, below);
        }
        let mut at = self.top;
        for _ in 0..below {
            if at == self.cursor {
                return self.filled(self.top, below);
            }
            match self.rows.next(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        if at == self.cursor { self.filled(self.top, below) } else { self.up(self.cursor, below) }
    }

    fn filled(&self, top: RowId, below: usize) -> RowId {
        let rows = std::iter::successors(Some(top), |place| self.rows.next(*place)).skip(1).take(below).count();
        self.up(top, below - rows)
    }

    fn scroll_up(&mut self, rows: usize) {
        self.top = self.up(self.top, rows);
        self.cursor = self.up(self.cursor, rows);
    }

    fn scroll_down(&mut self, rows: usize) {
        self.top = self.down(self.top, rows);
        self.cursor = self.down(self.cursor, rows);
    }

    fn up(&self, from: RowId, rows: usize) -> RowId {
        std::iter::successors(Some(from), |place| self.rows.previous(*place)).take(rows + 1).last().unwrap_or(from)
    }

    fn down(&self, from: RowId, rows: usize) -> RowId {
        std::iter::successors(Some(from), |place| self.rows.next(*place)).take(rows + 1).last().unwrap_or(from)
    }
}

impl Decode {
    /// Does the work. None if the string turns out to be no JSON, or `cancel` was set.
    pub fn run(self, cancel: &AtomicBool) -> Option<DecodedString> {
        let text = scan::string(&self.document.value(self.place.node))?.into_owned();
        let document = Document::parse(Bytes::from(text), cancel).ok()?;
        Some(DecodedString { place: self.place, document: Arc::new(document) })
    }
}

/// How many rows a pane of this height shows: the last line is the path's.
pub fn rows_seen(pane_height: u16) -> u16 {
    if pane_height > 1 { pane_height - 1 } else { pane_height }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str) -> TreeView {
        let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), &AtomicBool::new(false)).unwrap();
        TreeView::new(Arc::new(document), "")
    }

    fn press(view: &mut TreeView, key: &str, height: u16) {
        let motion = |motion| (Some(motion), None);
        let fold = |fold| (None, Some(fold));
        let (motion, fold) = match key {
            "j" => motion(Motion::Down),
            "k" => motion(Motion::Up),
            "g" => motion(Motion::Top),
            "G" => motion(Motion::Bottom),
            "Ctrl-d" => motion(Motion::HalfDown),
            "Ctrl-u" => motion(Motion::HalfUp),
            "PgDn" => motion(Motion::PageDown),
            "PgUp" => motion(Motion::PageUp),
            "h" => fold(FoldAction::Fold),
            "l" => fold(FoldAction::Unfold),
            "Enter" => fold(FoldAction::Toggle),
            "d" => fold(FoldAction::Decode),
            "H" => fold(FoldAction::FoldAll),
            "L" => fold(FoldAction::UnfoldAll),
            "n" => return assert!(matches!(view.next_match(height), SearchOutcome::Here { .. })),
            "N" => return assert!(matches!(view.previous_match(height), SearchOutcome::Here { .. })),
            text => return assert!(matches!(search(view, text, height), SearchOutcome::Here { .. }), "{text}"),
        };
        if let Some(motion) = motion {
            view.go(motion, height);
        }
        if let Some(fold) = fold {
            assert!(view.fold(fold, height).is_none());
        }
    }

    fn search(view: &mut TreeView, text: &str, height: u16) -> SearchOutcome {
        let mut found = view.search(text, height);
        while found == SearchOutcome::NotYet {
            found = view.go_on_searching(height);
        }
        found
    }

    /// Presses keys in a window of four rows and compares the cursor's path and the window's first row after each.
    fn walk(text: &str, steps: &[(&str, &str, &str)]) {
        let mut view = view(text);
        for (n, (key, path, top)) in steps.iter().enumerate() {
            press(&mut view, key, 4);
            assert_eq!(view.path(), *path, "cursor after step {n}, {key}");
            assert_eq!(view.rows.path(view.top, ""), *top, "top after step {n}, {key}");
            assert!(view.window(4, 20).iter().any(|row| row.at_cursor));
        }
    }

    const STEPS: &str = r#"{"status":"done","output":{"ok":true,"steps":[1,2,3],"more":{"x":null}},"tail":[10,11]}"#;

    #[test]
    fn the_cursor_walks_the_rows_that_are_seen_and_the_window_follows() {
        walk(
            STEPS,
            &[
                ("k", ".status", ".status"),
                ("j", ".output", ".status"),
                ("j", ".output.ok", ".status"),
                ("j", ".output.steps", ".status"),
                ("j", ".output.more", ".output"),
                ("G", ".tail[1]", ".output.more"),
                ("j", ".tail[1]", ".output.more"),
                ("k", ".tail[0]", ".output.more"),
                ("PgUp", ".output.ok", ".status"),
                ("PgDn", ".tail[0]", ".output.more"),
                ("Ctrl-u", ".output.more", ".output.ok"),
                ("Ctrl-d", ".tail[0]", ".output.more"),
                ("g", ".status", ".status"),
            ],
        );
    }

    #[test]
    fn folds_open_and_close_as_in_jless() {
        walk(
            STEPS,
            &[
                ("G", ".tail[1]", ".output.more"),
                ("h", ".tail", ".output.more"),
                ("h", ".tail", ".output.ok"),
                ("h", ".tail", ".output.ok"),
                ("k", ".output.more", ".output.ok"),
                ("l", ".output.more", ".output.ok"),
                ("l", ".output.more.x", ".output.ok"),
                ("l", ".output.more.x", ".output.ok"),
                ("h", ".output.more", ".output.ok"),
                ("h", ".output.more", ".output.ok"),
                ("Enter", ".output.more", ".output.ok"),
                ("H", ".output", ".status"),
                ("L", ".output", ".status"),
                ("G", ".tail[1]", ".output.more.x"),
                ("H", ".tail", ".status"),
            ],
        );
    }

    #[test]
    fn a_search_opens_what_hides_its_match_and_goes_round() {
        walk(
            STEPS,
            &[
                ("NULL", ".output.more.x", ".output.ok"),
                ("n", ".output.more.x", ".output.ok"),
                ("1", ".tail[0]", ".output.more"),
                ("N", ".output.steps[0]", ".output.steps[0]"),
            ],
        );
    }

    #[test]
    fn a_string_that_is_json_is_read_in_its_place() {
        walk(
            r#"{"id":1,"result":"{\"a\":{\"b\":\"[7]\"},\"c\":2}","end":"[no"}"#,
            &[
                ("j", ".result", ".id"),
                ("l", ".result", ".id"),
                ("l", ".result | fromjson | .a", ".id"),
                ("j", ".result | fromjson | .a.b", ".id"),
                ("d", ".result | fromjson | .a.b", ".id"),
                ("j", ".result | fromjson | .a.b | fromjson | .[0]", ".result"),
                ("j", ".result | fromjson | .c", ".result | fromjson | .a"),
                ("2", ".result | fromjson | .c", ".result | fromjson | .a"),
                ("h", ".result", ".result"),
                ("d", ".result", ".id"),
                ("G", ".end", ".id"),
                ("l", ".end", ".id"),
            ],
        );
    }

    #[test]
    fn rows_say_what_they_hold() {
        let view = view(
            r#"{"a":{"b":[1,2]},"long":"0123456789012345678901234567890","n":1.50e400,"d\u001b":"x\ny","d\u001b":null}"#,
        );
        let rows: Vec<String> = view
            .window(10, 12)
            .into_iter()
            .map(|row| format!("{} {:?} {:?} {} {} {}", row.depth, row.fold, row.label, row.text, row.whole, row.size))
            .collect();
        assert_eq!(
            rows,
            [
                r#"0 Open Some(Key(Clean("a"))) {1} true 0"#,
                r#"1 Folded Some(Key(Clean("b"))) [2] true 0"#,
                r#"0 Leaf Some(Key(Clean("long"))) "012345678901 false 33"#,
                r#"0 Leaf Some(Key(Clean("n"))) 1.50e400 true 8"#,
                r#"0 Leaf Some(Key(Clean("d\\x1b"))) "x\ny" true 6"#,
                r#"0 Leaf Some(Key(Clean("d\\x1b"))) null true 4"#,
            ]
        );
    }

    #[test]
    fn the_value_under_the_cursor_is_its_source() {
        let mut view = view(r#" {"a" : [ 1.0 , "x\u0041" ] }"#);
        assert_eq!((view.value(), view.value_range()), (Bytes::from(r#"[ 1.0 , "x\u0041" ]"#), Some(8..27)));
        press(&mut view, "G", 4);
        assert_eq!(view.value(), r#""x\u0041""#);
        assert_eq!(view.percent(), 100);
    }

    #[test]
    fn no_match_is_said_and_leaves_the_cursor() {
        let mut view = view(STEPS);
        press(&mut view, "G", 4);
        assert_eq!(search(&mut view, "nothing of the kind", 4), SearchOutcome::Nowhere);
        assert_eq!(view.path(), ".tail[1]");
        assert_eq!(search(&mut view, "", 4), SearchOutcome::Nowhere);
        assert_eq!(search(&mut view, "status", 4), SearchOutcome::Here { wrapped: true });
    }
}
