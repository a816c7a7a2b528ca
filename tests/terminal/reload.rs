//! The jobs file is saved while the dashboard runs: what is wrong with it can be read in full, what is right is in force.

use serde_json::json;

use crate::pty::Home;
use crate::service::{Service, completed, executing, file, unstract_job};

#[test]
fn every_error_of_a_file_that_was_broken_meanwhile_can_be_read_and_the_old_one_stays_in_force() {
    let home = Home::new();
    let service = Service::start(&home, vec![unstract_job("scan-1", vec![executing()])]);
    let good = std::fs::read_to_string(home.path("jobs.toml")).unwrap();
    let mut terminal = home.terminal(&[]);
    terminal.sees("scan-1");
    home.write("jobs.toml", &format!("{good}colour = 1\n[services.other]\nprovider = \"vessel\"\n"));
    terminal.sees("(E shows all)");
    terminal.press("E");
    terminal.sees("Errors in the jobs file");
    let shown = terminal.text();
    let carets = shown.lines().filter(|line| line.contains("^^^^^^")).count();
    assert!(shown.contains("unknown key `colour`") && carets >= 2, "{shown}");
    let requests = service.requests();
    terminal.until("reading on", |_| service.requests() > requests + 1);
    home.write("jobs.toml", &good.replace("scan-1\"\n", "scan-2\"\n"));
    terminal.sees("scan-2");
    terminal.sees_no_more("Errors in the jobs file");
    let log = std::fs::read_to_string(home.path("state/jobdeck/jobdeck.log")).unwrap();
    assert!(log.contains("unknown key `colour`") && !log.contains("vessel\""), "{log}");
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn a_filter_knows_the_user_s_fields_and_a_changed_pointer_holds_for_what_is_saved_already() {
    let home = Home::new();
    let done = |id| unstract_job(id, vec![completed(json!([file("a.pdf", &json!({"total": 3}))]))]);
    let service = Service::start(&home, vec![done("scan-1"), done("scan-2")]);
    let good = std::fs::read_to_string(home.path("jobs.toml")).unwrap();
    let with = |pointer: &str| {
        format!(
            "{good}\n[services.unstract.fields]\nkind = {{ at = \"{pointer}\", column = true, width = 12, title = \"KIND\" }}\n"
        )
    };
    home.write("jobs.toml", &with("/status"));
    let mut terminal = home.terminal(&[]);
    terminal.sees("2 SUCCEEDED");
    let requests = service.requests();
    terminal.press("/");
    terminal.press("ki\t");
    terminal.sees("kind:");
    terminal.press("comp");
    terminal.sees("2 of 2 jobs match");
    terminal.press("leted\r");
    terminal.sees("2 of 2 match");
    home.write("jobs.toml", &with("/message/0/file"));
    // The selected job stays in sight.
    terminal.sees("1 of 2 jobs match");
    assert_eq!(service.requests(), requests, "taken from what is saved");
    terminal.press("q");
    terminal.ends_well(0);
}
