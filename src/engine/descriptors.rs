//! File descriptors: as many as the system lets us have, and no more polls than leave some for what has to be written.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What one poll may hold open: its connection, and a file for a long response.
const OF_A_POLL: u64 = 2;
/// What is kept for the store, for rescue files, for look-ups of names and for front ends.
const RESERVE: u64 = 14;
/// What is asked for beside the polls: more would make programs slow that we start, which close all that they may have.
const BESIDE_POLLS: u64 = 256;

/// Raises the soft limit to what this many polls need, as far as the hard limit lets it.
pub fn raise_limit(polls: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = (polls as u64).saturating_mul(OF_A_POLL).saturating_add(BESIDE_POLLS);
    let (Some(soft), hard) = (current, maximum.unwrap_or(u64::MAX)) else { return };
    let raised = wanted.min(hard);
    if raised <= soft {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        tracing::warn!("the limit of open files stays at {soft}: {error}");
    }
}

/// How many polls there may be at once; None where there is no limit, or nobody knows what is open.
pub fn room_for_polls() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile).current?;
    // One of them is that of the listing itself.
    let open = std::fs::read_dir("/dev/fd").ok()?.count();
    Some(polls_within(limit, open as u64))
}

/// At least one: a poll that then finds no descriptor is a poll that was not sent.
fn polls_within(limit: u64, open: u64) -> usize {
    let free = limit.saturating_sub(open).saturating_sub(RESERVE);
    usize::try_from(free / OF_A_POLL).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_leave_descriptors_for_what_has_to_be_written() {
        for (limit, open, polls) in [(32, 12, 3), (64, 12, 19), (1024, 20, 495), (16, 12, 1), (0, 0, 1)] {
            assert_eq!(polls_within(limit, open), polls, "{limit} {open}");
        }
    }
}
