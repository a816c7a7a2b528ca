//! `jobdeck keys`: the dashboard's keys, from its one table.

use super::failure::Failure;
use super::output::Out;

/// Prints them.
pub fn run() -> Result<u8, Failure> {
    let mut out = Out::new();
    for (keys, what) in table() {
        out.line(&format!("{keys:<24} {what}"))?;
    }
    out.flush()?;
    Ok(0)
}

/// Each line of the table: the keys, and what they do.
pub fn table() -> Vec<(String, String)> {
    Vec::new()
}
