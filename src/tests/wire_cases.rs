//! One contract over all providers: every recorded or documented reply in `tests/wire`, asked for and read as its
//! file says. A key under `expect` that is not compared here fails the test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::domain::clean::{Clean, is_harmless};
use crate::domain::job::{JobKey, ProviderName};
use crate::domain::observation::{Applied, Observation, Seen};
use crate::domain::provider::ProviderRef;
use crate::domain::reading::Reading;
use crate::domain::request::{Header, Method};
use crate::domain::response::{Headers, Response};
use crate::domain::secret::TokenSource;
use crate::domain::service::{Include, Pace, Service};
use crate::domain::state::PollOutcome;

/// How many cases there are at least: a case that is not found is not tested.
const AT_LEAST: usize = 137;

/// One file of `tests/wire`.
pub struct Case {
    /// `provider/file`.
    pub name: String,
    /// Whose reply it is.
    pub provider: ProviderName,
    json: Value,
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut cases = Vec::new();
    for provider in super::PROVIDERS {
        let mut files: Vec<_> = std::fs::read_dir(root.join(provider.as_str()))
            .expect("tests/wire holds a directory for each provider")
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let name = format!("{provider}/{}", file.file_stem().unwrap().to_string_lossy());
            let json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).expect(&name);
            assert_eq!(json["provider"], provider.as_str(), "{name}");
            cases.push(Case { name, provider, json });
        }
    }
    assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
    cases
}

impl Case {
    /// The service as the user had configured it: as `config` says, else so that the recorded path comes out.
    pub fn service(&self) -> Service {
        let config = self.json["config"].as_object();
        for key in config.into_iter().flat_map(|config| config.keys()) {
            assert!(["base_url", "job_id"].contains(&key.as_str()), "{}: config.{key} is not looked at", self.name);
        }
        let path = self.json["request"]["path"].as_str().unwrap();
        let base = match (self.json["config"]["base_url"].as_str(), self.provider) {
            (Some(base), _) => base.to_owned(),
            (None, ProviderName::VESSL) => {
                format!("https://serve-api.vessl.ai{}", path.split("/async/").next().unwrap())
            }
            (None, ProviderName::OPTEXITY) => "https://api.optexity.com".to_owned(),
            (None, _) => format!("https://us-central.unstract.com{path}"),
        };
        service(self.provider, &base)
    }

    /// The job's id.
    pub fn id(&self) -> String {
        if let Some(id) = self.json["config"]["job_id"].as_str() {
            return id.to_owned();
        }
        let request = &self.json["request"];
        match self.provider {
            ProviderName::VESSL => {
                let rest = request["path"].as_str().unwrap().split("/async/").nth(1).unwrap();
                rest.strip_suffix("/output").unwrap().to_owned()
            }
            ProviderName::OPTEXITY => {
                let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
                body["task_id"].as_str().unwrap_or("task_5f21c09b7e").to_owned()
            }
            _ => {
                let query = request["query"].as_str().unwrap();
                let mut pairs = url::form_urlencoded::parse(query.as_bytes());
                pairs.find(|(key, _)| key == "execution_id").unwrap().1.into_owned()
            }
        }
    }

    /// What the job is.
    pub fn key(&self) -> JobKey {
        JobKey { provider: self.provider, endpoint: self.service().endpoint, id: self.id() }
    }

    /// The HTTP code of the reply.
    pub fn status(&self) -> u16 {
        self.json["response"]["status"].as_u64().unwrap().try_into().unwrap()
    }

