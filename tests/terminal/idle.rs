//! Nothing happens: nothing is written, and the processor is left to others.

use std::time::Duration;

use crate::pty::{Home, ticks};

#[test]
fn a_dashboard_of_finished_jobs_writes_nothing_and_uses_no_processor() {
    let mut terminal = Home::new().terminal(&["demo", "--seed", "1", "--jobs", "60", "--speed", "100"]);
    terminal.sees("60/60");
    // The last words: how fast it went, who was throttled.
    terminal.settle(Duration::from_millis(1500));
    let (written, before) = (terminal.raw.len(), ticks(terminal.pid()));
    terminal.pump_for(Duration::from_secs(3));
    let used = ticks(terminal.pid()) - before;
    let new = String::from_utf8_lossy(&terminal.raw[written..]).into_owned();
    assert_eq!(new, "");
    assert!(used <= 3, "{used} ticks of 10 ms in 3 s");
    terminal.press("q");
    terminal.ends_well(0);
}
