//! The request for a result that is at another address, and what its response means.

use bytes::Bytes;
use url::{Host, Url};

use super::Described;
use super::condition::{Condition, all_hold};
use super::interpret::Why;
use super::model::{FetchPlace, ResultPlace};
use super::results;
use super::template::Template;
use crate::domain::inner::{is_inner, is_loopback};
use crate::domain::observation::Role;
use crate::domain::provider::{Fetch, Next, Provider as _};
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{Header, Method, Request};
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::domain::state::{PollOutcome, State};
use crate::json::pointer::{FoundValues, PointerId};
use crate::json::scan;
use crate::providers::refusal::{self, Asked};
use crate::providers::reply::warned;
use crate::providers::{address, page, reply};

/// What follows from a status that is read: the end of the poll, or a request for the result.
pub fn next(
    (described, service, id): (&Described, &Service, &str),
    reading: Reading,
    response: &Response,
    why: &mut Why,
) -> Next {
    let Some(state) = state_of(&reading).filter(|state| state.is_terminal()) else { return Next::Done(reading) };
    let found = described.0.lookup.find(&response.body).unwrap_or_else(|_| FoundValues::nothing());
    let place = described.0.results.iter().zip(0_usize..).find(|(place, _)| all_hold(&place.when, &found));
    let Some((place, step)) = place.filter(|(place, _)| place.states.contains(&state)) else {
        if !described.0.results.is_empty() {
            why.say(|| match place {
                Some(_) => format!("[result] is for other states than {state}"),
                None => "no [result] has conditions that all hold".to_owned(),
            });
        }
        return Next::Done(reading);
    };
    let works = matches!(state, State::Succeeded | State::Partial);
    let Some(fetch) = &place.fetch else {
        // Many jobs have no output: that is worth no warning.
        why.say(|| {
            let at = place.lookup.pointer(place.at).map(ToString::to_string).unwrap_or_default();
            doubt(place, &response.body).unwrap_or_else(|| format!("the result stands at {at}"))
        });
        return Next::Done(reading);
    };
    let ask = FetchBuilder { described, service, id, found: &found };
    let request = match ask.request(&fetch.url, fetch.headers.as_deref(), fetch.token) {
        Ok(Some(request)) => Request { one_shot: fetch.one_shot, ..request },
        Ok(None) => {
            let missing = format!("no result: {}", ask.missing(&fetch.url));
            why.say(|| missing.clone());
            return Next::Done(warned(reading, works.then_some(missing)));
        }
        Err(why) => return Next::Done(warned(Fetch::waiting(&reading), [format!("not fetched: {why}")])),
    };
    let (mut then, mut warnings) = (Vec::new(), Vec::new());
    for also in &place.also {
        match ask.request(&also.url, fetch.headers.as_deref(), also.token) {
            Ok(Some(request)) => then.push((Role::Also(also.name.clone()), request)),
            // Most jobs have no file of errors.
            Ok(None) => why.say(|| format!("the file `{}` is not asked for: {}", also.name, ask.missing(&also.url))),
            Err(refused) => warnings.push(format!("{}: {refused}", also.name)),
        }
    }
    let status = warned(reading, warnings);
    Next::Fetch(Box::new(Fetch { request, role: Role::Result, status, step, then }))
}

/// What the response to such a request means, and to who asks for it what decided it.
pub fn fetched(
    (described, service, id): (&Described, &Service, &str),
    fetch: &Fetch,
    response: &Response,
    why: &mut Why,
) -> Next {
    let code = response.status;
    let place = described.0.results.get(fetch.step);
    let Some((place, asked)) = place.and_then(|place| Some((place, place.fetch.as_ref()?))) else {
        return Next::Done(fetch.status.clone());
    };
    match &fetch.role {
        Role::Status | Role::Result => match of_result(place, asked, &fetch.status, response, why) {
            Some(reading) => Next::Done(reading),
            None if (200..300).contains(&code) => {
                let state = state_of(&fetch.status).unwrap_or(State::Unknown);
                why.say(|| format!("HTTP {code} holds the result: the job is {state}, as the status said"));
                let doubt = doubt(place, &response.body);
                if let (None, Some(at)) = (&doubt, place.lookup.pointer(place.at).filter(|at| !at.is_whole())) {
                    why.say(|| format!("the result stands at {at} in it"));
                }
                further(fetch, doubt)
            }
            None if (300..400).contains(&code) => {
                why.say(|| format!("HTTP {code} is a redirect: it is not followed"));
                Next::Done(refusal::result_redirected(&fetch.request.url, response))
            }
            None => {
                let reading = refused((described, service, id), fetch, response);
                why.say(|| format!("HTTP {code} is in none of again_on, fails_on and lost_on: {}", reading.read));
                Next::Done(reading)
            }
        },
        Role::Also(_) if asked.again_on.contains(&code) => {
            Next::Done(Reading::refused(PollOutcome::ServerError, format!("HTTP {code}: not there yet")))
        }
        Role::Also(_) if (200..300).contains(&code) => further(fetch, None),
        // Whoever asks decides whether it is asked for again.
        Role::Also(_) => Next::Done(refused((described, service, id), fetch, response)),
    }
}

