//! The log pane: the last lines, which of them are shown, and whether it follows.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::event::{Level, LogLine};
use super::scroll::{self, Motion};

/// How many lines are kept on the screen's side; all of them are in the log file.
pub const KEPT: usize = 2000;

#[derive(Debug)]
pub struct Log {
    lines: VecDeque<LogLine>,
    level: Level,
    /// How many of the shown lines stand above the window; None: it follows the newest.
    top: Option<usize>,
    new: usize,
    total: u64,
    search: String,
    /// When the last line came that says that something went wrong.
    last_problem: Option<Timestamp>,
    /// The match that was gone to, by its number among all lines that ever came.
    hit: Option<u64>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            level: Level::Warn,
            top: None,
            new: 0,
            total: 0,
            search: String::new(),
            last_problem: None,
            hit: None,
        }
    }
}

impl Log {
    /// A line came. Whether anything that is seen changed.
    pub fn push(&mut self, line: LogLine) -> bool {
        let shown = line.level >= self.level;
        if line.level >= Level::Warn {
            self.last_problem = Some(line.at);
        }
        self.total += 1;
        if self.lines.len() >= KEPT
            && let Some(gone) = self.lines.pop_front()
            && gone.level >= self.level
        {
            self.top = self.top.map(|top| top.saturating_sub(1));
        }
        self.lines.push_back(line);
        if shown && self.top.is_some() {
            self.new += 1;
        }
        shown
    }

    /// The lines of a window of this height, oldest first, and whether each is the match that was gone to.
    pub fn window(&self, height: usize) -> Vec<(&LogLine, bool)> {
        let shown: Vec<_> = self.shown().map(|(number, line)| (line, self.hit == Some(number))).collect();
        let top = self.top.unwrap_or(usize::MAX).min(shown.len().saturating_sub(height));
        shown.into_iter().skip(top).take(height).collect()
    }

    /// When the last line came that says that something went wrong.
    pub fn last_problem(&self) -> Option<Timestamp> {
        self.last_problem
    }

    /// The least severe level that is shown.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether it follows the newest line.
    pub fn follows(&self) -> bool {
        self.top.is_none()
    }

    /// Lines that came since it stopped following.
    pub fn new_lines(&self) -> usize {
        self.new
    }

    /// All lines that ever came.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What is searched for; empty if nothing.
    pub fn search(&self) -> &str {
        &self.search
    }

    /// The match that was gone to, from 1 on, if it is still there, and how many there are.
    pub fn hits(&self) -> (Option<usize>, usize) {
        let hits = self.found();
        let nth = hits.iter().position(|(_, number)| self.hit == Some(*number));
        (nth.map(|nth| nth + 1), hits.len())
    }

    /// Scrolls. Upwards ends following, the end resumes it.
    pub fn go(&mut self, motion: Motion, height: usize) {
        let len = self.shown().count();
        let lowest = len.saturating_sub(height);
        let top = scroll::slide(self.top.unwrap_or(lowest), motion, len, height);
        self.stand_at((top < lowest).then_some(top));
    }

    /// Shows less severe lines too, or severe ones only.
    pub fn set_level(&mut self, more: bool) {
        self.level = match (self.level, more) {
            (Level::Error, true) => Level::Warn,
            (Level::Warn, true) => Level::Info,
            (Level::Info | Level::Debug, true) => Level::Debug,
            (Level::Debug, false) => Level::Info,
            (Level::Info, false) => Level::Warn,
            (Level::Warn | Level::Error, false) => Level::Error,
        };
        self.stand_at(None);
    }

    /// Searches for a text, in any case; empty ends the search.
    pub fn set_search(&mut self, text: String) {
        (self.search, self.hit) = (text, None);
    }

    /// Goes to the next match, or the one before; from the window's first row on if the last one is out of sight.
    /// Whether there is one.
    pub fn find(&mut self, forward: bool, height: usize) -> bool {
        let hits = self.found();
        let len = self.shown().count();
        let top = self.top.unwrap_or(len.saturating_sub(height));
        let seen = |(row, number): &&(usize, u64)| self.hit == Some(*number) && (top..top + height).contains(row);
        let last = hits.iter().find(seen).map(|(row, _)| *row);
        let hit = if forward {
            hits.iter().find(|(row, _)| last.map_or(*row >= top, |last| *row > last)).or(hits.first())
        } else {
            hits.iter().rev().find(|(row, _)| *row < last.unwrap_or(top)).or(hits.last())
        };
        if let Some((row, number)) = hit.copied() {
            self.hit = Some(number);
            self.stand_at(Some(row.min(len.saturating_sub(height))));
        }
        !hits.is_empty()
    }

