//! The shipped descriptions against the documented replies in `tests/wire`: shapes that the services' own pages and
//! clients give, not recordings.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use crate::domain::job::ProviderName;
use crate::domain::observation::Role;
use crate::domain::provider::{BodySource, Next, Payload, ProviderRef};
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{HeaderPart, Request};
use crate::domain::response::{Headers, Response};
use crate::domain::service::Service;
use crate::domain::state::{PollOutcome, State};
use crate::providers::described;
use crate::providers::{self};
use crate::tests::wire_cases::service_with;

#[path = "../../tests/support/documented.rs"]
mod wire;

use wire::{Documented, SETTINGS, documented};

/// A service of a described provider, at its defaults or at another base.
pub fn service(provider: ProviderRef, defaults: &[(String, String)], base: Option<&str>) -> Service {
    let mut settings: BTreeMap<String, String> = defaults.iter().cloned().collect();
    for (name, setting, value) in SETTINGS {
        if *name == provider.name().as_str() {
            settings.insert((*setting).to_owned(), (*value).to_owned());
        }
    }
    if let Some(base) = base {
        settings.insert("base".to_owned(), base.to_owned());
    }
    service_with(provider, settings)
}

fn shipped_service(name: ProviderName, base: Option<&str>) -> Service {
    let described = described::shipped(name).unwrap_or_else(|| panic!("{name} cannot be read"));
    service(ProviderRef::new(described.clone()), described.settings(), base)
}

impl Documented {
    fn provider(&self) -> ProviderName {
        ProviderName::new(&self.provider)
    }

    fn request(&self) -> &Value {
        &self.json["request"]
    }

    fn id(&self, service: &Service) -> String {
        match self.request()["body"]["request_id"].as_str() {
            Some(id) => id.to_owned(),
            None => providers::id_from(service, self.request()["url"].as_str().unwrap()).expect(&self.name),
        }
    }

    fn response(&self) -> Response {
        response(&self.json["reply"])
    }

    /// What the status response comes to, and the address of the result, if it is at another one.
    fn read(&self, service: &Service) -> (Answer, Option<Request>) {
        match providers::read(service, &self.id(service), &self.response()) {
            Next::Done(reading) => {
                (reading.answer.unwrap_or_else(|| panic!("{}: {:?}", self.name, reading.reason)), None)
            }
            Next::Fetch(fetch) => (fetch.status.answer.unwrap(), Some(fetch.request)),
        }
    }
}

fn response(reply: &Value) -> Response {
    Response {
        status: reply["status"].as_u64().unwrap().try_into().unwrap(),
        headers: Headers::default(),
        body: Bytes::from(reply["body"].to_string()),
        broken: None,
        at: "2026-11-27T13:00:00Z".parse().unwrap(),
    }
}

fn extracted(service: &Service, role: Role, response: &Response) -> Payload {
    service.provider.extract(&BodySource { role, http_status: response.status }, &response.body)
}

fn state(answer: &Answer) -> &'static str {
    match answer.verdict {
        Verdict::State(state) => state.as_str(),
        Verdict::Expired | Verdict::Acknowledged => "lost",
        Verdict::NoWord => "none",
    }
}

fn headers(request: &Request) -> BTreeMap<String, String> {
    let part = |part: &HeaderPart| match part {
        HeaderPart::Text(text) => text.clone(),
        HeaderPart::Token => "TOKEN".to_owned(),
        HeaderPart::Secret(name) => name.clone(),
    };
    let header = |header: &crate::domain::request::Header| {
        (header.name.to_ascii_lowercase(), header.value.iter().map(part).collect::<String>())
    };
    request.headers.iter().map(header).collect()
}

