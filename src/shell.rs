//! What whoever started this process does for it: wakes it up again after a stop, or keeps hang-ups from it.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd;

/// Whether a stopped process could be continued from a shell. The leader of a session has none over it: its terminal's
/// window or its container started it directly, and a stop would be its end.
///
/// In a container that was entered from outside, the session has no number at all (0); rustix does not allow for that.
pub fn can_wake_us() -> bool {
    unistd::getsid(None) != Ok(unistd::getpid())
}

/// Whether hang-ups are to be ignored, as `nohup` wants it of what it starts. To be asked before they are listened for.
pub fn ignores_hangups() -> bool {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    #[expect(unsafe_code, reason = "the system tells what is set only where something is set: no handler of ours")]
    let before = unsafe { sigaction(Signal::SIGHUP, &ignore) };
    let Ok(before) = before else { return false };
    if matches!(before.handler(), SigHandler::SigIgn) {
        return true;
    }
    #[expect(unsafe_code, reason = "what was set before is set again")]
    let _ = unsafe { sigaction(Signal::SIGHUP, &before) };
    false
}
