//! `jobdeck demo`: the dashboard over simulated services, or the services alone.

use super::args::{Common, Demo};
use super::failure::Failure;

/// Runs it.
pub async fn run(common: &Common, demo: Demo) -> Result<u8, Failure> {
    let _ = (common, demo);
    Err(Failure::internal("not written yet"))
}
