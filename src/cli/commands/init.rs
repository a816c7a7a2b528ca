//! `jobdeck init`: a commented starter file, never over an existing one.

use std::io::{self, Write};
use std::path::Path;

use crate::config;
use crate::domain::clean::Clean;

/// Writes the starter file, `./jobs.toml` if none is named, and says so to `err`. Returns the exit code.
pub fn run(named: Option<&Path>, provider: Option<&str>, err: &mut dyn Write) -> io::Result<u8> {
    let path = named.unwrap_or(Path::new("jobs.toml"));
    let text = match provider {
        None => config::init::starter(),
        Some(name) => match config::init::starter_of(name) {
            Some(text) => text,
            None => {
                let name = Clean::new(name);
                writeln!(err, "jobdeck: there is no description of a provider {name}; `jobdeck providers` lists them")?;
                return Ok(2);
            }
        },
    };
    match config::init::init(path, &text) {
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
