//! Providers that are descriptions: `[providers.*]` of the jobs file, the user's own files, and what a service of one
//! has to say about it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::address;
use super::field::{TomlField, TomlTable};
use crate::config::files::paths;
use crate::config::problems::{OtherFile, Problem, Problems, known_keys, syntax};
use crate::domain::job::ProviderName;
use crate::domain::provider::ProviderRef;
use crate::named_file;
use crate::providers;
use crate::providers::described::{self, Described, DescriptionFault, KnownDescriptions, KnownSecrets, Shipped, Table};

/// The longest description that is read.
const LARGEST: u64 = 16 << 20;

/// A provider that a service names.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub provider: ProviderRef,
    /// Its description, if it is one.
    pub described: Option<Described>,
}

/// The providers that a jobs file can name.
#[derive(Debug, Default)]
pub struct Providers {
    own: Vec<OwnProvider>,
    secrets: Vec<String>,
    /// The user's own files that were asked for, each read once; None where there is none of that name.
    of_user: RefCell<BTreeMap<PathBuf, Option<Read>>>,
}

/// A file, or why it cannot be read.
type Read = Result<Arc<OtherFile>, Arc<io::Error>>;

/// One of `[providers.*]`.
#[derive(Debug)]
struct OwnProvider {
    name: String,
    table: Table,
    /// None: something is wrong with it, which was reported.
    described: Option<Described>,
}

impl Providers {
    /// Reads `[providers.*]`, whether or not a service names them.
    pub fn read(file: &TomlTable<'_>, problems: &mut Problems) -> Self {
        let mut found = Self { secrets: secrets_of(file), ..Self::default() };
        let help = "write each as [providers.<name>]";
        let Some(table) = file.get("providers").and_then(|field| field.table(help, problems)) else { return found };
        let fields: Vec<(TomlField<'_>, Table)> = table
            .all()
            .into_iter()
            .filter_map(|field| Some((field.clone(), Table::of(field.table(help, problems)?.raw()))))
            .collect();
        for (field, table) in &fields {
            if !known_keys::is_service_name(field.key) {
                let message = "this is no name for a provider";
                field.wrong_key(message, "a name has letters, digits, `-`, `_` and `.`", problems);
            }
            if providers::in_code(ProviderName::new(field.key)) {
                let message = format!("`{}` is a provider that jobdeck speaks by itself", field.key);
                field.wrong_key(message, "give yours another name", problems);
            }
            found.own.push(OwnProvider { name: field.key.to_owned(), table: table.clone(), described: None });
        }
        for (place, (field, table)) in fields.iter().enumerate() {
            let secrets = KnownSecrets::Named(&found.secrets);
            let read = described::from_table(ProviderName::new(field.key), table, &found, secrets);
            match read {
                Ok(described) => {
                    if let Some(own) = found.own.get_mut(place) {
                        own.described = Some(described);
                    }
                }
                Err(faults) => {
                    for fault in faults {
                        found.tell(fault, None, &field.key_span, problems);
                    }
                }
            }
        }
        found
    }

    /// The provider that a service names. What is wrong goes to `problems`.
    pub fn choose(&self, service: &TomlTable<'_>, here: &str, problems: &mut Problems) -> Option<Chosen> {
        let example = "\"vessl\", \"optexity\", \"unstract\" or one of `jobdeck providers`";
        let Some(field) = service.get("provider") else {
            let help = "write provider = \"vessl\", \"optexity\" or \"unstract\"";
            problems.add(Problem::at(service.span(), format!("no `provider` {here}")).help(help).absence());
            return None;
        };
        let word = field.word(example, problems)?;
        if let Some(own) = self.own.iter().find(|own| own.name == word) {
            return own.described.clone().map(Chosen::of);
        }
        match self.file_of_user(word) {
            Some((_, Ok(file))) => return self.of_user(&file, word, &field.span, problems),
            Some((path, Err(error))) => {
                let message = format!("the provider's file {} cannot be read: {error}", path.display());
                field.wrong(message, "mend it, or name another provider", problems);
                return None;
            }
            None => {}
        }
        let name = ProviderName::new(word);
        let described = described::shipped(name);
        if let Some(provider) = providers::by_name(name) {
            return Some(Chosen { provider, described });
        }
        let known = self.names();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match known_keys::meant(word, &known) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "write \"vessl\", \"optexity\" or \"unstract\", or one that `jobdeck providers` lists".to_owned(),
        };
        field.wrong(format!("unknown provider {here}"), help, problems);
        None
    }

    /// A user's file, each of its mistakes reported at its line.
    fn of_user(
        &self,
        file: &Arc<OtherFile>,
        name: &str,
        named_at: &Range<usize>,
        problems: &mut Problems,
    ) -> Option<Chosen> {
        let (table, errors) = toml::de::DeTable::parse_recoverable(&file.text);
        if !errors.is_empty() {
            let told = syntax(&file.text, errors).0.into_iter();
            told.for_each(|problem| problems.add(problem.within(file)));
            return None;
        }
        let (table, secrets) = (Table::of(table.get_ref()), KnownSecrets::Named(&self.secrets));
        match described::from_table(ProviderName::new(name), &table, self, secrets) {
            Ok(described) => Some(Chosen::of(described)),
            Err(faults) => {
                for fault in faults {
                    self.tell(fault, Some(file), named_at, problems);
                }
                None
            }
        }
    }

