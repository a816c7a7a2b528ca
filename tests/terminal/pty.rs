//! A program in a pseudo-terminal: what it wrote, what its screen shows, what it left behind.
//!
//! The terminal answers no question that a program may ask it, as some do not.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// How long anything may take before a test gives up. No test passes or fails by how fast it was.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A directory of its own, and what a program run there finds in its environment.
pub struct Home {
    dir: Arc<TempDir>,
    env: Vec<(String, String)>,
}

impl Home {
    pub fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let path = format!("{}:{}", at("bin"), std::env::var("PATH").unwrap());
        let env = [
            ("HOME", at("")),
            ("PATH", path),
            ("TMPDIR", at("tmp")),
            ("XDG_STATE_HOME", at("state")),
            ("XDG_CONFIG_HOME", at("config")),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
        ];
        for name in ["bin", "tmp"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { env: env.map(|(name, value)| (name.to_owned(), value)).into(), dir }
    }

    /// The same with this variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A program of this name, the first on the PATH.
    pub fn script(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs jobdeck without a terminal, to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(Path::new(JOBDECK)).args(args).output().unwrap()
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.env.iter().cloned()).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs jobdeck in a terminal of 80 columns and 24 lines.
    pub fn terminal(&self, args: &[&str]) -> Terminal {
        self.terminal_of(80, 24, &[&[JOBDECK], args].concat())
    }

    /// Runs any program in a terminal of this size.
    pub fn terminal_of(&self, width: u16, height: u16, argv: &[&str]) -> Terminal {
        let mut command = CommandBuilder::new(argv[0]);
        command.args(&argv[1..]);
        command.env_clear();
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command.cwd(self.dir.path());
        Terminal::start(width, height, command, Arc::clone(&self.dir))
    }

    /// What `y` copies of a job, as `show` gives it: its raw output, or the body where there is none in it.
    pub fn raw(&self, job: &str) -> Vec<u8> {
        let shown = self.run(&["show", job, "--raw"]);
        if shown.status.code() == Some(4) { self.show(job, "--body") } else { self.show(job, "--raw") }
    }

    /// The bytes of a part of a job, as `show` gives them.
    pub fn show(&self, job: &str, part: &str) -> Vec<u8> {
        let shown = self.run(&["show", job, part]);
        assert!(shown.status.success(), "{shown:?}");
        shown.stdout
    }
}

/// The program that is tested.
pub const JOBDECK: &str = env!("CARGO_BIN_EXE_jobdeck");

/// A terminal with a program in it.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    /// None once it was hung up.
    line: Option<Line>,
    modes_before: String,
    parser: vt100::Parser,
    /// Everything that was written to the terminal.
    pub raw: Vec<u8>,
    /// The directory that the program needs.
    _home: Arc<TempDir>,
}

struct Line {
    master: Box<dyn MasterPty + Send>,
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
}

