//! Any bytes as JSON: the index and the scanner are of one mind, and the rows of what is a document can be walked,
//! decoded, searched and printed without a panic, each way with the same outcome.

#![no_main]

use std::collections::HashSet;
use std::iter::successors;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use jobdeck::bench_api::scan::{self, ValueKind};
use jobdeck::bench_api::search::{Needle, Slice};
use jobdeck::bench_api::{
    Document, FoldAction, IndexError, Motion, NodeId, RowId, SearchOutcome, TreeView, VisibleRows, pretty, text,
};
use libfuzzer_sys::fuzz_target;

/// Documents of more values are only indexed: the rest takes time that grows with the square.
const SMALL: usize = 400;
/// What is looked for. To make a needle takes longer than all the rest, so these are made once.
static NEEDLES: LazyLock<Vec<Needle>> =
    LazyLock::new(|| ["\"", "a", "1", ",\"", "\",\"", "\\", "/"].into_iter().filter_map(Needle::new).collect());
/// Rows in a window.
const HEIGHT: u16 = 7;

fuzz_target!(|data: &[u8]| {
    let Some(document) = parsed(data) else { return };
    if document.values() > SMALL || data.len() > 16 * 1024 {
        return;
    }
    let document = Arc::new(document);
    check_nodes(&document);
    check_pretty(&document);
    check_rows(&document);
    check_view(&document);
    check_search(&document);
});

/// The document, if it is one, which the scanner has to see the same way.
fn parsed(data: &[u8]) -> Option<Document> {
    match (Document::parse(Bytes::copy_from_slice(data), &AtomicBool::new(false)), scan::document(data)) {
        (Ok(document), Ok(range)) => {
            assert_eq!(document.value_range(NodeId::ROOT), range);
            Some(document)
        }
        (Err(IndexError::Broken(index)), Err(scan)) => {
            assert_eq!(index, scan);
            None
        }
        (index, scan) => panic!("{:?} but {scan:?}", index.map(|_| ())),
    }
}

fn nodes(document: &Document) -> impl Iterator<Item = NodeId> + use<> {
    (0..u32::try_from(document.values()).unwrap()).map(NodeId)
}

fn key(document: &Document, node: NodeId) -> Option<&[u8]> {
    document.key_range(node).map(|range| &document.body()[range])
}

fn check_nodes(document: &Document) {
    for node in nodes(document) {
        let value = document.value(node);
        assert_eq!(scan::document(&value), Ok(0..value.len()));
        assert_eq!(scan::kind(&value), Some(document.kind(node)));
        assert_eq!(document.node_at(document.start(node)), node);
        let children: Vec<NodeId> =
            successors(document.first_child(node), |child| document.next_sibling(*child)).collect();
        let back: Vec<NodeId> =
            successors(document.last_child(node), |child| document.previous_sibling(*child)).collect();
        assert!(children.iter().eq(back.iter().rev()));
        assert_eq!(document.child_count(node), children.len() as u64);
        for (n, child) in children.iter().enumerate() {
            assert_eq!((document.parent(*child), document.index_in_parent(*child)), (Some(node), n as u64));
        }
        let values: Vec<&[u8]> = match document.kind(node) {
            ValueKind::Object => scan::fields(&value).unwrap().into_iter().map(|field| field.value).collect(),
            ValueKind::Array => scan::elements(&value).unwrap().into_iter().map(|range| &value[range]).collect(),
            ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::Null => Vec::new(),
        };
        assert_eq!(values, children.iter().map(|child| document.value(*child)).collect::<Vec<_>>());
        if let Some(key) = key(document, node) {
            assert!(scan::string(key).is_some());
        }
    }
}

fn check_pretty(document: &Document) {
    let printed = printed(document.body());
    let again = parsed(&printed).expect("what is printed is a document");
    assert_eq!(self::printed(&printed), printed);
    assert_eq!(again.values(), document.values());
    for node in nodes(document) {
        assert_eq!((key(&again, node), again.kind(node)), (key(document, node), document.kind(node)));
        assert_eq!(again.depth(node), document.depth(node));
        if !matches!(document.kind(node), ValueKind::Object | ValueKind::Array) {
            assert_eq!(again.value(node), document.value(node));
        }
    }
}

fn printed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    pretty(text, &mut out).expect("a document can be printed");
    out
}

fn check_rows(document: &Arc<Document>) {
    let mut rows = VisibleRows::new(Arc::clone(document));
    check_walk(&rows);
    rows.set_all(true);
    assert_eq!(check_walk(&rows).len(), (document.values() - 1).max(1));
    // Every string that holds a document, and those within them.
    let mut at = Some(rows.first());
    for _ in 0..SMALL {
        let Some(place) = at else { break };
        if let Some(held) = decoded(&rows, place) {
            rows.attach(place, Arc::new(held));
        }
        at = rows.next(place);
    }
    let all = check_walk(&rows);
    rows.set_all(false);
    let few = check_walk(&rows);
    for place in all.into_iter().take(50) {
        assert!(few.contains(&rows.visible(place)));
        let mut rows = rows.clone();
        rows.reveal(place);
        assert_eq!(rows.visible(place), place);
    }
}

