//! A provider that is a description in TOML: `docs/providers.md` explains the language.

mod condition;
mod fault;
mod fetch;
mod interpret;
mod items;
mod like;
mod model;
mod node;
mod parse;
mod parse_values;
mod results;
mod shipped;
mod template;
pub mod trial;
mod units;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use self::interpret::Why;
use self::model::{BodyTemplate, Description, Endpoint};
use self::template::{Filling, Template};
use super::refusal::{Asked, Nouns};
use super::reply::{self, no_object};
use super::{address, cost, names};
use crate::domain::job::ProviderName;
use crate::domain::observation::Role;
use crate::domain::provider::{About, AddressForm, BodySource, Fetch, IdError, Next, OneShot, Payload, Provider};
use crate::domain::request::{Header, Request};
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::json::pointer::PointerId;
use crate::json::text::quoted;

pub use self::fault::DescriptionFault;
pub use self::fetch::{further_missed, none_further};
pub use self::like::{KnownDescriptions, from_table, from_text};
pub use self::node::Table;
pub use self::parse::TOP;
pub use self::parse_values::KnownSecrets;
pub use self::shipped::{Shipped, names as shipped_names, text as shipped_text, value as shipped};
#[cfg(test)]
pub use self::{parse::STATUS, results::RESULT};

/// A described provider.
#[derive(Debug, Clone)]
pub struct Described(Arc<Description>);

/// An id that stands in for another: nothing in it needs to be encoded, and no service gives it out.
const STAND_IN: &str = "jobdeck-stands-in-for-an-id";

impl Described {
    /// Its name.
    pub fn name(&self) -> ProviderName {
        self.0.name
    }

    /// The whole description as TOML, nothing left to another one.
    pub fn toml(&self) -> &str {
        &self.0.text
    }

    /// What people call the service.
    pub fn title(&self) -> &str {
        &self.0.title
    }

    /// The page that it was made from.
    pub fn docs(&self) -> Option<&str> {
        self.0.docs.as_deref()
    }

    /// What its users call the variable with the token.
    pub fn token_env(&self) -> Option<&str> {
        self.0.token_env.as_deref()
    }

    /// Its settings and their defaults; an empty one must be given.
    pub fn settings(&self) -> &[(String, String)] {
        &self.0.settings
    }

    /// How a setting that must be given is written.
    pub fn example(&self, setting: &str) -> Option<&str> {
        self.0.examples.iter().find(|(name, _)| name == setting).map(|(_, example)| example.as_str())
    }

