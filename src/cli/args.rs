//! The command line: every command and flag, as clap reads them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum};

use super::commands::add::AddArgs;
use super::commands::batches::BatchesArgs;
use super::commands::check::CheckArgs;
use super::commands::compare::CompareArgs;
use super::commands::export::ExportArgs;
use super::commands::forget::ForgetArgs;
use super::commands::report::ReportArgs;
use super::commands::run::RunArgs;
use super::commands::show::ShowArgs;
use super::commands::stats::StatsArgs;
use super::failure::FlagError;
use crate::domain::units;

/// Follows batches of jobs on hosted services without losing a result.
#[derive(Debug, Parser)]
#[command(name = "jobdeck", bin_name = "jobdeck", version, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Exit with the batch's code when the dashboard is left (see below)
    #[arg(long)]
    pub exit_status: bool,

    /// What holds for every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// What to do; the dashboard if there is none.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

/// What holds for every command.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Common options")]
pub struct CommonArgs {
    /// The jobs file; several are followed as one [default: ./jobs.toml, then $XDG_CONFIG_HOME/jobdeck/jobs.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Where results are kept [default: $JOBDECK_STATE_DIR, then $XDG_STATE_HOME/jobdeck]
    // Not by clap's `env`: a variable set to nothing is not set, and `demo` must not take the real directory from it.
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// The store that a team shares, as postgres://USER@HOST/DATABASE [default: $JOBDECK_STORE, then config.toml]
    #[arg(long, global = true, value_name = "URL")]
    pub store: Option<String>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Verbose: -v info, -vv debug, -vvv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl CommonArgs {
    /// The one jobs file that is named, for a command that takes one only; of several the first.
    pub fn named(&self) -> Option<&Path> {
        self.config.first().map(PathBuf::as_path)
    }
}

#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// The dashboard with simulated services: no account, no file, no network
    Demo(DemoArgs),
    /// Follow the jobs to their end without a screen
    Watch(WatchArgs),
    /// Poll every unfinished job once
    Once(OnceArgs),
    /// Show the jobs' state from local data, no network
    Status(StatusArgs),
    /// Run a command of your own (`[[commands]]`) over jobs
    Run(RunArgs),
    /// Show one job from local data; needs neither file nor token
    Show(ShowArgs),
    /// Write saved results to a directory, no network
    Export(ExportArgs),
    /// Durations, rates and costs, from local data, no network
    Stats(StatsArgs),
    /// List the batches on disk: when, how many jobs, what they came to and cost
    Batches(BatchesArgs),
    /// The dashboard over one batch as it is on disk: no jobs file, no token, no network
    Open {
        /// Its name, one of `jobdeck batches`
        #[arg(value_name = "BATCH")]
        batch: String,
    },
    /// What one batch has newly failed, fixed, slower, dearer or with other output than another
    Compare(CompareArgs),
    /// Delete jobs from disk: only what is over, whole and exported, unless you say --yes
    Forget(ForgetArgs),
    /// Write a report to hand on (HTML or Markdown), from local data, no network
    Report(ReportArgs),
    /// Append jobs to the file, comments and order kept
    Add(AddArgs),
    /// Validate the file and its tokens
    Check(CheckArgs),
    /// Write a commented starter file, never over an existing one
    Init {
        /// Write a service of this provider, one of `jobdeck providers`
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
    },
    /// The providers that a service can name, or the description of one as TOML
    Providers {
        /// Print the description of this one, to copy and to change
        name: Option<String>,
    },
    /// The store that a team shares: make its tables, look at it
    #[command(subcommand)]
    Store(super::commands::store::StoreCommand),
    /// The keys of the dashboard, as config.toml has bound them
    Keys,
    /// Print docs/reference.md
    #[command(hide = true)]
    Reference,
    /// Print names for a completion script
    #[command(hide = true)]
    Complete {
        /// Of what
        what: Names,
    },
    /// Print a completion script
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
    /// Print the JSON schema of the jobs file
    Schema,
    /// Where everything is kept
    Paths,
}

/// What a completion script asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Names {
    /// The jobs of the file, and their names.
    Jobs,
    /// Its services.
    Services,
    /// Its batches.
    Batches,
    /// Its commands.
    Commands,
}

