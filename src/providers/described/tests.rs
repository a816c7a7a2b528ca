//! Descriptions that are wrong, and descriptions that meet what they should not.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::domain::observation::Role;
use crate::domain::provider::ProviderRef;
use crate::domain::response::Headers;
use crate::tests::described::service;

const GOOD: &str = "[settings]\nbase = 'https://api.example/v1'\n[status]\nurl = '{base}/jobs/{id}'\nword = '/status'\n\
                    [states]\nrunning = ['working']\nsucceeded = ['done']\n";

fn read(text: &str) -> Result<Described, Vec<DescriptionFault>> {
    from_text(ProviderName::new("mine"), text, &Shipped, KnownSecrets::Named(&[]))
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
        ("[status]\nurl = '/jobs/{id}'\nword = '/s'\n", "is no address", "write url = \"{base}/jobs/{id}\""),
        ("[status]\nurl = '{base}{id}'\nword = '/s'\n", "no `/` before", "{base}/{id}"),
        ("[status]\nurl = 'https://{id}.example/x'\nword = '/s'\n", "no `/` before", "{base}/{id}"),
        ("[result]\nurl = '{base}{/link}'\n", "no `/` before", "{/…} alone"),
        ("[status]\nurl = 'api.example/{id}'\nword = '/s'\n", "is no address", "begin it with {base} or https://"),
        ("[result]\nurl = '/files/{/f}'\n", "is no address", "write url = \"{base}/files/{/f}\""),
        ("[status]\nurl = '{base}/{id'\nword = '/s'\n", "without its `}`", "{name}"),
        ("[status]\nurl = '{base}/{id}'\nword = 'status'\n", "is no pointer", "did you mean `/status`?"),
        ("[status]\nurl = '{base}/{id}'\nword = '/a~2'\n", "is no pointer", "~0"),
        (
            "[status]\nurl = '{base}/{id}'\nword = 7\n",
            "must be a string or an array of strings",
            "write word = [\"…\"]",
        ),
        ("[status]\nurl = 7\nword = '/s'\n", "must be a string", "write url = \"…\""),
        ("[status]\nurl = '{base}/{id}'\none_shot = 'no'\nword = '/s'\n", "must be true or false", "one_shot = true"),
        ("[result]\nurl = '{base}/r'\nagain_on = '202'\n", "must be an array of HTTP codes", "again_on = [404]"),
        ("[result]\nurl = '{base}/r'\nlost_on = [404]\n", "holds a whole number", "write lost_on = [{ code = 404 }]"),
        ("[result]\nurl = '{base}/r'\nlost_on = 410\n", "not a whole number", "write lost_on = [{ code = 410 }]"),
        ("rules = 'done'\n", "not a string", "when = ["),
        ("[result]\nurl = '{base}/r'\nalso = ['{/errors}']\n", "holds a string", "name = \"errors\""),
        ("paths = 'x'\n", "must be a table", "write paths = { … }"),
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
        (
            "[result]\nurl = '{base}/r'\n[[result.also]]\nname = 'e'\nurl = '{base}/e'\n\
             [[result.also]]\nname = 'E'\nurl = '{base}/f'\n",
            "a second file is called `E`",
            "of its own",
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

/// Every key of the language, as it may be written.
const WHOLE: &str = r#"title = "A"
docs = "https://a.example"
checked = "2026-11"
token_env = "A"
keeps = "1h"
interval = "5s"
rate = "20/s"
nouns = ["task", "tasks"]
endpoint = "base"
[settings]
base = "https://api.example/v1"
model = ""
[examples]
model = "a-1"
[status]
id = ["/id"]
rejected = ["/success = false"]
warning = ["/warning"]
service_code = "/code"
method = "POST"
reads_only = true
url = "{base}/jobs/{id}"
headers = { Authorization = "Bearer {token}", X-Model = "{model}" }
body = { id = "{id}", n = 1, f = true, l = ["{model}", 2.5] }
word = ["/status"]
strip = "JOB_"
progress = { at = "/p", scale = 100, pattern = '(\d+)%', states = ["running"] }
reason = ["/e/*/m"]
error_code = ["/e/*/c"]
cost = "/cost"
items = { total = "/t", succeeded = "/s", failed = "/f", when = "/status = done" }
item_list = { at = "/l", name = "/n", failed = "/ok = false", reason = "/r", output = "/o", cost = "/c" }
times = { created = "/a", started = "/b", finished = "/c", expires = "/d", expected = ["/e"] }
one_shot = false
[states]
running = ["working"]
succeeded = ["done"]
[[rules]]
when = ["/status = done", "/x"]
state = "partial"
[codes]
404 = "lost"
[result]
when = ["/x"]
at = "/o"
raw = "/raw"
decode = "json"
url = "{base}/r/{/x}"
headers = { Accept = "text/csv" }
token = false
states = ["succeeded"]
one_shot = true
again_on = [202]
fails_on = [422]
reason = ["/detail"]
lost_on = [{ code = 400, when = ["/m = gone"] }]
[[result.also]]
name = "errors"
url = "{base}/e"
token = true
[paths]
web = "https://a.example/{id}"
ids = ["{base}/job/{id}"]
"#;

/// Each text in which one key of the whole is otherwise, and the key: by its path, `change` changes it.
fn otherwise(change: &dyn Fn(&mut toml::Table, &str) -> bool) -> Vec<(String, String)> {
    fn tables(
        value: &mut toml::Value,
        path: &str,
        at: &mut usize,
        nth: usize,
        change: &mut dyn FnMut(&mut toml::Table, &str, usize),
    ) {
        match value {
            toml::Value::Table(table) => {
                for key in table.keys().cloned().collect::<Vec<_>>() {
                    if *at == nth {
                        return change(table, &key, nth);
                    }
                    *at += 1;
                    if let Some(inner) = table.get_mut(&key) {
                        tables(inner, &format!("{path}/{key}"), at, nth, change);
                    }
                }
            }
            toml::Value::Array(list) => list.iter_mut().for_each(|value| tables(value, path, at, nth, change)),
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => {}
        }
    }
    let mut found = Vec::new();
    for nth in 0.. {
        let mut whole = toml::Value::Table(toml::from_str(WHOLE).unwrap());
        let (mut at, mut changed) = (0, None);
        tables(&mut whole, "", &mut at, nth, &mut |table, key, here| {
            if here == nth && changed.is_none() {
                changed = Some(change(table, key).then(|| key.to_owned()));
            }
        });
        match changed {
            None => return found,
            Some(None) => {}
            Some(Some(key)) => found.push((toml::to_string(&whole).unwrap(), key)),
        }
    }
    found
}

/// Keys whose table takes any key, or whose value may be of any kind.
const FREE: &[&str] =
    &["base", "model", "Authorization", "X-Model", "Accept", "id", "n", "f", "l", "404", "running", "succeeded"];

#[test]
fn every_key_of_a_wrong_kind_is_told_by_its_name() {
    assert!(read(WHOLE).is_ok(), "{:#?}", read(WHOLE).err());
    let wrong = toml::Value::Datetime("2026-11-27".parse().unwrap());
    let cases = otherwise(&|table, key| {
        table.insert(key.to_owned(), wrong.clone());
        // A date may stand for a text nowhere; in a body it is told as what it is.
        true
    });
    assert!(cases.len() > 60, "{}", cases.len());
    for (text, key) in cases {
        let faults = read(&text).err().unwrap_or_else(|| panic!("`{key}` may be a date\n{text}"));
        let told =
            faults.iter().any(|fault| fault.message.contains(&key) || fault.message.contains("JSON has no dates"));
        assert!(told, "{key}: {faults:#?}");
        assert!(faults.iter().all(|fault| !fault.help.is_empty() && fault.span.is_some()), "{key}: {faults:#?}");
    }
}

#[test]
fn every_misspelt_key_is_told_with_what_was_meant_wherever_it_stands() {
    let cases = otherwise(&|table, key| {
        if FREE.contains(&key) || key.len() < 3 {
            return false;
        }
        let value = table.remove(key).unwrap();
        let mut misspelt = key.to_owned();
        let last = misspelt.pop().unwrap();
        misspelt.extend([last, last]);
        table.insert(misspelt, value);
        true
    });
    assert!(cases.len() > 50, "{}", cases.len());
    for (text, key) in cases {
        let faults = read(&text).err().unwrap_or_else(|| panic!("`{key}` may be misspelt\n{text}"));
        let meant = format!("did you mean `{key}`?");
        assert!(faults.iter().any(|fault| fault.help == meant), "{key}: {faults:#?}");
    }
}

#[test]
fn every_key_that_must_stand_is_missed_and_every_other_may_be_left_out() {
    let needed = ["url", "state", "when", "code", "name", "at"];
    let cases = otherwise(&|table, key| table.remove(key).is_some());
    for (text, key) in cases {
        let Err(faults) = read(&text) else { continue };
        let because = match key.as_str() {
            "status" => "there is no [status]",
            "settings" | "base" | "model" => "names nothing",
            "reads_only" => "may submit",
            "method" => "a GET has no body",
            _ => {
                assert!(needed.contains(&key.as_str()), "{key} is needed: {faults:#?}");
                key.as_str()
            }
        };
        assert!(faults.iter().any(|fault| fault.message.contains(because)), "{key}: {faults:#?}");
    }
}

#[test]
fn like_begins_as_a_copy_tables_are_merged_and_lists_replaced() {
    let text = "like = 'openai-batch'\n[settings]\nbase = 'https://proxy.example/v1'\n[states]\nqueued = ['parked']\n";
    let described = read(text).unwrap();
    let request = asked(text, "b1");
    assert_eq!(request.url.as_str(), "https://proxy.example/v1/batches/b1");
    assert!(described.0.words.state("validating").is_none() && described.0.words.state("parked").is_some());
    assert!(described.0.words.state("completed").is_some());
    // What is kept with a job is complete without its description.
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

#[test]
fn a_result_that_is_doubtful_is_warned_of_and_what_is_no_doubt_is_not() {
    // Where the result is, the responses to status and result, and what is said.
    let cases = [
        ("at = '/out'", r#"{"status":"done","out":"x"}"#, None, None),
        ("at = '/out'", r#"{"status":"done","out":0}"#, None, None),
        ("at = '/out'", r#"{"status":"done"}"#, None, None),
        ("at = '/out'", r#"{"status":"done","out":null}"#, None, None),
        ("at = '/out'", r#"{"status":"working"}"#, None, None),
        ("at = '/out'\nstates = ['failed']", r#"{"status":"broken"}"#, None, None),
        ("url = '{/link}'", r#"{"status":"done"}"#, None, Some("no result: nothing stands at /link")),
        ("url = '{base}/{/a}/{/b}'", r#"{"status":"done","a":1}"#, None, Some("no result: nothing stands at /b")),
        ("url = '{/link}'\nstates = ['failed']", r#"{"status":"broken"}"#, None, None),
        ("url = '{base}/r'\nat = '/x'", r#"{"status":"done"}"#, Some("{}"), Some("no result: nothing stands at /x")),
        ("url = '{base}/r'\nat = '/x'", r#"{"status":"done"}"#, Some("null"), Some("no result: nothing stands at /x")),
        ("url = '{base}/r'\nat = '/x'", r#"{"status":"done"}"#, Some(r#"{"x":[]}"#), None),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some(""), Some("the result is empty")),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some(" \n"), Some("the result is empty")),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some("null"), Some("the result is null")),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some(r#"{"a": [1, 2"#), Some("may have been cut off")),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some("[{\"a\": 1},"), Some("may have been cut off")),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some("{\"a\":1}\n{\"a\":"), Some("may have been cut off")),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some("{\"a\":1}\n{\"a\":2}\n"), None),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some("a text, {and} more"), None),
        ("url = '{base}/r'", r#"{"status":"done"}"#, Some("[]"), None),
    ];
    for (place, status, result, warning) in cases {
        let text = format!("{GOOD}failed = ['broken']\n[result]\n{place}\n");
        let described = read(&text).unwrap();
        let service = service(ProviderRef::new(described.clone()), described.settings(), None);
        let response = |body: &'static str| {
            let (headers, body) = (Headers::default(), Bytes::from_static(body.as_bytes()));
            Response { status: 200, headers, body, broken: None, at: jiff::Timestamp::UNIX_EPOCH }
        };
        let reading = match (described.read(&service, "x", &response(status)), result) {
            (Next::Done(reading), None) => reading,
            (Next::Fetch(fetch), Some(result)) => match described.fetched(&service, "x", &fetch, &response(result)) {
                Next::Done(reading) => reading,
                Next::Fetch(_) => panic!("{text}"),
            },
            other => panic!("{text}\n{other:?}"),
        };
        let said = reading.answer.and_then(|answer| answer.warning);
        let fits = match (&said, warning) {
            (Some(said), Some(warning)) => said.contains(warning),
            (said, warning) => said.is_none() && warning.is_none(),
        };
        assert!(fits, "{place}\n{status}\n{result:?}\n{said:?}, not {warning:?}");
    }
}

fn said_of(text: &str, body: &'static str) -> (Next, Vec<String>) {
    let described = read(text).unwrap();
    let service = service(ProviderRef::new(described.clone()), described.settings(), None);
    let (headers, body) = (Headers::default(), Bytes::from_static(body.as_bytes()));
    let response = Response { status: 200, headers, body, broken: None, at: jiff::Timestamp::UNIX_EPOCH };
    described.explain(&service, "x", &response)
}

#[test]
fn a_success_whose_items_do_not_add_up_is_warned_of() {
    let all = "items = { total = '/n/total', succeeded = '/n/ok', failed = '/n/bad' }";
    let cases = [
        (all, r#"{"status":"done","n":{"total":10,"ok":10,"bad":0}}"#, None),
        (all, r#"{"status":"done","n":{"total":10,"ok":10}}"#, None),
        (all, r#"{"status":"done","n":{"ok":10,"bad":0}}"#, None),
        (all, r#"{"status":"done"}"#, None),
        (all, r#"{"status":"working","n":{"total":10,"ok":1,"bad":0}}"#, None),
        (all, r#"{"status":"done","n":{"total":10,"ok":8,"bad":0}}"#, Some("2 of 10 items neither succeeded")),
        (
            all,
            r#"{"status":"done","n":{"total":10,"ok":0,"fail":10}}"#,
            Some("nothing stands at /n/bad (items.failed)"),
        ),
        (all, r#"{"status":"done","n":{"total":10,"ok":8,"fail":2}}"#, Some("8 of 10 items are counted")),
        (all, r#"{"status":"done","n":{"total":10,"good":8,"bad":0}}"#, Some("/n/ok (items.succeeded)")),
        ("items = { total = '/n', failed = '/bad' }", r#"{"status":"done","n":10,"bad":0}"#, None),
        ("items = { total = '/n', succeeded = '/ok' }", r#"{"status":"done","n":3,"ok":2}"#, Some("1 of 3 items")),
    ];
    for (items, body, warning) in cases {
        let text = GOOD.replace("word =", &format!("{items}\nword ="));
        let (Next::Done(reading), _) = said_of(&text, body) else { panic!("{body}") };
        let said = reading.answer.and_then(|answer| answer.warning);
        let fits = said.as_deref().map(|said| warning.is_some_and(|warning| said.contains(warning)));
        assert_eq!(fits, warning.map(|_| true), "{items} {body}: {said:?}");
    }
}

#[test]
fn a_pointer_that_finds_nothing_is_said_to_who_asks() {
    let cases = [
        ("id = '/no'", r#"{"status":"done"}"#, "nothing stands at /no (id)"),
        ("reason = ['/no', '/nor']", r#"{"status":"broken"}"#, "nothing stands at /no, /nor (reason)"),
        ("progress = '/no'", r#"{"status":"working"}"#, "nothing stands at /no (progress)"),
        ("times = { finished = '/no' }", r#"{"status":"done"}"#, "nothing stands at /no (times.finished)"),
        (
            "items = { total = '/n', failed = '/no' }",
            r#"{"status":"done","n":1}"#,
            "nothing stands at /no (items.failed)",
        ),
    ];
    for (key, body, wanted) in cases {
        let text = format!("{}failed = ['broken']\n", GOOD.replace("word =", &format!("{key}\nword =")));
        let (_, why) = said_of(&text, body);
        assert!(why.iter().any(|said| said == wanted), "{key}: {why:#?}");
    }
}

#[test]
fn a_success_whose_progress_is_one_is_done_whatever_it_is_measured_in() {
    let cases = [
        (r#"{"status":"working","p":0.99}"#, 99.0),
        (r#"{"status":"working","p":1}"#, 1.0),
        (r#"{"status":"done","p":1}"#, 100.0),
        (r#"{"status":"done","p":"1.0"}"#, 100.0),
        (r#"{"status":"done","p":"1 %"}"#, 1.0),
        (r#"{"status":"done","p":100}"#, 100.0),
    ];
    for (body, percent) in cases {
        let (Next::Done(reading), _) = said_of(&GOOD.replace("word =", "progress = '/p'\nword ="), body) else {
            panic!()
        };
        assert_eq!(reading.answer.and_then(|answer| answer.progress), Some(percent), "{body}");
    }
}

#[test]
fn a_result_whose_address_cannot_be_read_is_waited_for() {
    for one_shot in [true, false] {
        for (url, body) in [
            ("{/link}", r#"{"status":"done","link":"results/1"}"#),
            ("{/link}", r#"{"status":"done","link":"https://"}"#),
        ] {
            let text = format!("{GOOD}[result]\nurl = '{url}'\none_shot = {one_shot}\n");
            let (Next::Done(reading), _) = said_of(&text, body) else { panic!("{url}") };
            let answer = reading.answer.unwrap();
            assert_eq!(answer.verdict, crate::domain::reading::Verdict::State(crate::domain::state::State::Running));
            assert!(answer.warning.is_some_and(|said| said.starts_with("not fetched: ")), "{url}");
        }
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
            let _ = [Role::Status, Role::Result].map(|role| described.extract(&BodySource { role, http_status: status }, &body));
        }
    }
}
