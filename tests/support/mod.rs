//! The binary from outside, against a server that misbehaves as it is told: a home directory of its own, a jobs file,
//! processes whose output is collected while they run.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{SIGHUP, SigHandler, signal};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

#[path = "../../src/tests/script.rs"]
pub mod script;

use script::{Script, Scripted};

/// No test waits longer than this for what has to come, however loaded the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The variable that the jobs files name, and what is in it.
pub const TOKEN_VARIABLE: &str = "JOBDECK_TEST_TOKEN";
pub const TOKEN: &str = "canary-7f3a9c1e5b2d";
/// A result that can be read once.
pub const RESULT: &str = r#"{"status":"COMPLETED","message":[{"file":"a.pdf","status":"Success","result":{"output":{"n":1}},"error":null}]}"#;

/// A home directory, a server, and a jobs file over it.
pub struct Bench {
    pub script: Script,
    home: TempDir,
    poll: String,
    services: Vec<(String, String)>,
    jobs: String,
}

/// A process of the binary, its output collected as it comes.
pub struct Running {
    child: Child,
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// A process that has ended.
pub struct Ended {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

/// Prints a line of the suite's table: what was done to the program, how often, results lost that had been handed
/// out whole, and how long it took from the fault's end to the result (`cargo test --test faults -- --nocapture`).
pub fn row(fault: &str, runs: usize, lost: usize, recovered: Duration) {
    println!("| {fault} | {runs} | {lost} | {:.1} s |", recovered.as_secs_f64());
}

pub fn executing() -> Scripted {
    Scripted::json(422, r#"{"status":"EXECUTING","message":null}"#)
}

pub fn result() -> Scripted {
    Scripted::json(200, RESULT)
}

pub fn acknowledged() -> Scripted {
    Scripted::json(406, r#"{"status":"COMPLETED","message":"Result already acknowledged"}"#)
}

pub fn done(raw: &str) -> Scripted {
    Scripted::json(200, serde_json::json!({"status": "completed", "status_code": 200, "raw_output": raw}).to_string())
}

pub fn pending() -> Scripted {
    Scripted::json(200, r#"{"status":"pending"}"#)
}

/// A result of about so many bytes.
pub fn large_result(bytes: usize) -> String {
    RESULT.replace("\"n\":1", &format!("\"n\":\"{}\"", "0123456789abcdef".repeat(bytes / 16)))
}

/// So many equal replies.
pub fn times(count: usize, reply: &Scripted) -> Vec<Scripted> {
    vec![reply.clone(); count]
}

impl Bench {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self {
            script: Script::start().unwrap(),
            home,
            poll: "interval = \"50ms\"\nmax_interval = \"200ms\"\nread_timeout = \"50s\"\nnot_found_grace = \"300ms\""
                .to_owned(),
            services: Vec::new(),
            jobs: String::new(),
        }
    }

    /// Another poll table.
    pub fn poll(mut self, poll: &str) -> Self {
        poll.clone_into(&mut self.poll);
        self
    }

    /// A service written by hand.
    pub fn service(mut self, name: &str, text: &str) -> Self {
        self.services.push((name.to_owned(), text.to_owned()));
        self
    }

    /// A job of a service (`unstract`, `vessl`, `optexity` are there unless written by hand) and what it is answered.
    pub fn job(self, service: &str, id: &str, replies: impl IntoIterator<Item = Scripted>) -> Self {
        self.script.on(id, replies);
        self.declared(service, id, "")
    }

    /// A job about which the server knows nothing, or has been told already; `more` is further lines of its entry.
    pub fn declared(mut self, service: &str, id: &str, more: &str) -> Self {
        if !self.services.iter().any(|(name, _)| name == service) {
            let url = match service {
                "unstract" => self.script.url("/deployment/api/org/api/"),
                "vessl" => self.script.url("/api/v1/services/slug"),
                _ => self.script.url(""),
            };
            let key = if service == "unstract" { "url" } else { "base_url" };
            let text = format!("provider = \"{service}\"\n{key} = \"{url}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}");
            self.services.push((service.to_owned(), text));
        }
        self.jobs.push_str(&format!("[[jobs]]\nservice = \"{service}\"\nid = {}\n{more}\n", toml_text(id)));
        self
    }

    /// Further text of the jobs file.
    pub fn also(mut self, text: &str) -> Self {
        self.jobs.push_str(text);
        self.jobs.push('\n');
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.home().join("state/jobdeck")
    }

    /// The binary with these arguments, in its home, with no variable of ours but those that keep it there.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut file = format!("[poll]\n{}\n", self.poll);
        for (name, text) in &self.services {
            file.push_str(&format!("[services.{name}]\n{text}\n"));
        }
        std::fs::write(self.home().join("jobs.toml"), file + &self.jobs).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobdeck"));
        command.current_dir(self.home()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.home()).env("XDG_STATE_HOME", self.home().join("state"));
        command.env("TMPDIR", self.home()).env(TOKEN_VARIABLE, TOKEN).args(args).stdin(Stdio::null());
        hear_hangups(&mut command);
        command
    }

    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        self.start(args).end()
    }

    /// The exact bytes that are saved of a job.
    pub fn body(&self, job: &str) -> Vec<u8> {
        self.run(&["show", job, "--body"]).out
    }

    /// What `status` says of a job.
    pub fn known(&self, id: &str) -> Value {
        let status = self.run(&["status", "--format", "jsonl"]);
        status.line(|line| line["id"] == id).unwrap_or_else(|| panic!("no line for {id}: {status:?}"))
    }

    /// Waits until the server was asked for a job so often.
    pub fn until_read(&self, id: &str, times: usize) {
        wait_for(&format!("read {times} of {id}"), || self.script.reads(id) >= times);
    }

    /// Waits until so many bytes of a reply stand in a file of the state directory. The last few stay in memory until it
    /// is known whether they begin with our token.
    pub fn until_spooled(&self, bytes: u64) {
        let spool = self.state_dir().join("spool");
        let longest = || -> Option<u64> {
            std::fs::read_dir(&spool).ok()?.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).max()
        };
        wait_for("spooled bytes", || longest() >= Some(bytes));
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, from_out) = collect(child.stdout.take().unwrap());
        let (err, from_err) = collect(child.stderr.take().unwrap());
        Self { child, out, err, readers: vec![from_out, from_err] }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().unwrap()).into_owned()
    }

    /// Waits until standard error says this.
    pub fn until_said(&self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.err().contains(what) {
            assert!(Instant::now() < deadline, "never said {what:?}; said {:?}, printed {:?}", self.err(), self.out());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end; said {:?}, printed {:?}", self.err(), self.out());
            std::thread::sleep(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let out = std::mem::take(&mut *self.out.lock().unwrap());
        Ended { code: status.code(), out, err: self.err() }
    }

    /// Kills it without a chance to do anything.
    pub fn kill(self) {
        self.signal(Signal::KILL);
        self.end();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {:?}\nprinted: {}\nsaid: {}", self.code, self.text(), self.err)
    }
}

impl Ended {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// The objects of a jsonl stream.
    pub fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} in {self:?}"))).collect()
    }

    /// The last line of which that is true.
    pub fn line(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        self.lines().into_iter().rfind(wanted)
    }

    pub fn summary(&self) -> Value {
        self.line(|line| line["type"] == "summary").unwrap_or_else(|| panic!("no summary in {self:?}"))
    }

    #[track_caller]
    pub fn said(self, what: &str) -> Self {
        assert!(self.err.contains(what), "{what:?} was not said: {self:?}");
        self
    }

    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// How often the engine's thread of a process has gone to sleep so far.
