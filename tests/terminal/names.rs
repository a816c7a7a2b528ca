//! Names whose characters terminals measure differently, in a real tmux: nothing of a row stays behind when rows move.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::pty::{Home, JOBDECK, PATIENCE};
use crate::service::{Job, Service, vessl};

const NAMES: [&str; 6] = ["क्षि-krishi", "ไทยน้ำ-thai", "🏳️‍🌈-flag", "©️-mark", "👩‍👩‍👧-family", "plain-letters"];

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

/// The rows of the list.
fn list(screen: &str) -> Vec<&str> {
    let rows = screen.lines().skip_while(|row| !row.contains("Jobs ")).skip(1).take_while(|row| !row.contains('╰'));
    rows.collect()
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
    tmux.until("the end", |screen| screen.contains("plain-letters") && screen.contains("finished "));
    // A filter after the other moves every name to the first row, over another.
    for name in NAMES.iter().cycle().take(2 * NAMES.len()) {
        let word = name.rsplit('-').next().unwrap();
        tmux.run(&["send-keys", "/"]);
        tmux.run(&["send-keys", "C-u"]);
        tmux.run(&["send-keys", word]);
        tmux.run(&["send-keys", "Enter"]);
        tmux.until(word, |screen| {
            let (named, others): (Vec<&str>, Vec<&str>) = list(screen).into_iter().partition(|row| row.contains(word));
            named.len() == 1 && others.iter().all(|row| !row.chars().any(|c| c.is_ascii_lowercase()))
        });
    }
    tmux.run(&["send-keys", "q"]);
}
