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

/// Whether a signal is to be ignored, as `nohup` wants it of hang-ups, and a shell without job control of `Ctrl-\\` in
/// what it starts in the background. To be asked before the signal is listened for.
pub fn is_ignored(number: i32) -> bool {
    let Ok(signal) = Signal::try_from(number) else { return false };
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    #[expect(unsafe_code, reason = "the system tells what is set only where something is set: no handler of ours")]
    let before = unsafe { sigaction(signal, &ignore) };
    let Ok(before) = before else { return false };
    if matches!(before.handler(), SigHandler::SigIgn) {
        return true;
    }
    #[expect(unsafe_code, reason = "what was set before is set again")]
    let _ = unsafe { sigaction(signal, &before) };
    false
}

/// Lets every signal through from now on: a program that blocks some hands that on to what it starts, which could then
/// not be ended in good order.
pub fn hold_no_signal_back() {
    let _ = SigSet::empty().thread_set_mask();
}

/// Writes to the terminal from the background from now on, even where it is set (`stty tostop`) to stop whoever does.
/// For what draws nothing: a line of output must not stop a process that holds claims.
pub fn write_from_the_background() {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    #[expect(unsafe_code, reason = "no handler of ours is installed")]
    let _ = unsafe { sigaction(Signal::SIGTTOU, &ignore) };
}

/// Whether a process is stopped, as far as the system tells; one that is may hold claims that it does nothing with.
pub fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may itself hold some.
    stat.rsplit_once(')').is_some_and(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('T' | 't')))
}