fn refused((described, service, id): (&Described, &Service, &str), fetch: &Fetch, response: &Response) -> Reading {
    let path = || fetch.request.url.path().to_owned();
    let asked = Asked { endpoint: &service.endpoint, id, path: &path, nouns: described.nouns() };
    refusal::refused(&asked, response)
}

/// What a response comes to that is no result; None for the rest.
fn of_result(
    place: &ResultPlace,
    asked: &FetchPlace,
    status: &Reading,
    response: &Response,
    why: &mut Why,
) -> Option<Reading> {
    let code = response.status;
    if asked.again_on.contains(&code) {
        why.say(|| format!("HTTP {code} is in again_on: the result is not there yet, and is asked for again"));
        return Some(Fetch::waiting(status));
    }
    let found = asked.lookup.find(&response.body).unwrap_or_else(|_| FoundValues::nothing());
    let reason = |why: &mut Why| {
        let said = asked.reason.iter().find_map(|id| Some((*id, found.values(*id).find_map(reply::error_text)?)));
        let at = said.as_ref().and_then(|(id, _)| asked.lookup.pointer(*id));
        if let Some(at) = at {
            why.say(|| format!("the reason is at {at}"));
        }
        said.map(|(_, text)| text).or_else(|| refusal::said(response))
    };
    if let Some((_, when)) = asked.lost_on.iter().find(|(lost, when)| *lost == code && all_hold(when, &found)) {
        why.say(|| {
            let conditions: Vec<&str> = when.iter().map(Condition::as_str).collect();
            let conditions =
                if conditions.is_empty() { String::new() } else { format!(" ({})", conditions.join(", ")) };
            format!("HTTP {code} is in lost_on{conditions}: the result is gone")
        });
        let answer = Answer { verdict: Verdict::Acknowledged, fail_reason: reason(why), ..answer_of(status) };
        return Some(Reading::answered(answer));
    }
    if asked.fails_on.contains(&code) {
        why.say(|| format!("HTTP {code} is in fails_on: the job failed after all"));
        let verdict = Verdict::State(State::Failed);
        return Some(Reading::answered(Answer { verdict, fail_reason: reason(why), ..answer_of(status) }));
    }
    let at = place.lookup.pointer(place.at).filter(|at| !at.is_whole());
    let body = response.body.trim_ascii();
    let is_none = (200..300).contains(&code) && at.is_some() && (body.is_empty() || page::is_markup(body));
    is_none.then(|| {
        let what = if body.is_empty() { "nothing" } else { "a web page" };
        why.say(|| {
            let at = at.map(ToString::to_string).unwrap_or_default();
            format!("HTTP {code} with {what} is no result: [result] looks into it at {at}")
        });
        refusal::malformed(response)
    })
}

/// What is odd about a response that holds a result: nothing where it is to be, or an end that does not fit.
fn doubt(place: &ResultPlace, body: &Bytes) -> Option<String> {
    let at = place.lookup.pointer(place.at)?;
    let results::FoundResult { raw, output, .. } = results::taken(place, body);
    let text = body.trim_ascii();
    if at.is_whole() {
        // Without a length nobody else notices that it broke off.
        let is_json = |text: &[u8]| scan::document(text).is_ok();
        let last_line = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_cut = matches!(text.first(), Some(b'{' | b'[')) && !is_json(text) && !is_json(last_line);
        return match text {
            b"" => Some("the result is empty".to_owned()),
            b"null" => Some("the result is null".to_owned()),
            _ if is_cut => {
                Some("the result begins as JSON and does not end as it: it may have been cut off".to_owned())
            }
            _ => None,
        };
    }
    (output.is_none() && raw.is_none()).then(|| format!("no result: nothing stands at {at}"))
}

