//! `jobdeck demo --serve`: the services alone, until a signal says that it is enough.

use std::io::Write;

use tokio::signal::unix::{SignalKind, signal};

use super::{Demo, DemoError, DemoOptions};

/// The signal that ended the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Interrupt,
    Terminate,
    HangUp,
}

/// Starts the services, prints the jobs file to `stdout` (nothing else, flushed) and a note to `stderr`, and runs
/// until SIGINT, SIGTERM or SIGHUP.
pub fn serve(options: DemoOptions, stdout: &mut dyn Write, stderr: &mut dyn Write) -> Result<Stop, DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DemoError::Start)?;
    runtime.block_on(async {
        // Before the file is out: whoever reads it may stop us at once.
        let mut interrupt = signal(SignalKind::interrupt()).map_err(DemoError::Start)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(DemoError::Start)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(DemoError::Start)?;
        let demo = Demo::start(options)?;
        stdout.write_all(demo.jobs_file().as_bytes()).map_err(DemoError::Print)?;
        stdout.flush().map_err(DemoError::Print)?;
        let (address, seed) = (demo.address(), demo.seed());
        // A note that nobody can read is no reason to stop.
        let _ = writeln!(stderr, "jobdeck: simulated services on http://{address} (--seed {seed}), Ctrl-C ends them");
        let stop = tokio::select! {
            _ = interrupt.recv() => Stop::Interrupt,
            _ = terminate.recv() => Stop::Terminate,
            _ = hangup.recv() => Stop::HangUp,
        };
        Ok(stop)
    })
}
