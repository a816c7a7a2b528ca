//! Copying: which ways there are here, in which order, and what each of them did. Claims no more than is known.

use std::borrow::Cow;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::error::EffectError;
use crate::app::event::Copied;
use crate::child;
use crate::config::user::Clipboard;
use crate::domain::clean::Clean;
use crate::domain::human;

/// The longest text in base64 that is sent to a terminal: more is cut or dropped by some, without a word.
pub const OSC52_LIMIT: usize = 74_994;
/// How long a tool may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// What there is to say where there is no way at all.
const NO_PROGRAM: &str = "no program for it was found";

/// A way to a clipboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClipboardMethod {
    /// A program that takes the text on its standard input: its name as it is shown, and its command line.
    Tool(String, Vec<String>),
    /// A control sequence that asks the terminal to do it. It does not answer.
    Osc52,
}

/// Where we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClipboardHost {
    pub tmux: bool,
    /// At the far end of an SSH connection.
    pub ssh: bool,
    pub wayland: bool,
    pub x11: bool,
}

impl ClipboardHost {
    pub fn from_environment() -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            tmux: set("TMUX"),
            ssh: set("SSH_CONNECTION") || set("SSH_TTY") || set("SSH_CLIENT"),
            wayland: set("WAYLAND_DISPLAY"),
            x11: set("DISPLAY"),
        }
    }
}

/// The ways to try, in this order. `is_there` tells whether a program is on the PATH.
pub fn ways(wish: &Clipboard, place: ClipboardHost, is_there: impl Fn(&Path) -> bool) -> Vec<ClipboardMethod> {
    let tool = |line: &str| {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        ClipboardMethod::Tool(argv.first().cloned().unwrap_or_default(), argv)
    };
    // A default tmux drops OSC 52 from programs, plain or wrapped, but passes its own buffers on.
    let tmux = || vec![tool("tmux load-buffer -w -")];
    let native = || {
        let tools = [
            (place.wayland, "wl-copy", "wl-copy --type text/plain"),
            (place.x11, "xclip", "xclip -selection clipboard -in"),
            (place.x11, "xsel", "xsel --clipboard --input"),
            (true, "pbcopy", "pbcopy"),
            (true, "clip.exe", "clip.exe"),
        ];
        let here = tools.into_iter().filter(|(here, name, _)| *here && is_there(Path::new(name)));
        here.map(|(_, _, line)| tool(line)).collect()
    };
    match wish {
        Clipboard::Osc52 => vec![ClipboardMethod::Osc52],
        Clipboard::Tmux => tmux(),
        Clipboard::Native => native(),
        Clipboard::Command(argv) => {
            vec![ClipboardMethod::Tool(argv.first().cloned().unwrap_or_default(), argv.clone())]
        }
        Clipboard::Auto => {
            let mut ways = if place.tmux { tmux() } else { Vec::new() };
            if !place.ssh {
                ways.extend(native());
            }
            ways.push(ClipboardMethod::Osc52);
            ways
        }
    }
}

/// The ways in words, in their order.
pub fn in_words(ways: &[ClipboardMethod]) -> String {
    let limit = human::bytes((OSC52_LIMIT / 4 * 3) as u64);
    let name = |way: &ClipboardMethod| match way {
        ClipboardMethod::Tool(name, _) => name.clone(),
        ClipboardMethod::Osc52 => format!("OSC 52 (up to {limit})"),
    };
    let names: Vec<String> = ways.iter().map(name).collect();
    if names.is_empty() { NO_PROGRAM.to_owned() } else { format!("via {}", names.join(", else ")) }
}

/// What came of a copy: what to tell the user, and what to send to the terminal first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOutcome {
    pub copied: Copied,
    /// A control sequence for the terminal; what the message says is true only once it is written.
    pub sequence: Option<Vec<u8>>,
}

