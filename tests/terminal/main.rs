//! The dashboard in a pseudo-terminal, from outside: how it starts, ends, copies, and leaves the terminal behind.

mod copying;
mod hangup;
mod hostile;
mod idle;
mod leaving;
mod looks;
mod pty;
mod service;
mod sizes;
mod suspend;
