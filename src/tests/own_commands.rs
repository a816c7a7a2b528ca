//! Commands of the user's own on the dashboard's keys: for which jobs, after which question.

use std::path::Path;
use std::sync::Arc;

use super::screens::Screen;
use crate::app::effect::Effect;
use crate::app::event::Event;
use crate::app::keys::Keymap;
use crate::app::list::jobs::Row;
use crate::domain::fact::{Fact, StoreTrouble};
use crate::domain::job::{Job, JobIx};

const FILE: &str = r#"
[[commands]]
name = "resubmit"
key = "R"
run = ["./resubmit.sh", "--id={id}"]
when = "state:failed,partial,lost"
confirm = true

[[commands]]
name = "look"
key = "Ctrl-o"
run = ["./look.sh"]
marked = "refuse"
"#;

fn screen() -> Screen {
    let file = crate::config::parse(FILE, Path::new("/batch/jobs.toml")).unwrap();
    let mut screen = Screen::busy(120, 40);
    let keymap = Keymap::default().with_commands(&file.commands).unwrap();
    screen.event(Event::KeysChanged(Box::new(keymap)));
    screen
}

/// What was begun: the command's name and its jobs.
fn begun(screen: &Screen) -> Vec<String> {
    let run = |effect: &Effect| match effect {
        Effect::RunCommand { command, jobs } => {
            let jobs: Vec<&str> = jobs.iter().map(|subject| subject.job.title()).collect();
            Some(format!("{} {}", command.name, jobs.join(" ")))
        }
        _ => None,
    };
    screen.effects.iter().filter_map(run).collect()
}

#[test]
fn a_command_runs_for_the_marked_or_selected_jobs_that_it_is_for_after_a_question() {
    let cases: [(&str, &[&str], &str); 9] = [
        ("R y", &["resubmit acme-2211"], "resubmit: running for 1 job"),
        ("R Enter", &["resubmit acme-2211"], "resubmit: running for 1 job"),
        ("R n", &[], ""),
        ("R Esc", &[], ""),
        ("Space Space R y", &["resubmit acme-2211 rerank-batch-07"], "resubmit: running for 2 jobs"),
        // What was begun is not marked any more: the same again is about the selected job.
        (
            "Space Space R y g R y",
            &["resubmit acme-2211 rerank-batch-07", "resubmit acme-2211"],
            "resubmit: running for 1 job",
        ),
        ("Ctrl-Space Ctrl-o", &[], "`look` is for one job at a time, and 9 are marked"),
        ("Ctrl-o", &["look acme-2211"], "look: running for 1 job"),
        ("G R", &[], "`resubmit` is for state:failed,partial,lost, which this job is not"),
    ];
    for (keys, expected, said) in cases {
        let screen = screen().keys(keys);
        assert_eq!(begun(&screen), expected, "{keys}");
        let toast = screen.app.toast.as_ref().map(|toast| toast.text.to_string()).unwrap_or_default();
        assert_eq!(toast, said, "{keys}");
    }
}

#[test]
fn all_jobs_of_one_reason_are_rerun_from_the_table_of_reasons() {
    let jobs = |keys: &str| begun(&screen().keys(keys));
    assert_eq!(jobs("e Space R y"), ["resubmit scan-0419 scan-0402"]);
    assert_eq!(jobs("e R y"), ["resubmit scan-0402 scan-0419"], "without a mark, of the reason under the cursor");
    assert_eq!(screen().keys("e Space R y").app.jobs.marked(), 0);
}

const ADDS: &str = r#"
[services.prod]
provider = "optexity"
token = { env = "T" }

[[commands]]
name = "resubmit"
key = "R"
run = ["./resubmit.sh"]
adds = "{service}"
"#;

/// A dashboard whose `R` submits again, without a question of its own.
fn resubmitting() -> Screen {
    let file = crate::config::parse(ADDS, Path::new("/batch/jobs.toml")).unwrap();
    let mut screen = Screen::busy(120, 40);
    screen.event(Event::KeysChanged(Box::new(Keymap::default().with_commands(&file.commands).unwrap())));
    screen
}