    /// What is wrong with a description in `file`, or in the jobs file: at its place there, or in the one
    /// that it is like. What has no place is reported where the description is named.
    fn tell(
        &self,
        fault: DescriptionFault,
        file: Option<&Arc<OtherFile>>,
        named_at: &Range<usize>,
        problems: &mut Problems,
    ) {
        let DescriptionFault { span, of, message, help } = fault;
        let of_user = |name: &str| self.file_of_user(name)?.1.ok();
        let problem = match (of, span) {
            (None, span) => match file {
                Some(file) => Problem::at(span.unwrap_or(0..0), message).within(file),
                None => Problem::at(span.unwrap_or_else(|| named_at.clone()), message),
            },
            (Some(of), Some(span)) if self.own.iter().any(|own| own.name == of) => Problem::at(span, message),
            (Some(of), span) => match of_user(&of) {
                Some(file) => Problem::at(span.unwrap_or(0..0), message).within(&file),
                None => Problem::at(named_at.clone(), format!("{message} (in {of}, which it is like)")),
            },
        };
        problems.add(problem.help(help));
    }

    /// The user's own file of this name, and its path; None if there is none.
    fn file_of_user(&self, name: &str) -> Option<(PathBuf, Read)> {
        let path = path_of_user(name)?;
        let mut known = self.of_user.borrow_mut();
        let file = known.entry(path.clone()).or_insert_with(|| read_file(&path));
        Some((path, file.clone()?))
    }

    /// The user's own files that were asked for, with the texts that were read: a change of any may change what a jobs
    /// file means, and so may one that appears.
    pub fn files_of_user(&self) -> Vec<(PathBuf, Option<Arc<OtherFile>>)> {
        let known = self.of_user.borrow();
        known.iter().map(|(path, file)| (path.clone(), file.clone().and_then(Result::ok))).collect()
    }

    /// Those of the jobs file, by their names.
    pub fn own(&self) -> impl Iterator<Item = &Described> {
        self.own.iter().filter_map(|own| own.described.as_ref())
    }
}

impl Chosen {
    /// The names of the further secrets that its requests have a place for.
    pub fn secrets(&self) -> Vec<&str> {
        self.described.iter().flat_map(Described::secrets).collect()
    }

    fn of(described: Described) -> Self {
        Self { provider: ProviderRef::new(described.clone()), described: Some(described) }
    }

    /// The keys that a service of it may have.
    pub fn keys(&self) -> Vec<String> {
        let own = self.described.iter().flat_map(Described::settings).map(|(name, _)| name.clone());
        known_keys::SERVICE.iter().map(|key| (*key).to_owned()).chain(own).collect()
    }
}

impl KnownDescriptions for Providers {
    fn table(&self, name: &str) -> Option<Table> {
        if let Some(own) = self.own.iter().find(|own| own.name == name) {
            return Some(own.table.clone());
        }
        let file = self.file_of_user(name).and_then(|(_, file)| file.ok());
        let table = file.map(|file| Table::of(toml::de::DeTable::parse_recoverable(&file.text).0.get_ref()));
        table.or_else(|| Shipped.table(name))
    }

    fn names(&self) -> Vec<String> {
        let own = self.own.iter().map(|own| own.name.clone());
        own.chain(user_names()).chain(providers::names().into_iter().map(|name| name.as_str().to_owned())).collect()
    }
}

/// A provider as a list of them shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProvider {
    pub name: String,
    /// What people call the service.
    pub title: String,
    /// Where it comes from: `shipped`, `user` (a file of the user's own) or `file` (the jobs file).
    pub origin: &'static str,
    /// The page that it was made from; empty if it names none.
    pub page: String,
}

/// Every provider that a service can name, in the order in which they are looked for: those of this jobs file, the
/// user's, the shipped. One that cannot be read is left out: `jobdeck check` says why.
pub fn listed(jobs_file: Option<&str>) -> Vec<ListedProvider> {
    let (table, _) = toml::de::DeTable::parse_recoverable(jobs_file.unwrap_or_default());
    let mut untold = Problems::default();
    let own = Providers::read(&TomlTable::of_file(table.get_ref()), &mut untold);
    let of = |described: &Described, origin| ListedProvider {
        name: described.name().as_str().to_owned(),
        title: described.title().to_owned(),
        origin,
        page: described.docs().unwrap_or_default().to_owned(),
    };
    let mut all: Vec<ListedProvider> = own.own().map(|described| of(described, "file")).collect();
    let user = user_names().into_iter().filter_map(|name| {
        described::from_text(ProviderName::new(&name), &text_of_user(&name)?, &own, KnownSecrets::Named(&own.secrets))
            .ok()
    });
    all.extend(user.map(|described| of(&described, "user")));
    all.extend(providers::IN_CODE_TITLES.iter().map(|(name, title, page)| ListedProvider {
        name: name.as_str().to_owned(),
        title: (*title).to_owned(),
        origin: "shipped",
        page: (*page).to_owned(),
    }));
    let shipped = described::shipped_names().filter_map(|name| described::shipped(ProviderName::new(name)));
    all.extend(shipped.map(|described| of(&described, "shipped")));
    let mut seen = std::collections::HashSet::new();
    all.retain(|listed| seen.insert(listed.name.clone()));
    all
}

