//! Writing to a standard stream whose description somebody else may have set non-blocking: what it does not take now is
//! waited for, where the standard library would report an error after part of the bytes.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A standard stream of this process, unbuffered.
#[derive(Debug, Clone, Copy)]
pub struct FdWriter(BorrowedFd<'static>);

impl FdWriter {
    /// Standard output.
    pub fn stdout() -> Self {
        Self(rustix::stdio::stdout())
    }

    /// Standard error.
    pub fn stderr() -> Self {
        Self(rustix::stdio::stderr())
    }

    /// Whether a short write would be taken at once.
    pub fn is_ready(self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut polled = [PollFd::from_borrowed_fd(self.0, PollFlags::OUT)];
        poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
            && polled.iter().all(|fd| fd.revents().contains(PollFlags::OUT))
    }

    fn wait(self) {
        // Whatever it says, the next write tells what there is to know.
        let _ = poll(&mut [PollFd::from_borrowed_fd(self.0, PollFlags::OUT)], None);
    }
}

impl Write for FdWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(self.0.as_fd(), bytes) {
                Ok(written) => return Ok(written),
                Err(Errno::AGAIN) => self.wait(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
