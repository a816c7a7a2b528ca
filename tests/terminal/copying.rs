//! Copying: the very bytes, by the way that is there, and words that are true.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::pty::{Home, JOBDECK, Terminal};
use crate::service::{Job, Service, completed, file, unstract_job, vessl};

/// Every kind of result of the demo, saved where `show` finds it.
fn finished(home: &Home) -> Terminal {
    let state = home.path("state/jobdeck");
    fs::create_dir_all(&state).unwrap();
    let state = state.to_str().unwrap();
    let mut terminal = home.terminal(&["demo", "--seed", "1", "--jobs", "60", "--speed", "100", "--state-dir", state]);
    terminal.sees("60/60");
    // For two seconds after a key rows stay where they are; until then they may move under the cursor.
    terminal.settle(std::time::Duration::from_millis(200));
    terminal
}

/// The payload of the last OSC 52 in there.
fn osc52(raw: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(raw);
    let (_, rest) = text.rsplit_once("\x1b]52;c;")?;
    let (payload, _) = rest.split_once("\x1b\\")?;
    Some(BASE64_STANDARD.decode(payload).unwrap())
}

/// Goes to the next problem that has a result, and tells its name.
fn next_problem(terminal: &mut Terminal) -> String {
    loop {
        let before = terminal.selected();
        terminal.press("f");
        terminal.until("another job", |terminal| terminal.selected() != before);
        if !terminal.text().contains(" LOST  ") {
            return terminal.selected();
        }
    }
}

#[test]
fn f_then_y_gives_the_raw_output_byte_for_byte_to_the_native_tool() {
    for (tool, display) in [("wl-copy", "WAYLAND_DISPLAY"), ("xclip", "DISPLAY")] {
        let home = Home::new().with(display, "test-0");
        home.script(tool, "cat > \"$HOME/clip.new\"; mv \"$HOME/clip.new\" \"$HOME/clip\"");
        let mut terminal = finished(&home);
        for _ in 0..6 {
            let job = next_problem(&mut terminal);
            let raw = home.raw(&job);
            let _ = fs::remove_file(home.path("clip"));
            terminal.press("y");
            terminal.until("the copy", |_| home.path("clip").exists());
            terminal.sees(&format!("({tool})"));
            assert!(terminal.text().contains("copied "), "{}", terminal.text());
            assert_eq!(fs::read(home.path("clip")).unwrap(), raw, "{job}");
        }
        assert_eq!(osc52(&terminal.raw), None, "the terminal was sent something as well");
        terminal.press("q");
        terminal.ends_well(0);
    }
}

#[test]
fn over_ssh_the_terminal_is_sent_the_bytes_and_nobody_claims_that_it_took_them() {
    let home = Home::new().with("SSH_TTY", "/dev/pts/9").with("DISPLAY", "test-0");
    home.script("xclip", "touch \"$HOME/clip\"; cat > /dev/null");
    let mut terminal = finished(&home);
    let job = next_problem(&mut terminal);
    terminal.press("y");
    terminal.sees("by OSC 52, the terminal must");
    assert!(terminal.text().contains("sent "));
    assert_eq!(osc52(&terminal.raw).unwrap(), home.raw(&job));
    assert!(!home.path("clip").exists(), "the far machine's clipboard is nobody's");
    terminal.press("q");
    terminal.ends_well(0);
}

/// Bytes that a careless copy would change.
const AWKWARD: &str =
    "line\r\n\ttab \u{0}nul \u{1b}[31mred\u{7} \u{9b} \u{202e}x\u{202c} 漢字 e\u{301} \u{feff}end  \n\n";

fn awkward_jobs() -> Vec<Job> {
    let answer = vessl("completed", AWKWARD, None);
    let big = json!([file("a.pdf", &json!({"text": "0123456789".repeat(8000)}))]);
    vec![
        Job { provider: "vessl", id: "awkward".to_owned(), name: "a-awkward".to_owned(), answers: vec![answer] },
        unstract_job("b-large", vec![completed(big)]),
    ]
}