/// A provider's description as TOML, to copy and to change: as it was written, but for one of the jobs file, which is
/// given whole. None if there is no description of this name.
pub fn toml_of(name: &str, jobs_file: Option<&str>) -> Option<String> {
    let (table, _) = toml::de::DeTable::parse_recoverable(jobs_file.unwrap_or_default());
    let own = Providers::read(&TomlTable::of_file(table.get_ref()), &mut Problems::default());
    if let Some(described) = own.own().find(|described| described.name().as_str() == name) {
        return Some(described.toml().to_owned());
    }
    text_of_user(name).or_else(|| described::shipped_text(name).map(str::to_owned))
}

/// The settings of a service of a described provider, defaults filled in, and its base.
pub fn settings(
    described: &Described,
    service: &TomlTable<'_>,
    here: &str,
    problems: &mut Problems,
) -> Option<(BTreeMap<String, String>, Url)> {
    let insecure = service.is_insecure();
    let mut settings = BTreeMap::new();
    let mut base = None;
    let mut complete = true;
    let has_base = described.settings().iter().any(|(name, _)| name == "base");
    for (name, default) in described.settings() {
        let is_address = name == "base" || (name == "url" && !has_base);
        let aliases: &[&str] = if is_address { &[name.as_str(), "base_url"] } else { &[name.as_str()] };
        let given: Vec<TomlField<'_>> = aliases.iter().filter_map(|key| service.get(key)).collect();
        if let [first, second] = given.as_slice() {
            let message = format!("`{}` beside `{}` {here}", second.key, first.key);
            second.wrong_key(message, "they mean the same: keep one of them", problems);
        }
        let value = match given.first() {
            Some(field) if is_address => {
                let example = described.example(name).unwrap_or("https://host.example/v1");
                base = address::address(field, &format!("\"{example}\""), insecure, problems);
                base.as_ref().map(Url::to_string)
            }
            Some(field) => field.word("\"…\"", problems).map(str::to_owned),
            None if default.is_empty() => {
                let name = if name == "base" { "base_url" } else { name };
                let message = format!("no `{name}` {here}");
                let example = described.example(if name == "base_url" { "base" } else { name }).unwrap_or("…");
                let help = format!("write {name} = \"{example}\"");
                problems.add(Problem::at(service.span(), message).help(help).absence());
                None
            }
            None => Some(default.clone()),
        };
        complete &= value.is_some();
        settings.extend(value.map(|value| (name.clone(), value)));
    }
    if !complete {
        return None;
    }
    let Some((own_base, _)) = described.addresses(&settings) else {
        let help = "see `jobdeck providers NAME` for what its url is made of";
        service.wrong(format!("the status URL {here} is no address"), help, problems);
        return None;
    };
    Some((settings, base.unwrap_or(own_base)))
}

/// Where a user's own description of this name is: `$XDG_CONFIG_HOME/jobdeck/providers/<name>.toml`.
fn path_of_user(name: &str) -> Option<PathBuf> {
    let dir = paths::config_dir().filter(|_| known_keys::is_service_name(name))?;
    Some(dir.join("providers").join(format!("{name}.toml")))
}

fn read_file(path: &Path) -> Option<Read> {
    let text = named_file::read(path, LARGEST).and_then(|text| String::from_utf8(text).map_err(io::Error::other));
    match text {
        Ok(text) => Some(Ok(Arc::new(OtherFile { path: path.to_owned(), text }))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(Arc::new(error))),
    }
}

fn text_of_user(name: &str) -> Option<String> {
    Some(read_file(&path_of_user(name)?)?.ok()?.text.clone())
}

/// The names of the user's own descriptions.
pub fn user_names() -> Vec<String> {
    let entries = paths::config_dir().and_then(|dir| std::fs::read_dir(dir.join("providers")).ok());
    let name = |entry: io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_suffix(".toml").filter(|name| known_keys::is_service_name(name)).map(str::to_owned)
    };
    let mut names: Vec<String> = entries.into_iter().flatten().filter_map(name).collect();
    names.sort();
    names
}

/// The names of all further secrets that services of the file give.
fn secrets_of(file: &TomlTable<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let services = file.get("services").and_then(|field| field.value.as_table());
    for service in services.into_iter().flat_map(|table| table.values()) {
        let secrets = service.get_ref().as_table().and_then(|table| table.get("secrets"));
        let secrets = secrets.and_then(|secrets| secrets.get_ref().as_table());
        found.extend(secrets.into_iter().flat_map(|table| table.keys()).map(|key| key.get_ref().to_string()));
    }
    found.sort();
    found.dedup();
    found
}
