//! Signals that concern the dashboard, as inputs of its loop.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use super::message::Message;
use crate::exit::Signal;
use crate::session::signals;

/// Listens until the loop ends; from now on these signals do not end or stop the process by themselves.
pub fn listen(inputs: UnboundedSender<Message>) -> io::Result<()> {
    let numbered = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
    for (ending, stream) in signals::endings(&[Signal::INTERRUPT, Signal::TERMINATE, Signal::HANGUP])? {
        tokio::spawn(pass_on(stream, move || Message::Signal(ending), inputs.clone()));
    }
    for (number, input) in [
        (Number::WINCH, (|| Message::Resized) as fn() -> Message),
        (Number::TSTP, || Message::Stop),
        (Number::CONT, || Message::Continued),
    ] {
        tokio::spawn(pass_on(numbered(number)?, input, inputs.clone()));
    }
    Ok(())
}

async fn pass_on(mut stream: Stream, input: impl Fn() -> Message, inputs: UnboundedSender<Message>) {
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