    /// The matches: the row of each, and its number among all lines.
    fn found(&self) -> Vec<(usize, u64)> {
        let needle = self.search.to_lowercase();
        let hits = (0..).zip(self.shown()).filter(|(_, (_, line))| !needle.is_empty() && has(line, &needle));
        hits.map(|(row, (number, _))| (row, number)).collect()
    }

    fn stand_at(&mut self, top: Option<usize>) {
        self.top = top;
        if top.is_none() {
            self.new = 0;
        }
    }

    /// The lines of the chosen level, each with its number among all that ever came.
    fn shown(&self) -> impl Iterator<Item = (u64, &LogLine)> {
        let first = self.total.saturating_sub(self.lines.len() as u64);
        (first..).zip(&self.lines).filter(|(_, line)| line.level >= self.level)
    }
}

fn has(line: &LogLine, needle: &str) -> bool {
    line.text.to_lowercase().contains(needle) || line.source.to_lowercase().contains(needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: usize) -> Log {
        let mut log = Log { level: Level::Info, ..Log::default() };
        for n in 0..lines {
            log.push(line(n));
        }
        log
    }

    fn line(n: usize) -> LogLine {
        let level = if n.is_multiple_of(2) { Level::Info } else { Level::Warn };
        LogLine { at: Timestamp::UNIX_EPOCH, level, source: "job".into(), text: format!("line {n}").into() }
    }

    fn texts(log: &Log, height: usize) -> Vec<String> {
        log.window(height).into_iter().map(|(line, _)| line.text.to_string()).collect()
    }

    #[test]
    fn scrolling_up_pauses_following_and_the_end_resumes_it() {
        let mut log = log(10);
        assert_eq!(texts(&log, 2), ["line 8", "line 9"]);
        log.go(Motion::Up, 2);
        log.push(line(10));
        log.push(line(11));
        assert_eq!((texts(&log, 2), log.new_lines()), (vec!["line 7".to_owned(), "line 8".to_owned()], 2));
        log.go(Motion::Bottom, 2);
        assert_eq!(
            (texts(&log, 2), log.follows(), log.new_lines()),
            (vec!["line 10".into(), "line 11".into()], true, 0)
        );
    }

    #[test]
    fn the_reader_s_place_stays_when_old_lines_fall_off() {
        let mut log = log(KEPT);
        log.go(Motion::HalfUp, 10);
        let before = texts(&log, 10);
        for n in 0..100 {
            log.push(line(KEPT + n));
        }
        assert_eq!(texts(&log, 10), before);
    }

    #[test]
    fn only_lines_of_the_chosen_level_are_shown() {
        let mut log = log(4);
        log.set_level(false);
        assert_eq!(texts(&log, 9), ["line 1", "line 3"]);
        log.set_level(true);
        assert_eq!(texts(&log, 9).len(), 4);
    }

    #[test]
    fn a_search_goes_round() {
        let mut log = log(30);
        log.set_search("LINE 3".to_owned());
        assert!(log.find(true, 5));
        assert_eq!(texts(&log, 5)[0], "line 3");
        log.set_search("nowhere".to_owned());
        assert!(!log.find(true, 5));
        assert_eq!(log.hits(), (None, 0));
    }

    #[test]
    fn a_search_tells_which_of_how_many_matches_it_stands_at() {
        let mut log = log(30);
        log.set_search("line 2".to_owned());
        let mut seen = Vec::new();
        for forward in [true, true, true, false, false] {
            assert!(log.find(forward, 10));
            let window = log.window(10);
            let hit = window.iter().find(|(_, hit)| *hit).map(|(line, _)| line.text.to_string());
            seen.push((log.hits().0.unwrap(), hit.unwrap()));
        }
        // Line 2, then 20 to 29; at first the window shows the last ten.
        let expected = [(2, "line 20"), (3, "line 21"), (4, "line 22"), (3, "line 21"), (2, "line 20")];
        assert_eq!(seen, expected.map(|(nth, text)| (nth, text.to_owned())));
        assert_eq!(log.hits().1, 11);
        log.push(line(2));
        assert_eq!(log.hits(), (Some(2), 12));
    }
}
