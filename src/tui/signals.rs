//! Signals that concern the dashboard, as inputs of its loop.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use super::run::Input;
use crate::exit::Signal;

/// Listens until the loop ends; from now on these signals do not end or stop the process by themselves.
pub fn listen(inputs: UnboundedSender<Input>) -> io::Result<()> {
    let numbered = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
    let ears = [
        (signal(SignalKind::interrupt())?, (|| Input::Signal(Signal::Interrupt)) as fn() -> Input),
        (signal(SignalKind::terminate())?, || Input::Signal(Signal::Terminate)),
        (signal(SignalKind::hangup())?, || Input::Signal(Signal::Hangup)),
        (signal(SignalKind::window_change())?, || Input::Resized),
        (numbered(Number::TSTP)?, || Input::Stop),
        (numbered(Number::CONT)?, || Input::Continued),
    ];
    for (stream, input) in ears {
        tokio::spawn(pass_on(stream, input, inputs.clone()));
    }
    Ok(())
}

async fn pass_on(mut stream: Stream, input: fn() -> Input, inputs: UnboundedSender<Input>) {
    loop {
        tokio::select! {
            came = stream.recv() => {
                if came.is_none() || inputs.send(input()).is_err() {
                    return;
                }
            }
            () = inputs.closed() => return,
        }
    }
}
