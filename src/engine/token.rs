//! Tokens: asked of the environment, a file or a command, when they are needed and never kept longer.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::child::{self, ProcessGroup};
use crate::domain::clean::Clean;
use crate::domain::fact::KeyTrouble;
use crate::domain::secret::{Token, TokenSource};
use crate::domain::service::{PLATFORM_TOKEN, Service};
use crate::named_file;
use crate::net::offload;

/// How long a file or a command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// After so long it is said what is being waited for.
const SAID_AFTER: Duration = Duration::from_secs(1);

/// What to do about a command that gives no token.
const BY_HAND: &str = "run it by hand to see why";

/// What to do about a fault of jobdeck's own.
const REPORT: &str = "it is a bug: please report it";

/// More than any token has.
const LONGEST: u64 = 64 * 1024;

/// After a command has ended, what it started may keep its output open: so long it is listened to.
const AFTER_THE_END: Duration = Duration::from_millis(200);

/// Whether a command may ask its user something on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompts {
    /// It may: nobody else reads it.
    Allowed,
    /// The screen is taken: a command has no terminal.
    Refused,
}

/// Why there is no token. It names the source and never the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {help}")]
pub struct TokenError {
    pub kind: TokenErrorKind,
    /// What failed, and of what: "the variable VESSL_TOKEN is not set".
    pub what: String,
    /// What to do about it.
    pub help: &'static str,
}

/// Kinds of failures of a token's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenErrorKind {
    /// There is no such variable, file or program.
    Missing,
    /// It could not be read, or failed.
    Failed,
    /// It gave nothing in time.
    TimedOut,
    /// What it gives is no token.
    NoToken,
    /// A fault of jobdeck's own.
    Internal,
}

impl From<TokenError> for KeyTrouble {
    fn from(TokenError { kind: _, what, help }: TokenError) -> Self {
        Self::Missing { what, help }
    }
}

impl TokenError {
    fn new(kind: TokenErrorKind, what: String, help: &'static str) -> Self {
        Self { kind, what, help }
    }

    /// It was needed and nobody had asked for it.
    pub(super) fn never_asked() -> Self {
        Self::new(TokenErrorKind::Internal, "the token was never asked for".to_owned(), REPORT)
    }
}

/// Services, and the token of each, or why there is none.
pub type Tokens = Vec<(Arc<Service>, Result<Token, TokenError>)>;

/// A service's token after its jobs file was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// Its source is the same and gave a token before: that one holds.
    AsBefore,
    Asked(Result<Token, TokenError>),
}

/// The token of a source. A command runs without a shell, with no standard input, for at most 30 seconds.
pub async fn resolve(source: &TokenSource, prompts: Prompts) -> Result<Token, TokenError> {
    resolve_within(source, prompts, LIMIT).await
}

/// A service's token with its further secrets.
pub async fn resolve_service(service: &Service, prompts: Prompts) -> Result<Token, TokenError> {
    let mut token = resolve(&service.token, prompts).await?;
    for (name, source) in &service.secrets {
        token = with(service, token, name, resolve(source, prompts).await)?;
    }
    Ok(token)
}

/// A token together with a further secret. One that nothing hangs on is gone without.
fn with(service: &Service, token: Token, name: &str, secret: Result<Token, TokenError>) -> Result<Token, TokenError> {
    match secret {
        Ok(secret) => Ok(token.with(name, &secret)),
        Err(reason) if name == PLATFORM_TOKEN => {
            tracing::warn!("{}: polled without its {name}: {reason}", service.name);
            Ok(token)
        }
        Err(reason) => Err(reason),
    }
}

