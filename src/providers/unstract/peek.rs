//! What the platform's own API says of an execution: how far it is, and whether its result was handed out. Asking takes
//! nothing. `GET …/api/v1/unstract/<organization_id>/execution/<id>/`, `Authorization: Bearer <platform key>`.

use crate::domain::files::FileCounts;
use crate::domain::id;
use crate::domain::job::ProviderName;
use crate::domain::provider::Peek;
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{Header, HeaderPart, Method, Request};
use crate::domain::response::Response;
use crate::domain::service::{PLATFORM_TOKEN, Service};
use crate::domain::state::PollOutcome;
use crate::providers::address;
use crate::providers::percent;
use crate::providers::refusal::{self, Asked, Nouns};
use crate::providers::reply::{self, Object};

/// The request; None where the service has no platform key, or its URL does not say whose it is.
pub(super) fn request(service: &Service, id: &str) -> Option<Request> {
    if !service.secrets.iter().any(|(name, _)| name == PLATFORM_TOKEN) {
        return None;
    }
    // Behind a gateway both APIs have its prefix.
    let (prefix, deployment) = service.base.path().split_once("/deployment/api/")?;
    let organization = deployment.split('/').next().filter(|organization| !organization.is_empty())?;
    let mut url = service.base.clone();
    url.set_fragment(None);
    url.set_path(&format!("{prefix}/api/v1/unstract/{organization}/execution/{}/", address::segment(id)));
    let bearer = vec![HeaderPart::Text("Bearer ".to_owned()), HeaderPart::Secret(PLATFORM_TOKEN.to_owned())];
    Some(Request {
        method: Method::Get,
        url,
        headers: vec![Header { name: "Authorization".to_owned(), value: bearer }],
        body: None,
        one_shot: false,
        own_query: Vec::new(),
        named_by: None,
    })
}

/// What its response says.
pub(super) fn read(service: &Service, id: &str, response: &Response) -> Peek {
    let unknown = |reading: Reading| Peek::Unknown {
        reason: reading.reason.unwrap_or_default(),
        // An execution that the key may not see, or that is not there, says nothing about the others. The platform
        // names neither in its sentence; a route that it does not have it answers with a page.
        of_this_job: reading.read == PollOutcome::NotFound
            || (response.status == 404 && reading.error_code.as_deref() == Some("not_found")),
    };
    if response.status != 200 {
        let asked = Asked { endpoint: &service.endpoint, id, path: &String::new, nouns: Nouns::Common };
        return unknown(refusal::refused(&asked, response));
    }
    let object = match Object::parse(&response.body) {
        Ok(object) if response.broken.is_none() && is_about(&object, id) => object,
        Ok(_) | Err(_) => return unknown(refusal::malformed(response)),
    };
    let (verdict, word) = object.word();
    let acknowledged = object.get("result_acknowledged").map(|value| value == b"true");
    if verdict.is_unfinished() {
        let count = |key: &str| reply::text(object.get(key)?)?.parse::<u32>().ok();
        let (succeeded, failed) = (count("successful_files"), count("failed_files"));
        let over = succeeded.unwrap_or(0).saturating_add(failed.unwrap_or(0));
        let total = count("total_files").filter(|total| *total > 0);
        let progress = total.and_then(|total| percent::bounded(f64::from(over) / f64::from(total) * 100.0));
        return Peek::GoesOn(Box::new(Reading::answered(Answer {
            verdict,
            word,
            progress,
            files: total.map(|total| FileCounts { total, failed: failed.unwrap_or(0) }),
            created_at: object.get("created_at").and_then(reply::time),
            is_untaken: acknowledged == Some(false),
            ..Answer::default()
        })));
    }
    match verdict {
        Verdict::State(state) if state.is_terminal() => Peek::Over { acknowledged: acknowledged == Some(true) },
        Verdict::State(_) | Verdict::NoWord | Verdict::Acknowledged | Verdict::Expired => {
            unknown(refusal::malformed_because("no word of the platform's that is known"))
        }
    }
}

