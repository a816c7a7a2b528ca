//! Signals that end or stop a command in good order, and the one that must not end it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::process::{self, Signal as Number};
use tokio::signal::unix::{self, SignalKind};

use crate::exit::Signal;
use crate::session::signals;
use crate::shell;

/// The signals that end the program, as they come.
#[derive(Debug)]
pub struct Signals {
    streams: Vec<(Signal, unix::Signal)>,
}

impl Signals {
    /// Listens from now on; the signals no longer end the process by themselves.
    pub fn listen() -> std::io::Result<Self> {
        shell::write_from_the_background();
        Ok(Self { streams: signals::endings(&[Signal::INTERRUPT, Signal::TERMINATE])? })
    }

    pub fn next(&mut self) -> impl Future<Output = Signal> + '_ {
        NextSignal(self)
    }
}

/// SIGTSTP as it comes: a shell's Ctrl-z.
#[derive(Debug)]
pub struct Stops(unix::Signal);

impl Stops {
    /// Listens from now on; the signal no longer stops the process by itself.
    pub fn listen() -> std::io::Result<Self> {
        unix::signal(SignalKind::from_raw(Number::TSTP.as_raw())).map(Self)
    }

    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// Stops this process until the shell lets it go on. Not where no shell could.
pub fn stop() {
    if !shell::can_wake_us() {
        return;
    }
    if let Err(error) = process::kill_process(process::getpid(), Number::STOP) {
        tracing::warn!("failed to stop: {error}");
    }
}

/// Takes signals as a shell hands them on, whatever whoever started us does with them: none is held back, and the end of
/// a child is told. A write beyond the file size limit is an error of that write, not the end of the process. Needs a
/// runtime; threads that are started later do as this one.
pub fn begin() {
    shell::hold_no_signal_back();
    for number in [Number::CHILD, Number::XFSZ] {
        if let Err(error) = unix::signal(SignalKind::from_raw(number.as_raw())) {
            tracing::warn!("failed to listen for the signal {}: {error}", number.as_raw());
        }
    }
}

struct NextSignal<'a>(&'a mut Signals);

impl Future for NextSignal<'_> {
    type Output = Signal;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Signal> {
        for (signal, stream) in &mut self.0.streams {
            if let Poll::Ready(Some(())) = stream.poll_recv(context) {
                return Poll::Ready(*signal);
            }
        }
        Poll::Pending
    }
}
