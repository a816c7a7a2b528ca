//! Keys, pastes, mouse and focus, read on their own thread.
//!
//! The bytes are read and parted here (`sequences`), not by the terminal library: its reader never returns once the
//! terminal is gone (crossterm#793), keeps what it does not know for ever (crossterm#1104), and takes answers of the
//! terminal for keys (crossterm#834).

use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Write, stdin};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc::UnboundedSender;

use super::decode;
use super::sequences::{Sequences, TerminalToken};
use crate::tui::failpoint::failpoint;
use crate::tui::message::Message;
use crate::tui::terminal;

/// How long `pause` waits for the reader to be between two reads.
const ANSWER: Duration = Duration::from_millis(250);
/// What comes so soon after another program had the terminal is an answer to that program.
const DEAF: Duration = Duration::from_millis(100);
/// More bytes at once than a key is: what a terminal sends by itself comes in such pieces.
const MORE_THAN_A_KEY: usize = 8;
/// How long to leave the terminal alone while another program has it.
const BACKGROUND: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct InputReader {
    commands: Sender<ReaderCommand>,
    bell: PipeWriter,
    paused: Receiver<()>,
}

#[derive(Debug, Clone, Copy)]
enum ReaderCommand {
    Pause,
    Resume,
}

impl InputReader {
    /// Starts to read the terminal.
    pub fn start(inputs: UnboundedSender<Message>) -> io::Result<Self> {
        let (commands, inbox) = channel();
        let (ack, paused) = channel();
        let (woken, bell) = io::pipe()?;
        let tty = Tty::open()?;
        let thread = InputThread {
            tty,
            woken,
            commands: inbox,
            ack,
            inputs,
            sequences: Sequences::default(),
            give_up_at: None,
            paused: false,
            deaf_until: None,
            rest_until: None,
        };
        thread::Builder::new().name("input".to_owned()).spawn(move || thread.run())?;
        Ok(Self { commands, bell, paused })
    }

    /// Reads no more until `resume`, so that another program can; returns when that is so.
    pub fn pause(&mut self) {
        while self.paused.try_recv().is_ok() {}
        self.send(ReaderCommand::Pause);
        let _ = self.paused.recv_timeout(ANSWER);
    }

    /// Reads again. What the terminal sent to another program, and what comes in the next moment, is dropped.
    pub fn resume(&mut self) {
        self.send(ReaderCommand::Resume);
    }

    fn send(&mut self, command: ReaderCommand) {
        let _ = self.commands.send(command);
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

    fn with<T>(&self, use_it: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        match self {
            Self::Stdin => use_it(stdin().as_fd()),
            Self::File(file) => use_it(file.as_fd()),
        }
    }
}

/// What woke the thread.
enum Woken {
    Keys,
    Command,
    Time,
    HangUp(&'static str),
}

struct InputThread {
    tty: Tty,
    woken: PipeReader,
    commands: Receiver<ReaderCommand>,
    ack: Sender<()>,
    inputs: UnboundedSender<Message>,
    sequences: Sequences,
    /// When what is unfinished is given up.
    give_up_at: Option<Instant>,
    paused: bool,
    /// What comes before that is dropped.
    deaf_until: Option<Instant>,
    /// Another program has the terminal; it is looked at again then.
    rest_until: Option<Instant>,
}

impl InputThread {
    fn run(mut self) {
        loop {
            let trouble = match self.wait() {
                Woken::HangUp(why) => Err(why.to_owned()),
                Woken::Command => {
                    if !self.obey() {
                        return;
                    }
                    Ok(())
                }
                Woken::Time => {
                    if self.give_up_at.take_if(|at| *at <= Instant::now()).is_some() {
                        let tokens = self.sequences.give_up();
                        self.tell(tokens);
                    }
                    Ok(())
                }
                Woken::Keys => self.take().map_err(|error| format!("it cannot be read: {error}")),
            };
            if let Err(why) = trouble {
                let _ = self.inputs.send(Message::HangUp(why));
                return;
            }
            if self.inputs.is_closed() {
                return;
            }
        }
    }

    /// Takes the commands that have come; whether anybody still gives some.
    fn obey(&mut self) -> bool {
        let mut bell = [0; 64];
        if !matches!(self.woken.read(&mut bell), Ok(1..)) {
            return false;
        }
        while let Ok(command) = self.commands.try_recv() {
            self.paused = matches!(command, ReaderCommand::Pause);
            if self.paused {
                let _ = self.ack.send(());
            } else {
                let _ = self.tty.with(|tty| tcflush(tty, QueueSelector::IFlush));
                self.sequences = Sequences::default();
                self.give_up_at = None;
                self.deaf_until = Some(Instant::now() + DEAF);
            }
        }
        true
    }

    fn wait(&mut self) -> Woken {
        let now = Instant::now();
        self.rest_until = self.rest_until.filter(|until| *until > now);
        let wish = if self.paused || self.rest_until.is_some() { PollFlags::empty() } else { PollFlags::IN };
        let rest = self.rest_until.map(|until| until - now);
        let patience = self.give_up_at.map(|at| at.saturating_duration_since(now));
        let time = rest.into_iter().chain(patience).min().map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or_default(),
            tv_nsec: i64::from(time.subsec_nanos()),
        });
        self.tty.with(|tty| {
            // Without any wish a poll still tells of a hang-up.
            let mut fds = [PollFd::from_borrowed_fd(tty, wish), PollFd::new(&self.woken, PollFlags::IN)];
            let waited = poll(&mut fds, time.as_ref());
            let [tty, bell] = fds.map(|fd| fd.revents());
            match waited {
                Err(rustix::io::Errno::INTR) => Woken::Time,
                Err(_) => Woken::HangUp("it cannot be waited for"),
                Ok(0) => Woken::Time,
                Ok(_) if tty.intersects(PollFlags::HUP) => Woken::HangUp("it was hung up"),
                Ok(_) if tty.intersects(PollFlags::ERR | PollFlags::NVAL) => Woken::HangUp("it is gone"),
                Ok(_) if !bell.is_empty() => Woken::Command,
                Ok(_) => Woken::Keys,
            }
        })
    }

    /// Reads what is there.
    fn take(&mut self) -> io::Result<()> {
        // To read what is another program's would stop the whole process, with all that it has claimed.
        if !terminal::is_in_foreground() {
            let _ = self.inputs.send(Message::Stop);
            self.rest_until = Some(Instant::now() + BACKGROUND);
            return Ok(());
        }
        let mut bytes = [0; 4096];
        let count = match self.tty.with(|tty| rustix::io::read(tty, &mut bytes)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        failpoint("input");
        let was_in_string = self.sequences.is_in_string();
        let tokens = self.sequences.push(bytes.get(..count).unwrap_or_default());
        // Whoever types while a control string has no end is heard after a moment, however fast the keys come.
        if !(was_in_string && self.sequences.is_in_string() && count < MORE_THAN_A_KEY) {
            self.give_up_at = self.sequences.patience().map(|patience| Instant::now() + patience);
        }
        self.tell(tokens);
        Ok(())
    }

    fn tell(&mut self, tokens: Vec<TerminalToken>) {
        if self.deaf_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.deaf_until = None;
        for event in tokens.into_iter().filter_map(decode::event) {
            let _ = self.inputs.send(Message::Event(event));
        }
    }
}
