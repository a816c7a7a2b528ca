//! `jobdeck check`: whether the jobs file is valid, its tokens can be read and, with `--online`, the services accept them.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::keys::Keymap;
use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::output::StdoutWriter;
use crate::cli::{output, programs, team_store};
use crate::config::user::User;
use crate::config::{self, ConfigError, JobsFile};
use crate::domain::clean::Clean;
use crate::domain::human::counted;
use crate::domain::id;
use crate::domain::secret::{Token, TokenSource};
use crate::domain::service::{PLATFORM_TOKEN, Service};
use crate::engine;
use crate::engine::online::{self, CheckedService, OnlineError};
use crate::engine::token::{self, Prompts, Tokens};
use crate::session::settings;
use clap::Args;

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also send one harmless request to each service
    #[arg(long)]
    pub online: bool,
    /// Say what is made of a response that was saved, and why
    #[arg(long, value_name = "FILE", requires = "service", conflicts_with = "online")]
    pub reply: Option<PathBuf>,
    /// The service that the response is of
    #[arg(long, value_name = "S", requires = "reply")]
    pub service: Option<String>,
    /// The HTTP code that the response came with
    #[arg(long, value_name = "N", default_value_t = 200, requires = "reply", value_parser = clap::value_parser!(u16).range(100..600))]
    pub code: u16,
    /// The id of the job that was asked about [default: the one that the response names]
    #[arg(long, value_name = "ID", requires = "reply")]
    pub id: Option<String>,
    /// The response to the request for the result to which that one leads, likewise
    #[arg(long, value_name = "FILE", requires = "reply")]
    pub result: Option<PathBuf>,
    /// The HTTP code that the result's response came with
    #[arg(long, value_name = "N", default_value_t = 200, requires = "result", value_parser = clap::value_parser!(u16).range(100..600))]
    pub result_code: u16,
}

/// A valid file, and the token of each of its services.
#[derive(Debug)]
struct Checked {
    file: JobsFile,
    /// The services in its order: the secret, or why there is none.
    tokens: Tokens,
}

/// Runs it: 2 where anything is wrong.
pub async fn run(common: &CommonArgs, wanted: &CheckArgs) -> Result<u8, Failure> {
    if let (Some(reply), Some(service)) = (&wanted.reply, &wanted.service) {
        let result = wanted.result.as_deref().map(|path| (path, wanted.result_code));
        return super::check_response::run(
            common.named(),
            (service, wanted.id.as_deref()),
            (reply, wanted.code),
            result,
        );
    }
    let (user, keymap) = settings::read()?;
    let checked = check(&common.config, &user, &keymap).await?;
    let answers = match wanted.online {
        true => online::ask_all(&checked.file.poll, &checked.tokens).await,
        false => Vec::new(),
    };
    let mut out = StdoutWriter::new();
    let code = report(&checked, &answers, &user, &mut out)?.max(report_store(common, &mut out).await?);
    out.flush()?;
    Ok(code)
}

/// Prints which store a team shares, where one is set, and whether its password can be had: 2 if not.
async fn report_store(common: &CommonArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let Some(team) = team_store::named(common).await? else { return Ok(0) };
    let address = Clean::new(&team.target.address.to_string());
    let (said, code) = match (team.no_password, team.target.password) {
        (Some(why), _) => (format!("NO PASSWORD: {why}"), 2),
        (None, Some(_)) => ("with a password; `jobdeck store status` asks it".to_owned(), 0),
        (None, None) => ("without a password; `jobdeck store status` asks it".to_owned(), 0),
    };
    writeln!(out, "the team's store {address}  {said}")?;
    Ok(code)
}

/// Reads the file, in which no command may take a key that another has, and asks for its tokens.
async fn check(named: &[PathBuf], user: &User, keymap: &Keymap) -> Result<Checked, Failure> {
    let all = |error: ConfigError| Failure::usage(format!("{error}\n\n{}", counted(error.count(), "error")));
    let file = config::load_named(named).map_err(all)?;
    settings::commands(user, Some(&file), keymap)?;
    let tokens = token::resolve_all(&file.services, Prompts::Allowed, output::say_error).await;
    Ok(Checked { file, tokens })
}