/// How a poll goes on without a further file; None where it was another response that did not come.
pub fn further_missed(fetch: &Fetch, why: &str) -> Option<Next> {
    let Role::Also(name) = &fetch.role else { return None };
    Some(further(fetch, Some(format!("the file `{name}` is not here: {why}"))))
}

/// How a poll ends where neither this file nor any behind it is asked for.
pub fn none_further(fetch: &Fetch, why: &str) -> Reading {
    let roles = std::iter::once(&fetch.role).chain(fetch.then.iter().map(|(role, _)| role));
    let names = roles.filter_map(|role| match role {
        Role::Also(name) => Some(format!("`{name}`")),
        Role::Status | Role::Result => None,
    });
    let missed = match names.collect::<Vec<_>>().as_slice() {
        [] => None,
        [one] => Some(format!("the file {one} is not here: {why}")),
        several => Some(format!("the files {} are not here: {why}", several.join(", "))),
    };
    warned(fetch.status.clone(), missed)
}

/// The next file, or the end of the poll.
fn further(fetch: &Fetch, missed: Option<String>) -> Next {
    let status = warned(fetch.status.clone(), missed);
    let mut then = fetch.then.clone();
    if then.is_empty() {
        return Next::Done(status);
    }
    let (role, request) = then.remove(0);
    Next::Fetch(Box::new(Fetch { request, role, status, step: fetch.step, then }))
}

fn answer_of(reading: &Reading) -> Answer {
    reading.answer.clone().unwrap_or_default()
}

fn state_of(reading: &Reading) -> Option<State> {
    if reading.read != PollOutcome::Answered {
        return None;
    }
    match reading.answer.as_ref()?.verdict {
        Verdict::State(state) => Some(state),
        Verdict::NoWord | Verdict::Acknowledged | Verdict::Expired => None,
    }
}

/// What leads to requests for a result.
struct FetchBuilder<'a> {
    described: &'a Described,
    service: &'a Service,
    id: &'a str,
    found: &'a FoundValues<'a>,
}

impl FetchBuilder<'_> {
    /// Which of an address's pointers finds nothing.
    fn misses(&self, url: &Template) -> Option<PointerId> {
        url.pointers().find(|id| self.found.standing(*id).and_then(reply::text).is_none())
    }

    /// The same as a sentence.
    fn missing(&self, url: &Template) -> String {
        let at = self.misses(url).and_then(|id| self.described.0.lookup.pointer(id));
        format!("nothing stands at {}", at.map(ToString::to_string).unwrap_or_default())
    }

    /// The request for an address. None where one of its pointers finds nothing.
    fn request(
        &self,
        url: &Template,
        headers: Option<&[(String, Template)]>,
        token: bool,
    ) -> Result<Option<Request>, AddressRefused> {
        let text = |id: PointerId| self.found.standing(id).and_then(reply::text);
        let home = self.described.request(self.service, self.id).url;
        let (url, own_query) = match url.only_pointer() {
            Some(id) => {
                let Some(whole) = text(id) else { return Ok(None) };
                let pointer = self.described.0.lookup.pointer(id).map(ToString::to_string).unwrap_or_default();
                let url = checked(&whole, &home).map_err(|why| AddressRefused { at: Some(pointer), why })?;
                (url, Vec::new())
            }
            None => match self.described.filled(url, self.service, self.id, &text) {
                Some((url, own_query)) => (url, own_query),
                None if self.misses(url).is_some() => return Ok(None),
                None => return Err(AddressRefused { at: None, why: BadAddress::Unreadable }),
            },
        };
        let same = same_origin(&url, &home);
        if !same {
            checked(url.as_str(), &home).map_err(|why| AddressRefused { at: None, why })?;
        }
        let headers = headers.unwrap_or(&self.described.0.status.headers);
        let headers = self.described.headers(headers, self.service, self.id);
        let may_go = |header: &Header| !header.is_secret() || (token && same);
        let headers = headers.into_iter().filter(may_go).collect();
        let named_by = (!same && !is_inside(&home)).then(|| home.host_str().unwrap_or_default().to_owned());
        Ok(Some(Request { method: Method::Get, url, headers, body: None, one_shot: false, own_query, named_by }))
    }
}

fn same_origin(one: &Url, other: &Url) -> bool {
    address::origin(one) == address::origin(other)
}

