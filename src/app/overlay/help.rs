//! The help page: the keys of the pane first, then those of everywhere, then the other panes, then the filter language;
//! opened from a filter the language comes first.

use super::{KeyOutcome, Overlay, OverlayContext, OverlayRows, Press};
use crate::app::action::Action;
use crate::app::input::{LineInput, Typed};
use crate::app::keys::{self, Key, KeyContext as Where, Keymap};
use crate::app::scroll::{self, Motion};
use crate::app::text::{self, TextLine, Tone};
use crate::domain::filter::SYNTAX;

/// Cells of one column, and from how many on there are two.
const COLUMN: u16 = 76;
const TWO: u16 = 2 * COLUMN + 2;

#[derive(Debug)]
pub struct Help {
    top: usize,
    /// The pane that it is about; None: the filter language is.
    about: Option<Where>,
    search: LineInput,
    typing: bool,
}

impl Help {
    /// About a pane, or about the filter language.
    pub fn new(about: Option<Where>) -> Self {
        Self { top: 0, about, search: LineInput::default(), typing: false }
    }

    fn lines(&self, context: &OverlayContext<'_>) -> Vec<TextLine> {
        let blocks = blocks(context.keymap, self.about, &self.search.text());
        if context.room.width < TWO {
            let lines = blocks.into_iter().flatten().collect();
            return text::wrapped(lines, context.width(COLUMN), true);
        }
        let wrapped = |blocks: Vec<Vec<TextLine>>| {
            text::wrapped(blocks.into_iter().flatten().collect(), usize::from(COLUMN), true)
        };
        // The first section and what is everywhere at the left, the rest at the right.
        let mut left = blocks;
        let right = left.split_off(left.len().min(2));
        let (left, right) = (wrapped(left), wrapped(right));
        let rows = left.len().max(right.len());
        let row = |n: usize| {
            let mut line = left.get(n).cloned().unwrap_or_default();
            let gap = usize::from(COLUMN + 2).saturating_sub(line.width());
            line = line.with(Tone::Plain, &" ".repeat(gap));
            line.pieces.extend(right.get(n).cloned().unwrap_or_default().pieces);
            line
        };
        (0..rows).map(row).collect()
    }
}

impl Overlay for Help {
    fn opener(&self) -> Action {
        Action::Help
    }

    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>) {
        self.top = scroll::slide(self.top, motion, self.lines(context).len(), context.rows());
    }

    fn is_typing(&self) -> bool {
        self.typing
    }

    fn press(&mut self, key: Key, action: Option<Action>) -> KeyOutcome {
        if self.typing {
            match self.search.key(key) {
                Typed::Changed => self.top = 0,
                Typed::Same => {}
                Typed::Done => self.typing = false,
                Typed::Cancelled => (self.typing, self.search) = (false, LineInput::default()),
            }
            return KeyOutcome::Stay;
        }
        match action {
            Some(Action::Find) => self.typing = true,
            Some(Action::Open) => return KeyOutcome::Close,
            Some(_) | None => {}
        }
        KeyOutcome::Stay
    }

    fn paste(&mut self, text: &str) {
        if self.typing {
            self.search.paste(text);
        }
    }

    fn hints(&self, _: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        if self.typing {
            return vec![(Press::Fixed("Enter"), "keep the search")];
        }
        vec![(Press::Of(Action::Find), "search"), (Press::Of(Action::Go(Motion::Down)), "scroll")]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
        let lines = self.lines(context);
        let (len, rows) = (lines.len(), context.rows());
        let top = self.top.min(len.saturating_sub(rows));
        let corner = if top + rows < len { "more below" } else { "" };
        let searching = self.typing || !self.search.text().is_empty();
        OverlayRows {
            title: "Help".to_owned(),
            corner: corner.to_owned(),
            width: if context.room.width < TWO { COLUMN } else { TWO },
            input: searching.then(|| ("/", self.search.clone())),
            rows: lines.into_iter().skip(top).take(rows).collect(),
            height: rows,
            ..OverlayRows::default()
        }
    }
}

fn blocks(keymap: &Keymap, about: Option<Where>, search: &str) -> Vec<Vec<TextLine>> {
    let rank = |other: Where| match other {
        other if Some(other) == about => 0,
        Where::Everywhere => 1,
        Where::List | Where::Detail | Where::Log => 2,
    };
    let mut contexts = [Where::Everywhere, Where::List, Where::Detail, Where::Log];
    contexts.sort_by_key(|other| rank(*other));
    let search = search.to_lowercase();
    let has = |line: &TextLine| search.is_empty() || line.text().to_lowercase().contains(&search);
    let block = |title: &str, rows: Vec<TextLine>| {
        let rows: Vec<TextLine> = rows.into_iter().filter(has).collect();
        if rows.is_empty() {
            Vec::new()
        } else {
            [vec![TextLine::heading(title)], rows, vec![TextLine::default()]].concat()
        }
    };
    let mut blocks: Vec<Vec<TextLine>> = Vec::new();
    for context in contexts {
        let bindings = keys::table().iter().filter(|binding| binding.context == context);
        let rows =
            bindings.map(|binding| row(&key_names(keymap, binding.action), binding.help, binding.name)).collect();
        blocks.push(block(context.as_str(), rows));
    }
    let own = keymap.named_actions().filter(|named| matches!(named.action, Action::Run(_)));
    let own = own.map(|named| row(&key_names(keymap, named.action), &named.help, named.name)).collect();
    blocks.push(block("your own commands", own));
    let syntax = SYNTAX.iter().map(|(text, help)| row(text, help, "")).collect();
    let at = if about.is_none() { 0 } else { blocks.len() };
    blocks.insert(at, block("filter language", syntax));
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn row(keys: &str, help: &str, name: &str) -> TextLine {
    let name = if name.is_empty() { String::new() } else { format!("  {name}") };
    let head = format!(" {keys:<17} ");
    let indent = unicode_width::UnicodeWidthStr::width(head.as_str());
    TextLine { pieces: Vec::new(), indent }.with(Tone::Strong, &head).with(Tone::Plain, help).with(Tone::Dim, &name)
}

/// The keys of an action, as they are bound.
pub fn key_names(keymap: &Keymap, action: Action) -> String {
    let keys: Vec<String> = keymap.keys(action).iter().map(ToString::to_string).collect();
    keys.join(" ")
}