/// What of a documented reply is read otherwise than it means; empty if all is right.
fn differences(documented: &Documented, service: &Service) -> Vec<String> {
    let means = &documented.json["means"];
    let (answer, fetch) = documented.read(service);
    let mut wrong = Vec::new();
    let mut same = |what: &str, expected: String, found: String| {
        if expected != found {
            wrong.push(format!("{}: {what} {expected}, found {found}", documented.name));
        }
    };
    same("state", means["state"].as_str().unwrap().to_owned(), state(&answer).to_owned());
    let rounded = |progress: Option<f64>| progress.map_or("none".to_owned(), |progress| format!("{progress:.1}"));
    same("progress", rounded(means["progress"].as_f64()), rounded(answer.progress));
    same("reason", means["reason"].to_string(), Value::from(answer.fail_reason.clone()).to_string());
    let expected = means["output"].as_str();
    if let Some(url) = expected.and_then(|output| output.strip_prefix("GET ")) {
        same("address", url.to_owned(), fetch.map_or("none".to_owned(), |request| request.url.to_string()));
    } else {
        same("fetch", "none".to_owned(), fetch.map_or("none".to_owned(), |request| request.url.to_string()));
        let payload = extracted(service, Role::Status, &documented.response());
        if let Some(pointer) = expected {
            let value = documented.json["reply"]["body"].pointer(pointer).unwrap();
            let found = payload.output.map(|output| serde_json::from_slice::<Value>(&output).unwrap());
            same("output", value.to_string(), found.map_or("none".to_owned(), |found| found.to_string()));
        }
    }
    wrong
}

#[test]
fn every_shipped_description_can_be_read_and_says_where_it_comes_from() {
    for name in described::shipped_names() {
        let described = described::shipped(ProviderName::new(name)).unwrap_or_else(|| {
            let text = described::shipped_text(name).unwrap();
            panic!(
                "{name}: {:#?}",
                described::from_text(
                    ProviderName::new(name),
                    text,
                    &described::Shipped,
                    described::KnownSecrets::Named(&[])
                )
                .err()
            )
        });
        assert!(described.docs().is_some_and(|docs| docs.starts_with("https://")), "{name}");
        assert!(described.title() != name && described.token_env().is_some(), "{name}");
        assert!(described.settings().iter().any(|(setting, _)| setting == "base"), "{name}");
    }
}

