//! A word to the user who is elsewhere: bell, a message of the terminal's own, a command; and the terminal's title.

use std::env;
use std::process::Stdio;

use crate::app::effect::{Notice, NoticeKind};
use crate::child;
use crate::config::user::Notify;
use crate::domain::clean::Clean;

/// How the terminal shows desktop notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Not at all.
    None,
    Osc9,
    Osc777,
}

/// Notifications and the title, as this terminal can have them.
#[derive(Debug)]
pub struct Notifier {
    settings: Notify,
    messages: Messages,
    has_title: bool,
}

impl Notifier {
    /// For the terminal that the environment tells of.
    pub fn new(settings: Notify) -> Self {
        let variable = |name: &str| env::var(name).unwrap_or_default();
        let term = variable("TERM");
        let messages = messages(&variable("TERM_PROGRAM"), &term, env::var_os("TMUX").is_some());
        let has_title = !matches!(term.as_str(), "" | "dumb" | "linux");
        Self { settings, messages, has_title }
    }

    /// What to send to the terminal for this notice; also starts the user's command. Nothing if it is not asked for.
    pub fn notify(&self, notice: &Notice) -> Vec<u8> {
        let wanted = match notice.kind {
            NoticeKind::FirstFailure => self.settings.first_failure,
            NoticeKind::Finished => self.settings.finished,
        };
        if !wanted {
            return Vec::new();
        }
        if let Some(command) = &self.settings.command {
            tokio::spawn(run(command.clone(), notice.text.to_string()));
        }
        sequence(self.messages, &notice.text)
    }

    /// What to send to the terminal to set its title.
    pub fn title(&self, title: &str) -> Vec<u8> {
        if self.has_title { format!("\x1b]0;{}\x07", Clean::new(title)).into_bytes() } else { Vec::new() }
    }
}

fn messages(program: &str, term: &str, tmux: bool) -> Messages {
    match program {
        _ if tmux => Messages::None,
        "iTerm.app" | "WezTerm" | "ghostty" => Messages::Osc9,
        _ if term == "xterm-kitty" || term == "xterm-ghostty" => Messages::Osc9,
        _ if term.starts_with("foot") || term.starts_with("rxvt-unicode") => Messages::Osc777,
        _ => Messages::None,
    }
}

fn sequence(messages: Messages, text: &Clean) -> Vec<u8> {
    let message = match messages {
        Messages::None => String::new(),
        Messages::Osc9 => format!("\x1b]9;{text}\x1b\\"),
        Messages::Osc777 => format!("\x1b]777;notify;jobdeck;{}\x1b\\", text.replace(';', ",")),
    };
    format!("{message}\x07").into_bytes()
}

/// Runs the user's command to its end, its output nowhere.
async fn run(command: Vec<String>, text: String) {
    let Some((program, arguments)) = command.split_first() else { return };
    let child = child::detached(program)
        .args(arguments)
        .arg(text)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match child.await {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!("the notify command {program:?} ended with {status}"),
        Err(error) => tracing::warn!("failed to run the notify command {program:?}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_the_message_in_its_own_way() {
        let cases = [
            ("iTerm.app", "xterm-256color", false, Messages::Osc9),
            ("", "xterm-kitty", false, Messages::Osc9),
            ("", "foot-extra", false, Messages::Osc777),
            ("iTerm.app", "screen", true, Messages::None),
            ("Apple_Terminal", "xterm-256color", false, Messages::None),
        ];
        for (program, term, tmux, expected) in cases {
            assert_eq!(messages(program, term, tmux), expected, "{program} {term}");
        }
    }

    #[test]
    fn foreign_text_cannot_end_the_message_early() {
        let text = Clean::new("a;b\x07\x1b\\c");
        let sent = |messages| String::from_utf8(sequence(messages, &text)).unwrap();
        assert_eq!(sent(Messages::Osc9), "\x1b]9;a;b\\x07c\x1b\\\x07");
        assert_eq!(sent(Messages::Osc777), "\x1b]777;notify;jobdeck;a,b\\x07c\x1b\\\x07");
        assert_eq!(sent(Messages::None), "\x07");
    }
}
