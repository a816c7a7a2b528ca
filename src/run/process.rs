//! One run of a program: what it is given, what it says, how it ends. Its output is bounded, and when the run is given
//! up everything that it has started is killed.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::child::{self, ProcessGroup};

/// How much is kept of each output. What comes beyond is counted.
pub const LARGEST: usize = 256 * 1024;
/// After a program has ended, what it started may keep its output open: so long it is listened to.
const AFTER_THE_END: Duration = Duration::from_millis(200);

/// A program that is about to be run.
#[derive(Debug, Default)]
pub struct Launch {
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// Variables that it gets besides ours.
    pub variables: Vec<(String, String)>,
    /// Of ours, those that it does not get: they hold secrets.
    pub secrets: Vec<String>,
    /// What it reads on its standard input.
    pub input: Bytes,
    /// Whether the terminal is its own meanwhile; otherwise it has none.
    pub has_terminal: bool,
}

#[derive(Debug)]
pub struct ProcessEnd {
    pub status: ExitStatus,
    pub out: Output,
    /// What it said on standard error.
    pub err: Output,
}

/// What came of an output.
#[derive(Debug, Default, Clone)]
pub struct Output {
    /// The first of it.
    pub bytes: Vec<u8>,
    /// How many bytes came besides.
    pub dropped: u64,
}

/// Why a program did not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("failed to start {}: {error}; see that it is there and may be run", path.display())]
    Start { path: PathBuf, error: io::Error },
    #[error("failed to wait for {}: {error}", path.display())]
    Wait { path: PathBuf, error: io::Error },
}

impl Output {
    fn take(&mut self, bytes: &[u8]) {
        let room = LARGEST.saturating_sub(self.bytes.len());
        let (kept, dropped) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(kept);
        self.dropped += dropped.len() as u64;
    }
}

pub async fn run(launch: Launch) -> Result<ProcessEnd, RunError> {
    let path = launch.path.clone();
    let mut child = start(&launch).map_err(|error| RunError::Start { path: path.clone(), error })?;
    let group = (!launch.has_terminal).then(|| ProcessGroup::of(&child));
    let (out, err) = (Arc::<Mutex<Output>>::default(), Arc::<Mutex<Output>>::default());
    let mut collecting = JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        collecting.spawn(collect(stdout, Arc::clone(&out)));
    }
    if let Some(stderr) = child.stderr.take() {
        collecting.spawn(collect(stderr, Arc::clone(&err)));
    }
    let mut feeding = JoinSet::new();
    if let Some(mut stdin) = child.stdin.take() {
        feeding.spawn(async move {
            // A program may leave what it is given unread.
            let _ = stdin.write_all(&launch.input).await;
        });
    }
    let status = child.wait().await.map_err(|error| RunError::Wait { path, error })?;
    let all = async { while collecting.join_next().await.is_some() {} };
    let _ = timeout(AFTER_THE_END, all).await;
    // What it left behind ends with it.
    drop(group);
    Ok(ProcessEnd { status, out: taken(&out), err: taken(&err) })
}

fn start(launch: &Launch) -> io::Result<Child> {
    let mut command = if launch.has_terminal { Command::new(&launch.path) } else { child::detached(&launch.path) };
    command.args(&launch.arguments).kill_on_drop(true);
    for secret in &launch.secrets {
        command.env_remove(secret);
    }
    command.envs(launch.variables.iter().map(|(name, value)| (name, value)));
    if !launch.has_terminal {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    command.spawn()
}

async fn collect(mut from: impl AsyncRead + Unpin, output: Arc<Mutex<Output>>) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        output.lock().unwrap_or_else(PoisonError::into_inner).take(piece.get(..count).unwrap_or_default());
    }
}

fn taken(output: &Mutex<Output>) -> Output {
    std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, input: &str) -> ProcessEnd {
        let launch = Launch {
            path: "sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            variables: vec![("JOBDECK_NAME".to_owned(), "a; b".to_owned())],
            secrets: vec!["PATH_OF_NOBODY".to_owned()],
            input: input.to_owned().into(),
            has_terminal: false,
        };
        run(launch).await.unwrap()
    }

    #[tokio::test]
    async fn a_program_gets_its_input_and_variables_and_its_outputs_are_kept_apart() {
        let ended = sh("cat; printf %s \"$JOBDECK_NAME\"; echo said >&2; exit 3", "line\n").await;
        assert_eq!((ended.status.code(), ended.out.bytes.as_slice()), (Some(3), &b"line\na; b"[..]));
        assert_eq!(ended.err.bytes, b"said\n");
    }

    #[tokio::test]
    async fn a_gigabyte_is_bounded_an_unread_input_is_no_matter_and_nothing_is_left_running() {
        let flood = sh("head -c 30000000 /dev/zero", &"x".repeat(1 << 20)).await;
        assert_eq!((flood.out.bytes.len(), flood.out.dropped), (LARGEST, 30_000_000 - LARGEST as u64));
        let left = sh("sleep 100 & echo $!", "").await;
        let pid = String::from_utf8(left.out.bytes).unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        while !stat().is_empty() && !stat().contains(") Z ") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_ne!(sh("read x < /dev/tty", "").await.status.code(), Some(0), "it has no terminal");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let launch = Launch { path: "/nowhere/tool".into(), ..Launch::default() };
        let why = run(launch).await.unwrap_err().to_string();
        assert!(why.starts_with("failed to start /nowhere/tool: No such file"), "{why}");
    }
}