#[test]
fn every_documented_reply_is_read_as_it_means() {
    let wrong: Vec<String> = documented()
        .iter()
        .flat_map(|documented| differences(documented, &shipped_service(documented.provider(), None)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_status_read_is_sent_as_documented() {
    for documented in documented() {
        let service = shipped_service(documented.provider(), None);
        let request = service.provider.request(&service, &documented.id(&service));
        let (expected, name) = (documented.request(), &documented.name);
        assert_eq!(request.method.as_str(), expected["method"], "{name}");
        assert_eq!(request.url.as_str(), expected["url"], "{name}");
        let body = request.body.as_deref().map(|body| serde_json::from_str::<Value>(body).unwrap());
        assert_eq!(body.unwrap_or_default(), expected["body"], "{name}");
        let sent = headers(&request);
        for (header, value) in expected["headers"].as_object().unwrap() {
            assert_eq!(sent.get(&header.to_ascii_lowercase()).map(String::as_str), value.as_str(), "{name}: {header}");
        }
    }
}

#[test]
fn every_documented_second_response_is_read_as_it_means() {
    let mut count = 0;
    for documented in documented() {
        let then = &documented.json["then"];
        if then.is_null() {
            continue;
        }
        count += 1;
        let service = shipped_service(documented.provider(), None);
        let id = documented.id(&service);
        let name = &documented.name;
        let Next::Fetch(fetch) = providers::read(&service, &id, &documented.response()) else { panic!("{name}") };
        assert_eq!(fetch.request.url.as_str(), then["request"]["url"], "{name}");
        assert_eq!(fetch.request.one_shot, then["one_shot"] == true, "{name}");
        let waiting = fetch.meanwhile().answer.unwrap();
        assert_eq!((waiting.verdict, waiting.word.as_deref()), (Verdict::State(State::Running), Some("fetching")));
        for (header, value) in then["request"]["headers"].as_object().unwrap() {
            assert_eq!(headers(&fetch.request)[&header.to_ascii_lowercase()], value.as_str().unwrap(), "{name}");
        }
        let reply = response(&then["reply"]);
        let Next::Done(reading) = providers::fetched(&service, &id, &fetch, &reply) else { panic!("{name}") };
        let answer = reading.answer.unwrap_or_else(|| panic!("{name}: {:?}", reading.reason));
        let means = then["state"].as_str().or(documented.json["means"]["state"].as_str());
        assert_eq!(Some(state(&answer)), means, "{name}");
        if let Some(reason) = then["reason"].as_str() {
            assert_eq!(answer.fail_reason.as_deref(), Some(reason), "{name}");
        }
        if let Some(pointer) = then["output"].as_str() {
            let payload = extracted(&service, Role::Result, &reply);
            let output: Value = serde_json::from_slice(&payload.output.unwrap()).unwrap();
            assert_eq!(Some(&output), then["reply"]["body"].pointer(pointer), "{name}");
        }
    }
    assert!(count >= 3);
}

#[test]
fn a_result_that_is_handed_out_once_is_not_taken_for_an_empty_or_a_web_page() {
    let service = shipped_service(ProviderName::new("llmwhisperer"), Some("https://whisper.example/v2"));
    let status = response(&serde_json::json!({"status": 200, "body": {"status": "processed"}}));
    let Next::Fetch(fetch) = providers::read(&service, "a", &status) else { panic!("no request for the result") };
    for (status, body) in [(200, ""), (200, " \n"), (204, ""), (200, "<html>sign in</html>")] {
        let none = Response { status, body: body.into(), ..response(&serde_json::json!({"status": 200, "body": {}})) };
        let Next::Done(reading) = providers::fetched(&service, "a", &fetch, &none) else { panic!("{status} {body}") };
        assert_eq!((reading.read, reading.answer), (PollOutcome::Malformed, None), "{status} {body:?}");
    }
}

#[test]
fn a_job_whose_result_is_at_an_address_that_is_not_asked_goes_on_and_says_why() {
    let service = shipped_service(ProviderName::new("reducto"), Some("https://reducto.example"));
    for url in ["http://cdn.example/r", "https://169.254.169.254/r", "https://router/r", "file:///r", "r"] {
        let body = serde_json::json!({"status": "Completed", "result": {"result": {"type": "url", "url": url}}});
        let status = response(&serde_json::json!({"status": 200, "body": body}));
        let Next::Done(reading) = providers::read(&service, "a", &status) else { panic!("{url} is asked") };
        let answer = reading.answer.unwrap();
        assert_eq!((state(&answer), answer.word.as_deref()), ("running", Some("fetching")), "{url}");
        assert!(answer.warning.is_some_and(|warning| warning.starts_with("not fetched: ")), "{url}");
    }
}

#[test]
fn a_reader_of_words_alone_calls_successes_that_are_none() {
    let (mut right, mut false_successes, mut all) = (0, Vec::new(), 0);
    let mut table = String::from("provider                 replies  whole  words alone\n");
    for name in described::shipped_names() {
        let provider = ProviderName::new(name);
        let words = words_alone(provider);
        let whole = shipped_service(provider, None);
        let defaults = described::shipped(provider).unwrap().settings().to_vec();
        let bare = service(ProviderRef::new(words), &defaults, None);
        let of = documented();
        let of: Vec<_> = of.iter().filter(|documented| documented.provider() == provider).collect();
        let reads = |service: &Service, documented: &&&Documented| {
            let Next::Done(reading) = providers::read(service, "id", &documented.response()) else { return true };
            state_of(&reading) == documented.json["means"]["state"]
        };
        let mine = of.iter().filter(|documented| differences(documented, &whole).is_empty()).count();
        let theirs = of.iter().filter(|documented| reads(&bare, documented)).count();
        for documented in &of {
            let Next::Done(reading) = providers::read(&bare, "id", &documented.response()) else { continue };
            if state_of(&reading) == "succeeded" && documented.json["means"]["state"] != "succeeded" {
                false_successes.push(documented.name.clone());
            }
        }
        table.push_str(&format!("{name:24} {:7} {mine:6} {theirs:12}\n", of.len()));
        right += theirs;
        all += of.len();
    }
    println!("{table}all {all}: words alone read {right}, and call these successes: {}", false_successes.join(", "));
    let page = include_str!("../../docs/providers.md");
    for figure in [
        format!("Of the {all} replies"),
        format!("the state of {right} as"),
        format!("calls {} of the others a success", false_successes.len()),
    ] {
        assert!(page.contains(&figure), "docs/providers.md does not say: {figure}");
    }
}

fn state_of(reading: &Reading) -> &'static str {
    match (&reading.answer, reading.read) {
        (Some(answer), PollOutcome::Answered) => state(answer),
        _ => "none",
    }
}

/// The same description with nothing but its address, headers, pointers to the word, and words.
fn words_alone(name: ProviderName) -> described::Described {
    let mut table: toml::Table = toml::from_str(providers::by_name(name).unwrap().description().unwrap()).unwrap();
    for key in ["rules", "codes", "result"] {
        table.remove(key);
    }
    let status = table["status"].as_table_mut().unwrap();
    for key in ["items", "item_list", "progress", "strip", "reason", "id", "rejected"] {
        status.remove(key);
    }
    if !status.contains_key("word") {
        status.insert("word".to_owned(), toml::Value::String("/status".to_owned()));
    }
    let text = toml::to_string(&table).unwrap();
    described::from_text(name, &text, &described::Shipped, described::KnownSecrets::Any).unwrap()
}

/// What is read otherwise than it means: in any way, as another state, as a success that is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Misread {
    at_all: usize,
    state: usize,
    false_success: usize,
}

/// What of the documented replies of all services is misread where every description lacks something.
fn misread(lacking: &dyn Fn(&mut toml::Table)) -> Misread {
    let mut misread = Misread::default();
    for name in described::shipped_names() {
        let provider = ProviderName::new(name);
        let mut table: toml::Table =
            toml::from_str(providers::by_name(provider).unwrap().description().unwrap()).unwrap();
        lacking(&mut table);
        let text = toml::to_string(&table).unwrap();
        let left = described::from_text(provider, &text, &described::Shipped, described::KnownSecrets::Any).ok();
        let service = left.map(|left| service(ProviderRef::new(left.clone()), left.settings(), None));
        for documented in documented().iter().filter(|documented| documented.provider() == provider) {
            // Without that nothing is left that says a state: no reply of it can be read.
            let Some(service) = &service else {
                misread.at_all += 1;
                misread.state += 1;
                continue;
            };
            let means = documented.json["means"]["state"].as_str().unwrap();
            let answer = match providers::read(service, &documented.id(service), &documented.response()) {
                Next::Done(reading) => reading.answer,
                Next::Fetch(fetch) => fetch.status.answer,
            };
            let read = answer.as_ref().map(state);
            let is_other = answer.is_none() || !differences(documented, service).is_empty();
            misread.at_all += usize::from(is_other);
            misread.state += usize::from(read != Some(means));
            misread.false_success += usize::from(read == Some("succeeded") && means != "succeeded");
        }
    }
    misread
}

#[test]
fn each_expression_of_the_language_is_worth_replies_that_are_misread_without_it() {
    let of_status = |keys: &'static [&'static str]| {
        move |table: &mut toml::Table| {
            let status = table["status"].as_table_mut().unwrap();
            keys.iter().for_each(|key| drop(status.remove(*key)));
        }
    };
    let of_top = |key: &'static str| move |table: &mut toml::Table| drop(table.remove(key));
    let first_word = |table: &mut toml::Table| {
        if let Some(toml::Value::Array(words)) = table["status"].as_table_mut().unwrap().get_mut("word") {
            words.truncate(1);
        }
    };
    let no_beginnings = |table: &mut toml::Table| {
        for words in
            table.get_mut("states").and_then(toml::Value::as_table_mut).into_iter().flat_map(toml::Table::iter_mut)
        {
            if let toml::Value::Array(words) = words.1 {
                words.retain(|word| !word.as_str().is_some_and(|word| word.ends_with('*')));
            }
        }
    };
    let own_request = |table: &mut toml::Table| {
        let places: Vec<&mut toml::Value> = match table.get_mut("result") {
            Some(toml::Value::Array(places)) => places.iter_mut().collect(),
            Some(place) => vec![place],
            None => Vec::new(),
        };
        for place in places.into_iter().filter_map(toml::Value::as_table_mut).filter(|place| place.contains_key("url"))
        {
            let when = place.remove("when");
            place.clear();
            place.extend(when.map(|when| ("when".to_owned(), when)));
            place.insert("at".to_owned(), toml::Value::String("/output".to_owned()));
        }
    };
    type Lacking<'a> = (&'a str, &'a dyn Fn(&mut toml::Table));
    let expressions: [Lacking<'_>; 11] = [
        ("`[codes]`", &of_top("codes")),
        ("`[[rules]]`", &of_top("rules")),
        ("`items` and `item_list`", &of_status(&["items", "item_list"])),
        ("a second place for `word`", &first_word),
        ("`strip`", &of_status(&["strip"])),
        ("beginnings of words (`stage_*`)", &no_beginnings),
        ("`id` and `rejected`", &of_status(&["id", "rejected"])),
        ("`progress`", &of_status(&["progress"])),
        ("`reason`", &of_status(&["reason"])),
        ("`[result]`", &of_top("result")),
        ("a result's own `url`", &own_request),
    ];
    assert_eq!(misread(&|_| {}), Misread::default());
    let page = include_str!("../../docs/providers.md");
    assert!(page.contains(&format!("Of the {} replies", documented().len())), "{}", documented().len());
    for (name, lacking) in expressions {
        let Misread { at_all, state, false_success } = misread(lacking);
        let row = format!("| {name} | {at_all} | {state} | {false_success} |");
        assert!(page.contains(&row), "docs/providers.md has other figures: {row}");
        // What an id and a refusal are for stands in no documented reply: it is tested apart.
        assert!(at_all > 0 || name.contains("rejected"), "{name} is worth nothing");
    }
}