/// The token of each service, all asked at once, each source once. What takes longer than a second is said.
pub async fn resolve_all(services: &[Arc<Service>], prompts: Prompts, say: impl Fn(&str)) -> Tokens {
    let mut sources: Vec<&TokenSource> = Vec::new();
    for service in services {
        for source in std::iter::once(&service.token).chain(service.secrets.iter().map(|(_, source)| source)) {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    let ask = async |source: &TokenSource| {
        let mut token = std::pin::pin!(resolve(source, prompts));
        if let Ok(token) = timeout(SAID_AFTER, &mut token).await {
            return token;
        }
        say(&waiting_for(source, services));
        token.await
    };
    let tokens = join_all(sources.iter().map(|source| ask(source))).await;
    let of = |wanted: &TokenSource| {
        let found = sources.iter().zip(&tokens).find(|(source, _)| **source == wanted);
        found.map_or_else(|| Err(TokenError::never_asked()), |(_, token)| token.clone())
    };
    let token = |service: &Service| {
        let with = |token, (name, source): &(String, TokenSource)| with(service, token, name, of(source));
        service.secrets.iter().try_fold(of(&service.token)?, with)
    };
    services.iter().map(|service| (Arc::clone(service), token(service))).collect()
}

fn waiting_for(source: &TokenSource, services: &[Arc<Service>]) -> String {
    let names: Vec<&str> = services.iter().filter(|one| one.token == *source).map(|one| &*one.name).collect();
    let what = match source {
        TokenSource::Env(_) => "variable",
        TokenSource::File(_) => "file",
        TokenSource::Command(_) => "command",
    };
    let service = if names.len() == 1 { "service" } else { "services" };
    format!("waiting for the token {what} of {service} {}, for {} s at most", names.join(", "), LIMIT.as_secs())
}

async fn resolve_within(source: &TokenSource, prompts: Prompts, limit: Duration) -> Result<Token, TokenError> {
    match source {
        TokenSource::Env(name) => from_environment(name),
        TokenSource::File(path) => match timeout(limit, from_file(path)).await {
            Ok(token) => token,
            Err(_) => {
                let what = format!("the token file {} gives nothing", shown(path));
                Err(TokenError::new(TokenErrorKind::TimedOut, what, "name a regular file"))
            }
        },
        TokenSource::Command(argv) => match timeout(limit, from_command(argv, prompts)).await {
            Ok(token) => token,
            // Dropping the future has killed it.
            Err(_) => {
                let (program, limit) = (program(argv), limit.as_secs());
                let what = format!("the token command {program} took longer than {limit} s and was stopped");
                Err(TokenError::new(TokenErrorKind::TimedOut, what, "see what it waits for"))
            }
        },
    }
}

fn from_environment(name: &str) -> Result<Token, TokenError> {
    let variable = Clean::new(name);
    match std::env::var(name) {
        Ok(text) => token(&text, &format!("the variable {variable}"), "set it to the token alone"),
        Err(std::env::VarError::NotPresent) => {
            let what = format!("the variable {variable} is not set");
            Err(TokenError::new(TokenErrorKind::Missing, what, "export it before jobdeck is started"))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            let what = format!("the variable {variable} is not UTF-8");
            Err(TokenError::new(TokenErrorKind::NoToken, what, "set it to the token alone"))
        }
    }
}

async fn from_file(path: &Path) -> Result<Token, TokenError> {
    let what = format!("the token file {}", shown(path));
    let failed = |error: std::io::Error| {
        TokenError::new(kind_of(&error), format!("failed to read {what}: {error}"), "write the token to it")
    };
    let path = path.to_owned();
    // A pipe that says nothing is left to itself when our patience ends.
    let read = offload::run(move || named_file::read_patiently(&path, LONGEST)).await;
    let bytes = match read.unwrap_or_else(|| Err(std::io::ErrorKind::Other.into())) {
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => return Err(too_long(&what)),
        read => read.map_err(failed)?,
    };
    let text = in_utf8(bytes, &what)?;
    token(&text, &what, "write the token alone to it")
}

async fn from_command(argv: &[String], prompts: Prompts) -> Result<Token, TokenError> {
    let what = format!("the token command {}", program(argv));
    let (name, arguments) = argv.split_first().ok_or_else(|| {
        let what = "the token command names no program".to_owned();
        TokenError::new(TokenErrorKind::Missing, what, "name one in the jobs file")
    })?;
    let mut command = match prompts {
        Prompts::Allowed => Command::new(name),
        Prompts::Refused => child::detached(name),
    };
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What it says there may hold a secret, and would land in the middle of the screen.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            let help = "see that it is installed and in the PATH";
            TokenError::new(kind_of(&error), format!("failed to start {what}: {error}"), help)
        })?;
    let mut group = (prompts == Prompts::Refused).then(|| ProcessGroup::of(&child));
    let failed = |error: std::io::Error| {
        TokenError::new(TokenErrorKind::Failed, format!("failed to read from {what}: {error}"), BY_HAND)
    };
    let no_output = || TokenError::new(TokenErrorKind::Internal, format!("{what} has no output"), REPORT);
    let mut output = child.stdout.take().ok_or_else(no_output)?;
    let mut bytes = Vec::new();
    let mut ended = None;
    loop {
        tokio::select! {
            read = output.read_buf(&mut bytes) => match read {
                Ok(0) => break,
                Ok(_) if bytes.len() as u64 > LONGEST => return Err(too_long(&what)),
                Ok(_) => {}
                Err(error) => return Err(failed(error)),
            },
            status = child.wait(), if ended.is_none() => ended = Some(status.map_err(failed)?),
            () = sleep(AFTER_THE_END), if ended.is_some() => break,
        }
    }
    let status = match ended {
        Some(status) => status,
        None => child.wait().await.map_err(failed)?,
    };
    if let Some(group) = &mut group {
        // An agent that it started for the next time may stay.
        group.let_go();
    }
    let help = match prompts {
        Prompts::Allowed => BY_HAND,
        Prompts::Refused => {
            "it can ask nothing while the screen is taken: run it by hand in another terminal to see why"
        }
    };
    if !status.success() {
        return Err(TokenError::new(TokenErrorKind::Failed, format!("{what} failed ({status})"), help));
    }
    let text = in_utf8(bytes, &what)?;
    if text.trim().is_empty() {
        return Err(TokenError::new(TokenErrorKind::NoToken, format!("{what} printed nothing"), help));
    }
    token(&text, &what, "it has to print the token alone")
}

