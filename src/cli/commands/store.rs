//! `jobdeck store`: the store that a team shares, made, looked at, and rid of a machine that does not come back.

use clap::Subcommand;

use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{self, StdoutWriter};
use crate::cli::style;
use crate::cli::team_store::{self, TeamStore};
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::engine::saved::{self, OpenStore, Presence, ServerTarget, StoreErrorKind, TeamStatus, Waiting};

/// Whoever answered so many seconds ago may run still: a living one does so every ten.
const RENEWED_WITHIN: i64 = 12;

/// What is done to it.
#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Make its tables, or bring them up to date
    Init,
    /// Whether it can be reached, its size, who is there, what waits for upload here
    Status,
    /// Free the jobs of an instance that does not come back, as of a stolen laptop
    Forget {
        /// Its number, one of `jobdeck store status`
        #[arg(value_name = "INSTANCE")]
        instance: i64,
    },
}

pub async fn run(common: &CommonArgs, wanted: StoreCommand) -> Result<u8, Failure> {
    let TeamStore { target, no_password } = team_store::named(common).await?.ok_or_else(|| {
        Failure::usage(
            "no store of a team is set. Write store = { url = \"postgres://USER@HOST/DATABASE\" } in config.toml, or set \
             JOBDECK_STORE or --store.",
        )
    })?;
    if let Some(why) = no_password {
        return Err(Failure::usage(why));
    }
    let address = target.address.to_string();
    match wanted {
        StoreCommand::Init => {
            let done = saved::init_team_store(target).await?;
            output::say(&format!("{done}: {address}"));
        }
        StoreCommand::Status => return status(common, target).await,
        StoreCommand::Forget { instance } => {
            let said = match saved::forget_instance(target, instance).await? {
                Presence::Unknown => {
                    return Err(Failure::usage(format!(
                        "there is no instance {instance}. See `jobdeck store status`."
                    )));
                }
                Presence::Ended => format!("instance {instance} had ended before: nothing is changed"),
                Presence::Answered(seconds) if seconds <= RENEWED_WITHIN => format!(
                    "instance {instance} is forgotten: its jobs are free. It answered {seconds} s ago: if it still runs, \
                     it comes back under another number within seconds. To keep it out, change its role's password."
                ),
                Presence::Answered(_) => format!("instance {instance} is forgotten: its jobs are free"),
            };
            output::say(&said);
        }
    }
    Ok(0)
}

async fn status(common: &CommonArgs, target: ServerTarget) -> Result<u8, Failure> {
    let address = target.address.to_string();
    let (store, _) = OpenStore::open(&common.state_dir()?)?;
    let waiting = store.waiting_for_upload().await?;
    store.close().await;
    let mut out = StdoutWriter::new();
    out.line(&format!("store      {}", Clean::new(&address)))?;
    let here = format!("here       {}", not_uploaded(&waiting));
    let TeamStatus { server, schema, is_writable, bytes, jobs, responses, damaged, instances } =
        match saved::team_status(target).await {
            Ok(status) => status,
            Err(error) => {
                // What cannot be used was reached all the same.
                if error.kind == StoreErrorKind::Unreachable {
                    out.line("reachable  no")?;
                } else {
                    let why = error.what.trim_start_matches("the team's store ");
                    out.line(&format!("usable     no: {}", Clean::new(why)))?;
                }
                out.line(&here)?;
                out.flush()?;
                return Err(error.into());
            }
        };
    out.line(&format!("reachable  yes, PostgreSQL {}, schema {schema}", Clean::new(&server)))?;
    if !is_writable {
        out.line("usable     only to look: this role may not write (see \"Rights\" in docs/team.md)")?;
    }
    let (jobs, responses) = (human::counted(jobs, "job"), human::counted(responses, "response"));
    out.line(&format!("size       {}, {jobs}, {responses}", human::bytes(bytes)))?;
    if damaged > 0 {
        let damaged = human::counted(damaged, "response");
        out.line(&format!("damaged    {damaged}: uploaded again by a machine that has it, once jobdeck runs there"))?;
    }
    out.line(&here)?;
    let rows = instances.iter().map(|instance| {
        let who = format!("{}@{}", instance.user, instance.host);
        vec![
            instance.id.to_string(),
            Clean::from(who).to_string(),
            instance.pid.to_string(),
            Clean::new(&instance.since).to_string(),
            instance.jobs.to_string(),
            instance.waiting.to_string(),
            format!("{} s", instance.lease_seconds),
            if Some(&instance.place) == waiting.place.as_ref() { "<- here" } else { "" }.to_owned(),
        ]
    });
    let header = ["INSTANCE", "WHO", "PID", "SINCE", "JOBS", "TO UPLOAD", "LEASE", ""];
    out.line(&format!("instances  {}", instances.len()))?;
    if !instances.is_empty() {
        let lines = style::columns(&header, rows.collect(), 0..0);
        lines.iter().try_for_each(|line| out.line(line))?;
    }
    out.flush()?;
    Ok(0)
}

/// What waits for upload, in words.
fn not_uploaded(Waiting { jobs, results, .. }: &Waiting) -> String {
    let states = jobs.saturating_sub(*results);
    let waits = match (results, states) {
        (0, 0) => return "everything is uploaded".to_owned(),
        (results, 0) => human::counted(*results, "result"),
        (0, states) => human::counted(states, "state"),
        (results, states) => format!("{} and {}", human::counted(*results, "result"), human::counted(states, "state")),
    };
    format!("{waits} saved here and not uploaded yet")
}