/// All rows that are seen, which are the same ones from above and from below.
fn check_walk(rows: &VisibleRows) -> Vec<RowId> {
    let down: Vec<RowId> = successors(Some(rows.first()), |place| rows.next(*place)).collect();
    let mut up: Vec<RowId> = successors(Some(rows.last()), |place| rows.previous(*place)).collect();
    up.reverse();
    assert_eq!(down, up);
    let mut paths = HashSet::new();
    for (n, place) in down.iter().enumerate() {
        assert_eq!(rows.visible(*place), *place);
        assert!(rows.levels(*place) <= n);
        assert!(rows.path(*place, "").starts_with('.'));
        assert!(rows.path(*place, ".message[1]").starts_with(".message[1]"));
        paths.insert(rows.path_end(*place, "", 2));
    }
    assert!(down.windows(2).all(|pair| rows.order(pair[0], pair[1]).is_lt()));
    down
}

fn decoded(rows: &VisibleRows, place: RowId) -> Option<Document> {
    let source = rows.document(place)?.value(place.node);
    if !text::may_hold_json(&source) {
        return None;
    }
    parsed(&scan::string_bytes(&source)?)
}

fn check_view(document: &Arc<Document>) {
    let mut view = TreeView::new(Arc::clone(document), "");
    let window = |view: &TreeView| {
        let rows = view.window(HEIGHT, 20);
        assert_eq!(rows.iter().filter(|row| row.at_cursor).count(), 1);
        assert!(view.percent() <= 100 && view.path().starts_with('.') && !view.value().is_empty());
        view.path_end(10);
        view.value_range();
    };
    use Motion::{Bottom, Down, HalfDown, HalfUp, PageDown, PageUp, Top, Up};
    for motion in [Bottom, Up, HalfUp, PageUp, Top, PageDown, HalfDown, Down, Up] {
        view.go(motion, HEIGHT);
        window(&view);
        for fold in [FoldAction::Toggle, FoldAction::Unfold, FoldAction::Decode, FoldAction::Fold] {
            assert!(view.fold(fold, HEIGHT).is_none(), "no input is long");
            window(&view);
        }
    }
    for fold in [FoldAction::UnfoldAll, FoldAction::Decode, FoldAction::FoldAll] {
        let _ = view.fold(fold, HEIGHT);
        window(&view);
    }
    let keys = nodes(document).filter_map(|node| std::str::from_utf8(key(document, node)?).ok());
    let plain: Vec<&str> = keys.map(|key| key.trim_matches('"')).filter(|key| !key.contains(['"', '\\'])).collect();
    for needle in plain.into_iter().take(usize::from(document.body().len() % 8 == 0)) {
        if Needle::new(needle).is_some() {
            assert_ne!(view.search(needle, HEIGHT), SearchOutcome::Nowhere, "{needle}");
            window(&view);
            assert_ne!(view.next_match(HEIGHT), SearchOutcome::Nowhere, "{needle}");
            assert_ne!(view.previous_match(HEIGHT), SearchOutcome::Nowhere, "{needle}");
            window(&view);
        }
    }
}

/// The same values are found from above and from below, in slices or at once.
fn check_search(document: &Document) {
    let body = document.body();
    let middle = &body[body.len() / 2..body.len().min(body.len() / 2 + 3)];
    let own = (body.len() % 8 == 1).then(|| Needle::new(&String::from_utf8_lossy(middle))).flatten();
    for needle in NEEDLES.iter().chain(&own) {
        let there =
            found(|at, most| needle.forward_in(document, at, most), 0, |node| document.start(NodeId(node.0 + 1)));
        let mut back =
            found(|at, most| needle.backward_in(document, at, most), body.len(), |node| document.start(node));
        back.reverse();
        assert_eq!(there, back, "{:?}", needle.text());
    }
}

fn found(look: impl Fn(usize, usize) -> Slice<NodeId>, mut at: usize, beyond: impl Fn(NodeId) -> usize) -> Vec<NodeId> {
    let mut found = Vec::new();
    // A slice that gets nowhere would be looked at for ever.
    for _ in 0..100_000 {
        match look(at, 64) {
            Slice::Found(node) => {
                found.push(node);
                at = beyond(node);
            }
            Slice::Nothing => return found,
            Slice::UpTo(on) => at = on,
        }
    }
    panic!("the search gets nowhere");
}