fn kind_of(error: &std::io::Error) -> TokenErrorKind {
    if error.kind() == std::io::ErrorKind::NotFound { TokenErrorKind::Missing } else { TokenErrorKind::Failed }
}

fn in_utf8(bytes: Vec<u8>, what: &str) -> Result<String, TokenError> {
    String::from_utf8(bytes).map_err(|_| no_token(what, "gives no UTF-8", IT_IS_NONE))
}

fn too_long(what: &str) -> TokenError {
    no_token(what, &format!("gives more than {} KiB", LONGEST / 1024), IT_IS_NONE)
}

/// What to do about something that cannot be a token.
const IT_IS_NONE: &str = "that is no token: name what gives one";

fn no_token(what: &str, gives: &str, help: &'static str) -> TokenError {
    TokenError::new(TokenErrorKind::NoToken, format!("{what} {gives}"), help)
}

fn token(text: &str, what: &str, help: &'static str) -> Result<Token, TokenError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(no_token(what, "is empty", help));
    }
    if text.contains(['\n', '\r']) {
        return Err(no_token(what, "gives more than one line", help));
    }
    Token::new(text).ok_or_else(|| no_token(what, "gives control characters", help))
}

fn shown(path: &Path) -> Clean {
    Clean::new(&path.to_string_lossy())
}