    /// The headers of the reply.
    pub fn headers(&self) -> Vec<(String, String)> {
        let headers = self.json["response"]["headers"].as_object().unwrap();
        headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap().to_owned())).collect()
    }

    /// The bytes of the reply's body.
    pub fn body(&self) -> Bytes {
        let response = &self.json["response"];
        match response["body_base64"].as_str() {
            Some(encoded) => base64::engine::general_purpose::STANDARD.decode(encoded).unwrap().into(),
            None => response["body"].as_str().unwrap_or_default().to_owned().into(),
        }
    }

    /// Whether the connection is cut after these bytes.
    pub fn is_cut(&self) -> bool {
        let fault = &self.json["fault"]["kind"];
        assert!(fault.is_null() || fault == "close_mid_body", "{}: unknown fault", self.name);
        !fault.is_null()
    }

    /// The reply as the wire hands it on.
    pub fn reply(&self) -> Response {
        let header = |name: &str| self.headers().into_iter().find(|(other, _)| other == name).map(|(_, value)| value);
        Response {
            status: self.status(),
            headers: Headers {
                content_type: header("content-type"),
                content_encoding: header("content-encoding"),
                retry_after: header("retry-after"),
                date: header("date"),
                location: header("location"),
            },
            body: self.body(),
            broken: self.is_cut().then(|| "connection closed before the message was complete".to_owned()),
            at: "2026-11-21T16:00:00Z".parse().unwrap(),
        }
    }

    /// Compares a reading of this reply with everything under `expect`. `body` is what is kept of it.
    pub fn check(&self, reading: &Reading, body: &Bytes) {
        let name = &self.name;
        let answer = reading.answer.as_ref();
        assert_eq!(reading.read == PollOutcome::Answered, answer.is_some(), "{name}");
        assert_eq!(reading.read != PollOutcome::Answered, reading.reason.is_some(), "{name}");
        let known = self.known(reading);
        let reason = reading.reason.as_ref().or(answer.and_then(|answer| answer.fail_reason.as_ref()));
        let shown = reason.cloned().unwrap_or_default();
        let code = reading.error_code.as_ref().or(known.error_code.as_ref());
        for (key, expected) in self.json["expect"].as_object().unwrap() {
            match key.as_str() {
                "read" => self.same(key, expected, reading.read.as_str().into()),
                "state" => {
                    let observed = if known.is_observed() { known.state.as_str().into() } else { Value::Null };
                    self.same(key, expected, observed);
                }
                "fail_reason" => {
                    assert!(shown.contains(expected.as_str().unwrap()), "{name}: {shown:?} without {expected}");
                }
                "reason" => self.same(key, expected, shown.clone().into()),
                "progress" => assert_eq!(known.progress, expected.as_f64(), "{name}"),
                "error_code" => self.same(key, expected, code.cloned().into()),
                "files" => {
                    let files = known.files.expect(name);
                    let counts = serde_json::json!({"total": files.total, "failed": files.failed});
                    self.same(key, expected, counts);
                }
                "lost_because" => self.same(key, expected, known.lost.map(|cause| cause.as_str()).into()),
                "service_status_code" => self.same(key, expected, known.service_status_code.into()),
                "retry_after_s" => self.same(key, expected, reading.retry_after.map(|wait| wait.as_secs()).into()),
                "finished_at" => assert_eq!(known.finished_at, time(expected), "{name}"),
                "eta" => assert_eq!(known.eta, time(expected), "{name}"),
                "provider_status" => self.same(key, expected, known.word.clone().into()),
                "warning" => self.same(key, expected, known.warning.clone().into()),
                "output_present" => {
                    let output = super::extract(self.provider, body).output;
                    self.same(key, expected, output.is_some().into());
                }
                "must_strip_controls" => {
                    let raw = super::extract(self.provider, body).raw.expect(name);
                    let raw = String::from_utf8_lossy(&raw);
                    assert!(raw.contains('\u{1a}') && Clean::new(&raw).chars().all(is_harmless), "{name}");
                }
                "must_not_follow" => assert_eq!(reading.read, PollOutcome::Rejected, "{name}"),
                other => panic!("{name}: expect.{other} is not compared"),
            }
        }
    }

    /// What is known of a job of which nothing was known before.
    fn known(&self, reading: &Reading) -> Observation {
        let reply = self.reply();
        let seen = Seen {
            reading,
            seq: 1,
            at: reply.at,
            http_status: Some(reply.status),
            one_shot: super::traits(self.provider).one_shot,
            takes_result: super::traits(self.provider).one_shot,
            sent: true,
            broken: reply.broken.is_some(),
            now: Duration::ZERO,
            draw: 0.5,
        };
        match Observation::default().apply(seen) {
            Applied::Known { observation, .. } => *observation,
            Applied::Superseded => panic!("{}: superseded", self.name),
        }
    }

    fn same(&self, key: &str, expected: &Value, found: Value) {
        let any = expected.as_array().map_or_else(|| vec![expected.clone()], Clone::clone);
        assert!(any.contains(&found), "{}: expected {key} {expected}, found {found}", self.name);
    }
}

