//! The `jobdeck` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    jobdeck::run(std::env::args_os())
}