pub fn rests(pid: Pid) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap();
    let status = |task: PathBuf| std::fs::read_to_string(task.join("status")).unwrap_or_default();
    let statuses = tasks.map(|task| status(task.unwrap().path()));
    let engine = statuses.into_iter().find(|status| status.starts_with("Name:\tengine\n")).unwrap();
    let line = engine.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[track_caller]
pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The tests themselves may run under `nohup`.
pub fn hear_hangups(command: &mut Command) {
    let hear = || {
        #[expect(unsafe_code, reason = "no handler is installed")]
        unsafe { signal(SIGHUP, SigHandler::SigDfl) }?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "that call is safe after a fork")]
    unsafe {
        command.pre_exec(hear)
    };
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes a command run as a user whom file modes bind, and gives him the home; as the same user where that is one.
pub fn as_ordinary_user(command: &mut Command, home: &Path) {
    if !is_root() {
        return;
    }
    // The binary may stand where that user cannot go.
    let binary = home.join("jobdeck-of-the-test");
    if !binary.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_jobdeck"), &binary).unwrap();
    }
    give(home, NOBODY);
    let mut ordinary = Command::new(&binary);
    ordinary.args(command.get_args()).env_clear().stdin(Stdio::null()).current_dir(home);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            ordinary.env(name, value);
        }
    }
    run_as_that_user(&mut ordinary);
    *command = ordinary;
}

const NOBODY: u32 = 65534;

/// The user of [`as_ordinary_user`].
pub fn run_as_that_user(command: &mut Command) {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

fn give(path: &Path, user: u32) {
    let _ = std::os::unix::fs::lchown(path, Some(user), Some(user));
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user);
        }
    }
}

fn collect(mut from: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, std::thread::JoinHandle<()>) {
    let collected = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&collected);
    let thread = std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    (collected, thread)
}

/// A text as a TOML string.
fn toml_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
