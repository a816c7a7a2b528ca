//! `jobdeck init`: a commented starter file, never over an existing one.

use std::io::{self, Write};
use std::path::Path;

use crate::config;
use crate::domain::clean::Clean;

/// Writes the starter file, `./jobs.toml` if none is named, and says so to `err`. Returns the exit code.
pub fn run(named: Option<&Path>, err: &mut dyn Write) -> io::Result<u8> {
    let path = named.unwrap_or(Path::new("jobs.toml"));
    match config::init::init(path) {
        Ok(()) => {
            let path = Clean::new(&path.to_string_lossy());
            writeln!(err, "jobdeck: wrote {path}; take the # from the lines that you need, then see `jobdeck check`")?;
            Ok(0)
        }
        Err(error) => {
            writeln!(err, "jobdeck: {error}")?;
            Ok(2)
        }
    }
}
