//! What the dashboard does on events: transitions as data, without drawing.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;

use super::screens::{Screen, start};
use crate::app::action::Action;
use crate::app::detail::Tab;
use crate::app::effect::{CopyName, Effect, NoticeKind, What};
use crate::app::event::{Content, Copied, Event, Mouse, MouseKind};
use crate::app::keys::Keymap;
use crate::app::layout::Pane;
use crate::app::text::{TextLine, Tone};
use crate::domain::clean::Clean;
use crate::domain::fact::{Ending, Fact, Gate, Health, KeyTrouble};
use crate::domain::job::{Job, JobIx, JobKey, ProviderName};
use crate::domain::observation::{LastPoll, Observation};
use crate::domain::state::{LostBecause, PollOutcome, State};

/// The effects of keys, in short.
fn after(keys: &str) -> Vec<String> {
    Screen::busy(80, 24).keys(keys).effects.iter().map(short).collect()
}

fn short(effect: &Effect) -> String {
    let names = |jobs: &[crate::app::effect::JobSnapshot]| {
        let names: Vec<&str> = jobs.iter().map(|subject| subject.job.title()).collect();
        names.join(" ")
    };
    if let Effect::Copy { what: What::Text(text), .. } = effect {
        return format!("copy {}", String::from_utf8_lossy(text));
    }
    if let Effect::Copy { what, jobs, .. } = effect {
        return format!("copy {what:?} of {}", names(jobs));
    }
    if let Effect::SaveFile { what, jobs } = effect {
        return format!("save {what:?} of {}", names(jobs));
    }
    if let Effect::SaveView(_) = effect { "save view".to_owned() } else { format!("{effect:?}") }
}

#[test]
fn each_key_asks_for_what_the_manual_says() {
    let cases: [(&str, &[&str]); 20] = [
        ("y", &["copy Raw of acme-2211"]),
        ("f y", &["copy Raw of rerank-batch-07"]),
        ("3 f F y", &["copy Raw of acme-2211"]),
        ("2 ] z f y", &["copy Raw of rerank-batch-07"]),
        ("F y", &["copy Raw of scan-0402"]),
        ("Y b", &["copy Body of acme-2211"]),
        ("Y j Enter", &["copy Body of acme-2211"]),
        ("Space Space Y s", &["save Raw of acme-2211 rerank-batch-07"]),
        ("E Y Y e e ? ? y", &["copy Raw of acme-2211"]),
        ("Y i", &["copy 6b1f2f0a-77d1-4d4e-b6b1-a5f2ff0c00c2"]),
        ("2 ] c", &["copy .result | fromjson | .steps"]),
        ("s", &["save Raw of acme-2211"]),
        ("Space Space s", &["save Raw of acme-2211 rerank-batch-07"]),
        ("r", &["ReadNow([JobIx(7)])"]),
        ("p p", &["Pause(true)", "Pause(false)"]),
        ("G k y", &[]),
        ("M", &["SetMouse(true)"]),
        ("Ctrl-z Ctrl-l", &["Suspend", "ClearScreen"]),
        ("? Ctrl-z Esc / Ctrl-z", &["Suspend", "Suspend"]),
        ("Esc Esc Esc", &[]),
    ];
    for (keys, effects) in cases {
        assert_eq!(after(keys), effects, "{keys}");
    }
}

#[test]
fn what_cannot_be_copied_is_said_with_the_reason() {
    let mut screen = Screen::busy(80, 24);
    let Fact::Observed { known, .. } = observed(2, State::Lost, 1) else { panic!("another fact") };
    let known = Observation { lost: Some(LostBecause::Expired), ..(*known).clone() };
    screen.fact(Fact::Observed { ix: JobIx(2), previous: None, changed: true, known: Arc::new(known) });
    screen.effects.clear();
    screen.wait(3);
    let cases = [
        ("g y", "nothing to copy: result expired on the server before it was fetched"),
        ("s", "nothing to save: result expired on the server before it was fetched"),
        ("v", "nothing to show: result expired on the server before it was fetched"),
        ("/ s c a n - 0 4 2 1 Enter y", "nothing to copy: the job is not finished, nothing is saved yet"),
    ];
    for (keys, said) in cases {
        screen = screen.keys(keys);
        assert_eq!(screen.app.toast.as_ref().map(|toast| toast.text.as_str()), Some(said), "{keys}");
    }
    assert!(screen.effects.is_empty());
}

#[test]
fn keys_that_were_bound_anew_are_told_wherever_a_key_is_told() {
    let bound = [("next-problem", "F8"), ("back", "Alt-b"), ("interrupt", "F12"), ("mouse", "F9"), ("errors", "F7")];
    let bound = bound.map(|(name, key)| (name, [key.to_owned()]));
    let mut screen = Screen::busy(80, 24);
    screen.app.keymap = Keymap::rebound(bound.iter().map(|(name, keys)| (*name, keys.as_slice())));
    let steps: [(&str, &[&str], &[&str]); 8] = [
        ("j", &[" F8 next problem", " F7 reasons"], &[" f next", " e reasons"]),
        ("F8", &[], &[]),
        ("/ z z z Enter", &["0 of 9 match zzz   (Alt-b clears)"], &["Esc"]),
        ("Alt-b ?", &["│ F8                select the next problem", " Alt-b close"], &["Esc"]),
        ("Alt-b :", &["next-problem     F8 "], &[]),
        ("Esc F7", &["Failures by reason", "Alt-b close"], &[]),
        ("Alt-b F9", &["mouse on   (F9 turns it off)"], &[]),
        ("q", &["F12 twice: lose them"], &["Ctrl-c"]),
    ];
    for (keys, there, not_there) in steps {
        screen = screen.keys(keys);
        if keys == "q" {
            screen.fact(Fact::Draining(vec![JobIx(2), JobIx(3)]));
        }
        let shown = screen.draw();
        for text in there {
            assert!(shown.contains(text), "{keys}: {text}\n{shown}");
        }
        for text in not_there {
            assert!(!shown.contains(text), "{keys}: {text}\n{shown}");
        }
    }
}

