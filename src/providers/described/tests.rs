//! Descriptions that are wrong, and descriptions that meet what they should not.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::domain::provider::ProviderRef;
use crate::domain::response::Headers;
use crate::tests::described::service;

const GOOD: &str = "[settings]\nbase = 'https://api.example/v1'\n[status]\nurl = '{base}/jobs/{id}'\nword = '/status'\n\
                    [states]\nrunning = ['working']\nsucceeded = ['done']\n";

fn read(text: &str) -> Result<Described, Vec<Fault>> {
    from_text(ProviderName::new("mine"), text, &Shipped, Secrets::Named(&[]))
}

fn asked(text: &str, id: &str) -> Request {
    let described = read(text).unwrap();
    let service = service(ProviderRef::new(described.clone()), described.settings(), None);
    described.request(&service, id)
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_was_meant() {
    let cases = [
        ("titel = 'x'\n", "unknown key `titel`", "did you mean `title`?"),
        ("[states]\nsuceeded = ['done']\n", "`suceeded` is none of our states", "did you mean `succeeded`?"),
        ("[status]\nurl = '{bse}/x/{id}'\nword = '/s'\n", "`{bse}` names nothing", "did you mean `{base}`?"),
        ("[status]\nurl = '{base}/{/x}'\nword = '/s'\n", "no response before it", "[result]"),
        ("[status]\nurl = '{base}/x/{id}?key={token}'\nword = '/s'\n", "holds a secret", "header"),
        ("[status]\nurl = '/jobs/{id}'\nword = '/s'\n", "is no address", "{base}"),
        ("[status]\nurl = '{base}/{id'\nword = '/s'\n", "without its `}`", "{name}"),
        ("[status]\nurl = '{base}/{id}'\nword = 'status'\n", "is no pointer", "did you mean `/status`?"),
        ("[status]\nurl = '{base}/{id}'\nword = '/a~2'\n", "is no pointer", "~0"),
        ("[status]\nurl = '{base}/{id}'\nword = 7\n", "must be a string or an array of strings", "providers"),
        ("[status]\nurl = '{base}/{id}'\nmethod = 'POST'\nword = '/s'\n", "may submit", "reads_only = true"),
        ("[status]\nurl = '{base}/{id}'\nbody = {a = 1}\nword = '/s'\n", "a GET has no body", "POST"),
        ("[status]\nurl = '{base}/{id}'\nprogress = {at = '/p', scale = 0}\nword = '/s'\n", "above zero", "scale"),
        ("[status]\nurl = '{base}/{id}'\nprogress = {at = '/p', pattern = 'x%'}\nword = '/s'\n", "has no group", "("),
        ("[status]\nurl = '{base}/{id}'\nprogress = {at = '/p', pattern = '('}\nword = '/s'\n", "regular", "regex"),
        ("[[rules]]\nwhen = ['/a >']\nstate = 'failed'\n", "is no condition", "literal"),
        ("[[rules]]\nwhen = ['/a']\n", "a rule without `state`", "succeeded"),
        ("[codes]\n4040 = 'lost'\n", "no HTTP code", "404"),
        ("[result]\nstates = ['running']\nat = ''\n", "running is not the end", "over"),
        ("[result]\ntoken = false\nat = '/x'\n", "`token` without `url`", "url"),
        ("[result]\nstates = ['failed']\n", "neither `at` nor `url`", "at ="),
        ("[result]\nurl = '{base}/r'\nlost_on = [{when = ['/m']}]\n", "no `code` in lost_on", "code = 400"),
        (
            "[[result]]\nurl = '{base}/r'\n[[result.also]]\nname = '../x'\nurl = '{base}/e'\n",
            "no name of a file",
            "letters",
        ),
        ("keeps = 'soon'\n", "no duration", "30m"),
        ("rate = '0/s'\n", "no rate", "400/min"),
        ("like = 'replicat'\n", "no provider \"replicat\"", "did you mean \"replicate\"?"),
        ("like = 'mine'\n", "a circle", "by itself"),
    ];
    for (more, message, help) in cases {
        // What is given in a case stands for what the good one has of it.
        let tables = more.contains("[status]");
        let rest = "[settings]\nbase = 'https://api.example/v1'\n";
        let status = "[status]\nurl = '{base}/jobs/{id}'\nword = '/status'\n";
        let top = more.split('[').next().unwrap_or_default();
        let below = more.strip_prefix(top).unwrap_or_default();
        let text = format!("{top}{rest}{}{below}", if tables { "" } else { status });
        let faults = read(&text).err().unwrap_or_default();
        let found = faults.iter().any(|fault| fault.message.contains(message) && fault.help.contains(help));
        assert!(found, "{text}\n{faults:#?}");
        assert!(faults.iter().all(|fault| fault.span.as_ref().is_none_or(|span| span.end <= text.len())), "{text}");
    }
    let many = read("titel = 'x'\nkeeps = 'soon'\n[states]\nfoo = ['a']\n").unwrap_err();
    assert!(many.len() >= 4, "{many:#?}");
    assert!(read(GOOD).is_ok());
}

#[test]
fn like_begins_as_a_copy_tables_are_merged_and_lists_replaced() {
    let text = "like = 'openai-batch'\n[settings]\nbase = 'https://proxy.example/v1'\n[states]\nqueued = ['parked']\n";
    let described = read(text).unwrap();
    let request = asked(text, "b1");
    assert_eq!(request.url.as_str(), "https://proxy.example/v1/batches/b1");
    assert!(described.0.words.state("validating").is_none() && described.0.words.state("parked").is_some());
    assert!(described.0.words.state("completed").is_some());
    // What is kept with a job stands by itself.
    let kept = described.description().unwrap();
    assert!(!kept.contains("like"));
    assert_eq!(read(kept).unwrap().0.text, kept);
}

#[test]
fn an_id_stays_one_segment_or_one_value_whatever_it_holds() {
    let by_query = GOOD.replace("/jobs/{id}", "/job?id={id}&v=2");
    for id in ["a/b", "..", ".", "a?b#c", "%2e%2e", "a b", "a|b", "ä", "{id}", "{token}", "a&v=3", "//x.example"] {
        let path = asked(GOOD, id).url;
        assert_eq!((path.host_str(), path.path_segments().unwrap().count()), (Some("api.example"), 3), "{id}: {path}");
        assert_eq!((path.query(), path.fragment()), (None, None), "{id}");
        let query = asked(&by_query, id).url;
        assert_eq!(query.path(), "/v1/job", "{id}");
        assert_eq!(query.query_pairs().count(), 2, "{id}: {query}");
    }
    let slashes = GOOD.replace("{id}", "{+id}");
    assert_eq!(asked(&slashes, "a/b").url.path(), "/v1/jobs/a/b");
    assert!(asked(&slashes, "../../x").url.path().starts_with("/v1/jobs/"));
}

#[test]
fn an_address_as_it_was_given_names_its_job() {
    let described = read(GOOD).unwrap();
    let service = service(ProviderRef::new(described.clone()), described.settings(), None);
    for text in ["j 1", "j%201x"] {
        assert_eq!(described.id_from(&service, text).unwrap(), text);
    }
    for text in ["https://api.example/v1/jobs/j-1", "/v1/jobs/j-1", "https://api.example/v1/jobs/j-1/"] {
        assert_eq!(described.id_from(&service, text).unwrap(), "j-1", "{text}");
    }
    for text in ["https://other.example/v1/jobs/j-1", "/v1/others/j-1", "/v1/jobs/a/b", "https://api.example/v1/jobs/"]
    {
        assert!(described.id_from(&service, text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_description_panic(text in "\\PC{0,60}|(\\[(status|states|rules|result)\\]\n([a-z]{1,6} = ('[/{}a-z*]{0,9}'|[0-9]{1,3}|\\[\\])\n){0,4}){0,3}") {
        let _ = read(&text);
    }

    #[test]
    fn no_response_makes_a_description_panic(
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
        json in "\\{(\"(status|result|items|logs)\":(\"[a-zA-Z]{0,9}\"|[0-9.eE-]{1,5}|null|\\[\\]|\\{\\}),?){0,4}\\}",
        status in 100..600u16,
        nth in 0..34usize,
    ) {
        let name = shipped_names().nth(nth).unwrap();
        let described = shipped(ProviderName::new(name)).unwrap();
        let given: BTreeMap<String, String> = described.settings().iter().cloned().collect();
        let base = if given["base"].is_empty() { Some("https://api.example") } else { None };
        let service = service(ProviderRef::new(described.clone()), described.settings(), base);
        for body in [Bytes::from(body.clone()), Bytes::from(json.clone())] {
            let response = Response { status, headers: Headers::default(), body: body.clone(), broken: None, at: jiff::Timestamp::UNIX_EPOCH };
            let next = described.read(&service, "x", &response);
            if let Next::Fetch(fetch) = next {
                let _ = described.fetched(&service, "x", &fetch, &response);
            }
            let _ = [Part::Status, Part::Result].map(|part| described.extract(&Source { part, http_status: status }, &body));
        }
    }
}