/// A service with the contract's defaults.
pub fn service(provider: ProviderName, base: &str) -> Service {
    let base = Url::parse(base).unwrap();
    service_with(super::provider(provider), [("base".to_owned(), base.to_string())].into())
}

/// A service with these settings, of which `base` is one, and the contract's defaults for the rest.
pub fn service_with(provider: ProviderRef, settings: BTreeMap<String, String>) -> Service {
    let base = Url::parse(&settings["base"]).unwrap();
    Service {
        name: Arc::from("service"),
        endpoint: provider.endpoint(&base, &settings).into(),
        provider,
        base,
        settings,
        token: TokenSource::Env("TOKEN".to_owned()),
        secrets: Vec::new(),
        pace: Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) },
        in_flight: None,
        rate: None,
        include: Include::default(),
        alert_after: None,
        fields: Arc::default(),
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    Some(value.as_str()?.parse().unwrap())
}

#[test]
fn every_reply_reads_as_its_case_expects() {
    for case in cases() {
        case.check(&super::read(&case.key(), &case.reply()), &case.body());
    }
}

#[test]
#[should_panic(expected = "expect.surprise is not compared")]
fn an_expectation_that_nobody_compares_is_found() {
    let mut case = cases().swap_remove(0);
    case.json["expect"]["surprise"] = Value::Null;
    case.check(&super::read(&case.key(), &case.reply()), &case.body());
}

#[test]
fn every_request_names_the_same_method_path_and_id_and_carries_the_token() {
    for case in cases() {
        let recorded = &case.json["request"];
        let (id, name) = (case.id(), &case.name);
        let service = case.service();
        let request = service.provider.request(&service, &id);
        assert_eq!(request.method.as_str(), recorded["method"], "{name}");
        assert_eq!(request.url.path(), recorded["path"], "{name}");
        match case.provider {
            ProviderName::VESSL => {
                assert_eq!((request.url.query(), &request.body, request.one_shot), (None, &None, false), "{name}");
            }
            ProviderName::OPTEXITY => {
                assert_eq!(request.body, Some(format!("{{\"task_id\":\"{id}\"}}")), "{name}");
                assert_eq!((request.url.query(), request.one_shot), (None, false), "{name}");
            }
            _ => {
                let pairs: Vec<_> = request.url.query_pairs().collect();
                assert!(pairs.contains(&("execution_id".into(), id.as_str().into())), "{name}");
                assert!(pairs.contains(&("include_metadata".into(), "true".into())), "{name}");
                assert!(pairs.contains(&("include_metrics".into(), "true".into())), "{name}");
                assert!(request.body.is_none() && request.one_shot, "{name}");
            }
        }
        let (auth, method, header) = match case.provider {
            ProviderName::OPTEXITY => (Header::key("x-api-key"), Method::Post, "x-api-key"),
            _ => (Header::bearer(), Method::Get, "authorization"),
        };
        assert_eq!((request.headers, request.method), (vec![auth], method), "{name}");
        let sent: Vec<_> =
            recorded["headers"].as_object().unwrap().keys().map(|key| key.to_ascii_lowercase()).collect();
        let without = name == "unstract/no_authorization";
        assert_eq!(sent.iter().any(|key| key == header), !without, "{name}");
    }
}