#[test]
fn without_a_jobs_file_keys_scroll_and_quit_and_do_nothing_else() {
    let lines: Vec<Clean> = (0..30).map(|n| Clean::from(format!("line {n}."))).collect();
    let screen = Screen::without_a_file(80, 24, lines).keys("G ? : / e Y 2 k");
    assert!(screen.draw().contains("line 28.") && !screen.draw().contains("line 29."), "{}", screen.draw());
    let screen = screen.keys("q");
    assert_eq!(screen.effects.iter().map(short).collect::<Vec<_>>(), ["save view", "Drain"]);
}

#[test]
fn the_errors_of_the_jobs_file_are_there_until_it_is_mended() {
    let shown = |screen: &Screen| shows(screen, Action::FileErrors);
    let mut screen = Screen::busy(80, 24).keys("E");
    assert!(!shown(&screen), "there are none");
    screen.event(Event::ConfigBroken(vec!["jobs.toml:3:1: there is no such key".into(), "  |".into()]));
    assert!(screen.app.toast.as_ref().unwrap().text.ends_with("(E shows all)"));
    let mut screen = screen.keys("E Esc E");
    assert!(shown(&screen));
    screen.fact(Fact::Reloaded { added: 0, removed: 0 });
    assert!(!shown(&screen) && screen.app.overlay.is_none());
}

#[test]
fn the_next_problem_says_when_it_goes_round() {
    let cases = [
        ("f", None),
        ("f f f", None),
        ("f f f f", Some("first")),
        ("F", Some("last")),
        ("! / r e r a n k Enter f", Some("only")),
    ];
    for (keys, word) in cases {
        let screen = Screen::busy(80, 24).keys(keys);
        let said = screen.app.toast.as_ref().map(|toast| toast.text.to_string());
        match word {
            None => assert_eq!(said, None, "{keys}"),
            Some(word) => assert!(said.as_ref().is_some_and(|said| said.contains(word)), "{keys}: {said:?}"),
        }
    }
}

fn shows(screen: &Screen, opener: Action) -> bool {
    screen.app.overlay.as_deref().is_some_and(|overlay| overlay.opener() == opener)
}

fn mouse(kind: MouseKind, x: u16, y: u16) -> Event {
    Event::Mouse(Mouse { kind, x, y })
}

#[test]
fn the_mouse_selects_scrolls_and_moves_the_split_wherever_that_is() {
    let mut screen = Screen::busy(120, 40);
    screen.event(mouse(MouseKind::Press, 5, 6));
    assert_eq!(screen.app.list.at(), 1);
    screen.event(mouse(MouseKind::WheelDown, 5, 6));
    assert_eq!(screen.app.list.at(), 4);
    // The line between list and detail is a row, or with list beside detail a column.
    for (width, height, keys, target) in [(120, 40, "", (80, 12)), (200, 60, "|", (70, 10)), (80, 24, "", (10, 14))] {
        let mut screen = Screen::busy(width, height).keys(keys);
        let line = |screen: &Screen| {
            let layout = screen.app.layout();
            let detail = layout.detail.unwrap().rect;
            if layout.beside { (detail.x, 10) } else { (target.0, detail.y) }
        };
        let from = line(&screen);
        for (kind, (x, y)) in [(MouseKind::Drag, target), (MouseKind::Press, from), (MouseKind::Drag, target)] {
            screen.event(mouse(kind, x, y));
        }
        assert_eq!(line(&screen), target, "{width}x{height}");
    }
}

#[test]
fn over_the_panes_the_wheel_scrolls_what_stands_there_and_nothing_below() {
    let mut screen = Screen::busy(80, 24).keys("?");
    screen.event(mouse(MouseKind::WheelDown, 5, 5));
    assert!(shows(&screen, Action::Help) && !screen.draw().contains("sort by a column"), "{}", screen.draw());
    let mut screen = Screen::busy(80, 24).keys("Y");
    screen.event(mouse(MouseKind::WheelDown, 5, 5));
    screen.event(mouse(MouseKind::Press, 5, 5));
    assert_eq!(screen.app.overlay_look().unwrap().selected, Some(3));
    assert_eq!(screen.app.list.at(), 0);
}

#[test]
fn the_failures_of_single_files_are_reasons_of_their_own() {
    let screen = Screen::busy(120, 40).keys("e s");
    let Some(Effect::SaveText { ending: "csv", text: csv, .. }) = screen.effects.last() else { panic!("no table") };
    let expected = "jobs,files,reason,services
2,2,OCR returned # characters on page # (LLMWhisperer #): document may be password protected or blank,invoices
1,0,503 upstream: CUDA OOM,prod
1,0,Login page did not load within # s: selector #user not found,browser
";
    assert_eq!(String::from_utf8_lossy(csv), expected);
    let screen = Screen::busy(120, 40).keys("e Enter");
    assert_eq!(screen.app.list.order(), [JobIx(5), JobIx(4)]);
    assert!(screen.effects.is_empty());
}

#[test]
fn a_filter_for_ages_is_asked_again_as_time_goes_by_and_one_for_marks_at_each_mark() {
    let mut screen = Screen::busy(120, 40).keys("/").typed("age:>2m state:running").keys("Enter");
    assert_eq!(screen.app.list.order(), [JobIx(3)]);
    screen.wait(3);
    screen.event(Event::Tick);
    screen.wait(6);
    screen.event(Event::Tick);
    screen.settle();
    assert_eq!(screen.app.list.order(), [JobIx(3), JobIx(2)]);
    let mut screen = Screen::busy(120, 40).keys("Space j Space / i s : m a r k e d Enter");
    screen.wait(3);
    assert_eq!(screen.app.list.order(), [JobIx(7), JobIx(5)]);
}

