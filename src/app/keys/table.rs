//! The one table of keys: the dispatcher, the footer, the help page, `jobdeck keys` and the man page all read it.

use super::{KeyBinding, KeyContext};
use crate::app::action::Action;
use crate::app::scroll::Motion;

/// Every action with its keys, in the order of the help page.
pub fn table() -> &'static [KeyBinding] {
    TABLE
}

const fn all(action: Action, keys: &'static [&'static str], name: &'static str, help: &'static str) -> KeyBinding {
    KeyBinding { action, keys, context: KeyContext::Everywhere, name, help, footer: "" }
}

const fn at(
    context: KeyContext,
    action: Action,
    keys: &'static [&'static str],
    name: &'static str,
    help: &'static str,
) -> KeyBinding {
    KeyBinding { action, keys, context, name, help, footer: "" }
}

const fn foot(binding: KeyBinding, footer: &'static str) -> KeyBinding {
    KeyBinding { footer, ..binding }
}

const TABLE: &[KeyBinding] = &[
    foot(
        all(Action::NextProblem, &["f"], "next-problem", "select the next problem: lost, failed, partial or not found"),
        "next problem",
    ),
    all(Action::PreviousProblem, &["F"], "previous-problem", "select the previous problem"),
    foot(
        all(Action::CopyRaw, &["y"], "copy-raw", "copy the raw output (in Files: the file's result), byte for byte"),
        "copy",
    ),
    foot(all(Action::CopyMenu, &["Y"], "copy-menu", "choose what to copy"), "copy…"),
    foot(all(Action::Save, &["s"], "save", "save the raw output (in Files: the file's result) to a file"), "save"),
    foot(all(Action::Open, &["Enter"], "open", "open what the cursor is on"), "open"),
    all(Action::Back, &["Esc"], "back", "one step back; never quits"),
    foot(all(Action::Errors, &["e"], "errors", "failures by reason"), "reasons"),
    foot(all(Action::Batch, &["b"], "batch", "toggle the batch: outcome, times, cost, reasons"), "batch"),
    all(Action::ProblemsOnly, &["!"], "problems-only", "toggle problems only"),
    foot(all(Action::Find, &["/"], "find", "filter the list; search in detail and log"), "filter"),
    all(Action::NextMatch, &["n"], "next-match", "next match"),
    all(Action::PreviousMatch, &["N"], "previous-match", "previous match"),
    foot(
        all(
            Action::Durations,
            &["D"],
            "durations",
            "queued and running times by service, tag or reason; the slowest jobs",
        ),
        "durations",
    ),
    all(Action::Groups, &["="], "groups", "fold the list by service, then by tag, then not"),
    all(Action::Go(Motion::Down), &["j", "Down"], "down", "one line down"),
    all(Action::Go(Motion::Up), &["k", "Up"], "up", "one line up"),
    all(Action::Go(Motion::Top), &["g", "Home"], "top", "to the first line"),
    all(Action::Go(Motion::Bottom), &["G", "End"], "bottom", "to the last line; the log follows again"),
    all(Action::Go(Motion::HalfDown), &["Ctrl-d"], "half-page-down", "half a page down"),
    all(Action::Go(Motion::HalfUp), &["Ctrl-u"], "half-page-up", "half a page up"),
    all(Action::Go(Motion::PageDown), &["PgDn"], "page-down", "a page down"),
    all(Action::Go(Motion::PageUp), &["PgUp"], "page-up", "a page up"),
    all(Action::NextPane, &["Tab"], "next-pane", "focus the next pane"),
    all(Action::PreviousPane, &["Shift-Tab"], "previous-pane", "focus the previous pane"),
    all(Action::FocusList, &["1"], "focus-list", "focus the list"),
    all(Action::FocusDetail, &["2"], "focus-detail", "focus the detail"),
    all(Action::FocusLog, &["3"], "focus-log", "focus the log"),
    foot(all(Action::NextTab, &["]"], "next-tab", "next tab of the detail"), "tab"),
    all(Action::PreviousTab, &["["], "previous-tab", "previous tab"),
    foot(all(Action::FileErrors, &["E"], "file-errors", "errors of the changed jobs file"), "file errors"),
    at(KeyContext::List, Action::SortBy, &["o"], "sort-by", "sort by a column; the same again reverses"),
    at(
        KeyContext::List,
        Action::Mark,
        &["Space"],
        "mark",
        "mark the job and move down; save, poll and the copy menu act on the marked",
    ),
    at(KeyContext::List, Action::MarkAll, &["Ctrl-Space"], "mark-all", "mark all listed jobs, or none"),
    all(Action::Fold, &["h", "Left"], "fold", "fold, or go to the parent; close a group of the list"),
    all(Action::Unfold, &["l", "Right"], "unfold", "unfold; open a group of the list"),
    all(Action::FoldAll, &["H"], "fold-all", "fold everything"),
    all(Action::UnfoldAll, &["L"], "unfold-all", "unfold everything"),
    at(KeyContext::Detail, Action::Decode, &["d"], "decode", "toggle reading the string under the cursor as JSON"),
    at(KeyContext::Detail, Action::CopyPath, &["c"], "copy-path", "copy the path under the cursor"),
    at(KeyContext::Log, Action::MoreLog, &["+"], "log-more", "show less severe lines too"),
    at(KeyContext::Log, Action::LessLog, &["-"], "log-less", "show severe lines only"),
    all(Action::DetailDown, &["J"], "detail-down", "scroll the detail down, from any pane"),
    all(Action::DetailUp, &["K"], "detail-up", "scroll the detail up, from any pane"),
    all(Action::Wrap, &["w"], "wrap", "toggle wrapping of long lines"),
    all(Action::Zoom, &["z"], "zoom", "toggle the pane over the whole screen"),
    all(Action::Turn, &["|"], "layout", "toggle list over detail and list beside detail"),
    all(Action::Shrink, &["<"], "shrink", "make the list smaller"),
    all(Action::Grow, &[">"], "grow", "make the list larger"),
    all(Action::Times, &["t"], "times", "toggle durations, local times, UTC"),
    all(Action::ReadNow, &["r"], "read-now", "poll now"),
    foot(all(Action::Pause, &["p"], "pause", "pause or resume polling"), "pause"),
    all(Action::Pager, &["v"], "pager", "open the output in the pager"),
    all(Action::Report, &[], "report", "write a report of the marked or listed jobs, a page to hand on"),
    all(Action::Mouse, &["M"], "mouse", "toggle the mouse"),
    foot(all(Action::Palette, &[":"], "palette", "every action by name"), "commands"),
    foot(all(Action::Help, &["?"], "help", "this help"), "help"),
    all(Action::Redraw, &["Ctrl-l"], "redraw", "redraw the screen"),
    all(Action::Suspend, &["Ctrl-z"], "suspend", "suspend to the shell"),
    all(Action::Quit, &["q"], "quit", "quit; results in flight are finished and saved first"),
    all(Action::Interrupt, &["Ctrl-c"], "interrupt", "quit; twice: at once"),
];
