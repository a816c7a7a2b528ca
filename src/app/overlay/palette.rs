//! Every action by name.

use std::collections::HashMap;

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};

use super::help::key_names;
use super::{KeyOutcome, Overlay, OverlayContext, OverlayRequest, OverlayRows, Press, in_full, window};
use crate::app::action::Action;
use crate::app::input::{LineInput, Typed};
use crate::app::keys::own_keys::NamedAction;
use crate::app::keys::{Key, Keymap};
use crate::app::scroll::{Motion, RowCursor};
use crate::app::text::{TextLine, Tone};

const WIDTH: u16 = 90;

#[derive(Debug, Default)]
pub struct CommandPalette {
    input: LineInput,
    cursor: RowCursor,
}

impl CommandPalette {
    fn rows(context: &OverlayContext<'_>) -> usize {
        context.rows().saturating_sub(3).max(1)
    }
}

impl Overlay for CommandPalette {
    fn opener(&self) -> Action {
        Action::Palette
    }

    fn go(&mut self, motion: Motion, context: &OverlayContext<'_>) {
        self.cursor.go(motion, found(&self.input.text(), context.keymap).len(), Self::rows(context));
    }

    fn is_typing(&self) -> bool {
        true
    }

    fn press(&mut self, key: Key, _: Option<Action>) -> KeyOutcome {
        match self.input.key(key) {
            Typed::Changed => self.cursor = RowCursor::default(),
            Typed::Same => {}
            Typed::Cancelled => return KeyOutcome::Close,
            Typed::Done => {
                return KeyOutcome::CloseAnd(OverlayRequest::Choose(self.input.text(), self.cursor.at));
            }
        }
        KeyOutcome::Stay
    }

    fn paste(&mut self, text: &str) {
        self.input.paste(text);
        self.cursor = RowCursor::default();
    }

    fn hints(&self, context: &OverlayContext<'_>) -> Vec<(Press, &'static str)> {
        if found(&self.input.text(), context.keymap).is_empty() {
            return Vec::new();
        }
        vec![(Press::Fixed("Enter"), "run"), (Press::Fixed("Down Up"), "choose")]
    }

    fn look(&self, context: &OverlayContext<'_>) -> OverlayRows {
        let width = context.width(WIDTH);
        let found = found(&self.input.text(), context.keymap);
        let row = |named: &NamedAction<'_>| {
            let keys = key_names(context.keymap, named.action);
            TextLine::of(Tone::Plain, &format!("{:<17}", named.name))
                .with(Tone::Strong, &format!("{keys:<11} "))
                .with(Tone::Dim, &named.help)
        };
        let (mut rows, selected) = window(found.iter().map(row).collect(), self.cursor, Self::rows(context));
        if found.is_empty() {
            rows.push(TextLine::of(Tone::Dim, "no command matches"));
        }
        let mut below = found.get(self.cursor.at).map(|named| in_full(&named.help, width)).unwrap_or_default();
        below.truncate(2);
        let input = Some((":", self.input.clone()));
        let (title, corner) = ("Command".to_owned(), String::new());
        OverlayRows { title, corner, width: WIDTH, input, rows, selected, height: Self::rows(context), below }
    }
}

/// The actions whose name or help matches what was typed, the best first.
pub fn found<'a>(typed: &str, keymap: &'a Keymap) -> Vec<NamedAction<'a>> {
    if typed.trim().is_empty() {
        return keymap.named_actions().collect();
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut named: HashMap<&str, NamedAction<'a>> = keymap.named_actions().map(|named| (named.name, named)).collect();
    let names = pattern.match_list(keymap.named_actions().map(|named| named.name), &mut matcher);
    let mut found: Vec<NamedAction<'a>> = names.into_iter().filter_map(|(name, _)| named.remove(name)).collect();
    let typed = typed.to_lowercase();
    let helps = keymap.named_actions().filter(|one| named.contains_key(one.name));
    found.extend(helps.filter(|one| one.help.to_lowercase().contains(&typed)));
    found
}
