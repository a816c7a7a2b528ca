//! Where a service is: an address of the jobs file, or an Unstract deployment's URL in either of its forms.

use url::Url;

use super::field::{TomlField, TomlTable};
use crate::config::problems::{Problem, Problems};
use crate::domain::inner::is_loopback;

const UNSTRACT_EXAMPLE: &str = "\"https://us-central.unstract.com/deployment/api/<organization_id>/<api_name>/\"";
const HOST_EXAMPLE: &str = "\"https://host.example\"";

/// The base of an Unstract deployment: `url`, or `base_url` with `organization_id` and `api_name`. What is wrong with
/// it goes to `problems`.
pub fn deployment(service: &TomlTable<'_>, place: &str, problems: &mut Problems) -> Option<Url> {
    let insecure = service.is_insecure();
    let parts = ["base_url", "organization_id", "api_name"].map(|key| service.get(key));
    if let Some(field) = service.get("url") {
        for part in parts.into_iter().flatten() {
            let message = format!("`{}` beside `url` {place}", part.key);
            part.wrong_key(message, "`url` says it all: take one of the two out", problems);
        }
        return whole(&field, address(&field, UNSTRACT_EXAMPLE, insecure, problems)?, problems);
    }
    let [base_url, organization, api] = &parts;
    let (Some(base_url), Some(organization), Some(api)) = (base_url, organization, api) else {
        let missing: Vec<_> = ["`base_url`", "`organization_id`", "`api_name`"]
            .into_iter()
            .zip(&parts)
            .filter_map(|(name, part)| part.is_none().then_some(name))
            .collect();
        let message = match missing.len() {
            3 => format!("no `url` {place}"),
            _ => format!("no {} {place}", missing.join(" and no ")),
        };
        let help = format!(
            "write url = {UNSTRACT_EXAMPLE} as the web page shows it, or all of base_url, organization_id and api_name"
        );
        problems.add(Problem::at(service.span(), message).help(help).absence());
        for part in parts.iter().flatten() {
            let _ = part.word("\"…\"", problems);
        }
        return None;
    };
    let (organization, api) = (segment(organization, problems), segment(api, problems));
    let mut url = address(base_url, HOST_EXAMPLE, insecure, problems)?;
    if url.path().contains("/deployment/api") {
        base_url.wrong(
            "`base_url` holds the path of a deployment already",
            "write it as `url`, without organization_id and api_name",
            problems,
        );
        return None;
    }
    url.path_segments_mut().ok()?.pop_if_empty().extend(["deployment", "api", organization?, api?, ""]);
    Some(url)
}

/// A deployment's URL as the web page shows it.
fn whole(field: &TomlField<'_>, mut url: Url, problems: &mut Problems) -> Option<Url> {
    let segments: Vec<&str> = url.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    if !matches!(segments.as_slice(), [.., "deployment", "api", _, _]) {
        field.wrong(
            "`url` is no deployment's URL",
            format!("write it as the web page shows it: {UNSTRACT_EXAMPLE}"),
            problems,
        );
        return None;
    }
    if url.query_pairs().any(|(key, _)| key == "execution_id") {
        field.wrong("`url` holds an execution_id", "leave it out here and give it as a job's id", problems);
        return None;
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

/// One segment of a path.
fn segment<'a>(field: &TomlField<'a>, problems: &mut Problems) -> Option<&'a str> {
    let word = field.word("\"org_x\"", problems)?;
    if word.contains(['/', '\\', '?', '#']) || word == "." || word == ".." {
        let message = format!("`{}` is no single part of a path", field.key);
        field.wrong(message, "for a whole address write `url` instead", problems);
        return None;
    }
    Some(word)
}

/// The URL, also where something about it is refused: what else is wrong with the service and its jobs is reported as
/// well.
pub fn address(field: &TomlField<'_>, example: &str, insecure: bool, problems: &mut Problems) -> Option<Url> {
    let text = field.word(example, problems)?;
    let key = field.key;
    let mut refuse = |message: String, help: &str| {
        field.wrong(message, help.to_owned(), problems);
    };
    let mut url = match Url::parse(text) {
        Err(error) => {
            refuse(format!("`{key}` is no URL: {error}"), &format!("write it like {example}"));
            return None;
        }
        Ok(url) if !matches!(url.scheme(), "https" | "http") => {
            refuse(format!("`{key}` is no https URL"), &format!("write it like {example}"));
            return None;
        }
        Ok(url) => url,
    };
    if !url.username().is_empty() || url.password().is_some() {
        refuse(
            format!("`{key}` holds a user or a password"),
            "take what stands before the @ out: a secret is given by `token`",
        );
        // Neither can fail where there is a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    if url.scheme() == "http" && !insecure && !is_loopback(&url) {
        refuse(
            format!("`{key}` is plain http, which would show the token to the network"),
            "write https, or allow it with insecure = true",
        );
    }
    url.set_fragment(None);
    Some(url)
}
