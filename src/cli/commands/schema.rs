//! `jobdeck schema`: the JSON schema of the jobs file, for editors.

use std::io::{self, Write};

use crate::config;

pub fn run(out: &mut dyn Write) -> io::Result<u8> {
    out.write_all(config::SCHEMA.as_bytes())?;
    Ok(0)
}
