//! Keys, pastes, mouse and focus, read on a thread of their own.
//!
//! The terminal library's reader never returns once the terminal is gone: it spins (crossterm#793). So this thread waits
//! on the terminal itself, and goes into the library only when there is something to read and nobody has hung up.

use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Write, stdin};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, MouseButton, MouseEventKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc::UnboundedSender;

use super::run::Input;
use super::trip::trip;
use crate::app::event::{Event, Mouse, MouseKind};
use crate::app::keys::Key;

/// How long to leave alone what the library would not take: half an escape sequence, or bytes that it has not seen.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the library may look for more: it does not wait meanwhile, but looks again and again, and not at all if this
/// is zero.
const GLANCE: Duration = Duration::from_micros(100);
/// How long `pause` waits for the reader to come out of the library.
const ANSWER: Duration = Duration::from_millis(250);

/// The reader thread.
#[derive(Debug)]
pub struct Reader {
    orders: Sender<Order>,
    bell: PipeWriter,
    paused: Receiver<()>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Pause,
    Resume,
}

impl Reader {
    /// Starts to read the terminal.
    pub fn start(inputs: UnboundedSender<Input>) -> io::Result<Self> {
        let (orders, orderly) = channel();
        let (ack, paused) = channel();
        let (woken, bell) = io::pipe()?;
        let tty = Tty::open()?;
        let thread = Thread { tty, woken, orders: orderly, ack, inputs };
        thread::Builder::new().name("input".to_owned()).spawn(move || thread.run())?;
        Ok(Self { orders, bell, paused })
    }

    /// Reads no more until `resume`, so that another program can; returns when that is so.
    pub fn pause(&mut self) {
        while self.paused.try_recv().is_ok() {}
        self.order(Order::Pause);
        let _ = self.paused.recv_timeout(ANSWER);
    }

    /// Reads again.
    pub fn resume(&mut self) {
        self.order(Order::Resume);
    }

    fn order(&mut self, order: Order) {
        let _ = self.orders.send(order);
        let _ = self.bell.write_all(b"!");
    }
}

/// Standard input if it is a terminal, else the controlling one: the same choice as the library's.
enum Tty {
    Stdin,
    File(File),
}

impl Tty {
    fn open() -> io::Result<Self> {
        if stdin().is_terminal() {
            return Ok(Self::Stdin);
        }
        Ok(Self::File(File::options().read(true).write(true).open("/dev/tty")?))
    }
}

/// What woke the thread.
enum Woken {
    Keys,
    Order,
    Time,
    HangUp,
}

struct Thread {
    tty: Tty,
    woken: PipeReader,
    orders: Receiver<Order>,
    ack: Sender<()>,
    inputs: UnboundedSender<Input>,
}

impl Thread {
    fn run(mut self) {
        let mut paused = false;
        let mut rest = false;
        loop {
            match self.wait(!paused && !rest, rest) {
                Woken::HangUp => {
                    let _ = self.inputs.send(Input::HangUp);
                    return;
                }
                Woken::Order => {
                    let mut bell = [0; 64];
                    if !matches!(self.woken.read(&mut bell), Ok(1..)) {
                        return;
                    }
                    while let Ok(order) = self.orders.try_recv() {
                        paused = matches!(order, Order::Pause);
                        if paused {
                            let _ = self.ack.send(());
                        }
                    }
                }
                Woken::Time => rest = false,
                Woken::Keys => match self.take() {
                    Ok(taken) => rest = !taken,
                    Err(error) => {
                        tracing::error!("failed to read the terminal: {error}");
                        let _ = self.inputs.send(Input::HangUp);
                        return;
                    }
                },
            }
            if self.inputs.is_closed() {
                return;
            }
        }
    }

    fn wait(&self, keys: bool, rest: bool) -> Woken {
        let stdin = stdin();
        let tty: BorrowedFd<'_> = match &self.tty {
            Tty::Stdin => stdin.as_fd(),
            Tty::File(file) => file.as_fd(),
        };
        // Without any wish a poll still tells of a hang-up.
        let wish = if keys { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [PollFd::from_borrowed_fd(tty, wish), PollFd::new(&self.woken, PollFlags::IN)];
        let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(PATIENCE.subsec_nanos()) };
        let waited = poll(&mut fds, rest.then_some(&patience));
        let [tty, bell] = fds.map(|fd| fd.revents());
        match waited {
            Err(rustix::io::Errno::INTR) => Woken::Time,
            Err(_) => Woken::HangUp,
            Ok(0) => Woken::Time,
            Ok(_) if tty.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => Woken::HangUp,
            Ok(_) if !bell.is_empty() => Woken::Order,
            Ok(_) => Woken::Keys,
        }
    }

    /// Reads what is there; whether anything was.
    fn take(&self) -> io::Result<bool> {
        let mut taken = false;
        while event::poll(GLANCE)? {
            taken = true;
            trip("input");
            if let Some(event) = event_of(event::read()?) {
                let _ = self.inputs.send(Input::Event(event));
            }
        }
        Ok(taken)
    }
}

/// What the terminal sent, as the app knows it. Sizes are told by the signal instead.
fn event_of(event: event::Event) -> Option<Event> {
    match event {
        event::Event::Key(key) => Key::from_event(key).map(Event::Key),
        event::Event::Paste(text) => Some(Event::Paste(text)),
        event::Event::FocusGained => Some(Event::Focus(true)),
        event::Event::FocusLost => Some(Event::Focus(false)),
        event::Event::Resize(..) => None,
        event::Event::Mouse(mouse) => {
            let kind = match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => MouseKind::Press,
                MouseEventKind::Drag(MouseButton::Left) => MouseKind::Drag,
                MouseEventKind::Up(MouseButton::Left) => MouseKind::Release,
                MouseEventKind::ScrollUp => MouseKind::WheelUp,
                MouseEventKind::ScrollDown => MouseKind::WheelDown,
                MouseEventKind::Down(_)
                | MouseEventKind::Drag(_)
                | MouseEventKind::Up(_)
                | MouseEventKind::Moved
                | MouseEventKind::ScrollLeft
                | MouseEventKind::ScrollRight => return None,
            };
            Some(Event::Mouse(Mouse { kind, x: mouse.column, y: mouse.row }))
        }
    }
}
