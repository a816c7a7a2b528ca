//! Whether a shell stands over this process that could wake it up again after a stop.

use nix::unistd;

/// Whether a stopped process could be continued from a shell. The leader of a session has none over it: its terminal's
/// window or its container started it directly, and a stop would be its end.
///
/// In a container that was entered from outside, the session has no number at all (0); rustix does not allow for that.
pub fn can_wake_us() -> bool {
    unistd::getsid(None) != Ok(unistd::getpid())
}