fn selects(terminal: &mut Terminal, job: &str) {
    terminal.sees("2/2");
    // A finished batch shows its page until another job is selected.
    terminal.press("jg");
    terminal.settle(std::time::Duration::from_millis(150));
    if terminal.selected() != job {
        terminal.press("j");
    }
    terminal.until(job, |terminal| terminal.selected() == job);
}

#[test]
fn what_is_too_large_for_osc_52_is_not_cut_its_path_is_copied_and_that_is_said() {
    let home = Home::new().with("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22");
    let _service = Service::start(&home, awkward_jobs());
    let mut terminal = home.terminal(&[]);
    selects(&mut terminal, "b-large");
    terminal.press("y");
    terminal.sees("too large for OSC 52");
    assert!(terminal.text().contains("copied the path"), "{}", terminal.text());
    let path = String::from_utf8(osc52(&terminal.raw).unwrap()).unwrap();
    assert_eq!(fs::read(Path::new(&path)).unwrap(), home.show("b-large", "--raw"), "{path}");
    terminal.press("q");
    terminal.ends_well(0);
}

#[test]
fn awkward_bytes_arrive_as_they_are() {
    let home = Home::new().with("SSH_TTY", "/dev/pts/9");
    let _service = Service::start(&home, awkward_jobs());
    let mut terminal = home.terminal(&[]);
    selects(&mut terminal, "a-awkward");
    terminal.press("y");
    terminal.sees("by OSC 52");
    assert_eq!(osc52(&terminal.raw).unwrap(), AWKWARD.as_bytes());
    assert_eq!(home.show("a-awkward", "--raw"), AWKWARD.as_bytes());
    terminal.press("q");
    terminal.ends_well(0);
}

/// Waits for a file that a stand-in has finished.
fn written(terminal: &mut Terminal, path: &Path) -> Vec<u8> {
    terminal.until("the copy", |_| path.exists());
    fs::read(path).unwrap()
}

