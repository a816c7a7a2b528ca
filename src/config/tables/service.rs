//! `[poll]` and `[services.*]`: every default filled in, every secret by reference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::address;
use super::field::{TomlField, TomlTable};
use super::provider::{self, Chosen, Providers};
use crate::config::problems::{Problem, Problems, known_keys};
use crate::domain::provider::Provider as _;
use crate::domain::schedule::never_below;
use crate::domain::secret::TokenSource;
use crate::domain::service::{Include, PLATFORM_TOKEN, Pace, PollSettings, Rate, Service};
use crate::providers::described::{self, Described};

/// From where the paths in a file are counted.
#[derive(Debug, Clone, Default)]
pub struct PathBase {
    pub directory: PathBuf,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
}

/// `[poll]`.
pub fn poll(file: &TomlTable<'_>, problems: &mut Problems) -> PollSettings {
    let mut poll = PollSettings::default();
    let Some(table) = file.get("poll").and_then(|field| field.table("write it as [poll]", problems)) else {
        return poll;
    };
    table.expect_only(known_keys::POLL, "in [poll]", problems);
    poll.pace = pace(&table, poll.pace, problems);
    if let Some(count) = table.get("in_flight").and_then(|field| field.count(problems)) {
        poll.in_flight = count;
    }
    if let Some(bytes) = table.get("max_response").and_then(|field| field.size(problems)) {
        poll.max_response = bytes;
    }
    let times = [
        ("connect_timeout", &mut poll.connect_timeout),
        ("read_timeout", &mut poll.read_timeout),
        ("not_found_grace", &mut poll.not_found_grace),
    ];
    for (key, time) in times {
        *time = table.get(key).and_then(|field| field.duration(problems)).unwrap_or(*time);
    }
    poll
}

/// `[services.*]` in the file's order: each with its name, and None where something is wrong with it.
pub fn services<'a>(
    file: &TomlTable<'a>,
    providers: &Providers,
    poll: &PollSettings,
    place: &PathBase,
    problems: &mut Problems,
) -> Vec<(&'a str, Option<Arc<Service>>)> {
    let Some(table) = file.get("services").and_then(|field| field.table("write each as [services.<name>]", problems))
    else {
        return Vec::new();
    };
    let alert_after = file.get("alert_after").and_then(|field| field.duration(problems));
    table
        .all()
        .into_iter()
        .map(|field| (field.key, service(&field, providers, poll, alert_after, place, problems)))
        .collect()
}