/// Prints what was found: the file, then a line for each service, then what is odd. Returns the exit code: 2 where a
/// token cannot be found or a service gave a bad answer. `online` is empty where nobody was asked.
fn report(checked: &Checked, online: &[CheckedService], user: &User, out: &mut dyn Write) -> io::Result<u8> {
    let Checked { file, tokens } = checked;
    let path = Clean::new(&file.path.to_string_lossy());
    let asked = |service: &Service| online.iter().find(|asked| asked.service == service.name);
    let missing = tokens.iter().filter(|(_, token)| token.is_err()).count();
    let answers = online.iter().flat_map(|asked| [Some(&asked.answer), asked.platform.as_ref()]);
    let bad = answers.flatten().filter(|answer| answer.is_err()).count();
    let verdict = match (missing, bad) {
        (0, 0) => "is valid".to_owned(),
        (0, bad) => format!("can be read, but {} failed", counted(bad, "request")),
        (1, _) => "can be read, but one service has no token".to_owned(),
        (missing, _) => format!("can be read, but {missing} services have no token"),
    };
    writeln!(
        out,
        "{path} {verdict}: {}, {}",
        counted(file.services.len(), "service"),
        counted(file.jobs.len(), "job")
    )?;
    let width = tokens.iter().map(|(service, _)| service.name.chars().count()).max().unwrap_or(0);
    let of_provider = tokens.iter().map(|(service, _)| service.provider.name().as_str().len()).fold(8, usize::max);
    for (service, token) in tokens {
        let jobs = file.jobs.iter().filter(|job| job.service == service.name).count();
        let from = match token {
            Ok(token) => format!("token from {}{}", source(&service.token), without_platform_key(service, token)),
            Err(why) => format!("NO TOKEN: {why}"),
        };
        let answer = asked(service).map(answers_of).unwrap_or_default();
        let jobs = counted(jobs, "job");
        writeln!(out, "{:width$}  {:of_provider$}  {jobs:>10}  {from}{answer}", service.name, service.provider.name())?;
    }
    if file.services.is_empty() {
        writeln!(
            out,
            "nothing is filled in yet: take the # from the lines of a service, and put your own values there"
        )?;
    } else if file.jobs.is_empty() {
        writeln!(out, "no jobs yet: `jobdeck add SERVICE ID…` adds them")?;
    }
    let left = config::init::left_over(file);
    if !left.is_empty() {
        writeln!(out, "still as in the example, put your own there:")?;
    }
    for part in left {
        writeln!(out, "  {}", Clean::new(&part))?;
    }
    warn_of_ids(file, out)?;
    for trouble in engine::environment_troubles() {
        writeln!(out, "warning: {trouble}")?;
    }
    programs::list(file, user, out)?;
    Ok(if missing + bad > 0 { 2 } else { 0 })
}

/// What a service's tokens came to, each by itself.
fn answers_of(asked: &CheckedService) -> String {
    let failed = |why: &OnlineError| format!("FAILED: {}", Clean::from(why.to_string()));
    let own = match &asked.answer {
        Ok(answer) => answer.to_string(),
        Err(why) => failed(why),
    };
    let platform = match &asked.platform {
        None => String::new(),
        Some(Ok(answer)) => format!("; {PLATFORM_TOKEN}: {answer}"),
        Some(Err(why)) => format!("; {PLATFORM_TOKEN} {}", failed(why)),
    };
    format!("; {own}{platform}")
}

/// That a service has a platform key which cannot be read: it is polled without.
fn without_platform_key(service: &Service, token: &Token) -> String {
    let key = service.secrets.iter().find(|(name, _)| name == PLATFORM_TOKEN && !token.has(name));
    key.map(|(name, from)| format!(" (no {name} from {}: polled without it)", source(from))).unwrap_or_default()
}

/// How many odd ids of one service are named.
const MOST_NAMED: usize = 5;

/// Names ids that do not look like one of their service: they may be another's.
fn warn_of_ids(file: &JobsFile, out: &mut dyn Write) -> io::Result<()> {
    for service in &file.services {
        let jobs = file.jobs.iter().filter(|job| job.service == service.name);
        let odd: Vec<_> = jobs.filter_map(|job| Some((job, id::oddity(job.key.provider, &job.key.id)?))).collect();
        for (job, why) in odd.iter().take(MOST_NAMED) {
            writeln!(out, "warning: {}: {why}", Clean::new(&job.label()))?;
        }
        if odd.len() > MOST_NAMED {
            writeln!(out, "warning: and {} more ids of {}", odd.len() - MOST_NAMED, service.name)?;
        }
    }
    Ok(())
}

