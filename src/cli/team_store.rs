//! Which store a team shares, if one does: `--store`, else JOBDECK_STORE, else config.toml; and its password.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::args::CommonArgs;
use super::failure::Failure;
use super::output;
use crate::config::files::paths;
use crate::config::tables::team_store::StoreSetting;
use crate::domain::pgpass;
use crate::domain::secret::Token;
use crate::domain::team::Address;
use crate::engine::saved::{OpenStore, ServerTarget};
use crate::engine::token::{self, Prompts};
use crate::named_file;
use crate::session::settings;

/// The longest password file that is read.
const LONGEST_PGPASS: u64 = 1 << 20;

/// The team's store; None where none is set.
pub async fn target(common: &CommonArgs) -> Result<Option<ServerTarget>, Failure> {
    let Some(StoreSetting { address, password }) = setting(common)? else { return Ok(None) };
    let password = match password {
        Some(source) => {
            let password = token::resolve(&source, Prompts::Allowed).await;
            Some(
                password
                    .map_err(|why| Failure::usage(format!("the password of the team's store cannot be had: {why}")))?,
            )
        }
        None => usual_password(&address),
    };
    Ok(Some(ServerTarget { address, password }))
}

/// A store that was opened to poll with, kept in step with the team's.
pub fn shared(store: OpenStore, target: Option<ServerTarget>) -> Result<OpenStore, Failure> {
    match target {
        Some(target) => Ok(store.shared(target)?),
        None => Ok(store),
    }
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