fn service(
    field: &TomlField<'_>,
    providers: &Providers,
    poll: &PollSettings,
    alert_after: Option<Duration>,
    place: &PathBase,
    problems: &mut Problems,
) -> Option<Arc<Service>> {
    let name = field.key;
    let is_name = known_keys::is_service_name(name);
    if !is_name {
        field.wrong_key(
            "this is no name for a service",
            "a name has letters, digits, `-`, `_` and `.` (with a dot in quotes: [services.\"eu.llama\"])",
            problems,
        );
    }
    let table = field.table("write it as [services.<name>]", problems)?;
    let here = if is_name { format!("in [services.{name}]") } else { "in this service".to_owned() };
    // A table inside that is spelt like no key is most often a name with a dot that was not put in quotes.
    let dotted = table
        .all()
        .into_iter()
        .find(|inner| inner.value.is_table() && known_keys::meant(inner.key, known_keys::SERVICE).is_none());
    if let Some(inner) = dotted {
        let (what, help) = if described::TOP.contains(&inner.key) {
            let help = "a service has its provider's settings as keys of its own: base = \"…\"; the rest belongs under \
                        [providers.<name>]";
            (format!("`{}` {here}, which is no provider", inner.key), help)
        } else {
            (format!("a table {here}"), "a name with a dot is written in quotes: [services.\"eu.llama\"]")
        };
        inner.wrong_key(what, help, problems);
        return None;
    }
    let chosen = providers.choose(&table, &here, problems);
    // Of a provider that cannot be read nobody knows the settings.
    if let Some(chosen) = &chosen {
        let keys = chosen.keys();
        table.expect_only(&keys.iter().map(String::as_str).collect::<Vec<_>>(), &here, problems);
    } else if table.get("provider").is_none() {
        table.expect_only(known_keys::SERVICE, &here, problems);
    }
    let pace = pace(&table, poll.pace, problems);
    let in_flight = table.get("in_flight").and_then(|field| field.count(problems));
    let rate = table.get("rate").and_then(|field| field.rate(problems));
    let _ = table.get("insecure").and_then(|field| field.flag(problems));
    let include = include(&table, problems);
    let alert_after = table.get("alert_after").and_then(|field| field.duration(problems)).or(alert_after);
    let fields = super::result_fields::fields(&table, problems);
    let token = token(&table, chosen.as_ref(), &here, place, problems);
    let mut secrets = secrets(&table, chosen.as_ref(), &here, place, problems);
    if let Some(field) = table.get(PLATFORM_TOKEN) {
        let how = "say where it comes from: platform_token = { env = \"UNSTRACT_PLATFORM_KEY\" }";
        secrets.extend(source(&field, "token", how, place, problems).map(|source| (PLATFORM_TOKEN.to_owned(), source)));
    }
    let Chosen { provider, described } = chosen?;
    if let Some(described) = &described {
        let stray = |key: &&&str| !described.settings().iter().any(|(name, _)| name == **key);
        for stray in known_keys::UNSTRACT_ONLY.iter().filter(stray).filter_map(|key| table.get(key)) {
            let message = format!("`{}` {here}, which is no unstract service", stray.key);
            stray.wrong_key(
                message,
                match stray.key {
                    "url" => "write it as `base_url`",
                    _ => "take it out",
                },
                problems,
            );
        }
    }
    let (settings, base) = match &described {
        Some(described) => provider::settings(described, &table, &here, problems)?,
        None => (BTreeMap::new(), address::deployment(&table, &here, problems)?),
    };
    // Without a token the file is refused; what is wrong with the service's jobs is reported all the same.
    let token = token.unwrap_or_else(|| TokenSource::Env(String::new()));
    let endpoint = provider.endpoint(&base, &settings).into();
    let (pace, rate) = paced(described.as_ref(), pace, rate);
    Some(Arc::new(Service {
        name: name.into(),
        provider,
        base,
        endpoint,
        settings,
        token,
        secrets,
        pace,
        in_flight,
        rate,
        include,
        alert_after,
        fields,
    }))
}

/// What the service itself asks of those who poll it: never more often, and no more at once unless the file says so.
fn paced(described: Option<&Described>, pace: Pace, rate: Option<Rate>) -> (Pace, Option<Rate>) {
    let Some(described) = described else { return (pace, rate) };
    let least = never_below(described.least_interval().unwrap_or_default());
    let pace = Pace { interval: pace.interval.max(least), max_interval: pace.max_interval.max(least) };
    (pace, rate.or_else(|| described.rate()))
}

fn secrets(
    service: &TomlTable<'_>,
    chosen: Option<&Chosen>,
    here: &str,
    place: &PathBase,
    problems: &mut Problems,
) -> Vec<(String, TokenSource)> {
    let how = "write secrets = { secret = { env = \"MODAL_SECRET\" } }";
    let Some(table) = service.get("secrets").and_then(|field| field.table(how, problems)) else { return Vec::new() };
    if let Some(chosen) = chosen {
        let known = chosen.secrets();
        for stray in table.all().iter().filter(|field| !known.contains(&field.key)) {
            let message = format!("nothing asks for {} {here}", known_keys::quoted(stray.key));
            let help = match known.as_slice() {
                [] => format!("provider \"{}\" has no place for a further secret: take it out", chosen.provider.name()),
                known => format!("its provider has a place for {}", known.join(", ")),
            };
            stray.wrong_key(message, help, problems);
        }
    }
    let secret = |field: TomlField<'_>| Some((field.key.to_owned(), source(&field, "token", how, place, problems)?));
    table.all().into_iter().filter_map(secret).collect()
}

fn pace(table: &TomlTable<'_>, default: Pace, problems: &mut Problems) -> Pace {
    let mut time = |key, default| table.get(key).and_then(|field| field.duration(problems)).unwrap_or(default);
    Pace { interval: time("interval", default.interval), max_interval: time("max_interval", default.max_interval) }
}