fn is_about(object: &Object<'_>, id: &str) -> bool {
    let same = |text: &str| id::canonical(ProviderName::UNSTRACT, text) == id::canonical(ProviderName::UNSTRACT, id);
    object.get("id").and_then(reply::text).is_none_or(|text| same(&text))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;
    use crate::domain::response::Headers;
    use crate::domain::secret::TokenSource;
    use crate::domain::state::State;
    use crate::tests::wire_cases;

    /// What the recorded response of this file says, and the path that it was asked at.
    fn recorded(text: &str) -> (Peek, String, String) {
        let json: Value = serde_json::from_str(text).unwrap();
        let path = json["request"]["path"].as_str().unwrap().to_owned();
        let id = path.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        let base = "https://gw.example/u/deployment/api/org_alpha/invoices/?key=k";
        let mut service = wire_cases::service(ProviderName::UNSTRACT, base);
        assert_eq!(request(&service, &id), None, "nobody is asked without a key");
        service.secrets.push((PLATFORM_TOKEN.to_owned(), TokenSource::Env("KEY".to_owned())));
        let asked = request(&service, &id).unwrap().url;
        let response = Response {
            status: 200,
            headers: Headers::default(),
            body: Bytes::from(json["response"]["body"].as_str().unwrap().to_owned()),
            broken: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        (read(&service, &id, &response), asked.to_string(), path)
    }

    #[test]
    fn the_recorded_responses_of_the_platform_say_how_far_an_execution_is_and_whether_it_was_handed_out() {
        let (executing, asked, path) =
            recorded(include_str!("../../../tests/wire/unstract-platform/platform_execution_executing.json"));
        assert_eq!(asked, format!("https://gw.example/u{path}?key=k"));
        let Peek::GoesOn(reading) = executing else { panic!("{executing:?}") };
        let answer = reading.answer.unwrap();
        assert_eq!((answer.verdict, answer.is_untaken), (Verdict::State(State::Running), true));
        assert_eq!((answer.progress.unwrap().round(), answer.files.unwrap().total), (67.0, 3));
        for over in [
            include_str!("../../../tests/wire/unstract-platform/platform_execution_completed.json"),
            include_str!("../../../tests/wire/unstract-platform/platform_execution_error.json"),
        ] {
            assert_eq!(recorded(over).0, Peek::Over { acknowledged: true });
        }
    }

    #[test]
    fn an_execution_that_is_not_there_says_nothing_about_the_others_and_a_platform_that_is_not_there_does() {
        let service = wire_cases::service(ProviderName::UNSTRACT, "https://h/deployment/api/org/invoices/");
        let cases = [
            (404, r#"{"detail":"No WorkflowExecution matches the given query."}"#, true),
            (404, r#"{"type":"client_error","errors":[{"code":"not_found","detail":"Not found.","attr":null}]}"#, true),
            (404, r#"{"detail":"Not Found"}"#, false),
            (404, "<!doctype html><title>Not Found</title>", false),
            (404, "", false),
            (401, r#"{"errors":[{"code":"authentication_failed","detail":"Invalid platform key"}]}"#, false),
            (403, "{}", false),
            (500, "{}", false),
            (200, "{}", false),
        ];
        for (status, body, of_this) in cases {
            let (headers, body) = (Headers::default(), Bytes::from_static(body.as_bytes()));
            let response = Response { status, headers, body, broken: None, at: jiff::Timestamp::UNIX_EPOCH };
            let said = read(&service, "e748d90f-af7d-4a98-813d-4c47344ff595", &response);
            let is_of_this = matches!(said, Peek::Unknown { of_this_job, .. } if of_this_job);
            assert_eq!(is_of_this, of_this, "{response:?}: {said:?}");
        }
    }
}
