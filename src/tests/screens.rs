//! Screens from facts and keystrokes, unstyled, as a person sees them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use crate::app::effect::Effect;
use crate::app::event::{Content, Copied, Event, FilesOf, Level, LogLine, Now};
use crate::app::keys::{Key, Keymap};
use crate::app::{App, DashboardOptions};
use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::checksum::Checksum;
use crate::domain::clean::Clean;
use crate::domain::fact::{Fact, Gate, Health, KeyTrouble, StoreTrouble};
use crate::domain::files::{FileCounts, FileResult};
use crate::domain::job::{Job, JobIx, JobKey, ProviderName};
use crate::domain::observation::{BodyId, LastPoll, Observation, SavedBody};
use crate::domain::owner::Owner;
use crate::domain::state::{PollOutcome, State};
use crate::ui;
use crate::ui::theme::{Charset, Palette, Theme};

/// 14:26:13 on the day of the mock-ups.
pub(super) fn start() -> Timestamp {
    "2026-11-21T14:26:13Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    start() - SignedDuration::from_secs(seconds)
}

/// A dashboard under test: its model, its clock, and what it asked for.
pub(super) struct Screen {
    pub(super) app: App,
    pub(super) now: Now,
    pub(super) effects: Vec<Effect>,
    theme: Theme,
}

impl Screen {
    pub(super) fn empty(width: u16, height: u16) -> Self {
        Self::of(width, height, None)
    }

    pub(super) fn busy(width: u16, height: u16) -> Self {
        Self::empty(width, height).filled()
    }

    pub(super) fn restored(width: u16, height: u16, view: String) -> Self {
        Self::of(width, height, Some(view)).filled()
    }

    pub(super) fn without_a_file(width: u16, height: u16, lines: Vec<Clean>) -> Self {
        Self::started(width, height, None, Err(lines))
    }

    fn of(width: u16, height: u16, view: Option<String>) -> Self {
        Self::started(width, height, view, Ok("invoices-nov.toml".into()))
    }

    fn started(width: u16, height: u16, view: Option<String>, file: Result<Clean, Vec<Clean>>) -> Self {
        let now = Now { wall: start(), mono: Duration::from_secs(100) };
        let options = DashboardOptions {
            file,
            jobs: 0,
            keymap: Keymap::default(),
            copies_by: "via wl-copy, else OSC 52 (up to 56 KB)".into(),
            fields: Vec::new(),
            zone: TimeZone::posix("GMT0").unwrap(),
            view,
            size: (width, height),
            now,
        };
        let theme = Theme::new(Charset::Utf8, Palette::Ansi);
        Self { app: App::new(options), now, effects: Vec::new(), theme }
    }

    fn filled(mut self) -> Self {
        let screen = &mut self;
        for (ix, (job, known, health)) in (0u32..).zip(batch()) {
            screen.fact(Fact::Declared { ix: JobIx(ix), job: Arc::new(job), known: Arc::new(known) });
            screen.fact(Fact::Health { ix: JobIx(ix), health });
        }
        screen.fact(Fact::NextRead(Some(start() + SignedDuration::from_secs(3))));
        for (second, level, source, text) in [
            (32, Level::Info, "scan-0398", "succeeded (COMPLETED), HTTP 200, 48 KB in 412 ms"),
            (21, Level::Warn, "prod", "rate limited, polling paused 18s"),
            (11, Level::Warn, "scan-0421", "unreachable: connect timed out; retry in 16s"),
        ] {
            let line = LogLine { at: ago(second), level, source: source.into(), text: text.into() };
            screen.event(Event::Log(line));
        }
        screen.settle();
        screen.load();
        self
    }

    pub(super) fn event(&mut self, event: Event) {
        let effects = self.app.apply(event, self.now);
        self.effects.extend(effects.into_iter().filter(|effect| !matches!(effect, Effect::SetTitle(_))));
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.event(Event::Fact(fact));
    }

