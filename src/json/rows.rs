//! The rows of a document that are seen, given what is folded: each is found from its neighbour, none are listed, so
//! that ten million rows cost what fifty cost.
//!
//! A string that holds JSON can be decoded: its document then hangs under the string's row like a container's values.
//! A document that is a container has no row itself, only its values have.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::json::index::{Document, NodeId};
use crate::json::scan;

/// A row: a value of the document, or of a decoded string in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowId {
    tree: usize,
    pub node: NodeId,
}

/// A document with its folds and its decoded strings.
#[derive(Debug, Clone)]
pub struct VisibleRows {
    trees: Vec<Tree>,
    /// The tree of each string that was ever decoded, and how it is seen now.
    decoded: HashMap<RowId, (usize, DecodedView)>,
}

#[derive(Debug, Clone)]
struct Tree {
    document: Arc<Document>,
    host: Option<RowId>,
    rule: FoldRule,
    /// Values whose fold is the opposite of what the rule says.
    flipped: HashSet<NodeId>,
}

/// What is folded in a document, to be taken up again later over the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Folds {
    /// Whether everything was opened (true) or folded at once.
    all: Option<bool>,
    /// Values whose fold is the opposite.
    flipped: Vec<u32>,
}

/// How a decoded string is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecodedView {
    Open,
    Folded,
    /// As text again; its document is kept with its folds.
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FoldRule {
    /// The first level is open, and what is alone on its level; the rest, and what is large, is folded.
    Opening,
    Folded,
    Open,
}

/// Containers with more values than this are folded at first.
const LARGE: usize = 100;
/// Documents with more values on their first level than this have them all folded at first.
const MANY: usize = 12;
/// From here on all ancestors are unfolded by opening everything, not one by one.
const DEEP: usize = 10_000;

impl VisibleRows {
    /// The first level of values is open unless it is long, deeper ones are folded.
    pub fn new(document: Arc<Document>) -> Self {
        let tree = Tree { document, host: None, rule: FoldRule::Opening, flipped: HashSet::new() };
        Self { trees: vec![tree], decoded: HashMap::new() }
    }

    /// The document that a row belongs to.
    pub fn document(&self, place: RowId) -> Option<&Arc<Document>> {
        self.trees.get(place.tree).map(|tree| &tree.document)
    }

    /// The document that the rows began with.
    pub fn main(&self) -> Option<&Arc<Document>> {
        self.trees.first().map(|tree| &tree.document)
    }

    /// The same value in the same document as seen from here; the first row if it has none there.
    pub fn place_in(&self, host: Option<RowId>, node: NodeId) -> RowId {
        let tree = host.and_then(|host| self.held(host)).map_or(0, |(tree, _)| tree);
        if node == NodeId::ROOT { self.first_of(tree) } else { RowId { tree, node } }
    }

    /// Whether any string was ever decoded.
    pub fn holds_decoded(&self) -> bool {
        !self.decoded.is_empty()
    }

    /// The decoded string that a row is in.
    pub fn host(&self, place: RowId) -> Option<RowId> {
        self.trees.get(place.tree).and_then(|tree| tree.host)
    }

    pub fn first(&self) -> RowId {
        self.first_of(0)
    }

    pub fn last(&self) -> RowId {
        match self.trees.first().and_then(|tree| tree.document.last_child(NodeId::ROOT)) {
            Some(node) => self.last_within(RowId { tree: 0, node }),
            // The document may be a string that has been decoded.
            None => self.last_within(self.first()),
        }
    }

    pub fn next(&self, place: RowId) -> Option<RowId> {
        if self.is_open(place) { self.first_child(place) } else { self.after(place) }
    }

    pub fn previous(&self, place: RowId) -> Option<RowId> {
        let tree = self.trees.get(place.tree)?;
        match tree.document.previous_sibling(place.node) {
            Some(node) => Some(self.last_within(RowId { node, ..place })),
            None => self.parent(place),
        }
    }

    /// The row that a row is indented under.
    pub fn parent(&self, place: RowId) -> Option<RowId> {
        let tree = self.trees.get(place.tree)?;
        match tree.document.parent(place.node)? {
            NodeId::ROOT => tree.host,
            node => Some(RowId { node, ..place }),
        }
    }

    /// The first row under a row, were it open.
    pub fn first_child(&self, place: RowId) -> Option<RowId> {
        match self.held(place) {
            Some((tree, _)) => Some(self.first_of(tree)),
            None => Some(RowId { node: self.trees.get(place.tree)?.document.first_child(place.node)?, ..place }),
        }
    }