#[test]
fn folds_cursor_and_wrapping_survive_a_restart() {
    let kept = Screen::busy(120, 40).keys("2 ] l L j ] ] w q");
    let view = kept
        .effects
        .iter()
        .find_map(|effect| if let Effect::SaveView(view) = effect { Some(view.clone()) } else { None });
    let again = Screen::restored(120, 40, view.unwrap());
    let body = |screen: &Screen| screen.app.detail.body(screen.app.list.selected().unwrap()).unwrap().clone();
    assert!(!body(&again.keys("z z")).raw.unwrap().wraps());
    let again = Screen::restored(
        120,
        40,
        kept.effects
            .iter()
            .find_map(|effect| if let Effect::SaveView(view) = effect { Some(view.clone()) } else { None })
            .unwrap(),
    )
    .keys("[ [");
    assert_eq!(body(&again).output.ready().unwrap().kept(), body(&kept).output.ready().unwrap().kept());
    assert_ne!(body(&again).output.ready().unwrap().kept(), Default::default());
}

#[test]
fn quitting_waits_for_the_one_shot_reads_and_a_second_interrupt_does_not() {
    let mut screen = Screen::busy(80, 24).keys("q q q");
    assert_eq!(screen.effects.iter().map(short).collect::<Vec<_>>(), ["save view", "Drain"]);
    screen.fact(Fact::Draining(vec![JobIx(2)]));
    assert!(screen.draw().contains("scan-0422"), "the dialog names the reads");
    let screen = screen.keys("Ctrl-c");
    assert!(screen.draw().contains("Ctrl-c again: lose it"), "{}", screen.draw());
    assert_eq!(screen.effects.last(), Some(&Effect::Drain), "the first interrupt waits, whatever was pressed before");
    let mut screen = screen.keys("Ctrl-c");
    assert_eq!(screen.effects.last(), Some(&Effect::Abort));
    screen.fact(Fact::Ended(Ending::default()));
    assert_eq!(screen.effects.last(), Some(&Effect::Exit));
}

#[test]
fn while_leaving_only_the_interrupt_and_a_clean_screen_act() {
    for quit in ["q", "Ctrl-c"] {
        let screen = Screen::busy(80, 24).keys(quit);
        let (before, selected) = (screen.draw(), screen.app.list.selected());
        let mut screen = screen.keys("j e y Y / : ? Ctrl-z Space 2 Ctrl-l");
        screen.event(mouse(MouseKind::Press, 4, 8));
        let asked: Vec<String> = screen.effects.iter().map(short).collect();
        assert_eq!(asked, ["save view", "Drain", "ClearScreen"], "{quit}");
        assert_eq!((screen.draw(), screen.app.list.selected()), (before, selected), "{quit}");
        let footer = if quit == "q" { "Ctrl-c twice: leave at once" } else { "Ctrl-c again: leave at once" };
        assert!(screen.draw().ends_with(&format!(" {footer}\n")), "{}", screen.draw());
    }
}

#[test]
fn a_bug_report_has_all_that_is_known_and_no_keys() {
    let mut screen = Screen::busy(80, 24).keys("Y m");
    assert_eq!(screen.effects, [Effect::LoadHistory(JobIx(7))]);
    screen.fact(super::screens::history());
    let Some(Effect::Copy { what: What::Report(reports), .. }) = screen.effects.last() else { panic!("no report") };
    insta::assert_snapshot!(reports[&JobIx(7)]);
}

#[test]
fn marked_jobs_are_copied_in_the_list_s_order_and_a_table_has_a_heading() {
    let copied = |keys: &str| after(keys).pop().unwrap();
    let one = copied("Y l");
    assert!(
        one.starts_with("copy failed\t") && !one.contains('\n') && one.contains("\t2026-11-21T14:21:40Z\t"),
        "{one}"
    );
    for (keys, first, second) in [("", "acme-2211", "rerank-batch-07"), ("o p ", "rerank-batch-07", "acme-2211")] {
        let table = copied(&format!("Space Space {keys}Y l"));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "copy state\tname\tprovider\tservice\tid\tfinished\ttook\tnote");
        assert!(lines[1].contains(first) && lines[2].contains(second) && lines.len() == 3, "{table}");
    }
}

