//! The terminal goes away: what can be read once is finished, and nothing spins meanwhile.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::pty::{Home, ticks};
use crate::service::{Service, completed, executing, file, unstract_job};

#[test]
fn a_hang_up_finishes_the_one_shot_reads_without_burning_the_processor_and_then_ends() {
    let home = Home::new();
    let answers = vec![executing(), completed(json!([file("a.pdf", &json!({"total": 72.47}))])).held()];
    let service = Service::start(&home, vec![unstract_job("scan-1", answers)]);
    let mut terminal = home.terminal(&[]);
    terminal.sees("scan-1");
    service.holds(1);
    terminal.hang_up();
    terminal.pump_for(Duration::from_millis(300));
    assert!(terminal.is_running(), "it did not wait for the read in flight");
    let before = ticks(terminal.pid());
    terminal.pump_for(Duration::from_millis(1500));
    assert!(terminal.is_running(), "it did not wait for the read in flight");
    let used = ticks(terminal.pid()) - before;
    assert!(used <= 5, "{used} ticks of 10 ms in 1.5 s");
    service.release();
    let released = Instant::now();
    assert_eq!(terminal.ends().exit_code(), 129);
    // A second in life; the machine may be busy with other tests.
    assert!(released.elapsed() < Duration::from_secs(5), "{:?}", released.elapsed());
    let raw = String::from_utf8(home.show("scan-1", "--raw")).unwrap();
    assert!(raw.contains("72.47") && raw.ends_with("}]"), "{raw}");
}

#[test]
fn a_hang_up_with_nothing_in_flight_ends_it() {
    for keys in ["", "?", "Y", "/abc", "\x0c"] {
        let mut terminal = Home::new().terminal(&["demo", "--seed", "1", "--jobs", "12", "--speed", "100"]);
        terminal.sees("12/12");
        terminal.press(keys);
        terminal.pump_for(Duration::from_millis(100));
        terminal.hang_up();
        assert_eq!(terminal.ends().exit_code(), 129, "after {keys:?}");
    }
}
