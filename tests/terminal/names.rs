//! Names whose characters terminals measure differently, in a real tmux: nothing of a row stays behind when rows move.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::pty::{Home, JOBDECK, PATIENCE};
use crate::service::{Job, Service, vessl};

const NAMES: [&str; 6] =
    ["क्षि-krishi", "ไทยน้ำ-thai", "🏳️‍🌈-flag", "©️-mark", "👩‍👩‍👧-family", "plain-letters"];

struct Tmux<'a>(&'a Home);

impl Tmux<'_> {
    fn run(&self, args: &[&str]) -> String {
        let socket = self.0.path("tmux");
        let mut tmux = self.0.command(Path::new("tmux"));
        tmux.env("SHELL", "/bin/sh").args(["-u", "-f", "/dev/null", "-S", socket.to_str().unwrap()]).args(args);
        let output = tmux.output().unwrap();
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a screen shows this, and gives it.
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.run(&["capture-pane", "-p"]);
            if is_so(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "{what} never came:\n{screen}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let socket = self.0.path("tmux");
        let _ = self.0.command(Path::new("tmux")).arg("-S").arg(socket).arg("kill-server").output();
    }
}

/// The letters of ASCII in the list's part of a row.
fn letters(row: &str) -> String {
    row.chars().filter(char::is_ascii_lowercase).collect()
}

#[test]
fn rows_that_change_places_leave_no_letters_behind() {
    if Command::new("tmux").arg("-V").output().is_err() {
        println!("skipped: there is no tmux here");
        return;
    }
    let home = Home::new();
    let job = |(n, name): (usize, &&str)| Job {
        provider: "vessl",
        id: format!("id{n}"),
        name: (*name).to_owned(),
        answers: vec![vessl("completed", "x", None)],
    };
    let _service = Service::start(&home, NAMES.iter().enumerate().map(job).collect());
    let tmux = Tmux(&home);
    tmux.run(&["new-session", "-d", "-x", "120", "-y", "36", JOBDECK]);
    tmux.until("the end", |screen| screen.contains("plain-letters") && screen.contains("all done"));
    // A filter after the other moves every name to the first row, over another.
    for name in NAMES.iter().cycle().take(2 * NAMES.len()) {
        let word = name.rsplit('-').next().unwrap();
        tmux.run(&["send-keys", "/"]);
        tmux.run(&["send-keys", "C-u"]);
        tmux.run(&["send-keys", word]);
        tmux.run(&["send-keys", "Enter"]);
        let others: Vec<&str> = NAMES.iter().filter_map(|other| other.rsplit('-').next()).filter(|o| *o != word).collect();
        let row = tmux.until(word, |screen| {
            let rows: Vec<&str> = screen.lines().filter(|row| row.contains("DONE")).collect();
            rows.len() == 1 && rows.iter().all(|row| row.contains(word))
        });
        let row = row.lines().find(|row| row.contains("DONE")).unwrap();
        assert!(others.iter().all(|other| !row.contains(other)), "{row}");
        let expected = letters(&format!("{}vesslcompleted", name.to_ascii_lowercase()));
        assert!(expected.starts_with(&letters(row)) || letters(row).starts_with(&letters(name)), "{row:?}");
    }
    tmux.run(&["send-keys", "q"]);
}
