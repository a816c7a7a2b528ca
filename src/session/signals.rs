//! Which signals end the program in good order: those that are listened for.

use std::io;

use tokio::signal::unix::{self, SignalKind};

use crate::exit::Signal;
use crate::shell;

/// Listens from now on for every signal that ends the program; it no longer ends the process by itself. One that was
/// ignored at the start stays so, unless it is among those that are always heard: `nohup` outlives its terminal.
pub fn endings(always: &[Signal]) -> io::Result<Vec<(Signal, unix::Signal)>> {
    let mut streams = Vec::new();
    for signal in Signal::all() {
        let is_asked_for = always.contains(&signal);
        if !is_asked_for && shell::is_ignored(signal.number()) {
            continue;
        }
        match unix::signal(SignalKind::from_raw(signal.number())) {
            Ok(stream) => streams.push((signal, stream)),
            Err(error) if is_asked_for => return Err(error),
            // The C library keeps some for itself.
            Err(_) => {}
        }
    }
    Ok(streams)
}
