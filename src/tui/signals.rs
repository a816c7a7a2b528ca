//! Signals that concern the dashboard, as inputs of its loop.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use super::message::Input;
use crate::exit::Signal;
use crate::session::signals;

/// Listens until the loop ends; from now on these signals do not end or stop the process by themselves.
pub fn listen(inputs: UnboundedSender<Input>) -> io::Result<()> {
    let numbered = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
    for (ending, stream) in signals::endings(&[Signal::INTERRUPT, Signal::TERMINATE, Signal::HANGUP])? {
        tokio::spawn(pass_on(stream, move || Input::Signal(ending), inputs.clone()));
    }
    for (number, input) in [
        (Number::WINCH, (|| Input::Resized) as fn() -> Input),
        (Number::TSTP, || Input::Stop),
        (Number::CONT, || Input::Continued),
    ] {
        tokio::spawn(pass_on(numbered(number)?, input, inputs.clone()));
    }
    Ok(())
}

async fn pass_on(mut stream: Stream, input: impl Fn() -> Input, inputs: UnboundedSender<Input>) {
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