    pub(super) fn settle(&mut self) -> bool {
        let drawn = self.app.needs_redraw(self.now);
        if self.app.wake_at().is_some_and(|at| at <= self.now.mono) {
            self.event(Event::Tick);
        }
        drawn
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now.mono += Duration::from_secs(seconds);
        self.now.wall += SignedDuration::from_secs(seconds.cast_signed());
        self.settle();
    }

    pub(super) fn keys(mut self, keys: &str) -> Self {
        for key in keys.split_whitespace() {
            let key = Key::parse(key).unwrap_or_else(|| panic!("no key: {key}"));
            self.event(Event::Key(key));
            self.load();
            self.settle();
            self.load();
        }
        self
    }

    /// Keys whose effects take their time.
    fn unanswered(mut self, keys: &str) -> Self {
        for key in keys.split_whitespace() {
            self.event(Event::Key(Key::parse(key).unwrap()));
            self.settle();
        }
        self
    }

    pub(super) fn typed(mut self, text: &str) -> Self {
        for c in text.chars() {
            let code = crossterm::event::KeyCode::Char(c);
            self.event(Event::Key(Key { code, ctrl: false, alt: false }));
            self.load();
            self.settle();
            self.load();
        }
        self
    }

    fn told(mut self, facts: Vec<Fact>) -> Self {
        facts.into_iter().for_each(|fact| self.fact(fact));
        self.wait(2);
        self
    }

    fn later(mut self, seconds: u64) -> Self {
        self.wait(seconds);
        self
    }

    /// The selected job's reply is this, after these keys.
    fn replied(self, keys: &str, body: &'static str, content_type: &str) -> Self {
        let fault = crate::json::scan::document(body.as_bytes()).err().map(|error| error.to_string().into());
        let content =
            Content { body: body.into(), fault, content_type: Some(content_type.into()), ..Content::default() };
        self.with_content(keys, content)
    }

    /// The selected job's reply holds this, after these keys.
    pub(super) fn with_content(self, keys: &str, content: Content) -> Self {
        let mut screen = self.unanswered(keys);
        let Some(at) = screen.effects.iter().position(|effect| matches!(effect, Effect::LoadBody { .. })) else {
            panic!("the body was not asked for")
        };
        let Effect::LoadBody { subject, body: number } = screen.effects.remove(at) else { panic!("another effect") };
        screen.event(Event::BodyLoaded { ix: subject.ix, body: number, result: Ok(Arc::new(content)) });
        screen.settle();
        screen.load();
        screen
    }

    /// The selected job's reply is this, in the Raw tab.
    fn broken(self, body: &'static str) -> Self {
        self.replied("] ] ]", body, "text/html")
    }

    fn broken_file(mut self) -> Self {
        let lines = FILE_ERRORS.lines().map(Into::into).collect();
        self.event(Event::ConfigBroken(lines));
        self
    }

    fn copied(mut self) -> Self {
        let path = "/home/me/.local/state/jobdeck/copies/x".into();
        self.event(Event::Copied {
            of: crate::app::effect::CopyName::default(),
            copied: Copied::Path { bytes: 212_000, path },
        });
        self
    }

    pub(super) fn ascii(mut self) -> Self {
        self.theme = Theme::new(Charset::Ascii, Palette::Plain);
        self
    }

    /// Answers what was asked for, as the outside would.
    fn load(&mut self) {
        let wanted = |effect: &Effect| {
            matches!(effect, Effect::LoadBody { .. } | Effect::BuildTree { .. } | Effect::ReadFiles(_))
        };
        while let Some(at) = self.effects.iter().position(wanted) {
            let effect = self.effects.remove(at);
            if let Effect::LoadBody { subject, body } = effect {
                let result = Ok(Arc::new(content(&subject.job)));
                self.event(Event::BodyLoaded { ix: subject.ix, body, result });
            } else if let Effect::ReadFiles(bodies) = effect {
                let files = |ix: JobIx| Some(content(&self.app.jobs.get(ix)?.job).files);
                let read = |(ix, _, body)| Some(FilesOf { ix, body, files: files(ix)? });
                let read = bodies.into_iter().filter_map(read).collect();
                self.event(Event::FilesRead(read));
            } else if let Effect::BuildTree { ix, body, part, text } = effect {
                let never = std::sync::atomic::AtomicBool::new(false);
                let tree = crate::json::index::Document::parse(text, &never);
                let tree = tree.map(Arc::new).map_err(|error| error.to_string().into());
                self.event(Event::TreeReady { ix, body, part, tree });
            }
        }
    }