    /// Whether a row can be opened and folded.
    pub fn is_container(&self, place: RowId) -> bool {
        self.is_decoded(place) || self.trees.get(place.tree).is_some_and(|tree| tree.document.has_children(place.node))
    }

    /// Whether a row is a string that has been decoded.
    pub fn is_decoded(&self, place: RowId) -> bool {
        self.held(place).is_some()
    }

    /// Whether the rows under a row are seen.
    pub fn is_open(&self, place: RowId) -> bool {
        if let Some((_, seen)) = self.held(place) {
            return seen == DecodedView::Open;
        }
        self.trees
            .get(place.tree)
            .is_some_and(|tree| tree.document.has_children(place.node) && tree.is_open(place.node))
    }

    /// Opens or folds a row. Nothing happens to a leaf.
    pub fn set_open(&mut self, place: RowId, open: bool) {
        if let Some((_, seen @ (DecodedView::Open | DecodedView::Folded))) = self.decoded.get_mut(&place) {
            *seen = if open { DecodedView::Open } else { DecodedView::Folded };
        } else if self.is_container(place)
            && self.is_open(place) != open
            && let Some(tree) = self.trees.get_mut(place.tree)
            && !tree.flipped.remove(&place.node)
        {
            tree.flipped.insert(place.node);
        }
    }

    /// Opens or folds everything.
    pub fn set_all(&mut self, open: bool) {
        for tree in &mut self.trees {
            tree.rule = if open { FoldRule::Open } else { FoldRule::Folded };
            tree.flipped.clear();
        }
        for (_, seen) in self.decoded.values_mut().filter(|(_, seen)| *seen != DecodedView::Text) {
            *seen = if open { DecodedView::Open } else { DecodedView::Folded };
        }
    }

    /// What is folded, decoded strings aside, and at most this many single folds.
    pub fn folds(&self, most: usize) -> Folds {
        let Some(tree) = self.trees.first() else { return Folds::default() };
        let all = match tree.rule {
            FoldRule::Opening => None,
            FoldRule::Folded => Some(false),
            FoldRule::Open => Some(true),
        };
        let mut flipped: Vec<u32> = tree.flipped.iter().map(|node| node.0).collect();
        flipped.sort_unstable();
        flipped.truncate(most);
        Folds { all, flipped }
    }

    /// Takes up what was folded. Values that the document does not have are left out.
    pub fn set_folds(&mut self, folds: &Folds) {
        let Some(tree) = self.trees.first_mut() else { return };
        tree.rule = match folds.all {
            None => FoldRule::Opening,
            Some(false) => FoldRule::Folded,
            Some(true) => FoldRule::Open,
        };
        let values = tree.document.values();
        let known = |node: &u32| usize::try_from(*node).is_ok_and(|node| node < values);
        let nodes = folds.flipped.iter().copied().filter(known).map(NodeId);
        tree.flipped = nodes.filter(|node| tree.document.has_children(*node)).collect();
    }

    /// Opens everything that a row is in.
    pub fn reveal(&mut self, place: RowId) {
        if self.levels(place) > DEEP {
            self.set_all(true);
        }
        let mut at = place;
        while let Some(parent) = self.parent(at) {
            self.set_open(parent, true);
            at = parent;
        }
    }

    /// The row itself if it is seen, otherwise the folded one that hides it.
    pub fn visible(&self, place: RowId) -> RowId {
        let (mut seen, mut at) = (place, place);
        while let Some(parent) = self.parent(at) {
            if !self.is_open(parent) {
                seen = parent;
            }
            at = parent;
        }
        seen
    }

    /// Steps of indentation.
    pub fn levels(&self, place: RowId) -> usize {
        let Some(tree) = self.trees.get(place.tree) else { return 0 };
        tree.document.depth(place.node).saturating_sub(1) + tree.host.map_or(0, |host| self.levels(host) + 1)
    }

    /// Which of two rows comes first.
    pub fn order(&self, a: RowId, b: RowId) -> Ordering {
        self.way_to(a).cmp(&self.way_to(b))
    }

    /// The document that a decoded string holds.
    pub fn held_document(&self, host: RowId) -> Option<&Arc<Document>> {
        self.held(host).and_then(|(tree, _)| self.trees.get(tree)).map(|tree| &tree.document)
    }

