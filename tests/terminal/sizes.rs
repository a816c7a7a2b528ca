//! Terminals of every size, and those that do not keep theirs.

use std::time::Duration;

use crate::pty::{Home, Terminal};

const WIDTHS: [u16; 15] = [1, 2, 3, 5, 9, 20, 39, 40, 60, 79, 80, 100, 159, 160, 300];
const HEIGHTS: [u16; 12] = [1, 2, 3, 5, 7, 8, 12, 19, 20, 24, 40, 100];

fn demo() -> Terminal {
    let mut terminal = Home::new().terminal(&["demo", "--seed", "1", "--jobs", "60", "--speed", "100"]);
    terminal.sees("60/60");
    terminal
}

#[track_caller]
fn survives(mut terminal: Terminal) {
    terminal.resize(80, 24);
    // Whatever stands over the panes, and the filter that was being typed. Esc and another key that come together
    // would be one key.
    for _ in 0..3 {
        terminal.press("\x1b");
        terminal.pump_for(Duration::from_millis(300));
    }
    terminal.sees("60/60");
    terminal.press("q");
    terminal.ends_well(0);
    let said = terminal.text();
    assert!(said.starts_with("demo: 60 jobs: "), "it said something else at its end: {said}");
}

#[test]
fn every_size_from_1x1_to_300x100_is_drawn() {
    let mut terminal = demo();
    for (nth, width) in WIDTHS.into_iter().enumerate() {
        for height in HEIGHTS {
            // Up and down in turn, so that both directions are met.
            let height = if nth % 2 == 0 { height } else { 101 - height };
            terminal.resize(width, height);
            terminal.until("a frame", |terminal| !terminal.text().trim().is_empty());
            terminal.pump(Duration::from_millis(30));
            assert!(terminal.is_running(), "{width}x{height}");
        }
    }
    survives(terminal);
}

#[test]
fn whatever_stands_over_the_panes_fits_every_size() {
    for keys in ["?", "Y", "e", ":", "/state:fai", "2", "3", "z", "f]", "f]]", "f]]]", "f]]]]"] {
        let mut terminal = demo();
        terminal.press(keys);
        for (width, height) in [(300, 100), (1, 1), (2, 30), (40, 8), (39, 7), (60, 15), (120, 40), (300, 1), (1, 100)]
        {
            terminal.resize(width, height);
            terminal.pump_for(Duration::from_millis(40));
            assert!(terminal.is_running(), "{keys:?} {width}x{height}");
        }
        survives(terminal);
    }
}

#[test]
fn a_storm_of_resizes_leaves_a_whole_screen() {
    let mut terminal = demo();
    for n in 0..200_u16 {
        terminal.resize(1 + n * 37 % 300, 1 + n * 61 % 100);
        terminal.pump(Duration::from_millis(u64::from(n % 7)));
        terminal.press(["j", "k", "f", "]"][usize::from(n) % 4]);
    }
    survives(terminal);
}
