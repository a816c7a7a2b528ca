//! `store` of config.toml: which store a team shares, and where its password comes from.

use super::field::{TomlField, TomlTable};
use super::service::{PathBase, source};
use crate::config::problems::known_keys;
use crate::config::problems::{Problem, Problems};
use crate::domain::secret::TokenSource;
use crate::domain::team::Address;

/// A team's store as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSetting {
    pub address: Address,
    /// Where its password comes from; None: as PostgreSQL's own programs have it.
    pub password: Option<TokenSource>,
}

const EXAMPLE: &str = "\"postgres://jobdeck@db.internal/jobdeck\"";

pub fn team_store(file: &TomlTable<'_>, place: &PathBase, problems: &mut Problems) -> Option<StoreSetting> {
    let field = file.get("store")?;
    if field.value.is_str() {
        return Some(StoreSetting { address: address(&field, problems)?, password: None });
    }
    let how = format!("write store = {{ url = {EXAMPLE}, password = {{ env = \"JOBDECK_DB_PASSWORD\" }} }}");
    let table = field.table(&how, problems)?;
    table.expect_only(known_keys::STORE, "in `store`", problems);
    let Some(url) = table.get("url") else {
        problems.add(Problem::at(field.span, "`store` has no `url`").help(how).absence());
        return None;
    };
    let address = address(&url, problems);
    let password = match table.get("password") {
        Some(field) => Some(source(&field, "password", &how, place, problems)?),
        None => None,
    };
    Some(StoreSetting { address: address?, password })
}

fn address(field: &TomlField<'_>, problems: &mut Problems) -> Option<Address> {
    let url = field.word(EXAMPLE, problems)?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Address::parse(url, &variable)
        .map_err(|error| {
            field.wrong(error.to_string(), error.help(), problems);
        })
        .ok()
}
