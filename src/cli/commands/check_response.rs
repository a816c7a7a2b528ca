//! `jobdeck check --reply`: what is made of responses that were saved, and why.

use std::path::Path;

use bytes::Bytes;

use crate::cli::failure::Failure;
use crate::cli::output::{self, StdoutWriter};
use crate::config;
use crate::domain::clean::Clean;
use crate::domain::human;
use crate::domain::reading::Verdict;
use crate::domain::request::{Request, masked};
use crate::domain::state::LostBecause;
use crate::engine::explain::{self, Explained};
use crate::named_file;

/// The longest response that is read.
const LARGEST: u64 = 4 << 30;

/// Prints it for a response to the status request of a job and, where one is given, for one to the request for its result.
/// Each is a file and an HTTP code. Without an id the job is the one that the response names. Returns the exit code: 2
/// where there is no such service or file, or no request for a result.
pub fn run(
    jobs_file: Option<&Path>,
    (service, id): (&str, Option<&str>),
    (reply, code): (&Path, u16),
    result: Option<(&Path, u16)>,
) -> Result<u8, Failure> {
    let file = config::load(&config::locate(jobs_file)?)?;
    let Some(service) = file.services.iter().find(|known| *known.name == *service) else {
        let known: Vec<&str> = file.services.iter().map(|service| &*service.name).collect();
        let known = Clean::new(&known.join(", "));
        output::say_error(&format!("the file defines no service {}; it defines: {known}", Clean::new(service)));
        return Ok(2);
    };
    let Some(body) = read(reply) else { return Ok(2) };
    let status = explain::response(service, id, code, body);
    let mut said = lines(&status);
    let mut exit = 0;
    match (result, &status.fetch) {
        (None, _) => {}
        (Some((path, code)), Some(fetch)) => {
            let Some(body) = read(path) else { return Ok(2) };
            said.push(String::new());
            said.push(format!("then      HTTP {code} of {}", Clean::new(&shown(&fetch.request))));
            said.extend(lines(&explain::result(service, (fetch, &status.id), code, body)));
        }
        (Some(_), None) => exit = 2,
    }
    let mut out = StdoutWriter::new();
    for line in said {
        out.line(&line)?;
    }
    out.flush()?;
    if exit != 0 {
        output::say_error("that response leads to no request for a result, so --result is not read");
    }
    Ok(exit)
}

/// The bytes of a file. That there are none is said.
fn read(path: &Path) -> Option<Bytes> {
    let read = named_file::read_patiently(path, LARGEST).map(Bytes::from);
    let said = |error| {
        let (path, why) = (path.to_string_lossy(), named_file::sentence(&error));
        output::say_error(&format!("failed to read {}: {why}", Clean::new(&path)));
    };
    read.map_err(said).ok()
}

fn lines(explained: &Explained) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |name: &str, value: String| lines.push(format!("{name:<10}{}", Clean::new(&value)));
    let reading = &explained.reading;
    say("read", reading.read.to_string());
    if let Some(reason) = &reading.reason {
        say("reason", reason.clone());
    }
    if let Some(answer) = &reading.answer {
        let state = match answer.verdict {
            Verdict::State(state) => state.to_string(),
            Verdict::NoWord => "as it was before".to_owned(),
            Verdict::Acknowledged => format!("lost ({})", LostBecause::AlreadyRead),
            Verdict::Expired => format!("lost ({})", LostBecause::Expired),
        };
        say("state", state);
        say("word", answer.word.clone().unwrap_or_else(|| "none".to_owned()));
        say("progress", answer.progress.map_or_else(|| "none".to_owned(), |percent| format!("{percent} %")));
        say("reason", answer.fail_reason.clone().unwrap_or_else(|| "none".to_owned()));
        if let Some(code) = &answer.error_code {
            say("code", code.clone());
        }
        let items = answer.files.map(|files| format!("{}, {} failed", files.total, files.failed));
        say("items", items.unwrap_or_else(|| "none".to_owned()));
        if let Some(cost) = &answer.cost {
            say("cost", format!("${cost}"));
        }
        if let Some(warning) = &answer.warning {
            say("warning", warning.clone());
        }
    }
    say("result", result(explained));
    for why in &explained.why {
        say("why", why.clone());
    }
    lines
}

fn result(explained: &Explained) -> String {
    match (&explained.fetch, &explained.payload.output, &explained.payload.raw) {
        (Some(fetch), _, _) => {
            let request = &fetch.request;
            let token = if request.headers.iter().any(|header| header.is_secret()) { "with" } else { "without" };
            let once = if request.one_shot { ", handed out once" } else { "" };
            let more = match fetch.then.len() {
                0 => String::new(),
                more => format!(", and {more} more behind it"),
            };
            format!("{}, {token} the token{once}{more}", shown(request))
        }
        (None, Some(output), _) => {
            let place = &explained.payload.output_path;
            let place = if place.is_empty() { "made of the response".to_owned() } else { format!("at {place}") };
            format!("{place}, {}", human::bytes(output.len() as u64))
        }
        (None, None, Some(raw)) => format!("raw, {}", human::bytes(raw.len() as u64)),
        (None, None, None) => "none".to_owned(),
    }
}

/// A request's method and address.
fn shown(request: &Request) -> String {
    format!("{} {}", request.method.as_str(), masked(&request.url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::ProviderName;
    use crate::tests::described::service;

    fn said(provider: ProviderName, code: u16, body: &'static str) -> Vec<String> {
        let defaults = [("base".to_owned(), "https://api.example/deployment/api/org/api/".to_owned())];
        let service = service(crate::tests::provider(provider), &defaults, None);
        lines(&explain::response(&service, None, code, Bytes::from_static(body.as_bytes())))
    }

    #[test]
    fn what_a_saved_response_is_read_as_has_a_why_for_every_provider() {
        for provider in crate::providers::names() {
            for (code, body) in [(200, r#"{"status":"completed"}"#), (200, "{}"), (404, "{}"), (502, "<h1>no</h1>")] {
                let said = said(provider, code, body);
                assert!(said.iter().any(|line| line.starts_with("why ")), "{provider} {code} {body}: {said:#?}");
            }
        }
    }

    #[test]
    fn what_stands_behind_a_document_changes_nothing_of_what_is_said_of_it() {
        let mut answers = 0;
        let defaults = [("base".to_owned(), "https://api.example/deployment/api/org/api/".to_owned())];
        for provider in crate::providers::names() {
            let service = service(crate::tests::provider(provider), &defaults, None);
            let explained =
                |body: &'static str| explain::response(&service, None, 200, Bytes::from_static(body.as_bytes()));
            let alone = explained(r#"{"id":"j-1","status":"completed"}"#);
            let followed = explained("{\"id\":\"j-1\",\"status\":\"completed\"}\0 rest");
            assert_eq!((&alone.id, alone.reading.read), (&followed.id, followed.reading.read), "{provider}");
            // What is no answer is read with all that stands behind it.
            if alone.reading.answer.is_some() {
                assert_eq!(alone.why, followed.why, "{provider}");
                answers += 1;
            }
        }
        assert!(answers > 10, "{answers}");
    }

    #[test]
    fn a_loss_that_a_saved_response_tells_is_called_as_the_watch_calls_it() {
        let said = said(ProviderName::UNSTRACT, 200, r#"{"status":"COMPLETED","message":null}"#);
        assert!(said.iter().any(|line| line == "state     lost (expired)"), "{said:#?}");
    }
}