/// Copies by the first of these ways that works. `file` keeps a text that is too large for OSC 52 in a file and says
/// where that is.
pub async fn copy(
    text: Bytes,
    ways: &[ClipboardMethod],
    file: impl AsyncFnOnce() -> Result<PathBuf, EffectError>,
) -> CopyOutcome {
    let bytes = text.len() as u64;
    let mut troubles = Vec::new();
    for way in ways {
        match way {
            ClipboardMethod::Tool(name, argv) => match hand_over(argv, &text).await {
                Ok(()) => return told(Copied::By { bytes, tool: Clean::new(name) }),
                Err(why) => {
                    tracing::info!("{name} did not copy: {why}");
                    troubles.push(format!("{name}: {why}"));
                }
            },
            ClipboardMethod::Osc52 if encoded_length(text.len()) <= OSC52_LIMIT => {
                return CopyOutcome { copied: Copied::Sent { bytes }, sequence: Some(osc52(&text)) };
            }
            ClipboardMethod::Osc52 => {
                return match file().await {
                    Ok(path) => copied_path(bytes, &path),
                    Err(why) => told(Copied::Failed(why.into())),
                };
            }
        }
    }
    let why = if troubles.is_empty() { NO_PROGRAM.to_owned() } else { troubles.join("; ") };
    told(Copied::Failed(Clean::new(&format!("nothing was copied: {why}"))))
}

/// The control sequence that puts a text on the clipboard.
pub fn osc52(text: &[u8]) -> Vec<u8> {
    let mut sequence = b"\x1b]52;c;".to_vec();
    sequence.extend(BASE64_STANDARD.encode(text).into_bytes());
    sequence.extend(b"\x1b\\");
    sequence
}

fn copied_path(bytes: u64, path: &Path) -> CopyOutcome {
    use std::os::unix::ffi::OsStrExt;
    let copied = Copied::Path { bytes, path: Clean::new(&path.to_string_lossy()) };
    CopyOutcome { copied, sequence: Some(osc52(path.as_os_str().as_bytes())) }
}

fn told(copied: Copied) -> CopyOutcome {
    CopyOutcome { copied, sequence: None }
}

fn encoded_length(length: usize) -> usize {
    length.div_ceil(3).saturating_mul(4)
}

#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error("the command is empty")]
    NoProgram,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Failed(ExitStatus),
    #[error("it took longer than 2 s")]
    TimedOut,
}