/// `demo`.
#[derive(Debug, ClapArgs)]
pub struct DemoArgs {
    /// How many jobs [default: 60]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Seed: the same batch and ids each time
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Speed-up factor
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    pub speed: f64,
    /// Print the jobs file and run only the services, until Ctrl-C
    #[arg(long)]
    pub serve: bool,
    /// The port of the services on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
}

/// `watch`.
#[derive(Debug, ClapArgs)]
pub struct WatchArgs {
    /// Lines for people, or JSON objects
    #[arg(long, default_value = "plain")]
    pub format: WatchFormat,
    /// Stop after this time ("90s", "1h 30m"), finished or not
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// When to stop; a failure is a job failed, partial, cancelled or lost
    #[arg(long, default_value = "finished")]
    pub until: Until,
    /// Write each result there as `export` does, right after it is saved
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Only the jobs that match
    #[arg(long, value_name = "F")]
    pub filter: Option<String>,
}

impl WatchArgs {
    /// What bare `jobdeck` does where stdout is no terminal.
    pub fn plain() -> Self {
        Self { format: WatchFormat::Plain, timeout: None, until: Until::Finished, export: None, filter: None }
    }
}

/// The formats of `watch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WatchFormat {
    /// A line at each change of state and each failed poll.
    Plain,
    /// A JSON object at each change and each failed poll.
    Jsonl,
}

/// When `watch` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// When every job is over or given up.
    Finished,
    /// When a job is failed, partial, cancelled or lost.
    FirstFailure,
}

/// `once`.
#[derive(Debug, ClapArgs)]
pub struct OnceArgs {
    /// How to print what is known now
    #[arg(long, default_value = "table")]
    pub format: ListFormat,
    /// Only the jobs that match
    #[arg(long, value_name = "F")]
    pub filter: Option<String>,
}

/// `status`.
#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    /// How to print it
    #[arg(long, default_value = "table")]
    pub format: ListFormat,
    /// Only the jobs that match
    #[arg(long, value_name = "F")]
    pub filter: Option<String>,
    /// All jobs on disk, not only the file's
    #[arg(long)]
    pub all: bool,
}

/// The formats of `once` and `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// One JSON object per job, then the summary.
    Jsonl,
    /// For spreadsheets.
    Csv,
}

/// The end of `--help`: what the manual page says at length.
const AFTER_HELP: &str = concat!(
    "Without a command: the dashboard where standard output is a terminal, otherwise `jobdeck watch`.\n\n",
    "Exit codes of watch, once and status: 0 all succeeded, 3 some failed, partial or cancelled, 4 some unfinished, ",
    "5 some results lost, 6 some never polled successfully, 2 usage or jobs file, 1 internal error or state directory, ",
    "130, 143, 129 after SIGINT, SIGTERM, SIGHUP.\n\n",
    "Begin with `jobdeck demo`, or with `jobdeck init`. The manual is `jobdeck man | man -l -`.",
);

/// The value of a flag that is a duration.
pub fn duration(text: &str) -> Result<Duration, FlagError> {
    Ok(units::duration(text)?)
}

fn speed(text: &str) -> Result<f64, FlagError> {
    match text.trim().parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        Ok(_) | Err(_) => Err(FlagError::Speed),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::commands::show::ShowPart;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn common_flags_stand_before_or_after_the_command() {
        for line in ["jobdeck -c f.toml --ascii status", "jobdeck status -c f.toml --ascii"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(args.common.config, [PathBuf::from("f.toml")], "{line}");
            assert!(args.common.ascii, "{line}");
        }
    }

    #[test]
    fn a_time_is_a_number_with_its_unit_above_zero() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "5", "0s", "-5s", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_one_part_of_a_job_can_be_asked_for() {
        assert!(Args::try_parse_from(["jobdeck", "show", "a/1", "--raw", "--body"]).is_err());
        let args = Args::try_parse_from(["jobdeck", "show", "a/1", "--files"]).unwrap();
        assert!(matches!(args.command, Some(CliCommand::Show(show)) if show.part() == ShowPart::Files));
    }
}