#[test]
fn a_copy_says_whose_it_is_and_what_of_it() {
    let of = |keys: &str| match Screen::busy(80, 24).keys(keys).effects.pop() {
        Some(Effect::Copy { of, .. }) => of.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(of("y"), "acme-2211: raw output");
    assert_eq!(of("Y b"), "acme-2211: response body");
    assert_eq!(of("f f ] ] y"), "inv-88122-scan.pdf: result");
    assert_eq!(of("Space Space Y o"), "2 jobs: decoded output");
    let mut screen = Screen::busy(80, 24);
    let copied = Copied::By { bytes: 3100, tool: "wl-copy".into() };
    screen.event(Event::Copied { of: CopyName::new("scan-0419", "raw output"), copied });
    assert_eq!(screen.app.toast.as_ref().unwrap().text.as_str(), "copied scan-0419: raw output, 3.1 KB (wl-copy)");
}

#[test]
fn in_files_the_keys_act_on_the_file_under_the_cursor() {
    let error =
        "copy OCR returned 0 characters on page 1 (LLMWhisperer 422): document may be password protected or blank";
    let cases = [
        ("f f 2 ] ] Y f", error),
        ("f f 2 ] ] Y n", "copy inv-88122-scan.pdf"),
        ("f f 2 ] ] j Y n", "copy inv-88121.pdf"),
        ("f f 2 ] ] j c", "copy .message[0]"),
    ];
    for (keys, copied) in cases {
        assert_eq!(after(keys).pop().unwrap(), copied, "{keys}");
    }
    let saved = Screen::busy(80, 24).keys("f f 2 ] ] j s").effects.pop();
    assert!(
        matches!(&saved, Some(Effect::SaveText { name, ending: "json", .. }) if name == "inv-88121.pdf"),
        "{saved:?}"
    );
}

#[test]
fn the_tab_stays_from_job_to_job() {
    let screen = Screen::busy(120, 40).keys("] ] f f");
    assert_eq!(screen.app.detail.tab, Tab::Files);
}

#[test]
fn a_key_that_is_not_bound_says_so_once() {
    let screen = Screen::busy(80, 24).keys("x");
    assert_eq!(screen.app.toast.as_ref().unwrap().text.as_str(), "x is not bound   (? lists the keys)");
    assert!(screen.keys("x").app.toast.is_none());
}

#[test]
fn a_job_that_is_no_longer_polled_counts_as_over_and_as_a_problem() {
    let mut screen = Screen::busy(120, 40);
    for ix in [1, 2, 3] {
        screen.fact(Fact::Withdrawn(JobIx(ix)));
    }
    screen.fact(Fact::Health { ix: JobIx(8), health: Health::GivenUp("not found (HTTP 404)".to_owned()) });
    screen.wait(3);
    assert!(screen.app.is_finished());
    let shown = screen.draw();
    assert!(shown.contains("6/6") && shown.contains("1 not found") && shown.contains("finished 14:25:41"), "{shown}");
    let screen = screen.keys("!");
    assert!(screen.app.list.order().contains(&JobIx(8)));
}

/// A batch of which every job is over.
fn finished(width: u16, height: u16) -> Screen {
    let mut screen = Screen::busy(width, height);
    for ix in [1, 2, 3, 8] {
        screen.fact(Fact::Withdrawn(JobIx(ix)));
    }
    screen.fact(Fact::Settled);
    screen.wait(1);
    screen.keys("")
}

#[test]
fn a_finished_batch_shows_its_page_until_another_job_is_selected_or_opened() {
    let tab = |keys: &str| finished(120, 40).keys(keys).app.detail.tab;
    assert_eq!(
        [tab(""), tab("j"), tab("Enter"), tab("b"), tab("b b")],
        [Tab::Batch, Tab::Summary, Tab::Summary, Tab::Summary, Tab::Batch]
    );
    assert_eq!([tab("]"), tab("] j"), tab("e Esc")], [Tab::Summary, Tab::Summary, Tab::Batch]);
    let read = Screen::busy(120, 40).keys("] Enter");
    let mut read = read;
    read.fact(Fact::Settled);
    assert_eq!(read.app.detail.tab, Tab::Output, "whoever reads a job goes on reading it");
    let shown = finished(120, 40).draw();
    for said in ["1 SUCCEEDED", "1 PARTIAL", "3 FAILED", "1 of 5 succeeded"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    insta::assert_snapshot!("the_page_of_a_finished_batch", shown);
    insta::assert_snapshot!("the_page_of_a_finished_batch_at_80x24", finished(80, 24).draw());
}

#[test]
fn what_is_learned_late_is_counted_on_the_page_of_a_finished_batch_though_no_key_is_pressed() {
    let mut screen = finished(120, 40);
    screen.wait(5);
    screen.draw();
    let quiet = screen.app.wake_at();
    screen.event(Event::FilesRead(Vec::new()));
    screen.draw();
    let due = screen.app.wake_at();
    assert!(quiet != due && due.is_some_and(|at| at <= screen.now.mono + std::time::Duration::from_secs(1)), "{due:?}");
    screen.wait(1);
    screen.draw();
    assert_eq!(screen.app.wake_at(), quiet, "once");
}

#[test]
fn a_click_on_a_job_leaves_the_page_of_a_finished_batch_also_on_the_selected_one() {
    for (width, height) in [(60, 15), (80, 24), (120, 40), (200, 60)] {
        let mut screen = finished(width, height);
        let (selected, area) = (screen.app.list.selected(), screen.app.layout().inner(Pane::List));
        let first = area.bottom() - u16::try_from(screen.app.layout().rows(Pane::List)).unwrap();
        screen.event(mouse(MouseKind::Press, 5, area.y.saturating_sub(1)));
        assert_eq!(screen.app.detail.tab, Tab::Batch, "the frame is no job");
        screen.event(mouse(MouseKind::Press, 5, first));
        assert_eq!((screen.app.detail.tab, screen.app.list.selected()), (Tab::Summary, selected), "{width}x{height}");
    }
}

#[test]
fn the_outcome_is_a_row_of_blocks_of_one_width_for_its_states_and_wraps_where_it_does_not_fit() {
    let block = |line: &TextLine| line.pieces.iter().any(|piece| matches!(piece.tone, Tone::Badge(_)));
    for (width, height, rows) in [(118, 18, 3), (78, 18, 3), (58, 2, 1), (20, 8, 3)] {
        let lines = finished(120, 40).app.batch_lines(width, height);
        let blocks: Vec<&TextLine> = lines.iter().filter(|line| block(line)).collect();
        assert_eq!(blocks.len(), rows, "{width}x{height}");
        let cells = |line: &&TextLine| line.pieces.iter().skip(1).step_by(2).map(|piece| piece.text.len()).collect();
        let widths: Vec<HashSet<usize>> = blocks.iter().map(cells).collect();
        assert!(height < 18 || widths.iter().all(|widths| widths.len() == 1), "{width}x{height}: {widths:?}");
        assert!(blocks.iter().all(|line| line.width() <= width), "{width}x{height}");
    }
}

#[test]
fn the_list_folds_into_groups_that_open_close_and_are_marked() {
    let screen = |keys: &str| Screen::busy(120, 40).keys(keys);
    let rows = |keys: &str| screen(keys).app.list.len();
    // Browser 2, invoices 5, prod 2.
    assert_eq!([rows("="), rows("= ="), rows("= = ="), rows("= L"), rows("= L H")], [3, 1, 9, 12, 3]);
    assert_eq!([rows("= Enter"), rows("= Enter Enter"), rows("= l"), rows("= l j h")], [5, 3, 5, 3]);
    assert_eq!(screen("= Space").app.jobs.marked(), 2);
    assert_eq!(screen("= y").app.toast.unwrap().text.as_str(), "there is no job to copy from");
    let selected = |keys: &str| screen(keys).app.list.selected();
    let browser = selected("= f");
    assert_eq!([selected("="), selected("= j F")], [None, browser]);
    assert!(browser.is_some(), "a problem is found in its closed group");
    assert_eq!(selected("f = = ="), selected("f"), "the job is selected again without the fold");
    let effects = screen("= Enter q").effects;
    let kept =
        effects.into_iter().find_map(|effect| if let Effect::SaveView(view) = effect { Some(view) } else { None });
    assert_eq!(Screen::restored(120, 40, kept.unwrap()).app.list.len(), 5);
}

#[test]
fn a_job_without_a_name_is_called_after_its_first_file_or_by_the_ends_of_its_id() {
    let mut screen = Screen::busy(120, 40);
    let job = screen.app.jobs.get(JobIx(4)).unwrap().job.clone();
    let known = screen.app.jobs.get(JobIx(4)).unwrap().known.clone();
    let nameless = Arc::new(Job { name: None, ..(*job).clone() });
    screen.fact(Fact::Declared { ix: JobIx(4), job: nameless, known });
    screen.settle();
    assert_eq!(screen.app.jobs.get(JobIx(4)).unwrap().title.as_str(), "8c7d1f0e…3c4d41b2");
    let screen = screen.keys("j");
    assert_eq!(screen.app.jobs.get(JobIx(4)).unwrap().title.as_str(), "inv-88121.pdf +2");
}

#[test]
fn the_list_is_sorted_by_a_letter_and_the_same_again_reverses() {
    let sort = |keys: &str| Screen::busy(120, 40).keys(keys).app.list.sort();
    use crate::app::list::SortBy;
    assert_eq!(sort("o t"), (SortBy::Time, false));
    assert_eq!(sort("o t o t"), (SortBy::Time, true));
    assert_eq!(sort("o t o t o t"), (SortBy::Time, false));
    assert_eq!(sort("o j Enter"), (SortBy::Name, false));
}

#[test]
fn all_listed_jobs_can_be_marked_and_all_of_one_reason() {
    let marked = |keys: &str| Screen::busy(120, 40).keys(keys).app.jobs.marked();
    assert_eq!(marked("Ctrl-Space"), 9);
    assert_eq!(marked("Ctrl-Space Ctrl-Space"), 0);
    assert_eq!(marked("! Ctrl-Space"), 4);
    assert_eq!(marked("e Space"), 2);
}

#[test]
fn a_job_that_does_not_change_for_too_long_is_a_problem() {
    let mut screen = Screen::busy(120, 40);
    let job = screen.app.jobs.get(JobIx(2)).unwrap().job.clone();
    let known = screen.app.jobs.get(JobIx(2)).unwrap().known.clone();
    let mut watched = (*job).clone();
    watched.traits.alert_after = Some(std::time::Duration::from_secs(60));
    screen.fact(Fact::Declared { ix: JobIx(2), job: Arc::new(watched), known });
    let screen = screen.keys("!");
    assert!(screen.app.list.order().contains(&JobIx(2)));
    assert!(screen.draw().contains("stuck, no change for 1m55s"), "{}", screen.draw());
}

#[test]
fn a_field_of_the_user_s_own_is_a_column_that_sorts_and_comes_and_goes_with_the_file() {
    let mut screen = Screen::busy(120, 40);
    let field = |name: &str| crate::domain::field::Field {
        name: name.into(),
        of: crate::domain::field::Of::Body,
        at: "/total".to_owned(),
        fold: crate::domain::field::Aggregate::First,
        column: true,
        width: None,
        title: None,
    };
    screen.event(Event::FieldsChanged(vec![field("total"), field("vendor")]));
    let known = (*screen.app.jobs.get(JobIx(0)).unwrap().known).clone();
    let values = "{\"total\":1204.50}".to_owned();
    let fields = crate::domain::observation::FieldValues { taken_by: String::new(), values };
    let known = Arc::new(Observation { fields: Some(Box::new(fields)), ..known });
    screen.fact(Fact::Observed { ix: JobIx(0), previous: None, changed: false, known });
    assert!(screen.draw().contains("1204.50"), "{}", screen.draw());
    let mut screen = screen.keys("o 1");
    assert_eq!(screen.app.list.order().first(), Some(&JobIx(0)), "jobs without a value are last");
    assert!(screen.draw().contains("by total"), "{}", screen.draw());
    screen.event(Event::FieldsChanged(vec![field("vendor"), field("total")]));
    screen.settle();
    assert!(screen.draw().contains("by total"), "the column that it is sorted by is another's place now");
    screen.event(Event::FieldsChanged(Vec::new()));
    screen.settle();
    assert!(screen.draw().contains("problems first") && !screen.draw().contains("1204.50"), "{}", screen.draw());
}

#[test]
fn a_filter_is_completed_with_tab() {
    let text = |typed: &str| {
        let screen = Screen::busy(120, 40).keys("/").typed(typed).keys("Tab");
        screen.app.prompt.unwrap().input.text()
    };
    let cases = [
        ("ser", "service:"),
        ("service:inv", "service:invoices"),
        ("state:fa", "state:failed"),
        ("is:s", "is:s"),
        ("x", "x"),
    ];
    for (typed, completed) in cases {
        assert_eq!(text(typed), completed);
    }
}

#[test]
fn an_old_filter_goes_on_until_it_is_emptied_or_dropped() {
    let text = |screen: &Screen| screen.app.list.wanted().filter.source().to_owned();
    let screen = Screen::busy(80, 24).keys("/").typed("scan").keys("Enter / End - 0 Enter");
    assert_eq!(text(&screen), "scan-0");
    let screen = screen.keys("/").typed("scan").keys("Enter / Enter");
    assert_eq!(text(&screen), "scan", "what is typed takes its place");
    let screen = screen.keys("/ End - 0 Enter");
    assert_eq!(text(&screen.keys("/ Esc")), "scan-0", "what was there before stays");
    let kept = || Screen::busy(80, 24).keys("/").typed("scan").keys("Enter");
    assert_eq!(text(&kept().keys("/ Ctrl-u Enter")), "");
    assert_eq!(text(&kept().keys("Esc")), "");
}

#[test]
fn escape_goes_one_step_back_and_never_quits() {
    let steps = [("Enter z", Pane::Detail), ("Esc", Pane::Detail), ("Esc", Pane::List), ("Esc", Pane::List)];
    let mut screen = Screen::busy(80, 24).keys("! Space");
    for (keys, focus) in steps {
        screen = screen.keys(keys);
        assert_eq!(screen.app.focus, focus, "{keys}");
    }
    assert!(!screen.app.list.wanted().is_narrow());
    assert!(screen.app.jobs.iter().any(|(_, row)| row.marked));
    let screen = screen.keys("Esc");
    assert_eq!(screen.app.toast.as_ref().unwrap().text.as_str(), "1 job marked   (Esc again drops the marks)");
    let screen = screen.keys("j Esc");
    assert_eq!(screen.app.jobs.marked(), 1, "another key came between");
    let screen = screen.keys("Esc");
    assert_eq!((screen.app.jobs.marked(), screen.effects.len()), (0, 0));
}

#[test]
fn after_a_minute_away_the_first_key_tells_what_has_happened() {
    let mut screen = Screen::busy(80, 24).keys("j");
    screen.fact(observed(1, State::Failed, 1));
    screen.fact(observed(2, State::Succeeded, 1));
    screen.wait(61);
    let screen = screen.keys("j");
    let told = screen.app.toast.as_ref().unwrap().text.to_string();
    assert_eq!(told, "while away (1m01s): 2 jobs finished, 1 of them with problems");
    let mut screen = screen.keys("j j");
    assert!(screen.app.toast.is_some(), "nobody reads so fast");
    screen.wait(2);
    assert!(screen.keys("j").app.toast.is_none());
}

#[test]
fn a_copy_is_worded_as_far_as_is_known() {
    let cases = [
        (Copied::By { bytes: 3100, tool: "wl-copy".into() }, "copied 3.1 KB (wl-copy)"),
        (Copied::Sent { bytes: 3100 }, "sent 3.1 KB by OSC 52, the terminal must allow it"),
        (Copied::Path { bytes: 212_000, path: "/x".into() }, "too large for OSC 52 (212 KB): copied the path /x"),
    ];
    for (copied, text) in cases {
        let mut screen = Screen::busy(80, 24);
        screen.event(Event::Copied { of: CopyName::default(), copied });
        assert_eq!(screen.app.toast.as_ref().unwrap().text.as_str(), text);
    }
}

fn declared(ix: u32, applied: u64) -> Fact {
    let key = JobKey { provider: ProviderName::VESSL, endpoint: "".into(), id: format!("job-{ix}") };
    let job = Arc::new(crate::tests::job(key, "prod"));
    let known = Observation { state: State::Succeeded, applied, ..Observation::default() };
    Fact::Declared { ix: JobIx(ix), job, known: Arc::new(known) }
}

pub(super) fn observed(ix: u32, state: State, second: i64) -> Fact {
    let at = start() + SignedDuration::from_secs(second);
    let known = Observation {
        state,
        word: Some(state.to_string()),
        first_seen: Some(start()),
        changed_at: Some(at),
        ..Observation::default()
    };
    Fact::Observed { ix: JobIx(ix), previous: Some(State::Running), changed: true, known: Arc::new(known) }
}

#[test]
fn rows_stand_still_for_two_seconds_after_a_key_press() {
    let mut screen = Screen::busy(80, 24).keys("j");
    let before = screen.app.list.order().to_vec();
    screen.fact(observed(1, State::Lost, 1));
    screen.wait(1);
    assert_eq!(screen.app.list.order(), before);
    assert_eq!(screen.app.wake_at().map(|at| at <= screen.now.mono + std::time::Duration::from_secs(1)), Some(true));
    screen.wait(1);
    assert_eq!(screen.app.list.order()[0], JobIx(1));
}

#[test]
fn a_clock_that_is_set_back_leaves_the_numbers_of_the_header_and_the_order_of_changes_as_they_are() {
    let mut screen = Screen::busy(120, 40);
    screen.fact(observed(1, State::Succeeded, 0));
    screen.wait(60);
    let before = screen.draw();
    assert!(before.contains("/min"), "{before}");
    screen.now.wall -= SignedDuration::from_hours(1);
    screen.event(Event::Tick);
    let number = |screen: &str| screen.split_whitespace().find(|word| word.ends_with("/min")).map(str::to_owned);
    assert_eq!(number(&screen.draw()), number(&before));
    let age = screen.app.monotonic_now().duration_since(start());
    assert_eq!(age, SignedDuration::from_secs(60));
    screen.fact(observed(2, State::Lost, 0));
    screen.fact(observed(3, State::Lost, 0));
    screen.wait(3);
    assert_eq!(screen.app.list.order()[0], JobIx(2));
}

#[test]
fn before_the_first_key_the_most_urgent_job_is_selected_and_then_never_another_by_itself() {
    let mut screen = Screen::busy(80, 24);
    for ix in [2, 1, 3] {
        screen.fact(observed(ix, State::Lost, 1 + i64::from(ix)));
        screen.wait(1);
        assert_eq!(screen.app.list.selected(), screen.app.list.order().first().copied());
        assert_eq!(screen.app.list.top(), 0);
    }
    let selected = screen.app.list.selected();
    let mut screen = screen.keys("3");
    screen.fact(observed(0, State::Lost, 9));
    screen.wait(3);
    assert_eq!((screen.app.list.selected(), screen.app.list.at()), (selected, 1));
}

#[test]
fn a_window_that_grows_shows_the_most_urgent_rows_again() {
    let mut screen = Screen::busy(60, 9).keys("G k k k");
    assert_eq!((screen.app.list.at(), screen.app.list.top()), (5, 4));
    for (height, top) in [(10, 4), (11, 0), (8, 2), (12, 0)] {
        screen.event(Event::Resize { width: 60, height });
        screen.settle();
        assert_eq!(screen.app.list.top(), top, "{height}");
    }
}

#[test]
fn enter_takes_a_filter_at_its_word() {
    let screen = Screen::busy(80, 24).keys("/").typed("service:inv");
    assert_eq!(screen.app.list.order().len(), 5);
    let screen = screen.keys("Enter");
    assert_eq!(screen.app.list.order().len(), 0);
    assert_eq!(screen.keys("/").typed("oices").keys("Enter").app.list.order().len(), 5);
}

#[test]
fn a_list_that_is_not_seen_keeps_its_place() {
    let mut screen = Screen::busy(60, 9).keys("G k k");
    assert_eq!((screen.app.list.at(), screen.app.list.top()), (6, 4));
    screen = screen.keys("Enter ] Esc");
    assert_eq!(screen.app.list.top(), 4);
    for (width, height) in [(39, 7), (60, 9)] {
        screen.event(Event::Resize { width, height });
        screen.settle();
    }
    assert_eq!((screen.app.list.at(), screen.app.list.top()), (6, 4));
}

#[test]
fn an_alert_is_said_in_words_and_moves_nothing_else_in_the_header() {
    for (width, height) in [(80, 24), (100, 30), (120, 40), (200, 60)] {
        let mut screen = Screen::busy(width, height);
        let bar = |screen: &Screen| screen.draw().lines().nth(1).unwrap().to_owned();
        let calm = bar(&screen);
        let until = start() + SignedDuration::from_secs(60);
        let missing = |what: &str| Gate::KeyRefused(KeyTrouble::Missing { what: what.to_owned(), help: "export it" });
        let gates = [
            (Gate::Throttled(until), "rate limited until 14:27:13"),
            (Gate::BackingOff(until), "no connection to prod for 0s"),
            (missing("the variable VESSL_TOKEN is not set"), "prod: the variable VESSL_TOKEN is not set"),
            (missing(&"the program fails ".repeat(30)), "prod: the program fails"),
            (Gate::KeyRefused(KeyTrouble::Rejected("HTTP 401: no".to_owned())), "prod: token rejected"),
        ];
        for (gate, words) in gates {
            screen.fact(Fact::Gate { service: "prod".into(), gate });
            let shown = screen.draw();
            assert!(shown.lines().take(3).any(|row| row.contains(words)), "{width} {words}\n{shown}");
            assert_eq!(bar(&screen), calm, "{width}");
        }
    }
}

#[test]
fn a_service_that_hangs_is_named_with_how_long_it_has_been_silent() {
    let mut screen = Screen::busy(120, 40);
    let silence = Some(crate::domain::fact::Silence { since: start() - SignedDuration::from_secs(3), polls: 16 });
    screen.fact(Fact::Unanswered { service: "invoices".into(), silence });
    screen.wait(45);
    let shown = screen.draw();
    assert!(shown.contains("! no response for 48s from invoices (16 polls waiting)"), "{shown}");
    assert!(!shown.contains("done about"), "nobody can tell when it ends");
}

#[test]
fn a_program_that_keeps_the_database_s_log_growing_is_told_until_it_is_gone() {
    let mut screen = Screen::busy(120, 40);
    screen.fact(Fact::LogGrows(Some(300 << 20)));
    let shown = screen.draw();
    assert!(shown.contains("its log grew to 315 MB"), "{shown}");
    screen.fact(Fact::LogGrows(None));
    assert!(!screen.draw().contains("its log grew"));
}

#[test]
fn a_body_that_is_damaged_is_shown_with_that_word_in_every_tab_that_shows_it() {
    for keys in ["]", "] ] ]"] {
        let damage = Some("the saved response is damaged: 3 bytes are there, 9 were saved".into());
        let content = Content { body: "{\"a\":1}".into(), damage, ..Content::default() };
        let shown = Screen::busy(120, 40).with_content(keys, content).draw();
        assert!(shown.contains("3 bytes are there"), "{shown}");
    }
}

#[test]
fn nothing_is_drawn_and_nothing_wakes_when_nothing_changes() {
    let mut screen = Screen::empty(80, 24);
    screen.settle();
    assert!(!screen.settle());
    assert_eq!(screen.app.wake_at(), None);
    for ix in 0..3 {
        let job = Screen::busy(80, 24).app.jobs.get(JobIx(ix)).unwrap().job.clone();
        screen.fact(Fact::Declared { ix: JobIx(ix), job, known: Arc::new(Observation::default()) });
        screen.fact(observed(ix, State::Succeeded, 0));
    }
    screen.wait(60);
    assert_eq!(screen.app.wake_at(), None);
    screen.fact(observed(1, State::Succeeded, 0));
    screen.wait(0);
    let mut same = (*screen.app.jobs.get(JobIx(1)).unwrap().known).clone();
    same.applied += 1;
    screen.fact(Fact::Observed { ix: JobIx(1), previous: None, changed: false, known: Arc::new(same) });
    assert!(!screen.settle(), "a read that changes nothing draws nothing");
}

#[test]
fn the_selected_job_s_last_read_is_the_last_one_though_it_changed_nothing() {
    let mut screen = Screen::busy(80, 24);
    while screen.app.detail.tab != Tab::History {
        screen = screen.keys("]");
    }
    let selected = screen.app.list.selected().unwrap();
    let mut read = |ix: JobIx, second: i64| {
        screen.settle();
        screen.effects.clear();
        let mut known = (*screen.app.jobs.get(ix).unwrap().known).clone();
        let at = start() + SignedDuration::from_secs(second);
        known.last_poll = Some(LastPoll { read: PollOutcome::NotFound, http_status: Some(404), reason: None, at });
        screen.fact(Fact::History { ix, attempts: Vec::new(), changes: Vec::new() });
        screen.settle();
        screen.fact(Fact::Observed { ix, previous: None, changed: false, known: Arc::new(known) });
        (screen.settle(), screen.effects.contains(&Effect::LoadHistory(ix)))
    };
    assert_eq!([read(selected, 1), read(selected, 2)], [(true, true), (true, true)]);
    let other = JobIx(u32::from(selected == JobIx(0)));
    assert_eq!([read(other, 1), read(other, 2)], [(true, false), (false, false)]);
}

#[test]
fn the_first_failure_and_the_end_are_told_once() {
    let mut screen = Screen::busy(80, 24);
    screen.fact(observed(1, State::Failed, 1));
    screen.fact(observed(2, State::Failed, 1));
    screen.fact(Fact::Settled);
    screen.fact(Fact::Settled);
    let kinds = screen
        .effects
        .iter()
        .filter_map(|effect| if let Effect::Notify(notice) = effect { Some(notice.kind) } else { None });
    assert_eq!(kinds.collect::<Vec<_>>(), [NoticeKind::FirstFailure, NoticeKind::Finished]);
}

#[test]
fn as_long_as_jobs_are_read_from_disk_nothing_is_said_of_all_of_them() {
    let mut screen = Screen::empty(80, 24);
    screen.app.loading = Some(2000);
    let words = |screen: &Screen| {
        let drawn = screen.draw();
        ["loading 2,000 jobs", "No jobs yet", "finished"].map(|word| drawn.matches(word).count())
    };
    assert_eq!(words(&screen), [2, 0, 0], "in the header and in the list");
    for ix in 0..2000 {
        assert_eq!(screen.app.loading, Some(2000));
        screen.fact(declared(ix, 1));
    }
    screen.settle();
    assert_eq!(words(&screen), [0, 0, 1]);
    screen.fact(Fact::Withdrawn(JobIx(0)));
    screen.settle();
    assert_eq!(words(&screen), [0, 0, 1], "fewer jobs are no reason to wait for more");
}

#[test]
fn reads_are_counted_over_restarts() {
    let mut screen = Screen::empty(80, 24);
    let mut reads = |fact: Fact| {
        screen.fact(fact);
        screen.app.jobs.get(JobIx(0)).unwrap().reads
    };
    let read = |applied: u64| {
        let known = Arc::new(Observation { applied, ..Observation::default() });
        Fact::Observed { ix: JobIx(0), previous: None, changed: false, known }
    };
    assert_eq!(reads(declared(0, 7)), 7, "those before the start");
    assert_eq!(reads(read(8)), 8);
    assert_eq!(reads(read(8)), 9, "one that was no answer");
    assert_eq!(reads(read(12)), 12, "another instance's");
    assert_eq!(reads(declared(0, 7)), 12, "called otherwise");
}

#[test]
fn the_view_survives_a_restart() {
    let kept = Screen::busy(80, 24).keys("o a j j 2 ] ] t <").typed("").keys("q");
    let view = kept
        .effects
        .iter()
        .find_map(|effect| if let Effect::SaveView(view) = effect { Some(view.clone()) } else { None });
    let again = Screen::restored(80, 24, view.unwrap());
    assert_eq!(again.app.list.selected(), kept.app.list.selected());
    assert_eq!(again.app.list.sort(), kept.app.list.sort());
    assert_eq!((again.app.focus, again.app.times), (kept.app.focus, kept.app.times));
    assert_eq!(again.app.layout(), kept.app.layout());
    assert_eq!(again.app.detail.tab, kept.app.detail.tab);
}

proptest::proptest! {
    #[test]
    fn the_selection_never_moves_by_itself(
        start in 1usize..9,
        facts in proptest::collection::vec((0u32..9, 0usize..8, 0u64..4, 0usize..3), 0..40),
        narrow in proptest::bool::ANY,
    ) {
        let keys = "j ".repeat(start) + if narrow { "!" } else { "" };
        let mut screen = Screen::busy(80, 24).keys(&keys);
        let selected = screen.app.list.selected();
        for (second, (ix, state, wait, health)) in (0i64..).zip(facts) {
            screen.fact(observed(ix, State::ALL[state], second));
            let health = [Health::Fresh, Health::Stale, Health::KeyRefused][health].clone();
            screen.fact(Fact::Health { ix: JobIx(ix), health });
            screen.wait(wait);
            proptest::prop_assert_eq!(screen.app.list.selected(), selected);
            let at = screen.app.list.at();
            proptest::prop_assert_eq!(screen.app.list.order().get(at).copied(), selected);
            let rows = screen.app.layout().rows(Pane::List);
            proptest::prop_assert!((screen.app.list.top()..screen.app.list.top() + rows).contains(&at));
        }
        screen.wait(3);
        let moved = screen.app.list.order().to_vec();
        let (sort, reversed) = screen.app.list.sort();
        screen.app.list.set_sort(sort, reversed);
        screen.settle();
        proptest::prop_assert!(narrow || moved == screen.app.list.order(), "rows that moved one by one are in order");
    }
}