fn row(screen: &Screen, title: &str) -> (JobIx, Row) {
    let (ix, row) = screen.app.jobs.iter().find(|(_, row)| row.title.as_str() == title).unwrap();
    (ix, row.clone())
}

/// A job that was submitted again for these is on the list.
fn again(screen: &mut Screen, ix: u32, name: &str, titles: &[&str]) {
    let old: Vec<_> = titles.iter().map(|title| row(screen, title).1.job.key.clone()).collect();
    let mut key = old[0].clone();
    key.id = format!("{}-again-{ix}", key.id);
    let job = Job { name: Some(name.to_owned()), resubmits: old.into(), ..crate::tests::job(key, "browser") };
    screen.fact(Fact::Declared { ix: JobIx(ix), job: Arc::new(job), known: Arc::default() });
    screen.wait(3);
}

fn line<'a>(drawn: &'a str, part: &str) -> &'a str {
    drawn.lines().find(|line| line.contains(part)).unwrap_or_default()
}

#[test]
fn a_job_that_was_sent_again_says_so_is_no_longer_to_do_and_is_asked_about_before_it_is_sent_once_more() {
    let mut screen = resubmitting();
    let before = screen.app.jobs.problems();
    again(&mut screen, 90, "acme-2211 (2)", &["acme-2211"]);
    let drawn = screen.draw();
    assert!(line(&drawn, "sent again as acme-2211 (2)").contains("✗  acme-2211  "), "{drawn}");
    assert_eq!(screen.app.jobs.problems(), before, "it failed all the same");
    let mut screen = screen.keys("e");
    assert!(screen.draw().contains("· 1 sent again"), "{}", screen.draw());
    assert!(!screen.draw().contains("Login page did not load"), "{}", screen.draw());
    screen = screen.keys("Esc g f");
    for _ in 0..before {
        screen = screen.keys("f");
        assert_ne!(screen.app.selected().unwrap().1.title.as_str(), "acme-2211");
    }
    let (ix, _) = row(&screen, "acme-2211");
    screen = screen.keys("G");
    while screen.app.selected().unwrap().0 != ix {
        screen = screen.keys("k");
    }
    screen = screen.keys("R");
    assert!(screen.draw().contains("1 sent again already: once more costs again"), "{}", screen.draw());
    assert!(begun(&screen).is_empty());
    assert_eq!(begun(&screen.keys("y")), ["resubmit acme-2211"]);
}

#[test]
fn a_job_whose_new_job_is_gone_is_to_do_again_unless_an_earlier_one_was_for_it_too() {
    let mut screen = resubmitting();
    again(&mut screen, 90, "first", &["acme-2211", "rerank-batch-07"]);
    again(&mut screen, 91, "second", &["acme-2211"]);
    let told = |screen: &Screen, title: &str| row(screen, title).1.again.map(|ix| ix.0);
    assert_eq!((told(&screen, "acme-2211"), told(&screen, "rerank-batch-07")), (Some(91), Some(90)));
    screen.fact(Fact::Withdrawn(JobIx(91)));
    screen.wait(1);
    assert_eq!((told(&screen, "acme-2211"), told(&screen, "rerank-batch-07")), (Some(90), Some(90)));
    screen.fact(Fact::Withdrawn(JobIx(90)));
    screen.wait(1);
    assert_eq!((told(&screen, "acme-2211"), told(&screen, "rerank-batch-07")), (None, None));
}

#[test]
fn a_second_press_is_asked_about_though_the_new_job_is_not_in_the_file_yet() {
    let screen = resubmitting().keys("R");
    assert_eq!(begun(&screen), ["resubmit acme-2211"]);
    let screen = screen.keys("R");
    assert_eq!(begun(&screen).len(), 1);
    assert!(screen.draw().contains("begun a moment ago"), "{}", screen.draw());
}

