//! What the user can mean: one verb each, whatever key or palette line it came from.

use super::scroll::Motion;

/// Something that the user wants. The table in `keys` says which keys mean it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Move the cursor or the window; to the last line of the log resumes following.
    Go(Motion),
    NextPane,
    PreviousPane,
    FocusList,
    FocusDetail,
    FocusLog,
    /// Open what the cursor is on.
    Open,
    /// One step back; never quits.
    Back,
    NextProblem,
    PreviousProblem,
    /// Copy the raw output, byte for byte.
    CopyRaw,
    /// Show what can be copied.
    CopyMenu,
    /// Show durations by service, tag or reason.
    Durations,
    /// Show the batch in place of the job, or the job again.
    Batch,
    /// Fold the list into groups.
    Groups,
    /// Mark all listed jobs, or none.
    MarkAll,
    /// Toggle between list over detail and list beside detail.
    Turn,
    /// Copy the path under the cursor.
    CopyPath,
    Save,
    Pager,
    /// Write a report of the listed jobs.
    Report,
    /// Show the failures by reason.
    Errors,
    /// Show what is wrong with the jobs file.
    FileErrors,
    /// Filter the list, or search in detail and log.
    Find,
    NextMatch,
    PreviousMatch,
    ProblemsOnly,
    /// Sort by the next column.
    SortBy,
    /// Mark the job, or take the mark off.
    Mark,
    /// Next tab of the detail.
    NextTab,
    PreviousTab,
    Fold,
    Unfold,
    FoldAll,
    UnfoldAll,
    /// Read the string under the cursor as JSON.
    Decode,
    /// Scroll the detail down, from any pane.
    DetailDown,
    /// Scroll the detail up, from any pane.
    DetailUp,
    /// Wrap long lines, or not.
    Wrap,
    /// Give the pane the whole screen, or not.
    Zoom,
    /// Make the first pane smaller.
    Shrink,
    /// Make the first pane larger.
    Grow,
    /// Times relative, local, UTC.
    Times,
    /// Read the job now.
    ReadNow,
    /// Send no new read, or go on.
    Pause,
    Mouse,
    /// Log: show less severe lines too.
    MoreLog,
    /// Log: show severe lines only.
    LessLog,
    /// Every action by name.
    Palette,
    Help,
    /// Draw the whole screen again.
    Redraw,
    Suspend,
    /// Quit after the one-shot reads in flight.
    Quit,
    /// Run the user's own command of this number.
    Run(u16),
    /// As `Quit`; a second time: do not wait.
    Interrupt,
}