    fn buffer(&self) -> Buffer {
        let (width, height) = self.app.size;
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height });
        ui::draw_into(&self.app, &self.theme, &mut buffer);
        buffer
    }

    pub(super) fn draw(&self) -> String {
        let (width, height) = self.app.size;
        let buffer = self.buffer();
        let mut out = String::new();
        for y in 0..height {
            let mut skip = 0;
            let mut row = String::new();
            for x in 0..width {
                let symbol = buffer[(x, y)].symbol();
                if skip == 0 {
                    row.push_str(symbol);
                    skip = unicode_width::UnicodeWidthStr::width(symbol).max(1);
                }
                skip -= 1;
            }
            out.push_str(row.trim_end());
            out.push('\n');
        }
        out
    }
}

/// What is wrong with a jobs file, as `config` tells it.
const FILE_ERRORS: &str = "\
jobs.toml:2:1: unknown key `provder` in [services.invoices]
  |
2 | provder = \"***\"
  | ^^^^^^^
  = did you mean `provider`?

jobs.toml:3:9: a token is never written in the file
  |
3 | token = \"***\"
  |         ^^^^^
  = say where it comes from: token = { env = \"VESSL_TOKEN\" }, { file = \"~/.token\" } or { command = [\"pass\", \"show\", \"api-key\"] }";

fn job(provider: ProviderName, name: &str, id: &str) -> Job {
    let key = JobKey { provider, endpoint: format!("https://{provider}.example").into(), id: id.to_owned() };
    let service = match provider {
        ProviderName::VESSL => "prod",
        ProviderName::OPTEXITY => "browser",
        _ => "invoices",
    };
    Job { name: Some(name.to_owned()), tags: ["nov".to_owned()].into(), ..crate::tests::job(key, service) }
}

fn known(state: State, word: &str, age: i64, took: Option<i64>) -> Observation {
    let over = state.is_terminal();
    Observation {
        state,
        word: Some(word.to_owned()),
        http_status: Some(200),
        first_seen: Some(ago(age + took.map_or(0, |took| took + 2))),
        running_since: took.map(|took| ago(age + took)).or((state == State::Running).then(|| ago(age))),
        finished_at: over.then(|| ago(age)),
        changed_at: Some(ago(age)),
        saved: over.then(|| SavedBody {
            body: BodyId(age),
            bytes: 3100,
            sha256: Checksum::from_hex(&format!("{}0000", "9f2c77ab0d".repeat(6))).unwrap(),
            http_status: 200,
            at: ago(age - 1),
            masked: false,
        }),
        last_poll: Some(LastPoll { read: PollOutcome::Answered, http_status: Some(200), reason: None, at: ago(3) }),
        ..Observation::default()
    }
}

/// The batch of the mock-ups.
fn batch() -> Vec<(Job, Observation, Health)> {
    let reason = |text: &str| Some(text.to_owned());
    let files = |total, failed| Some(FileCounts { total, failed });
    let timed_out = LastPoll {
        read: PollOutcome::Unreachable,
        http_status: None,
        reason: reason("connect timed out"),
        at: ago(38),
    };
    vec![
        (
            job(ProviderName::UNSTRACT, "scan-0398", "e748d90f"),
            Observation { files: files(4, 0), ..known(State::Succeeded, "COMPLETED", 32, Some(62)) },
            Health::Fresh,
        ),
        (
            job(ProviderName::VESSL, "embed-shard-19", "98nlux8b0eu6"),
            known(State::Queued, "pending", 31, None),
            Health::Fresh,
        ),
        (
            job(ProviderName::UNSTRACT, "scan-0422", "8c7d1f0f"),
            known(State::Running, "EXECUTING", 115, None),
            Health::Fresh,
        ),
        (
            job(ProviderName::UNSTRACT, "scan-0421", "8c7d1f0d"),
            Observation { last_poll: Some(timed_out), ..known(State::Running, "EXECUTING", 127, None) },
            Health::Stale,
        ),
        (
            job(ProviderName::UNSTRACT, "scan-0402", "8c7d1f0e-1b41-4f0a-9d5e-0a2b3c4d41b2"),
            Observation { files: files(4, 1), ..known(State::Partial, "COMPLETED", 651, Some(211)) },
            Health::Fresh,
        ),
        (
            job(ProviderName::UNSTRACT, "scan-0419", "8c7d1f0a"),
            Observation { files: files(3, 3), ..known(State::Failed, "ERROR", 580, Some(130)) },
            Health::Fresh,
        ),
        (
            job(ProviderName::VESSL, "rerank-batch-07", "7hq2"),
            Observation {
                fail_reason: reason("503 upstream: CUDA OOM"),
                service_status_code: Some(503),
                ..known(State::Failed, "completed", 362, Some(41))
            },
            Health::Fresh,
        ),
        (
            job(ProviderName::OPTEXITY, "acme-2211", "6b1f2f0a-77d1-4d4e-b6b1-a5f2ff0c00c2"),
            Observation {
                fail_reason: reason("Login page did not load within 60s: selector #user not found"),
                error_code: reason("TIMEOUT"),
                ..known(State::Failed, "failed", 273, Some(118))
            },
            Health::Fresh,
        ),
        (job(ProviderName::OPTEXITY, "acme-2214", "6b1f2f0b"), Observation::default(), Health::Fresh),
    ]
}

fn content(job: &Job) -> Content {
    match job.key.provider {
        ProviderName::UNSTRACT => {
            let file = |name: &str, failed: bool| {
                let error = if failed {
                    "\"OCR returned 0 characters on page 1 (LLMWhisperer 422): document may be password protected or blank\""
                } else {
                    "null"
                };
                format!(
                    "{{\"file\":\"{name}\",\"status\":\"{}\",\"error\":{error},\"result\":{{\"output\":{{\"total\":12.50}}}}}}",
                    if failed { "Failed" } else { "Success" }
                )
            };
            let names = [("inv-88121.pdf", false), ("inv-88122-scan.pdf", true), ("inv-88123.pdf", false)];
            let mut body = "{\"status\":\"COMPLETED\",\"message\":[".to_owned();
            let mut files = Vec::new();
            for (n, (name, failed)) in names.into_iter().enumerate() {
                if n > 0 {
                    body.push(',');
                }
                let text = file(name, failed);
                let range = body.len()..body.len() + text.len();
                body.push_str(&text);
                let error = failed.then(|| "OCR returned 0 characters on page 1 (LLMWhisperer 422): document may be password protected or blank".to_owned());
                files.push(FileResult {
                    name: name.to_owned(),
                    status: if failed { "Failed".into() } else { "Success".into() },
                    failed,
                    error,
                    keys: (!failed).then_some(31),
                    size: text.len() as u64,
                    cost: (!failed).then(|| "0.011".to_owned()),
                    in_review: false,
                    range,
                    result: None,
                });
            }
            body.push_str("]}");
            let body = Bytes::from(body);
            Content {
                raw: Some(body.slice(33..body.len() - 1)),
                body,
                content_type: None,
                fault: None,
                broken: false,
                damage: None,
                output: Some("{\"inv-88121.pdf\":{\"output\":{\"total\":12.50}}}".into()),
                output_path: String::new(),
                files,
            }
        }
        provider => Content {
            body: "{\"raw_output\":\"503 \\u001b[31mupstream\",\"output\":{\"steps\":[1,2,3],\"ok\":false}}".into(),
            content_type: Some("application/json".into()),
            fault: None,
            broken: false,
            damage: None,
            raw: Some("503 \u{1b}[31mupstream: CUDA OOM\nsecond line".into()),
            output: Some("{\"steps\":[{\"name\":\"login\",\"took\":1.50},2,3],\"ok\":false}".into()),
            output_path: if provider == ProviderName::VESSL {
                ".output".into()
            } else {
                ".result | fromjson | ".into()
            },
            files: Vec::new(),
        },
    }
}

pub(super) fn history() -> Fact {
    let attempt = |second, read, http_status, count, reason: Option<&str>| Attempt {
        first: ago(second),
        last: ago(second - 5),
        count,
        read,
        http_status,
        latency: Duration::from_millis(412),
        bytes: 3100,
        retry_after: (read == PollOutcome::Throttled).then_some(Duration::from_secs(18)),
        word: reason.is_none().then(|| "running".to_owned()),
        reason: reason.map(str::to_owned),
    };
    let attempts = vec![
        attempt(300, PollOutcome::Answered, Some(200), 14, None),
        attempt(200, PollOutcome::Throttled, Some(429), 1, Some("too many requests")),
        attempt(100, PollOutcome::Unreachable, None, 3, Some("connect timed out")),
    ];
    let change = |second, previous, state: State| StateChange {
        at: ago(second),
        previous,
        state,
        word: Some(state.to_string()),
    };
    let changes = vec![
        change(400, None, State::Queued),
        change(300, Some(State::Queued), State::Running),
        change(280, Some(State::Running), State::Running),
        change(273, Some(State::Running), State::Failed),
    ];
    Fact::History { ix: JobIx(7), attempts, changes }
}

#[test]
fn without_a_jobs_file_the_screen_says_where_it_was_looked_for() {
    let lines = vec!["there is no jobs file: looked for ./jobs.toml".into(), "jobdeck init writes one".into()];
    insta::assert_snapshot!(Screen::without_a_file(80, 24, lines).draw());
}

macro_rules! screens {
    ($($name:ident: $screen:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), $screen.draw());
            }
        )*
    };
}

