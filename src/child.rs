//! Programs that are started beside the screen: in their own session, so that none of them reads the terminal or
//! writes on it, and ended with all that they have started.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process_group, setsid};
use tokio::process::{Child, Command};

/// A program that has no terminal: what wants to ask there fails at once.
pub fn detached(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    #[expect(unsafe_code, reason = "setsid is safe after a fork, and nothing else is called there")]
    unsafe {
        command.pre_exec(|| setsid().map(drop).map_err(io::Error::from));
    }
    command
}

/// Whether a program can be started: by its path or, where it is a mere name, from `PATH`.
pub fn can_be_started(program: &Path) -> bool {
    let may_run =
        |path: &Path| path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0);
    if program.components().count() > 1 {
        return may_run(program);
    }
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| may_run(&folder.join(program))))
}

/// The processes of a child that was started by [`detached`]; they are killed when this is dropped, unless they were
/// let go.
#[derive(Debug)]
pub struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The group of a child that has just been started.
    pub fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// Leaves them alone from now on: the child has ended, and what it left behind is its own business.
    pub fn let_go(&mut self) {
        self.0 = None;
    }

    /// Sends them a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // Whoever is gone already needs none.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