#[test]
fn a_press_after_a_run_that_submitted_nothing_is_a_first_one() {
    let mut screen = resubmitting().keys("R");
    let key = row(&screen, "acme-2211").1.job.key.clone();
    let ended = |good, unsent| Event::CommandEnded { said: "resubmit: ended".into(), good, unsent };
    screen.event(ended(false, Vec::new()));
    screen = screen.keys("R");
    assert_eq!(begun(&screen).len(), 1, "as long as it may have been sent it is asked about");
    screen = screen.keys("n");
    screen.event(ended(false, vec![key]));
    assert_eq!(begun(&screen.keys("R")), ["resubmit acme-2211", "resubmit acme-2211"]);
}

#[test]
fn a_reload_of_all_that_was_submitted_again_ends_in_the_same_links_each_job_naming_what_it_replaces() {
    let mut screen = resubmitting();
    again(&mut screen, 90, "both", &["acme-2211", "rerank-batch-07"]);
    for ix in 100..400 {
        again(&mut screen, ix, &format!("acme-2211 ({ix})"), &["acme-2211"]);
    }
    let listed: Vec<(JobIx, Row)> = screen.app.jobs.iter().map(|(ix, row)| (ix, row.clone())).collect();
    let told = |screen: &Screen, title: &str| row(screen, title).1.again.map(|ix| ix.0);
    // As a reload says it: each job goes, each comes, and nothing is drawn between.
    listed.iter().for_each(|(ix, _)| screen.fact(Fact::Withdrawn(*ix)));
    for (ix, row) in &listed {
        screen.fact(Fact::Declared { ix: *ix, job: Arc::clone(&row.job), known: Arc::clone(&row.known) });
    }
    screen.wait(1);
    assert_eq!((told(&screen, "acme-2211"), told(&screen, "rerank-batch-07")), (Some(399), Some(90)));
    let replaces = |screen: &Screen, title: &str| {
        let old = row(screen, title).1.job.resubmits.to_vec();
        old.iter().map(|key| screen.app.jobs.submitted_again(key).map(|row| row.title.to_string())).collect::<Vec<_>>()
    };
    let both = ["acme-2211", "rerank-batch-07"].map(|title| Some(title.to_owned()));
    assert_eq!(replaces(&screen, "both"), both);
    // One that is gone is no job any more, and the other is.
    let (gone, old) = row(&screen, "rerank-batch-07");
    screen.fact(Fact::Withdrawn(gone));
    screen.wait(1);
    assert_eq!(replaces(&screen, "both"), [both[0].clone(), None]);
    let (ix, _) = row(&screen, "both");
    screen = screen.keys("g");
    while screen.app.selected().unwrap().0 != ix {
        screen = screen.keys("j");
    }
    let drawn = screen.draw();
    assert!(drawn.contains(&format!("acme-2211, {}", old.job.key.id)), "{drawn}");
}

#[test]
fn results_are_said_to_be_on_hold_only_where_there_are_some_that_can_be_fetched_once() {
    let teams = || StoreTrouble::Team("the team's store cannot be reached: refused".to_owned());
    let local = || StoreTrouble::Local("no space left on device".to_owned());
    for (trouble, with, without) in [
        (teams(), "cannot be reached: results on hold", "cannot be reached: results stay here"),
        (local(), "cannot save: polling for results is on hold", "cannot save results"),
    ] {
        let mut screen = Screen::busy(120, 40);
        screen.fact(Fact::StoreTrouble(Some(trouble)));
        assert!(screen.draw().contains(with), "{}", screen.draw());
        let once: Vec<_> = screen.app.jobs.iter().filter(|(_, row)| row.job.traits.one_shot).collect();
        let once: Vec<JobIx> = once.into_iter().map(|(ix, _)| ix).collect();
        once.into_iter().for_each(|ix| screen.fact(Fact::Withdrawn(ix)));
        screen.wait(1);
        assert!(screen.draw().contains(without), "{}", screen.draw());
        assert!(!screen.draw().contains("on hold"), "{}", screen.draw());
    }
}