fn include(service: &TomlTable<'_>, problems: &mut Problems) -> Include {
    let default = Include::default();
    let mut flag = |key, default| service.get(key).and_then(|field| field.flag(problems)).unwrap_or(default);
    Include {
        metadata: flag("include_metadata", default.metadata),
        metrics: flag("include_metrics", default.metrics),
        extracted_text: flag("include_extracted_text", default.extracted_text),
    }
}

fn token(
    service: &TomlTable<'_>,
    chosen: Option<&Chosen>,
    here: &str,
    place: &PathBase,
    problems: &mut Problems,
) -> Option<TokenSource> {
    let described = chosen.and_then(|chosen| chosen.described.as_ref());
    let example = match (described, chosen) {
        (Some(described), _) => described.token_env().unwrap_or("API_KEY"),
        (None, Some(chosen)) => chosen.provider.about().token_env,
        (None, None) => "VESSL_TOKEN",
    };
    let how = format!(
        "say where it comes from: token = {{ env = \"{example}\" }}, {{ file = \"~/.token\" }} or {{ command = [\"pass\", \"show\", \"api-key\"] }}"
    );
    let Some(field) = service.get("token") else {
        problems.add(Problem::at(service.span(), format!("no `token` {here}")).help(how).absence());
        return None;
    };
    source(&field, "token", &how, place, problems)
}

/// Where a secret comes from.
pub fn source(
    field: &TomlField<'_>,
    what: &str,
    how: &str,
    place: &PathBase,
    problems: &mut Problems,
) -> Option<TokenSource> {
    if field.value.is_str() {
        field.wrong(format!("a {what} is never written in the file"), how, problems);
        return None;
    }
    let table = field.table(how, problems)?;
    table.expect_only(known_keys::TOKEN, &format!("in a {what}"), problems);
    let mut sources = table.all();
    sources.retain(|source| known_keys::TOKEN.contains(&source.key));
    match sources.as_slice() {
        [source] => token_source(source, place, problems),
        [] => {
            // A misspelt key was reported already.
            if table.all().is_empty() {
                let problem =
                    Problem::at(field.span.clone(), format!("this {what} has neither env nor file nor command"))
                        .help(how);
                problems.add(problem.absence());
            }
            None
        }
        [_, second, ..] => {
            let message = format!("`{}` is one source too many for a {what}", second.key);
            second.wrong_key(message, "keep one of env, file and command", problems);
            None
        }
    }
}

fn token_source(source: &TomlField<'_>, place: &PathBase, problems: &mut Problems) -> Option<TokenSource> {
    match source.key {
        "env" => {
            let name = source.word("\"VESSL_TOKEN\"", problems)?;
            // What no shell can set is rather the token itself, which must not be shown as a variable's name.
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                source.wrong(
                    "this is no name of an environment variable",
                    "write the name alone, without $ and without a value: env = \"VESSL_TOKEN\"",
                    problems,
                );
                return None;
            }
            Some(TokenSource::Env(name.to_owned()))
        }
        "file" => {
            let path = source.word("\"~/.vessl-token\"", problems)?;
            expanded(path, place)
                .map_err(|error| source.wrong(error.to_string(), "write the whole path", problems))
                .ok()
                .map(TokenSource::File)
        }
        _ => {
            let example = "command = [\"pass\", \"show\", \"vessl\"]: the program and its arguments, no shell";
            source.argv(example, problems).map(TokenSource::Command)
        }
    }
}

/// Why a path of the file leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// `~` without a home directory.
    #[error("there is no home directory for the ~ of this path")]
    NoHome,
    /// `~name`.
    #[error("another user's ~ is not known here")]
    AnotherUsers,
}

/// A path of the file: `~` is the home directory, a relative one is counted from the file.
pub fn expanded(path: &str, place: &PathBase) -> Result<PathBuf, PathError> {
    let home = || place.home.as_deref().ok_or(PathError::NoHome);
    match path.strip_prefix('~') {
        Some("") => home().map(Path::to_owned),
        Some(rest) if rest.starts_with('/') => Ok(home()?.join(rest.trim_start_matches('/'))),
        Some(_) => Err(PathError::AnotherUsers),
        None => Ok(place.directory.join(Path::new(path))),
    }
}