screens! {
    at_80x24_the_panes_stand_one_over_the_other: Screen::busy(80, 24);
    at_120x40_the_detail_stands_at_the_right: Screen::busy(120, 40).keys("j j j ] ]");
    at_200x60_there_are_more_columns: Screen::busy(200, 60);
    at_60x15_one_pane_is_seen_at_a_time: Screen::busy(60, 15);
    at_100x30_a_name_has_its_cells_before_the_service: Screen::busy(100, 30);
    a_narrow_list_keeps_its_names: Screen::busy(120, 40).keys("| < < < <");
    the_count_and_the_filter_are_in_the_frame: Screen::busy(120, 40).keys("/").typed("state:failed provider:opt*").keys("Enter");
    the_counts_stay_whole_where_the_filter_is_cut: Screen::busy(120, 40).keys("Space Space Space /").typed("state:failed name:acme*").keys("Enter");
    at_41x8_the_reason_has_a_line: Screen::busy(41, 8).keys("j");
    t_says_which_times_are_shown: Screen::busy(80, 24).keys("t t");
    a_tag_is_found_while_it_is_typed: Screen::busy(80, 24).keys("/").typed("service:inv");
    a_field_that_does_not_exist_leaves_the_list_as_it_was: Screen::busy(80, 24).keys("/").typed("scan statee:");
    a_search_in_the_tree_counts: Screen::busy(80, 24).keys("2 ] /").typed("s").keys("Enter n");
    a_search_in_the_log_counts: Screen::busy(120, 40).keys("3 /").typed("scan").keys("Enter n");
    at_60x15_enter_shows_the_detail: Screen::busy(60, 15).keys("Enter");
    at_30x6_there_are_counts_and_the_newest_failure: Screen::busy(30, 6);
    ascii_has_a_sign_for_everything: Screen::busy(80, 24).ascii();
    an_empty_list_says_how_to_add_a_job: Screen::empty(80, 24);
    a_filter_is_live_and_counts_its_matches: Screen::busy(80, 24).keys("/").typed("scan state:failed");
    a_broken_filter_keeps_the_last_result_and_underlines_the_bad_word: Screen::busy(80, 24).keys("/").typed("state:failing");
    no_match_says_how_to_get_back: Screen::busy(80, 24).keys("/").typed("nowhere").keys("Enter");
    a_filter_for_files_looks_into_the_saved_replies: Screen::busy(80, 24).keys("/").typed("file:inv-88122*");
    failures_are_read_one_reply_after_the_other: Screen::busy(120, 40).unanswered("e");
    problems_only: Screen::busy(80, 24).keys("!");
    help_lists_the_keys_of_the_pane_first: Screen::busy(80, 24).keys("?");
    help_can_be_searched: Screen::busy(80, 24).keys("? /").typed("copy");
    the_copy_menu_tells_sizes: Screen::busy(100, 30).keys("Y");
    failures_by_reason: Screen::busy(120, 40).keys("e");
    the_palette_finds_actions_by_name: Screen::busy(80, 24).keys(":").typed("cop");
    the_output_is_a_tree: Screen::busy(80, 24).keys("2 ] z");
    the_raw_tab_makes_controls_visible: Screen::busy(80, 24).keys("2 ] ] ]");
    a_file_s_own_tree_opens_below_the_table: Screen::busy(120, 40).keys("j j j 2 ] ] Enter");
    sorted_by_name: Screen::busy(80, 24).keys("o n");
    the_menu_of_columns: Screen::busy(80, 24).keys("o");
    durations_and_the_slowest_jobs: Screen::busy(120, 40).keys("D");
    durations_by_reason: Screen::busy(80, 24).keys("D Tab Tab");
    groups_by_service: Screen::busy(120, 40).keys("= Enter");
    groups_by_tag_at_80x24: Screen::busy(80, 24).keys("= =");
    the_empty_filter_shows_its_language: Screen::busy(120, 40).keys("/");
    list_beside_detail: Screen::busy(120, 40).keys("|");
    the_quit_dialog_names_the_reads_that_are_waited_for: Screen::busy(80, 24).keys("q").told(vec![
        Fact::Draining(vec![JobIx(2), JobIx(3)]),
    ]);
    a_refused_key_is_the_first_alert: Screen::busy(80, 24).told(vec![
        Fact::Gate { service: "prod".into(), gate: Gate::KeyRefused(KeyTrouble::Rejected("401".to_owned())) },
        Fact::Health { ix: JobIx(1), health: Health::KeyRefused },
    ]);
    a_throttled_service_says_until_when: Screen::busy(120, 40).told(vec![
        Fact::Gate { service: "prod".into(), gate: Gate::Throttled(start() + SignedDuration::from_secs(18)) },
        Fact::Health { ix: JobIx(1), health: Health::Throttled(start() + SignedDuration::from_secs(18)) },
    ]);
    a_store_that_cannot_be_written_withholds_one_shot_reads: Screen::busy(80, 24).told(vec![
        Fact::StoreTrouble(Some(StoreTrouble::Local("no space left on device".to_owned()))),
        Fact::Health { ix: JobIx(2), health: Health::Held },
    ]);
    a_team_s_store_that_does_not_answer_is_called_that: Screen::busy(80, 24).told(vec![
        Fact::StoreTrouble(Some(StoreTrouble::Team("the team's store cannot be reached".to_owned()))),
        Fact::Health { ix: JobIx(2), health: Health::Held },
    ]);
    at_200x60_a_file_s_json_stands_beside_the_table: Screen::busy(200, 60).keys("j j 2 ] ]");
    at_120x40_the_summary_has_the_output_below: Screen::busy(120, 40).keys("2");
    at_80x24_the_files: Screen::busy(80, 24).keys("j j 2 ] ]");
    at_80x24_an_opened_file_has_the_pane_for_itself: Screen::busy(80, 24).keys("j j 2 ] ] Enter");
    at_39x7_there_are_counts_and_the_newest_failure: Screen::busy(39, 7);
    at_120x40_the_output: Screen::busy(120, 40).keys("]");
    at_120x40_the_raw_bytes: Screen::busy(120, 40).keys("] ] ]");
    at_120x40_the_history: Screen::busy(120, 40).keys("[").told(vec![history()]);
    at_60x15_the_output: Screen::busy(60, 15).keys("Enter ]");
    a_log_without_a_line_of_the_level_says_so: Screen::busy(80, 24).keys("3 - -");
    at_60x15_the_log: Screen::busy(60, 15).keys("3");
    help_of_the_detail: Screen::busy(120, 40).keys("2 ?");
    help_of_the_log: Screen::busy(80, 24).keys("3 ?");
    a_reply_that_is_no_json_says_so_over_its_bytes: Screen::busy(80, 24).broken("<html><body>502 Bad Gateway</body></html>");
    a_reply_without_output_is_shown_whole: Screen::busy(80, 24).replied(
        "2 ]",
        "{\"status\":\"failed\",\"error\":\"Login page did not load\",\"final_screenshot\":\"https://x.example/final.png\"}",
        "application/json",
    );
    the_output_of_a_reply_that_is_no_json_says_where_to_look: Screen::busy(80, 24).replied("2 ]", "<html>", "text/html");
    an_empty_reply_says_so: Screen::busy(80, 24).broken("");
    offline: Screen::busy(120, 40).told(vec![
        Fact::Gate { service: "invoices".into(), gate: Gate::BackingOff(start() + SignedDuration::from_secs(16)) },
    ]);
    after_sleep_all_are_stale: Screen::busy(80, 24).told((0..4).map(|ix| {
        Fact::Health { ix: JobIx(ix), health: Health::Stale }
    }).collect());
    followed_by_another_instance: Screen::busy(80, 24).told(vec![
        Fact::Health { ix: JobIx(1), health: Health::Following(Owner::here(4711)) },
        Fact::Health { ix: JobIx(2), health: Health::Following(Owner::here(4711)) },
    ]);
    given_up: Screen::busy(80, 24).told(vec![
        Fact::Health { ix: JobIx(8), health: Health::GivenUp("404 not found, twice".to_owned()) },
    ]);
    a_file_error_leaves_the_old_one_in_force: Screen::busy(80, 24).broken_file();
    all_errors_of_the_file_can_be_read_with_their_excerpts: Screen::busy(80, 24).broken_file().keys("E");
    the_footer_tells_the_key_of_the_file_s_errors: Screen::busy(80, 24).broken_file().keys("j");
    a_broken_file_at_the_start_can_be_scrolled: Screen::without_a_file(60, 10, FILE_ERRORS.lines().map(Into::into).collect()).keys("? : G k");
    at_60x15_help_is_wrapped: Screen::busy(60, 15).keys("? PgDn PgDn");
    at_60x15_the_failures: Screen::busy(60, 15).keys("e");
    at_60x15_the_palette: Screen::busy(60, 15).keys(":").typed("mark");
    at_60x15_a_long_filter_is_seen_where_it_is_typed: Screen::busy(60, 15).keys("/").typed("state:failed,partial tag:nov service:invoices name:scan* age:>10m").keys("Left Left");
    at_60x15_a_broken_filter: Screen::busy(60, 15).keys("/").typed("state:failing");
    at_39x7_what_was_copied_is_said: Screen::busy(39, 7).copied();
    at_39x7_the_reads_in_flight_are_named: Screen::busy(39, 7).keys("q").told(vec![
        Fact::Draining(vec![JobIx(2), JobIx(3)]),
    ]);
    after_q_and_an_interrupt_the_next_one_does_not_wait: Screen::busy(80, 24).keys("q").told(vec![
        Fact::Draining(vec![JobIx(2), JobIx(3)]),
    ]).keys("Ctrl-c e Y j");
    the_copy_menu_of_an_unfinished_one_shot_job_warns: Screen::busy(80, 24).keys("G k k k Y");
    at_40x9_the_copy_menu_warns_too: Screen::busy(40, 9).keys("G k k k Y");
    a_key_of_another_pane_says_where_it_works: Screen::busy(80, 24).keys("+");
    at_40x9_the_copy_menu_can_be_scrolled: Screen::busy(40, 9).keys("Y G");
    the_copy_menu_of_marked_jobs: Screen::busy(80, 24).keys("Space Space G Space Y");
    a_palette_without_a_match_says_so: Screen::busy(80, 24).keys(":").typed("xyzzy");
    f_says_that_it_went_round: Screen::busy(80, 24).keys("f f f f");
    while_away: Screen::busy(80, 24).keys("j").told(vec![super::dashboard::observed(1, State::Failed, 1)]).later(61).keys("j");
    search_in_the_detail: Screen::busy(80, 24).keys("2 /").typed("loGin").keys("Enter");
    sorted_by_change_reversed: Screen::busy(80, 24).keys("o a o a");
    the_detail_has_the_whole_screen: Screen::busy(80, 24).keys("2 z");
    ascii_at_120x40: Screen::busy(120, 40).keys("j j ] ]").ascii();
    cut_lines: Screen::busy(80, 24).keys("w");
    paused: Screen::busy(80, 24).keys("p");
    finished: Screen::busy(80, 24).keys("").told(vec![
        Fact::Withdrawn(JobIx(1)),
        Fact::Withdrawn(JobIx(2)),
        Fact::Withdrawn(JobIx(3)),
        Fact::Withdrawn(JobIx(8)),
        Fact::NextRead(None),
        Fact::Settled,
    ]);
    the_history_is_newest_first: Screen::busy(100, 30).keys("2 [").told(vec![history()]);
    a_job_that_was_never_polled_has_no_history: Screen::busy(80, 24).keys("G k 2 [").told(vec![
        Fact::History { ix: JobIx(8), attempts: Vec::new(), changes: Vec::new() },
    ]);
    the_log_has_the_whole_screen: Screen::busy(80, 24).keys("3 z -");
    utc: Screen::busy(80, 24).keys("t t");
    the_split_can_be_moved: Screen::busy(120, 40).keys("> > >");
    a_job_s_failures_can_be_listed_by_reason: Screen::busy(80, 24).keys("e Enter");
    marked_jobs_carry_a_star: Screen::busy(80, 24).keys("Space Space");
}

