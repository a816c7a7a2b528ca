//! Commands of the user's own on the dashboard's keys: for which jobs, after which question.

use std::path::Path;

use super::screens::Screen;
use crate::app::effect::Effect;
use crate::app::event::Event;
use crate::app::keys::Keymap;

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