#[test]
fn every_native_tool_gets_all_the_bytes_however_many_and_windows_gets_them_as_it_reads_them() {
    let utf_16 = |bytes: &[u8]| {
        let units = String::from_utf8(bytes.to_vec()).unwrap();
        let units = std::iter::once(0xfeff).chain(units.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let tools =
        [("wl-copy", "WAYLAND_DISPLAY"), ("xclip", "DISPLAY"), ("xsel", "DISPLAY"), ("pbcopy", ""), ("clip.exe", "")];
    for (tool, display) in tools {
        let mut home = Home::new();
        if !display.is_empty() {
            home = home.with(display, "test-0");
        }
        home.script(tool, "cat > \"$HOME/clip.new\"; mv \"$HOME/clip.new\" \"$HOME/clip\"");
        let _service = Service::start(&home, awkward_jobs());
        let mut terminal = home.terminal(&[]);
        for job in ["b-large", "a-awkward"] {
            selects(&mut terminal, job);
            terminal.press("y");
            let copied = written(&mut terminal, &home.path("clip"));
            terminal.sees(&format!("({tool})"));
            let raw = home.show(job, "--raw");
            let expected = if tool == "clip.exe" && !raw.is_ascii() { utf_16(&raw) } else { raw };
            assert_eq!(copied, expected, "{tool} {job}");
            fs::remove_file(home.path("clip")).unwrap();
        }
        assert_eq!(osc52(&terminal.raw), None, "{tool}: the terminal was sent something as well");
        terminal.press("q");
        terminal.ends_well(0);
    }
}

#[test]
fn a_tool_that_fails_is_not_said_to_have_copied() {
    let cases = [
        // The next way is taken, and named.
        ("auto", "exit 1", "by OSC 52, the terminal must allow it", true),
        ("native", "exit 3", "nothing was copied: wl-copy: exit status: 3", false),
        ("native", "sleep 100", "nothing was copied: wl-copy: it took longer than 2 s", false),
        ("tmux", "", "nothing was copied: tmux: exit status: 1", false),
    ];
    for (clipboard, script, said, sent) in cases {
        let home = Home::new().with("WAYLAND_DISPLAY", "test-0");
        fs::create_dir_all(home.path("config/jobdeck")).unwrap();
        home.write("config/jobdeck/config.toml", &format!("clipboard = \"{clipboard}\"\n"));
        home.script("wl-copy", script);
        home.script("tmux", "exit 1");
        let _service = Service::start(&home, awkward_jobs());
        let mut terminal = home.terminal(&[]);
        selects(&mut terminal, "a-awkward");
        terminal.press("y");
        terminal.sees(said);
        assert!(!terminal.text().contains("copied 6"), "{}", terminal.text());
        assert_eq!(osc52(&terminal.raw).is_some(), sent, "{clipboard} {script}");
        terminal.press("q");
        terminal.ends_well(0);
    }
}

#[test]
fn the_menu_says_by_which_way_it_copies_and_s_never_writes_over_a_file() {
    let home = Home::new().with("SSH_TTY", "/dev/pts/9");
    let _service = Service::start(&home, awkward_jobs());
    home.write("a-awkward.txt", "mine");
    let mut terminal = home.terminal(&[]);
    selects(&mut terminal, "a-awkward");
    terminal.press("Y");
    terminal.sees("via OSC 52 (up to 56 KB)");
    terminal.press("s");
    for name in ["a-awkward-2.txt", "a-awkward-3.txt"] {
        terminal.until(name, |terminal| terminal.text().replace('\n', "").contains(name));
        assert_eq!(fs::read(home.path(name)).unwrap(), AWKWARD.as_bytes());
        terminal.press("s");
    }
    assert_eq!(fs::read(home.path("a-awkward.txt")).unwrap(), b"mine");
    terminal.press("q");
    terminal.ends_well(0);
}

/// A tmux server of its own, with the settings that tmux comes with.
struct Tmux<'a> {
    home: &'a Home,
}

impl Tmux<'_> {
    fn run(&self, args: &[&str]) -> Vec<u8> {
        let socket = self.home.path("tmux");
        let output = self
            .home
            .command(Path::new("tmux"))
            // The shell of whoever runs the tests may be none at all.
            .env("SHELL", "/bin/sh")
            .args(["-f", "/dev/null", "-S", socket.to_str().unwrap()])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        output.stdout
    }

    fn sees(&self, text: &str) {
        self.sees_after(text, || {});
    }

    /// Presses one of these keys after the other until the cursor is on this job, which is done.
    fn goes_to(&self, job: &str, keys: &[&str]) {
        let mut keys = keys.iter().cycle();
        self.sees_after(&format!("─ {job} "), || drop(self.run(&["send-keys", keys.next().unwrap()])));
    }

    /// Does this, time and again, until the text is on the screen.
    fn sees_after(&self, text: &str, mut act: impl FnMut()) {
        let end = std::time::Instant::now() + crate::pty::PATIENCE;
        loop {
            act();
            std::thread::sleep(std::time::Duration::from_millis(100));
            let screen = String::from_utf8(self.run(&["capture-pane", "-p"])).unwrap();
            if screen.contains(text) {
                return;
            }
            assert!(std::time::Instant::now() < end, "{text:?} is not on the screen of tmux:\n{screen}");
        }
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let socket = self.home.path("tmux");
        let _ = self.home.command(Path::new("tmux")).arg("-S").arg(socket).arg("kill-server").output();
    }
}

#[test]
fn in_a_default_tmux_the_copy_is_in_its_buffer() {
    if Command::new("tmux").arg("-V").output().is_err() {
        println!("skipped: there is no tmux here");
        return;
    }
    let home = Home::new();
    let _service = Service::start(&home, awkward_jobs());
    let tmux = Tmux { home: &home };
    tmux.run(&["new-session", "-d", "-x", "100", "-y", "30", JOBDECK]);
    tmux.sees("finished ");
    for job in ["a-awkward", "b-large"] {
        // Which of the two is the first in the list depends on which was over first.
        tmux.goes_to(job, &["g", "j"]);
        tmux.run(&["send-keys", "y"]);
        tmux.sees("(tmux)");
        assert_eq!(tmux.run(&["save-buffer", "-"]), home.show(job, "--raw"), "{job}");
    }
    assert_eq!(tmux.run(&["show-buffer"]), home.show("b-large", "--raw"));
    tmux.run(&["send-keys", "q"]);
}
