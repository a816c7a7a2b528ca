//! The mouse, as a terminal reports it (SGR): off until it is asked for, then it selects, scrolls and moves the split.

use crate::pty::{Home, JOBDECK, Terminal};
use crate::service::{Job, Service, vessl};

/// A report: the button, and the cell from the upper left, from 0.
fn report(button: u16, (x, y): (u16, u16), end: char) -> String {
    format!("\x1b[<{button};{};{}{end}", x + 1, y + 1)
}

fn wheel_down(at: (u16, u16)) -> String {
    report(65, at, 'M')
}

fn drag(from: (u16, u16), to: (u16, u16)) -> String {
    report(0, from, 'M') + &report(32, to, 'M') + &report(0, to, 'm')
}

fn ten_jobs(home: &Home, width: u16, height: u16) -> (Service, Terminal) {
    let lines: String = (0..200).map(|n| format!("line {n}\n")).collect();
    let job = |n| Job {
        provider: "vessl",
        id: format!("id-{n}"),
        name: format!("job-{n}"),
        answers: vec![vessl("completed", &lines, None)],
    };
    let service = Service::start(home, (0..10).map(job).collect());
    let mut terminal = home.terminal_of(width, height, &[JOBDECK]);
    terminal.sees("finished ");
    // The rows have their last order; from the first key on the selection is the user's.
    terminal.press("g");
    terminal.settle(std::time::Duration::from_millis(300));
    (service, terminal)
}

/// The name of the job in this row of the screen.
fn listed(terminal: &Terminal, row: u16) -> String {
    let text = terminal.text();
    let line = text.lines().nth(row.into()).unwrap();
    line.split_whitespace().find(|word| word.starts_with("job-")).unwrap().to_owned()
}

#[test]
fn the_mouse_is_the_terminals_own_until_it_is_asked_for() {
    let home = Home::new();
    let (_service, mut terminal) = ten_jobs(&home, 120, 40);
    assert_eq!(terminal.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    terminal.press("M");
    terminal.sees("mouse on   (M turns it off)");
    assert_ne!(terminal.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    terminal.press("M");
    terminal.sees("mouse off");
    assert_eq!(terminal.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn a_click_selects_and_the_wheel_scrolls_the_pane_under_it() {
    let home = Home::new();
    let (_service, mut terminal) = ten_jobs(&home, 120, 40);
    terminal.press("M");
    terminal.sees("mouse on");
    let wanted = listed(&terminal, 7);
    terminal.press(&(report(0, (10, 7), 'M') + &report(0, (10, 7), 'm')));
    let shown = |terminal: &Terminal| terminal.selected() == wanted;
    terminal.until(&wanted, shown);
    terminal.press("]]]");
    terminal.sees("line 0");
    terminal.press(&wheel_down((90, 30)));
    terminal.sees_no_more("line 0");
    assert!(shown(&terminal), "the wheel over the detail is the detail's");
    terminal.press(&wheel_down((10, 10)));
    terminal.until("another job", |terminal| !shown(terminal));
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn a_drag_moves_the_split() {
    // The line between list and detail: the lower edge of the list's frame and the upper one of the detail's.
    for (width, height, from, to) in [(120, 40, (57, 20), (57, 14)), (80, 24, (56, 12), (56, 16))] {
        let home = Home::new();
        let (_service, mut terminal) = ten_jobs(&home, width, height);
        terminal.press("M");
        terminal.sees("mouse on");
        terminal.press(&drag(from, to));
        let line = |(x, y): (u16, u16)| {
            move |terminal: &Terminal| {
                terminal.screen().cell(y, x).is_some_and(|cell| ["│", "─"].contains(&cell.contents()))
            }
        };
        terminal.until("the split", |terminal| line(to)(terminal) && !line(from)(terminal));
        terminal.press("q");
        terminal.ends_well(0);
    }
}
