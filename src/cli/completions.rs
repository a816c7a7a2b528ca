//! `jobdeck completions SHELL`: the completion script of a shell.

use clap_complete::Shell;

use super::failure::Failure;
use super::output::Out;

/// Prints it.
pub fn run(command: &mut clap::Command, shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "jobdeck", &mut script);
    let mut out = Out::new();
    out.bytes(&script)?;
    out.flush()?;
    Ok(0)
}