async fn hand_over(argv: &[String], text: &[u8]) -> Result<(), ToolError> {
    let (program, arguments) = argv.split_first().ok_or(ToolError::NoProgram)?;
    let mut child = child::detached(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let input = as_it_reads(program, text);
    let work = async {
        let mut written = Ok(());
        if let Some(mut stdin) = child.stdin.take() {
            written = stdin.write_all(&input).await;
        }
        let status = child.wait().await?;
        // One that fails reads no further: that it failed says more than that the pipe broke.
        if status.success() { Ok(written?) } else { Err(ToolError::Failed(status)) }
    };
    timeout(TIME_LIMIT, work).await.unwrap_or(Err(ToolError::TimedOut))
}

/// Windows takes text that is not ASCII as UTF-16 only.
fn as_it_reads<'a>(program: &str, text: &'a [u8]) -> Cow<'a, [u8]> {
    match str::from_utf8(text) {
        Ok(text) if program == "clip.exe" && !text.is_ascii() => {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            Cow::Owned(units.flat_map(u16::to_le_bytes).collect())
        }
        Ok(_) | Err(_) => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: ClipboardHost = ClipboardHost { tmux: false, ssh: false, wayland: false, x11: false };

    fn names(place: ClipboardHost, programs: &[&str]) -> Vec<String> {
        let named = |way: ClipboardMethod| match way {
            ClipboardMethod::Tool(name, _) => name,
            ClipboardMethod::Osc52 => "OSC 52".to_owned(),
        };
        ways(&Clipboard::Auto, place, |name| programs.iter().any(|there| Path::new(there) == name))
            .into_iter()
            .map(named)
            .collect()
    }

    #[test]
    fn the_place_decides_by_which_ways_a_copy_goes() {
        let all = ["wl-copy", "xclip", "xsel", "pbcopy", "clip.exe"];
        let cases: [(ClipboardHost, &[&str], &[&str]); 9] = [
            (HERE, &[], &["OSC 52"]),
            (ClipboardHost { tmux: true, ..HERE }, &[], &["tmux", "OSC 52"]),
            (ClipboardHost { tmux: true, ssh: true, x11: true, ..HERE }, &all, &["tmux", "OSC 52"]),
            (ClipboardHost { ssh: true, wayland: true, x11: true, ..HERE }, &all, &["OSC 52"]),
            (ClipboardHost { wayland: true, ..HERE }, &["wl-copy", "xclip"], &["wl-copy", "OSC 52"]),
            (ClipboardHost { wayland: true, x11: true, ..HERE }, &["xclip", "xsel"], &["xclip", "xsel", "OSC 52"]),
            (ClipboardHost { x11: true, ..HERE }, &["wl-copy", "xsel"], &["xsel", "OSC 52"]),
            (HERE, &["pbcopy"], &["pbcopy", "OSC 52"]),
            (ClipboardHost { tmux: true, ..HERE }, &["clip.exe"], &["tmux", "clip.exe", "OSC 52"]),
        ];
        for (place, programs, expected) in cases {
            assert_eq!(names(place, programs), expected, "{place:?} {programs:?}");
        }
        assert_eq!(ways(&Clipboard::Osc52, ClipboardHost { tmux: true, ..HERE }, |_| true), [ClipboardMethod::Osc52]);
    }

    #[test]
    fn the_sequence_holds_the_very_bytes() {
        assert_eq!(osc52(b"hi\x1b\xff"), b"\x1b]52;c;aGkb/w==\x1b\\");
    }

    async fn copied(length: usize, ways: &[ClipboardMethod]) -> CopyOutcome {
        copy(Bytes::from(vec![b'x'; length]), ways, async || Ok(PathBuf::from("/state/copy"))).await
    }

    #[tokio::test]
    async fn a_text_too_large_for_the_terminal_is_not_cut_its_path_is_sent_instead() {
        let fits = copied(56_244, &[ClipboardMethod::Osc52]).await;
        assert_eq!(fits.copied, Copied::Sent { bytes: 56_244 });
        assert!(fits.sequence.unwrap().len() <= OSC52_LIMIT + 9);
        let large = copied(56_246, &[ClipboardMethod::Osc52]).await;
        assert_eq!(large.copied, Copied::Path { bytes: 56_246, path: Clean::new("/state/copy") });
        assert_eq!(large.sequence, Some(osc52(b"/state/copy")));
    }

    #[tokio::test]
    async fn a_tool_that_fails_or_hangs_is_passed_over() {
        let tool = |name: &str, script: &str| {
            ClipboardMethod::Tool(name.to_owned(), ["sh", "-c", script].map(str::to_owned).into())
        };
        let (good, bad) = (tool("good", "cat > /dev/null"), tool("bad", "exit 1"));
        let absent = ClipboardMethod::Tool("absent".to_owned(), vec!["/nowhere/absent".to_owned()]);
        let by = |name: &str| Copied::By { bytes: 9, tool: Clean::new(name) };
        assert_eq!(copied(9, &[absent, bad.clone(), good]).await.copied, by("good"));
        assert_eq!(copied(9, &[bad, ClipboardMethod::Osc52]).await.copied, Copied::Sent { bytes: 9 });
    }

    #[test]
    fn windows_gets_utf_16_where_it_needs_it() {
        assert_eq!(as_it_reads("clip.exe", "a".as_bytes()), "a".as_bytes());
        assert_eq!(as_it_reads("clip.exe", "é".as_bytes()), [0xff, 0xfe, 0xe9, 0x00].as_slice());
        assert_eq!(as_it_reads("pbcopy", "é".as_bytes()), "é".as_bytes());
    }
}