fn source(source: &TokenSource) -> String {
    match source {
        TokenSource::Env(name) => format!("the variable {}", Clean::new(name)),
        TokenSource::File(path) => format!("the file {}", Clean::new(&path.to_string_lossy())),
        TokenSource::Command(argv) => format!("the command {}", Clean::new(argv.first().map_or("", String::as_str))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use std::sync::Arc;

    use crate::engine::online::CheckedAnswer;
    use crate::exit::FailureKind;

    use super::*;

    fn checked(text: &str) -> (u8, String, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.toml");
        std::fs::write(&path, text).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (named, user, keymap) = (std::slice::from_ref(&path), User::default(), Keymap::default());
        let shown = |text: String| text.replace(directory.path().to_str().unwrap(), "");
        match runtime.block_on(check(named, &user, &keymap)) {
            Ok(checked) => {
                let mut out = Vec::new();
                let code = report(&checked, &[], &user, &mut out).unwrap();
                (code, shown(String::from_utf8(out).unwrap()), String::new())
            }
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Usage);
                (2, String::new(), shown(failure.to_string()))
            }
        }
    }

    const FILE: &str = "[services.a]\nprovider = \"optexity\"\ntoken = { command = [\"echo\", \"s3cret\"] }\n\
        [[jobs]]\nservice = \"a\"\nid = \"x\"\n";

    #[test]
    fn a_file_that_is_right_is_summed_up() {
        let (code, out, err) = checked(FILE);
        let expected = "/jobs.toml is valid: 1 service, 1 job\na  optexity       1 job  token from the command echo\n\
            programs that this file runs, without a shell:\n  echo  for the token of a: at the start, and when it is refused\n";
        assert_eq!((code, out.as_str(), err.as_str()), (0, expected, ""));
        let longer = FILE.replace(
            "[services.a]",
            "[services.ocr]\nprovider = \"llmwhisperer\"\ntoken = { env = \"PATH\" }\n[services.a]",
        );
        let (_, out, _) = checked(&longer);
        assert!(
            out.contains("a    optexity           1 job  ") && out.contains("ocr  llmwhisperer      0 jobs  "),
            "{out}"
        );
    }

    #[test]
    fn what_is_not_filled_in_yet_is_told() {
        let service = FILE.split("[[jobs]]").next().unwrap();
        let cases = [
            (config::init::starter(), "nothing is filled in yet: take the #"),
            (service.to_owned(), "no jobs yet: `jobdeck add SERVICE ID…`"),
            (FILE.replace("\"x\"", "\"98nlux8b0eu6\""), "put your own there:\n  the id of a/98nlux8b0eu6\n"),
        ];
        for (text, told) in cases {
            let (code, out, _) = checked(&text);
            assert!(code == 0 && out.contains(told), "{out}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_had_is_told_and_is_exit_code_2() {
        let text = format!("{FILE}[services.b]\nprovider = \"optexity\"\ntoken = {{ env = \"JOBDECK_UNSET\" }}\n");
        let (code, out, _) = checked(&text);
        assert_eq!(code, 2);
        let expected = "b  optexity      0 jobs  NO TOKEN: the variable JOBDECK_UNSET is not set; export it";
        assert!(out.contains(expected) && !out.contains("s3cret"), "{out}");
        assert!(out.contains("can be read, but one service has no token") && !out.contains("is valid"), "{out}");
    }

    #[test]
    fn a_command_with_a_key_that_is_taken_or_is_none_is_exit_code_2_and_both_places_are_named() {
        let command =
            |name: &str, key: &str| format!("[[commands]]\nname = \"{name}\"\nkey = \"{key}\"\nrun = [\"true\"]\n");
        let cases = [
            (command("a", "R") + &command("b", "R"), "jobs.toml:11: the key R of `b` is that of `a` at jobs.toml:7"),
            (command("a", "q"), "jobs.toml:7: the key q of `a` is that of `quit` in the table of keys"),
            (command("a", "Hyper-x"), "jobs.toml:7: there is no such key for `a`"),
        ];
        for (commands, told) in cases {
            let (code, out, err) = checked(&format!("{FILE}{commands}"));
            assert_eq!((code, out.as_str()), (2, ""), "{err}");
            assert!(err.contains(told), "{err}");
        }
        assert_eq!(checked(&format!("{FILE}{}{}", command("a", "R"), command("b", "F9"))).0, 0);
    }

    #[test]
    fn a_file_that_is_wrong_is_exit_code_2_and_every_error_on_stderr() {
        let (code, out, err) = checked("[poll]\ninterval = 5\nx = 1\n");
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("jobs.toml:2:12: ") && err.ends_with("\n\n2 errors"), "{err}");
    }

    #[test]
    fn a_bad_answer_of_a_service_is_exit_code_2() {
        let checked = Checked { file: config::parse(FILE, Path::new("f")).unwrap(), tokens: Vec::new() };
        let tokens = checked.file.services.iter().map(|service| (Arc::clone(service), Ok(Token::new("t").unwrap())));
        let checked = Checked { tokens: tokens.collect(), ..checked };
        let refused = || OnlineError::TokenRejected(401, "no such key".to_owned());
        let cases = [
            (Ok(CheckedAnswer::Accepted), None, 0, "; OK, token accepted\n"),
            (Err(OnlineError::TimedOut), None, 2, "; FAILED: no answer within 30 s\n"),
            (
                Ok(CheckedAnswer::Accepted),
                Some(Ok(CheckedAnswer::Accepted)),
                0,
                "accepted; platform_token: OK, token accepted\n",
            ),
            (
                Ok(CheckedAnswer::Accepted),
                Some(Err(refused())),
                2,
                "; OK, token accepted; platform_token FAILED: token rejected, HTTP 401: no such key\n",
            ),
            (Err(refused()), Some(Ok(CheckedAnswer::RateLimited(429))), 2, "key; platform_token: OK, but rate limited"),
        ];
        for (answer, platform, code, said) in cases {
            let mut out = Vec::new();
            let asked = CheckedService { service: "a".into(), answer, platform };
            assert_eq!(report(&checked, &[asked], &User::default(), &mut out).unwrap(), code);
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains(said), "{out}");
        }
    }
}