#[test]
fn what_has_to_be_read_has_the_terminal_s_own_colours_and_is_not_dim() {
    let screen = Screen::busy(120, 40);
    let (text, buffer) = (screen.draw(), screen.buffer());
    for words in ["503 upstream", "1 of 4 files", "Login page did not load within 60s: selector", "TIMEOUT"] {
        let found = text.lines().enumerate().filter_map(|(y, row)| Some((y, row.split_once(words)?.0.chars().count())));
        let (y, x) = found.last().unwrap();
        let cell = &buffer[(u16::try_from(x).unwrap(), u16::try_from(y).unwrap())];
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{words}");
        assert!(!cell.modifier.contains(ratatui::style::Modifier::DIM), "{words}");
    }
}

#[test]
fn every_size_can_be_drawn() {
    for keys in ["", "Enter ]", "? ", "Y", "e", ":", "/", "z", "3", "j j j 2 ] ] Enter", "D", "=", "o", "|"] {
        let mut screen = Screen::busy(80, 24).keys(keys);
        let coarse = (0..=300).step_by(43).flat_map(|width| (0..=100).step_by(9).map(move |height| (width, height)));
        let fine = (0..=45).step_by(3).flat_map(|width| (0..=25).step_by(2).map(move |height| (width, height)));
        for (width, height) in coarse.chain(fine) {
            screen.event(Event::Resize { width, height });
            screen.settle();
            screen.draw();
        }
    }
}