impl Terminal {
    fn start(width: u16, height: u16, command: CommandBuilder, home: Arc<TempDir>) -> Self {
        let pair = native_pty_system().openpty(size(width, height)).unwrap();
        let modes_before = modes(pair.master.as_ref());
        let child = pair.slave.spawn_command(command).unwrap();
        let reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let line = Some(Line { master: pair.master, reader, writer });
        Self { child, line, modes_before, parser: vt100::Parser::new(height, width, 0), raw: Vec::new(), _home: home }
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// What is written where the cursor of the list is: the name of the selected job, as the detail's title has it.
    pub fn selected(&self) -> String {
        let text = self.text();
        let title = text.lines().find(|line| line.contains("Sum") && line.contains("His")).unwrap();
        title.rsplit_once("─ ").map_or(title, |(_, name)| name).split_whitespace().next().unwrap().to_owned()
    }

    /// Types this.
    #[track_caller]
    pub fn press(&mut self, keys: &str) {
        let writer = &mut self.line.as_mut().unwrap().writer;
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Types this, and waits until what follows from it is on the screen, as far as that can be known.
    #[track_caller]
    pub fn press_calmly(&mut self, key: &str) {
        self.press(key);
        // Esc and another key that are read together would be one key.
        self.settle(Duration::from_millis(if key == "\x1b" { 250 } else { 60 }));
    }

    /// Waits until the screen shows this.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        self.until(text, |terminal| terminal.text().contains(text));
    }

    /// Waits until the screen no longer shows this.
    #[track_caller]
    pub fn sees_no_more(&mut self, text: &str) {
        self.until(&format!("no {text}"), |terminal| !terminal.text().contains(text));
    }

    /// Waits until this is so.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "waited in vain for {what:?}; the screen:\n{}", self.text());
            self.pump(Duration::from_millis(20));
        }
    }

    /// Takes in what comes within this time, at most one piece; whether anything came.
    pub fn pump(&mut self, time: Duration) -> bool {
        let Some(line) = &mut self.line else {
            std::thread::sleep(time);
            return false;
        };
        if !readable(line.master.as_ref(), time) {
            return false;
        }
        let mut piece = [0; 1 << 16];
        match line.reader.read(&mut piece) {
            Ok(length) => {
                self.raw.extend_from_slice(&piece[..length]);
                self.parser.process(&piece[..length]);
                length > 0
            }
            // Nobody has the other end open any more.
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                std::thread::sleep(time.min(Duration::from_millis(20)));
                false
            }
            Err(_) => false,
        }
    }

    /// Takes in all that comes within this time.
    pub fn pump_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.pump(left);
        }
    }

    /// Waits until keys count again: what comes in the first 100 ms after another program had the terminal may be an
    /// answer to that program, and is dropped. Nothing on the screen tells when that is over.
    pub fn hears_again(&mut self) {
        self.pump_for(Duration::from_millis(250));
    }

    /// Takes in what comes until nothing has come for this time.
    #[track_caller]
    pub fn settle(&mut self, quiet: Duration) {
        let end = Instant::now() + PATIENCE;
        while self.pump(quiet) {
            assert!(Instant::now() < end, "it never came to rest; the screen:\n{}", self.text());
        }
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        // The emulator does not survive one column or one line where something is still under way for more.
        self.parser.screen_mut().set_size(height.max(2), width.max(2));
        self.line.as_ref().unwrap().master.resize(size(width, height)).unwrap();
    }

    /// The terminal goes away, as when its window is closed or the connection drops.
    pub fn hang_up(&mut self) {
        self.line = None;
    }

    /// Waits for the end.
    #[track_caller]
    pub fn ends(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().unwrap();
            if let Some(status) = ended {
                while self.pump(Duration::ZERO) {}
                return status;
            }
            assert!(Instant::now() < end, "it does not end; the screen:\n{}", self.text());
            self.pump(Duration::from_millis(10));
        }
    }

    /// Waits for the end without reading anything that is written meanwhile; the exit code.
    #[track_caller]
    pub fn ends_unread(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "it does not end while nobody reads what it writes");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end, and checks the exit code and that the terminal is as it was.
    #[track_caller]
    pub fn ends_well(&mut self, code: u32) {
        let status = self.ends();
        assert_eq!((status.exit_code(), status.signal()), (code, None), "{}", self.text());
        self.is_restored();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Checks that nothing of ours is left switched on in the terminal.
    #[track_caller]
    pub fn is_restored(&self) {
        let screen = self.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was not left");
        assert!(!screen.hide_cursor(), "the cursor stays hidden");
        for mode in [1000, 1002, 1003, 1004, 1006, 1015, 1049, 2004] {
            let last = |end: char| last(&self.raw, format!("\x1b[?{mode}{end}").as_bytes());
            assert!(last('h') <= last('l'), "mode {mode} stays on");
        }
        assert_eq!(count(&self.raw, b"\x1b[22;0t"), count(&self.raw, b"\x1b[23;0t"), "the title is not given back");
        let modes = self.line.as_ref().map(|line| modes(line.master.as_ref()));
        assert_eq!(modes.as_ref(), Some(&self.modes_before), "the line's modes differ");
    }

    /// The process in the terminal.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// What this process has used of the processor so far, in ticks of 10 ms.
pub fn ticks(pid: Pid) -> u64 {
    let fields = stat(pid);
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Whether this process is stopped.
pub fn is_stopped(pid: Pid) -> bool {
    stat(pid)[0] == "T"
}

/// The fields of /proc/pid/stat from the state on.
fn stat(pid: Pid) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').map(str::to_owned).collect()
}

pub fn count(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).filter(|window| *window == part).count()
}

fn last(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}

fn size(width: u16, height: u16) -> PtySize {
    PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 }
}

/// The line's modes, all of them, in words that can be compared.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

#[expect(unsafe_code, reason = "the library tells the descriptor's number alone")]
fn readable(master: &dyn MasterPty, time: Duration) -> bool {
    // SAFETY: the descriptor belongs to `master`, which outlives the borrow.
    let fd = unsafe { BorrowedFd::borrow_raw(master.as_raw_fd().unwrap()) };
    let time = Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap(), tv_nsec: i64::from(time.subsec_nanos()) };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&time)).is_ok_and(|ready| ready > 0)
}
