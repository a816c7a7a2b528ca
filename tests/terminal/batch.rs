//! A batch on the screen from its first result to the report: results written as they arrive, and the batch again from
//! disk.

use std::fs;

use serde_json::json;

use crate::pty::{Home, Terminal};
use crate::service::{Service, completed, executing, file, unstract_job};

/// Two results that come one after the other, and a folder for them.
fn batch(home: &Home) -> (Service, Terminal) {
    let done = |name: &str| completed(json!([file("a.pdf", &json!({"total": 3, "of": name}))]));
    let jobs = vec![
        unstract_job("scan-1", vec![done("scan-1")]),
        unstract_job("scan-2", vec![executing(), done("scan-2").held()]),
    ];
    let service = Service::start(home, jobs);
    let jobs = fs::read_to_string(home.path("jobs.toml")).unwrap();
    home.write("jobs.toml", &format!("export = \"out\"\nbatch = \"night\"\n{jobs}"));
    let terminal = home.terminal(&[]);
    (service, terminal)
}

#[test]
fn the_dashboard_writes_each_result_as_it_arrives_where_the_file_says_so() {
    let home = Home::new();
    let (service, mut terminal) = batch(&home);
    let result = |id: &str| home.path("out").join(format!("unstract__e748d90f-{id}")).join("output.json");
    service.holds(1);
    terminal.until("the first result", |_| result("scan-1").exists());
    assert!(!result("scan-2").exists(), "no half of a response is written");
    service.release();
    terminal.until("the second result", |_| result("scan-2").exists());
    terminal.press("q");
    terminal.ends_well(0);
    assert!(fs::read_to_string(result("scan-2")).unwrap().contains("scan-2"));
    let summary = fs::read_to_string(home.path("out/summary.csv")).unwrap();
    assert_eq!(summary.lines().count(), 3, "{summary}");
}

#[test]
fn a_batch_is_opened_from_disk_without_file_token_or_network_and_a_report_of_it_is_written() {
    let home = Home::new();
    let (service, mut terminal) = batch(&home);
    service.holds(1);
    service.release();
    terminal.sees("2 succeeded");
    terminal.press("q");
    terminal.ends_well(0);
    fs::remove_file(home.path("jobs.toml")).unwrap();
    let requests = service.requests();

    let mut terminal = home.terminal(&["open", "night"]);
    terminal.sees("2 succeeded");
    terminal.sees("scan-1");
    terminal.press(":");
    terminal.press("report\r");
    let is_there = |_: &Terminal| {
        let names = fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".html")).count() == 1
    };
    terminal.until("the report", is_there);
    terminal.press("q");
    terminal.ends_well(0);
    assert_eq!(service.requests(), requests);

    let mut terminal = home.terminal(&["open", "nihgt"]);
    assert_eq!(terminal.ends().exit_code(), 2);
    assert!(terminal.text().contains("did you mean night?"), "{}", terminal.text());
}
