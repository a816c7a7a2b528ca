//! Which store a team shares, if one does: `--store`, else JOBDECK_STORE, else config.toml; its password; and a look at it
//! before anything is counted.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::CommonArgs;
use super::failure::Failure;
use super::output;
use crate::config::files::paths;
use crate::config::tables::team_store::StoreSetting;
use crate::domain::human;
use crate::domain::pgpass;
use crate::domain::secret::Token;
use crate::domain::team::Address;
use crate::engine::saved::{OpenStore, ServerTarget, StoreError};
use crate::engine::token::{self, Prompts, TokenError};
use crate::named_file;
use crate::session::settings;

/// The longest password file that is read.
const LONGEST_PGPASS: u64 = 1 << 20;
/// How often a wait for the team's store says how far it is.
const SAID_EVERY: Duration = Duration::from_secs(2);

/// A team's store, and why its password cannot be had, where that is so.
#[derive(Debug)]
pub struct TeamStore {
    pub target: ServerTarget,
    pub no_password: Option<String>,
}

/// The team's store; None where none is set.
pub async fn named(common: &CommonArgs) -> Result<Option<TeamStore>, Failure> {
    let Some(StoreSetting { address, password }) = setting(common)? else { return Ok(None) };
    let (password, no_password) = match password {
        Some(source) => match token::resolve(&source, Prompts::Allowed).await {
            Ok(password) => (Some(password), None),
            Err(why) => (None, Some(no_password(&why))),
        },
        None => (usual_password(&address), None),
    };
    Ok(Some(TeamStore { target: ServerTarget { address, password }, no_password }))
}

/// The same to poll with: without its password that goes on as while it is away.
pub async fn target(common: &CommonArgs) -> Result<Option<ServerTarget>, Failure> {
    let Some(TeamStore { target, no_password }) = named(common).await? else { return Ok(None) };
    no_password.iter().for_each(|why| output::say_error(why));
    Ok(Some(target))
}

/// A store that was opened to poll with, kept in step with the team's.
pub fn shared(store: OpenStore, target: Option<ServerTarget>) -> Result<OpenStore, Failure> {
    match target {
        Some(target) => Ok(store.shared(target)?),
        None => Ok(store),
    }
}

/// Takes over what others saved, as far as they can be asked, and says if they cannot.
pub async fn catch_up(store: &OpenStore, team: &TeamStore) {
    let failed = match &team.no_password {
        Some(why) => Some(why.clone()),
        None => copy(store, team.target.clone()).await.err().map(|error| error.to_string()),
    };
    if let Some(why) = failed {
        output::say_error(&format!(
            "{why} (this is what is known on this machine; what is lost here may be saved by another of the team)"
        ));
    }
}

/// Takes over what others saved, and says how far it is: a first look at a large store takes its time.
async fn copy(store: &OpenStore, target: ServerTarget) -> Result<(), StoreError> {
    let mut said_at = Instant::now();
    let mut said = false;
    let told = |done: u64, all: u64| {
        if said_at.elapsed() >= SAID_EVERY || (said && done == all) {
            (said_at, said) = (Instant::now(), true);
            let jobs = human::counted(all, "job");
            output::say_error(&format!(
                "copied {done} of {jobs} from the team's store (Ctrl-c leaves; what is copied stays)"
            ));
        }
    };
    let caught = store.catch_up(target, told).await?;
    caught.damaged.iter().for_each(|why| output::say_error(why));
    Ok(())
}

fn no_password(why: &TokenError) -> String {
    // It is looked for as a token is, and is none.
    let why = why.to_string().replace(" token ", " password ").replace("the token", "the password");
    format!("the password of the team's store cannot be had: {why}")
}

fn setting(common: &CommonArgs) -> Result<Option<StoreSetting>, Failure> {
    let named = common.store.clone().or_else(|| env::var("JOBDECK_STORE").ok()).filter(|url| !url.is_empty());
    match named {
        Some(url) => {
            let address = Address::parse(&url, &variable)
                .map_err(|error| Failure::usage(error.to_string()).help(error.help()))?;
            Ok(Some(StoreSetting { address, password: None }))
        }
        None => Ok(settings::read()?.0.store),
    }
}

/// As PostgreSQL's own programs find it: PGPASSWORD, else the first line that fits of PGPASSFILE or ~/.pgpass.
fn usual_password(address: &Address) -> Option<Token> {
    if let Some(password) = variable("PGPASSWORD") {
        return Token::new(&password);
    }
    let path = variable("PGPASSFILE").map(PathBuf::from).or_else(|| paths::home().map(|home| home.join(".pgpass")))?;
    let about = fs::metadata(&path).ok()?;
    if about.permissions().mode() & 0o077 != 0 {
        output::say_error(&format!("{} is not used: others may read it. Use `chmod 600` on it.", path.display()));
        return None;
    }
    let text = String::from_utf8(named_file::read(&path, LONGEST_PGPASS).ok()?).ok()?;
    pgpass::password(&text, address).and_then(|password| Token::new(&password))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