/// The program without its arguments, which may hold what is nobody's business.
fn program(argv: &[String]) -> Clean {
    Clean::new(argv.first().map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(source: TokenSource) -> Result<String, TokenError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let token = runtime.block_on(resolve_within(&source, Prompts::Allowed, Duration::from_secs(1)));
        token.map(|token| token.expose().to_owned())
    }

    fn command(argv: &[&str]) -> TokenSource {
        TokenSource::Command(argv.iter().map(|word| (*word).to_owned()).collect())
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, TokenSource) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, bytes).unwrap();
        (directory, TokenSource::File(path))
    }

    #[test]
    fn a_token_is_asked_of_the_environment_a_file_or_a_command_and_trimmed() {
        let path = std::env::var("PATH").unwrap();
        assert_eq!(asked(TokenSource::Env("PATH".to_owned())), Ok(path.trim().to_owned()));
        let (_directory, source) = file(b"  s3cret\r\n");
        assert_eq!(asked(source), Ok("s3cret".to_owned()));
        assert_eq!(asked(command(&["echo", " s3cret "])), Ok("s3cret".to_owned()));
        assert_eq!(asked(command(&["echo", "$HOME; `id`"])), Ok("$HOME; `id`".to_owned()), "no shell");
        assert_eq!(
            asked(command(&["cat"])).unwrap_err().to_string(),
            "the token command cat printed nothing; run it by hand to see why"
        );
    }

    #[test]
    fn a_token_that_cannot_be_had_is_said_with_its_source_and_without_the_secret() {
        let cases = [
            (TokenSource::Env("JOBDECK_NOT_SET".to_owned()), "the variable JOBDECK_NOT_SET is not set"),
            (TokenSource::File("/nowhere/token".into()), "failed to read the token file /nowhere/token: No such file"),
            (TokenSource::File("/".into()), "failed to read the token file /: is a directory"),
            (TokenSource::File("/dev/zero".into()), "gives more than 64 KiB"),
            (command(&["jobdeck-no-such-program"]), "failed to start the token command jobdeck-no-such-program"),
            (
                command(&["sh", "-c", "echo s3cret; echo s3cret >&2; exit 3"]),
                "the token command sh failed (exit status: 3)",
            ),
            (command(&["printf", "s3cret\\ntwo"]), "the token command printf gives more than one line"),
            (command(&["printf", "s3cret\\033"]), "gives control characters"),
            (command(&["printf", "s3cret\\377"]), "gives no UTF-8"),
            (command(&["cat", "/dev/zero"]), "gives more than 64 KiB"),
            (command(&["sleep", "600"]), "took longer than 1 s and was stopped"),
            (command(&[]), "names no program"),
        ];
        for (source, expected) in cases {
            let error = asked(source.clone()).unwrap_err().to_string();
            assert!(error.contains(expected), "{source:?}: {error}");
            assert!(!error.contains("s3cret") && !error.contains('\u{1b}'), "{source:?}: {error}");
        }
    }

    #[test]
    fn a_command_has_no_terminal_while_the_screen_is_taken_and_what_it_leaves_running_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        let ask = |script: &str, seconds| {
            let source = command(&["sh", "-c", script]);
            let asked = resolve_within(&source, Prompts::Refused, Duration::from_secs(seconds));
            runtime.block_on(asked).map(|token| token.expose().to_owned())
        };
        let why = ask("read x < /dev/tty && echo s3cret", 20).unwrap_err().to_string();
        assert!(why.contains("it can ask nothing while the screen is taken"), "{why}");
        let begun = std::time::Instant::now();
        assert_eq!(ask("sleep 60 & echo s3cret", 30), Ok("s3cret".to_owned()));
        assert!(begun.elapsed() < Duration::from_secs(30), "it waited for what was left running");
        // At the deadline all that it has started goes with it.
        let why = ask(&format!("sleep 61 & echo $! > {}; wait", pid.display()), 1).unwrap_err().to_string();
        assert!(why.contains("took longer than 1 s"), "{why}");
        let pid = std::fs::read_to_string(pid).unwrap();
        let is_gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        while !is_gone() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_source_that_several_services_share_is_asked_once() {
        let directory = tempfile::tempdir().unwrap();
        let script = format!("echo x >> {0}; echo s3cret", directory.path().join("asked").display());
        let service = |name: &str| {
            Arc::new(Service {
                name: name.into(),
                provider: crate::tests::provider(crate::domain::job::ProviderName::VESSL),
                base: url::Url::parse("https://host.example").unwrap(),
                endpoint: "".into(),
                settings: Default::default(),
                token: command(&["sh", "-c", &script]),
                secrets: Vec::new(),
                pace: crate::domain::service::PollSettings::default().pace,
                in_flight: None,
                rate: None,
                include: Default::default(),
                alert_after: None,
                fields: Arc::default(),
            })
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let services = [service("a"), service("b")];
        let tokens = runtime.block_on(resolve_all(&services, Prompts::Refused, |_| {}));
        assert_eq!(tokens.iter().filter(|(_, token)| token.is_ok()).count(), 2);
        assert_eq!(std::fs::read_to_string(directory.path().join("asked")).unwrap(), "x\n");
    }
}