    /// Shows a string that was once decoded as its document again. False if it never was.
    pub fn show_document(&mut self, host: RowId) -> bool {
        self.decoded.get_mut(&host).is_some_and(|(_, seen)| {
            *seen = DecodedView::Open;
            true
        })
    }

    /// Shows a decoded string as text again.
    pub fn show_text(&mut self, host: RowId) {
        if let Some((_, seen)) = self.decoded.get_mut(&host) {
            *seen = DecodedView::Text;
        }
    }

    /// Shows the document that a string holds under the string's row. False if it has no values to show.
    pub fn attach(&mut self, host: RowId, document: Arc<Document>) -> bool {
        if !document.has_children(NodeId::ROOT) || self.is_container(host) {
            return false;
        }
        if self.show_document(host) {
            return true;
        }
        self.decoded.insert(host, (self.trees.len(), DecodedView::Open));
        self.trees.push(Tree { document, host: Some(host), rule: FoldRule::Opening, flipped: HashSet::new() });
        true
    }

    /// The path of a row after that of the whole document, as jq would take it: `.output.steps[0]`, `.["a b"]`,
    /// `.result | fromjson | .id`. Foreign text, not sanitised.
    pub fn path(&self, place: RowId, prefix: &str) -> String {
        self.path_end(place, prefix, usize::MAX)
    }

    /// The last steps of a path; with an ellipsis in front if those are not all.
    pub fn path_end(&self, place: RowId, prefix: &str, most: usize) -> String {
        let Some(tree) = self.trees.get(place.tree) else { return String::new() };
        let document = &tree.document;
        let ancestry = std::iter::successors(Some(place.node), |node| document.parent(*node));
        let mut steps: Vec<NodeId> =
            ancestry.take_while(|node| *node != NodeId::ROOT).take(most.saturating_add(1)).collect();
        let cut = steps.len() > most;
        steps.truncate(most);
        let mut path = match tree.host {
            _ if cut => "…".to_owned(),
            Some(host) => self.path_end(host, prefix, most - steps.len()) + " | fromjson | ",
            None => prefix.to_owned(),
        };
        let begins = !cut && (tree.host.is_some() || prefix.is_empty());
        for (n, node) in steps.iter().rev().enumerate() {
            let step = tree.step(*node);
            if begins && n == 0 && !step.starts_with('.') {
                path.push('.');
            }
            path.push_str(&step);
        }
        if path.is_empty() { ".".to_owned() } else { path }
    }

    fn held(&self, host: RowId) -> Option<(usize, DecodedView)> {
        self.decoded.get(&host).copied().filter(|(_, seen)| *seen != DecodedView::Text)
    }

    fn first_of(&self, tree: usize) -> RowId {
        let document = self.trees.get(tree).map(|tree| &tree.document);
        RowId { tree, node: document.and_then(|document| document.first_child(NodeId::ROOT)).unwrap_or(NodeId::ROOT) }
    }

    /// The row below a row and all that hangs under it.
    fn after(&self, mut place: RowId) -> Option<RowId> {
        loop {
            let tree = self.trees.get(place.tree)?;
            let node = tree.document.end(place.node);
            if (node.0 as usize) < tree.document.values() {
                return Some(RowId { node, ..place });
            }
            place = tree.host?;
        }
    }

    /// The last row seen among a row and all that hangs under it.
    fn last_within(&self, mut place: RowId) -> RowId {
        while self.is_open(place) {
            let last = match self.held(place) {
                Some((tree, _)) => self.last_child(RowId { tree, node: NodeId::ROOT }),
                None if self.is_all_open(place.tree) => return self.very_last(place),
                None => self.last_child(place),
            };
            let Some(last) = last else { break };
            place = last;
        }
        place
    }

    fn last_child(&self, place: RowId) -> Option<RowId> {
        Some(RowId { node: self.trees.get(place.tree)?.document.last_child(place.node)?, ..place })
    }

    /// Whether nothing at all is folded or decoded in a tree: then its last row needs no looking for.
    fn is_all_open(&self, tree: usize) -> bool {
        self.decoded.is_empty()
            && self.trees.get(tree).is_some_and(|tree| tree.rule == FoldRule::Open && tree.flipped.is_empty())
    }

    fn very_last(&self, place: RowId) -> RowId {
        let end = self.trees.get(place.tree).map_or(place.node, |tree| tree.document.end(place.node));
        RowId { node: NodeId(end.0.saturating_sub(1)), ..place }
    }