/// An address that is not asked: the pointer that led to it, if one did, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("the result's address{} {why}", at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default())]
struct AddressRefused {
    at: Option<String>,
    why: BadAddress,
}

#[derive(Debug, thiserror::Error)]
enum BadAddress {
    #[error("is relative: it must be whole")]
    Relative,
    #[error("cannot be read")]
    Unreadable,
    #[error("has the scheme {0}: only https is fetched")]
    Scheme(String),
    #[error("holds a user or a password")]
    Login,
    #[error("is a private, link-local or loopback one: it is not asked for a response of another host")]
    Inside,
    #[error("is plain http: only https is fetched from another host")]
    PlainHttp,
}

/// An address out of a response, if it may be asked: https (loopback excepted), no user, and no private, link-local or
/// loopback host unless the status URL has one itself.
fn checked(text: &str, home: &Url) -> Result<Url, BadAddress> {
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => return Err(BadAddress::Relative),
        Err(_) => return Err(BadAddress::Unreadable),
    };
    if !matches!(url.scheme(), "https" | "http") {
        return Err(BadAddress::Scheme(reply::capped(url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::Login);
    }
    if same_origin(&url, home) {
        return Ok(url);
    }
    if is_inside(&url) && !is_inside(home) {
        return Err(BadAddress::Inside);
    }
    if url.scheme() == "http" && !(is_loopback(&url) && is_loopback(home)) {
        return Err(BadAddress::PlainHttp);
    }
    Ok(url)
}

/// Whether a URL names a host of a network that the world cannot reach. What other names stand for is seen where they
/// are looked up.
fn is_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_inner(address.into()),
        Some(Host::Ipv6(address)) => is_inner(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            is_loopback(url)
                || !name.contains('.')
                || [".local", ".internal", ".home.arpa"].iter().any(|end| name.ends_with(end))
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_out_of_a_response_is_asked_only_where_it_may_be() {
        let cases = [
            ("https://api.example/x", "https://cdn.example/a?sig=1", true),
            ("https://api.example/x", "http://api.example/a", false),
            ("https://api.example/x", "http://cdn.example/a", false),
            ("https://api.example/x", "/files/1", false),
            ("https://api.example/x", "files/1", false),
            ("https://api.example/x", "//cdn.example/a", false),
            ("https://api.example/x", "file:///etc/passwd", false),
            ("https://api.example/x", "ftp://cdn.example/a", false),
            ("https://api.example/x", "data:text/plain,x", false),
            ("https://api.example/x", "https://user@cdn.example/a", false),
            ("https://api.example/x", "https://127.0.0.1/a", false),
            ("https://api.example/x", "https://2130706433/a", false),
            ("https://api.example/x", "https://[::1]/a", false),
            ("https://api.example/x", "https://[::ffff:10.0.0.1]/a", false),
            ("https://api.example/x", "https://10.1.2.3/a", false),
            ("https://api.example/x", "https://169.254.169.254/latest", false),
            ("https://api.example/x", "https://localhost/a", false),
            ("https://api.example/x", "https://a.localhost./a", false),
            ("https://api.example/x", "https://metadata.google.internal/a", false),
            ("https://api.example/x", "https://[fe80::1]/a", false),
            ("https://api.example/x", "https://[fd00::1]/a", false),
            ("https://api.example/x", "https://0.0.0.0/a", false),
            ("https://api.example/x", "https://[64:ff9b::7f00:1]/a", false),
            ("https://api.example/x", "https://[2002:a01:203::1]/a", false),
            ("https://api.example/x", "https://224.0.0.1/a", false),
            ("https://api.example/x", "https://[ff02::1]/a", false),
            ("https://api.example/x", "https://router/a", false),
            ("https://api.example/x", "https://nas.home.arpa./a", false),
            ("https://api.example/x", "https://[64:ff9b::808:808]/a", true),
            ("http://gateway:8080/x", "https://router/a", true),
            ("https://api.example/x", "", false),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:9090/a", true),
            ("http://127.0.0.1:8080/x", "https://10.0.0.1/a", true),
            ("http://127.0.0.1:8080/x", "http://cdn.example/a", false),
        ];
        for (home, text, may) in cases {
            let url = checked(text, &Url::parse(home).unwrap());
            assert_eq!(url.is_ok(), may, "{home} {text}: {url:?}");
        }
    }
}