#[test]
fn a_redirect_instead_of_a_result_names_the_description_and_no_jobs_file() {
    let service = shipped_service(ProviderName::new("reducto"), Some("https://reducto.example"));
    let url = "https://cdn.example/r?sig=SIGNATURE";
    let body = serde_json::json!({"status": "Completed", "result": {"result": {"type": "url", "url": url}}});
    let status = response(&serde_json::json!({"status": 200, "body": body}));
    let Next::Fetch(fetch) = providers::read(&service, "a", &status) else { panic!("no request for the result") };
    for (code, location, to) in [
        (302, Some("https://other.example/x?sig=SIGNATURE"), "to https://other.example:"),
        (307, Some("/elsewhere"), "to https://cdn.example:"),
        (301, Some("http://reducto.example/job/a"), "to http://reducto.example:"),
        (303, None, "does not say where to"),
    ] {
        let headers = Headers { location: location.map(str::to_owned), ..Headers::default() };
        let reply = Response { status: code, headers, ..response(&serde_json::json!({"status": 200, "body": {}})) };
        let Next::Done(reading) = providers::fetched(&service, "a", &fetch, &reply) else { panic!("{code}") };
        let reason = reading.reason.unwrap();
        assert_eq!(reading.read, PollOutcome::Rejected, "{reason}");
        assert!(reason.contains(to) && reason.contains("[result] of the description"), "{reason}");
        assert!(!reason.contains("jobs file") && !reason.contains("SIGNATURE"), "{reason}");
    }
}