    fn way_to(&self, place: RowId) -> Vec<NodeId> {
        let mut way: Vec<NodeId> =
            std::iter::successors(Some(place), |place| self.host(*place)).map(|place| place.node).collect();
        way.reverse();
        way
    }
}

impl Tree {
    fn is_open(&self, node: NodeId) -> bool {
        let open = match self.rule {
            FoldRule::Opening => self.opens_at_first(node),
            FoldRule::Folded => false,
            FoldRule::Open => true,
        };
        open != self.flipped.contains(&node)
    }

    fn opens_at_first(&self, node: NodeId) -> bool {
        let document = &self.document;
        let small = || !self.has_more_than(node, LARGE);
        match document.depth(node) {
            0 => true,
            1 => small() && !self.has_more_than(NodeId::ROOT, MANY),
            2 => small() && document.parent(node).is_some_and(|parent| self.is_alone(parent)),
            _ => false,
        }
    }

    fn is_alone(&self, node: NodeId) -> bool {
        self.document.previous_sibling(node).is_none() && self.document.next_sibling(node).is_none()
    }

    fn has_more_than(&self, node: NodeId, most: usize) -> bool {
        let children =
            std::iter::successors(self.document.first_child(node), |child| self.document.next_sibling(*child));
        children.take(most + 1).count() > most
    }