    /// The names of the further secrets that its headers have a place for.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let of_results = self.0.results.iter().filter_map(|place| place.fetch.as_ref()?.headers.as_ref());
        let headers = of_results.chain([&self.0.status.headers]).flatten();
        headers.flat_map(|(_, value)| &value.0).filter_map(|part| match part {
            template::TemplatePart::Secret(name) => Some(name.as_str()),
            template::TemplatePart::Text(_)
            | template::TemplatePart::Id
            | template::TemplatePart::IdWithSlashes
            | template::TemplatePart::Setting(_)
            | template::TemplatePart::Token
            | template::TemplatePart::Pointer(_) => None,
        })
    }

    /// The most requests that the service takes.
    pub fn rate(&self) -> Option<crate::domain::service::Rate> {
        self.0.rate
    }

    /// The addresses of a service with these settings, if they can be read: the base, and the status URL of no job.
    pub fn addresses(&self, settings: &BTreeMap<String, String>) -> Option<(Url, Url)> {
        let (status, _) = self.expanded(&self.0.status.url, settings, STAND_IN, &|_| None)?;
        let base = settings.get("base").and_then(|base| Url::parse(base).ok());
        Some((base.unwrap_or_else(|| status.clone()), status))
    }

    /// An address with its holes filled and the query keys that are not of the base, or None where one cannot be.
    fn filled(
        &self,
        template: &Template,
        service: &Service,
        id: &str,
        pointer: &dyn Fn(PointerId) -> Option<String>,
    ) -> Option<(Url, Vec<String>)> {
        self.expanded(template, &service.settings, id, pointer)
    }

    fn expanded(
        &self,
        template: &Template,
        settings: &BTreeMap<String, String>,
        id: &str,
        pointer: &dyn Fn(PointerId) -> Option<String>,
    ) -> Option<(Url, Vec<String>)> {
        // A base may already have a query, such as a gateway's key: it goes to the end.
        let base_query =
            settings.get("base").and_then(|base| Some(base.split('#').next()?.split_once('?')?.1.to_owned()));
        let setting = |name: &str| {
            let value = settings.get(name)?;
            let value = if name == "base" { value.split(['?', '#']).next().unwrap_or_default() } else { value };
            Some(value.trim_end_matches('/'))
        };
        let text = template.url(&Filling { id, setting: &setting, pointer })?;
        let mut url = Url::parse(&text).ok()?;
        url.set_fragment(None);
        let own_query = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
        if let Some(base_query) = base_query.filter(|query| !query.is_empty()) {
            let query = url.query().map_or_else(|| base_query.clone(), |query| format!("{query}&{base_query}"));
            url.set_query(Some(&query));
        }
        url.has_host().then_some((url, own_query))
    }

    fn read_saying_why(&self, service: &Service, id: &str, response: &Response, why: &mut Why) -> Next {
        let path = || {
            let url = self.request(service, id).url;
            let base = service.base.path().trim_end_matches('/');
            url.path().strip_prefix(base).unwrap_or(url.path()).to_owned()
        };
        let asked = Asked { endpoint: &service.endpoint, id, path: &path, nouns: self.nouns() };
        let reading = interpret::read(&self.0, &asked, response, why);
        fetch::next((self, service, id), reading, response, why)
    }

    /// What the service calls a job.
    fn nouns(&self) -> Nouns<'_> {
        Nouns::of(&self.0.nouns)
    }

    fn headers(&self, headers: &[(String, Template)], service: &Service, id: &str) -> Vec<Header> {
        let setting = |name: &str| service.settings.get(name).map(String::as_str);
        let filling = Filling { id, setting: &setting, pointer: &|_| None };
        let has = |header: &Header| {
            header.value.iter().all(|part| match part {
                crate::domain::request::HeaderPart::Secret(wanted) => {
                    service.secrets.iter().any(|(name, _)| name == wanted)
                }
                crate::domain::request::HeaderPart::Text(_) | crate::domain::request::HeaderPart::Token => true,
            })
        };
        let header =
            |(name, value): &(String, Template)| Some(Header { name: name.clone(), value: value.header(&filling)? });
        // A secret that the service does not give is one that it does not ask for.
        headers.iter().filter_map(header).filter(has).collect()
    }

    /// What is in the response to a separate request: the place that leads somewhere in it says which part of it is the
    /// result.
    fn extract_result(&self, role: &Role, http_status: u16, body: &Bytes) -> Payload {
        if !(200..300).contains(&http_status) {
            return Payload::default();
        }
        let places = self.0.results.iter().filter(|place| *role == Role::Result && place.fetch.is_some());
        let taken = places.map(|place| results::taken(place, body)).find(|taken| taken.output.is_some());
        let results::FoundResult { raw, output, output_path } = taken.unwrap_or_default();
        Payload { raw: raw.or_else(|| Some(body.clone())), output, output_path, ..Payload::default() }
    }

    fn body(&self, body: &BodyTemplate, filling: &Filling<'_>) -> String {
        match body {
            BodyTemplate::Text(template) => quoted(&template.text(filling).unwrap_or_default()),
            BodyTemplate::Literal(text) => text.clone(),
            BodyTemplate::List(list) => {
                let list: Vec<String> = list.iter().map(|body| self.body(body, filling)).collect();
                format!("[{}]", list.join(","))
            }
            BodyTemplate::Object(members) => {
                let member =
                    |(key, body): &(String, BodyTemplate)| format!("{}:{}", quoted(key), self.body(body, filling));
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// The id in an address that is like a known one.
fn id_in(url: &Url, known: &Url, slashes: bool) -> Option<String> {
    let Some((before, after)) = known.path().split_once(STAND_IN) else {
        let key = known.query_pairs().find(|(_, value)| value == STAND_IN).map(|(key, _)| key.into_owned());
        return key.filter(|_| url.path() == known.path()).and_then(|key| address::query_value(url, &key));
    };
    let rest = url.path().strip_prefix(before)?.trim_end_matches('/');
    let id = rest.strip_suffix(after.trim_end_matches('/'))?;
    if !slashes && id.contains('/') { None } else { address::decoded(id) }
}

impl Provider for Described {
    fn name(&self) -> ProviderName {
        self.0.name
    }

    fn about(&self) -> About {
        About {
            id_noun: self.0.nouns.first().map_or("job", |noun| ProviderName::new(noun).as_str()),
            made_up_id: "00000000-0000-0000-0000-000000000000",
            token_env: "",
            address: AddressForm::Settings {
                base_is_given: self.0.settings.iter().any(|(name, default)| name == "base" && default.is_empty()),
            },
        }
    }

    fn one_shot(&self) -> OneShot {
        self.0.one_shot()
    }

    /// The status URL of a job without its id, its query and the slash before them, unless the description has it
    /// otherwise.
    fn endpoint(&self, base: &Url, settings: &BTreeMap<String, String>) -> String {
        match self.0.endpoint {
            Endpoint::Status => {}
            Endpoint::Base => return format!("{}{}", address::origin(base), base.path().trim_end_matches('/')),
            Endpoint::Origin => return address::origin(base),
        }
        let url = self.addresses(settings).map_or_else(|| base.clone(), |(_, status)| status);
        let path = url.path().replace(STAND_IN, "");
        format!("{}{}", address::origin(&url), path.trim_end_matches('/'))
    }

    fn request(&self, service: &Service, id: &str) -> Request {
        let status = &self.0.status;
        let setting = |name: &str| service.settings.get(name).map(String::as_str);
        let filling = Filling { id, setting: &setting, pointer: &|_| None };
        // A service whose address cannot be read is refused with its jobs file; its base is used instead.
        let filled = self.filled(&status.url, service, id, &|_| None);
        let (url, own_query) = filled.unwrap_or_else(|| (service.base.clone(), Vec::new()));
        Request {
            method: status.method,
            url,
            headers: self.headers(&status.headers, service, id),
            body: status.body.as_ref().map(|body| self.body(body, &filling)),
            one_shot: status.one_shot,
            own_query,
            named_by: None,
        }
    }

    fn read(&self, service: &Service, id: &str, response: &Response) -> Next {
        self.read_saying_why(service, id, response, &mut Why::unasked())
    }

    fn explain(&self, service: &Service, id: &str, response: &Response) -> (Next, Vec<String>) {
        let mut why = Why::asked();
        let next = self.read_saying_why(service, id, response, &mut why);
        (next, why.into_sentences())
    }

    fn fetched(&self, service: &Service, id: &str, fetch: &Fetch, response: &Response) -> Next {
        fetch::fetched((self, service, id), fetch, response, &mut Why::unasked())
    }

    fn explain_fetched(&self, service: &Service, id: &str, fetch: &Fetch, response: &Response) -> (Next, Vec<String>) {
        let mut why = Why::asked();
        let next = fetch::fetched((self, service, id), fetch, response, &mut why);
        (next, why.into_sentences())
    }

    fn id_from(&self, service: &Service, text: &str) -> Result<String, IdError> {
        let home = || self.request(service, STAND_IN).url;
        let Some(url) = address::named_by_address(home, text)? else {
            // Some services call a job by the end of its address: `accounts/a/jobs/7` is the job 7.
            let last = text.rsplit('/').next().unwrap_or(text);
            let is_of_path = last != text && self.request(service, last).url.path().ends_with(&format!("/{text}"));
            return Ok(if is_of_path { last } else { text }.to_owned());
        };
        let known = std::iter::once(&self.0.status.url).chain(&self.0.ids);
        let id = known.into_iter().find_map(|template| {
            let (known, _) = self.filled(template, service, STAND_IN, &|_| None)?;
            id_in(&url, &known, template.0.contains(&template::TemplatePart::IdWithSlashes))
        });
        id.ok_or_else(|| {
            IdError::new("this id is an address that is not the status URL of its service", "give the id alone")
        })
    }

    /// Raw: the text at the result's place; of a result with its own request the whole body where its place leads
    /// nowhere. Output: the JSON there. Neither in a state in which there is no result.
    fn extract(&self, source: &BodySource, body: &Bytes) -> Payload {
        let BodySource { role, http_status } = source;
        if *role != Role::Status {
            return self.extract_result(role, *http_status, body);
        }
        let Ok(found) = self.0.lookup.find(body) else { return no_object(body) };
        let list = self.0.status.item_list.as_ref();
        let files = list.map(|list| list.items(body, &found)).unwrap_or_default();
        let place = self.0.results.iter().find(|place| condition::all_hold(&place.when, &found));
        let place = place.filter(|place| {
            place.fetch.is_none()
                && match interpret::state(&self.0, *http_status, body, &found) {
                    Some(state) if state.is_terminal() => place.states.contains(&state),
                    // What a job that is not over says at the result's place is worth looking at; its whole response is
                    // not.
                    Some(_) | None => !place.lookup.is_whole(place.at),
                }
        });
        let results::FoundResult { raw, output, output_path } =
            place.map(|place| results::taken(place, body)).unwrap_or_default();
        let costs = self.0.status.cost.map(|id| found.values(id).filter_map(reply::text).collect::<Vec<_>>());
        let own_cost = costs.and_then(|costs| cost::sum(costs.iter().map(String::as_str)));
        Payload {
            fault: no_object(body).fault,
            raw,
            output_path,
            output,
            cost: own_cost.or_else(|| cost::sum(files.iter().filter_map(|file| file.cost.as_deref()))),
            title: names::title(&files),
            files,
        }
    }

    fn named_id(&self, body: &Bytes) -> Option<String> {
        let found = self.0.lookup.find(body).ok()?;
        self.0.status.id.iter().find_map(|id| reply::text(found.standing(*id)?))
    }

    fn description(&self) -> Option<&str> {
        Some(&self.0.text)
    }

    fn keeps(&self) -> Option<Duration> {
        self.0.keeps
    }

    fn least_interval(&self) -> Option<Duration> {
        self.0.interval
    }

    fn web(&self, service: &Service, id: &str) -> Option<Url> {
        self.filled(self.0.web.as_ref()?, service, id, &|_| None).map(|(url, _)| url)
    }
}

#[cfg(test)]
mod tests;