    /// One step of a path.
    fn step(&self, node: NodeId) -> String {
        let Some(range) = self.document.key_range(node) else {
            return format!("[{}]", self.document.index_in_parent(node));
        };
        let source = self.document.body().get(range).unwrap_or_default();
        let key = scan::string(source).unwrap_or_default();
        let mut chars = key.chars();
        let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain { format!(".{key}") } else { format!("[{}]", String::from_utf8_lossy(source)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicBool;

    fn document(text: &str) -> Arc<Document> {
        Arc::new(Document::parse(Bytes::copy_from_slice(text.as_bytes()), &AtomicBool::new(false)).unwrap())
    }

    fn down(rows: &VisibleRows) -> Vec<RowId> {
        std::iter::successors(Some(rows.first()), |place| rows.next(*place)).collect()
    }

    fn up(rows: &VisibleRows) -> Vec<RowId> {
        let mut places: Vec<RowId> = std::iter::successors(Some(rows.last()), |place| rows.previous(*place)).collect();
        places.reverse();
        places
    }

    fn paths(rows: &VisibleRows) -> Vec<String> {
        down(rows).into_iter().map(|place| rows.path(place, "")).collect()
    }

    fn at(rows: &VisibleRows, path: &str) -> RowId {
        *down(rows).iter().find(|place| rows.path(**place, "") == path).unwrap()
    }

    #[test]
    fn at_first_one_level_is_open_and_what_is_alone_on_its_level() {
        let cases: &[(&str, &[&str])] = &[
            (r#"{"a":{"b":{"c":1}},"d":[{"e":2}]}"#, &[".a", ".a.b", ".d", ".d[0]"]),
            (r#"{"output":{"a":{"b":[1]}}}"#, &[".output", ".output.a", ".output.a.b"]),
            ("[[1],[2]]", &[".[0]", ".[0][0]", ".[1]", ".[1][0]"]),
            (
                "[[1],[],[],[],[],[],[],[],[],[],[],[],[2]]",
                &[
                    ".[0]", ".[1]", ".[2]", ".[3]", ".[4]", ".[5]", ".[6]", ".[7]", ".[8]", ".[9]", ".[10]", ".[11]",
                    ".[12]",
                ],
            ),
            ("{}", &["."]),
            ("7", &["."]),
            (
                r#"{"a b":{"":1,"x-y":2,"q\"":3}}"#,
                &[".[\"a b\"]", ".[\"a b\"][\"\"]", ".[\"a b\"][\"x-y\"]", ".[\"a b\"][\"q\\\"\"]"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(paths(&VisibleRows::new(document(text))), *expected, "{text}");
        }
    }

    #[test]
    fn a_decoded_string_hangs_under_its_row_and_folds_like_a_container() {
        let mut rows = VisibleRows::new(document(r#"{"result":"{\"a\":[1,{\"b\":2}]}","end":[0]}"#));
        let host = at(&rows, ".result");
        assert!(rows.attach(host, document(r#"{"a":[1,{"b":2}]}"#)));
        let all = [
            ".result",
            ".result | fromjson | .a",
            ".result | fromjson | .a[0]",
            ".result | fromjson | .a[1]",
            ".result | fromjson | .a[1].b",
            ".end",
            ".end[0]",
        ];
        assert_eq!(paths(&rows), all);
        assert_eq!(down(&rows), up(&rows));
        assert_eq!(down(&rows).iter().map(|place| rows.levels(*place)).collect::<Vec<_>>(), [0, 1, 2, 2, 3, 0, 1]);
        let inner = at(&rows, ".result | fromjson | .a[0]");
        rows.set_open(host, false);
        assert_eq!(paths(&rows), [".result", ".end", ".end[0]"]);
        assert_eq!(rows.visible(inner), host);
        rows.reveal(inner);
        assert_eq!(paths(&rows), all);
        assert!(!rows.attach(at(&rows, ".end"), document("[1]")));
        rows.set_open(at(&rows, ".result | fromjson | .a"), false);
        rows.show_text(host);
        assert_eq!(paths(&rows), [".result", ".end", ".end[0]"]);
        assert!(rows.show_document(host));
        assert_eq!(paths(&rows), [".result", ".result | fromjson | .a", ".end", ".end[0]"]);
    }

    #[test]
    fn the_last_row_of_a_document_that_is_one_decoded_string_is_within_it() {
        let mut rows = VisibleRows::new(document(r#""{\"a\":[1]}""#));
        assert!(rows.attach(rows.first(), document(r#"{"a":[1]}"#)));
        assert_eq!(paths(&rows), [".", ". | fromjson | .a", ". | fromjson | .a[0]"]);
        assert_eq!(down(&rows), up(&rows));
    }

    #[test]
    fn the_last_of_many_rows_is_reached_without_passing_the_others() {
        let mut rows = VisibleRows::new(document(&format!("[{}[1]]", "[[1,2,3]],".repeat(100_000))));
        rows.set_all(true);
        assert_eq!(rows.path(rows.last(), ""), ".[100000][0]");
        let above = rows.previous(rows.previous(rows.last()).unwrap()).unwrap();
        assert_eq!(rows.path(above, ""), ".[99999][0][2]");
        rows.set_open(rows.parent(above).unwrap(), false);
        rows.set_open(rows.parent(rows.last()).unwrap(), false);
        assert_eq!(rows.path(rows.previous(rows.last()).unwrap(), ""), ".[99999][0]");
        rows.set_all(false);
        assert_eq!(rows.path(rows.last(), ""), ".[100000]");
    }

    #[test]
    fn a_deep_document_can_be_opened_and_left_at_its_end() {
        let mut rows = VisibleRows::new(document(&format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000))));
        let deepest = RowId { tree: 0, node: NodeId(200_000) };
        rows.reveal(deepest);
        assert_eq!(rows.last(), deepest);
        assert_eq!(rows.levels(deepest), 199_999);
        assert_eq!(rows.path_end(deepest, "", 3), "…[0][0][0]");
        assert_eq!(rows.previous(deepest), Some(RowId { tree: 0, node: NodeId(199_999) }));
    }

    proptest! {
        #[test]
        fn the_rows_upwards_are_the_rows_downwards(shape in "[\\[\\],1]{0,60}", folds in prop::collection::vec((0u32..60, any::<bool>()), 0..20), all in any::<Option<bool>>()) {
            // Whatever brackets come, they are made a document.
            let (mut text, mut open) = ("[".to_owned(), 0);
            for c in shape.chars() {
                let comma = !text.ends_with('[') && c != ']';
                match c {
                    ']' if open == 0 => continue,
                    ']' => open -= 1,
                    '[' => open += 1,
                    _ => {}
                }
                if comma { text.push(','); }
                text.push(if c == ',' { '1' } else { c });
            }
            text.push_str(&"]".repeat(open + 1));
            let mut rows = VisibleRows::new(document(&text));
            let length = u32::try_from(rows.main().unwrap().values()).unwrap();
            if let Some(all) = all { rows.set_all(all); }
            for (node, open) in folds {
                rows.set_open(RowId { tree: 0, node: NodeId(node % length) }, open);
            }
            let seen = down(&rows);
            prop_assert_eq!(&seen, &up(&rows));
            let hidden = (1..length).map(|node| RowId { tree: 0, node: NodeId(node) }).filter(|place| !seen.contains(place));
            for place in hidden {
                prop_assert!(seen.contains(&rows.visible(place)));
                let mut rows = rows.clone();
                rows.reveal(place);
                prop_assert!(down(&rows).contains(&place));
            }
        }
    }
}
