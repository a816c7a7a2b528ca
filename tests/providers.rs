//! Descriptions of providers from outside: the documented replies over the wire, mistakes in descriptions, and services
//! that answer what they should not.
#![cfg(test)] // Helpers of tests are tests to the lints too.

#[path = "support/documented.rs"]
mod documented;
#[expect(dead_code, reason = "other suites need more of it")]
mod support;

use serde_json::Value;
use support::script::{Fault, Received, Scripted};
use support::{Bench, TOKEN, TOKEN_VARIABLE};

use documented::{Documented, SETTINGS, documented};

/// A documented reply, played by servers of the test's own: what is of the service's host, and what is of another.
struct Played<'a> {
    documented: &'a Documented,
    key: String,
    /// The file, its addresses those of the servers.
    json: Value,
    settings: String,
    elsewhere: String,
}

impl<'a> Played<'a> {
    fn new(documented: &'a Documented, nth: usize, home: &Bench, elsewhere: &Bench) -> Self {
        let key = format!("case-{nth:03}");
        let provider = documented.provider.as_str();
        let shipped = shipped_settings(provider);
        let given = |setting: &str| {
            let own = SETTINGS.iter().find(|(name, known, _)| *name == provider && *known == setting);
            own.map(|(_, _, value)| (*value).to_owned())
        };
        let default = shipped["base"].as_str().unwrap().to_owned();
        let base = url::Url::parse(&given("base").unwrap_or(default)).unwrap();
        let origin = base.origin().ascii_serialization();
        let (here, there) = (home.script.url(&format!("/{key}")), elsewhere.script.url(&format!("/{key}")));
        let mut json = documented.json.clone();
        // Pages and prices are not asked.
        for part in ["page", "read", "note"] {
            json.as_object_mut().unwrap().remove(part);
        }
        let json = json.to_string().replace(&origin, &here).replace("https://", &format!("{there}/"));
        let mut settings = format!("base = \"{}\"\n", base.as_str().trim_end_matches('/').replace(&origin, &here));
        for setting in shipped.keys().filter(|setting| *setting != "base") {
            settings.extend(given(setting).map(|value| format!("{setting} = \"{value}\"\n")));
        }
        Self { documented, key, json: serde_json::from_str(&json).unwrap(), settings, elsewhere: there }
    }

    fn id(&self) -> &str {
        let request = &self.json["request"];
        request["body"]["request_id"].as_str().or(request["url"].as_str()).unwrap()
    }

    /// The address of the result, if it has one of its own.
    fn result(&self) -> Option<&str> {
        self.json["means"]["output"].as_str()?.strip_prefix("GET ")
    }

    fn replies(&self) -> Vec<Scripted> {
        let reply = |reply: &Value| {
            let status = reply["status"].as_u64().unwrap().try_into().unwrap();
            Scripted::json(status, reply["body"].to_string())
        };
        let then = &self.json["then"]["reply"];
        let second = if then.is_null() { Scripted::json(200, r#"{"of":"the test"}"#) } else { reply(then) };
        vec![reply(&self.json["reply"]), second]
    }

    /// What of a request is otherwise than documented.
    fn wrong_with(&self, asked: &Received, documented: &Value) -> Vec<String> {
        let url = url::Url::parse(documented["url"].as_str().unwrap()).unwrap();
        let target = &url[url::Position::BeforePath..];
        let line = format!("{} {target} HTTP/1.1", documented["method"].as_str().unwrap());
        let mut wrong = Vec::new();
        if asked.line != line {
            wrong.push(format!("{}: asked {:?} and not {line:?}", self.documented.name, asked.line));
        }
        for (name, value) in documented["headers"].as_object().into_iter().flatten() {
            let expected = value.as_str().unwrap().replace("TOKEN", TOKEN);
            if asked.header(&name.to_ascii_lowercase()) != Some(&expected) {
                wrong.push(format!("{}: {name} is {:?}", self.documented.name, asked.header(name)));
            }
        }
        let body = if asked.body.is_empty() { Value::Null } else { serde_json::from_slice(&asked.body).unwrap() };
        if body != documented["body"] {
            wrong.push(format!("{}: sent {body}", self.documented.name));
        }
        wrong
    }

    /// What was asked otherwise than documented.
    fn wrong_requests(&self, home: &Bench, elsewhere: &Bench) -> Vec<String> {
        let (asked, outside) = (home.script.received(&self.key), elsewhere.script.received(&self.key));
        let mut wrong = asked.first().map_or(vec![format!("{}: not asked", self.documented.name)], |first| {
            self.wrong_with(first, &self.json["request"])
        });
        let second: Vec<&Received> = asked.iter().skip(1).chain(&outside).collect();
        match (self.result(), second.as_slice()) {
            (None, []) => {}
            (Some(url), [second, errors @ ..]) => {
                let documented = &self.json["then"]["request"];
                let plain = serde_json::json!({"method": "GET", "url": url, "body": null});
                let documented = if documented.is_null() { &plain } else { documented };
                wrong.extend(self.wrong_with(second, documented));
                // A file of errors stands beside the results of some batches.
                let file = self.json["reply"]["body"]["error_file_id"].as_str().unwrap_or("no file of errors");
                if errors.len() > 1 || errors.iter().any(|asked| !asked.line.contains(file)) {
                    wrong.push(format!("{}: asked for more: {errors:?}", self.documented.name));
                }
                let has_token = second.headers.iter().any(|(_, value)| value.contains(TOKEN));
                if url.starts_with(&self.elsewhere) && has_token {
                    wrong.push(format!("{}: the token went to another host", self.documented.name));
                }
            }
            (result, second) => {
                wrong.push(format!("{}: asked {} more times for {result:?}", self.documented.name, second.len()));
            }
        }
        wrong
    }

    /// What the job came to otherwise than it means.
    fn wrong_state(&self, line: &Value) -> Vec<String> {
        let (means, then) = (&self.json["means"], &self.json["then"]);
        let later = |key: &str| if then[key].is_null() { &means[key] } else { &then[key] };
        let rounded = |value: &Value| value.as_f64().map(|percent| format!("{percent:.1}"));
        let mut wrong = Vec::new();
        for (what, expected, found) in [
            ("state", later("state").to_string(), line["state"].to_string()),
            ("reason", later("reason").to_string(), line["fail_reason"].to_string()),
            ("progress", format!("{:?}", rounded(&means["progress"])), format!("{:?}", rounded(&line["progress"]))),
        ] {
            if expected != found {
                wrong.push(format!("{}: {what} {expected}, found {found}", self.documented.name));
            }
        }
        wrong
    }

    /// The output as documented, where the documented replies hold it.
    fn output(&self) -> Option<&Value> {
        match (self.result(), self.json["then"]["output"].as_str()) {
            (Some(_), Some(pointer)) => self.json["then"]["reply"]["body"].pointer(pointer),
            (Some(_), None) => None,
            (None, _) => self.json["reply"]["body"].pointer(self.json["means"]["output"].as_str()?),
        }
    }
}

/// The settings of a shipped description, those that it has from another one included.
fn shipped_settings(provider: &str) -> toml::Table {
    let text = std::fs::read_to_string(format!("assets/providers/{provider}.toml")).unwrap();
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    let mut settings = table.get("like").and_then(|like| like.as_str()).map(shipped_settings).unwrap_or_default();
    settings.extend(table.remove("settings").and_then(|own| own.as_table().cloned()).unwrap_or_default());
    settings
}

#[test]
fn every_documented_reply_is_asked_for_and_read_as_it_means_over_the_wire() {
    let (mut bench, elsewhere) = (Bench::new(), Bench::new());
    let documented = documented();
    let played: Vec<Played<'_>> =
        documented.iter().enumerate().map(|(nth, one)| Played::new(one, nth, &bench, &elsewhere)).collect();
    for played in &played {
        let text = format!(
            "provider = \"{}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\n{}",
            played.documented.provider, played.settings
        );
        elsewhere.script.on(&played.key, [Scripted::json(200, r#"{"of":"another host"}"#)]);
        bench.script.on(&played.key, played.replies());
        bench = bench.service(&played.key, &text).declared(&played.key, played.id(), "");
    }
    let once = bench.run(&["once", "--format", "jsonl"]);
    let exported = bench.run(&["export", "--all", "--format", "jsonl", "out"]).with(0);
    let outputs: Vec<Value> = std::fs::read_dir(bench.home().join("out"))
        .unwrap_or_else(|_| panic!("{exported:?}"))
        .flat_map(|file| {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        })
        .collect();
    let mut wrong = Vec::new();
    for played in &played {
        let of = |line: &&Value| line["service"] == played.key.as_str();
        let lines = once.lines();
        let Some(line) = lines.iter().find(of) else {
            wrong.push(format!("{}: no line: {}", played.documented.name, once.err));
            continue;
        };
        wrong.extend(played.wrong_requests(&bench, &elsewhere));
        wrong.extend(played.wrong_state(line));
        if let Some(expected) = played.output() {
            let found = outputs.iter().find(of).map(|line| line["output"].clone()).unwrap_or_default();
            if *expected != found {
                wrong.push(format!("{}: output {expected}, found {found}", played.documented.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), played.len(), wrong.join("\n"));
    assert!(!format!("{once:?}").contains(TOKEN));
}

/// A service of a description in the jobs file, its base the server.
fn described(status: &str, tables: &str) -> Bench {
    let bench = Bench::new();
    let base = bench.script.url("/v1");
    let service = format!("provider = \"mine\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\nbase = \"{base}\"");
    let text = format!(
        "[providers.mine]\nsettings = {{ base = \"\" }}\n[providers.mine.status]\nurl = \"{{base}}/jobs/{{id}}\"\n\
         headers = {{ Authorization = \"Bearer {{token}}\" }}\nword = [\"/status\"]\n{status}\n[providers.mine.states]\n\
         running = [\"working\"]\nsucceeded = [\"done\"]\nfailed = [\"broken\"]\n{tables}"
    );
    bench.service("mine", &service).also(&text)
}

fn asked_for(url: &str) -> Scripted {
    Scripted::json(200, serde_json::json!({"status": "done", "url": url}).to_string())
}

#[test]
fn no_address_out_of_a_response_takes_the_token_along_and_none_that_may_not_be_is_asked() {
    let elsewhere = Bench::new();
    elsewhere.script.on("moved", [Scripted::json(302, "{}").header("Location", &elsewhere.script.url("/moved"))]);
    elsewhere.script.on("here", [Scripted::json(200, r#"{"n":1}"#)]);
    let port = elsewhere.script.address().port();
    let cases = [
        (elsewhere.script.url("/here?sig=SIGNATURE"), "succeeded", "", 1),
        (elsewhere.script.url("/moved"), "running", "answers with a redirect (HTTP 302)", 1),
        (format!("http://user:pass@127.0.0.1:{port}/here"), "running", "holds a user or a password", 0),
        ("here".to_owned(), "running", "is relative", 0),
        ("/here".to_owned(), "running", "is relative", 0),
        (format!("//127.0.0.1:{port}/here"), "running", "is relative", 0),
        ("file:///etc/passwd".to_owned(), "running", "has the scheme file", 0),
        (format!("ftp://127.0.0.1:{port}/here"), "running", "has the scheme ftp", 0),
        ("data:,here".to_owned(), "running", "has the scheme data", 0),
        ("http://192.0.2.7/here".to_owned(), "running", "is plain http", 0),
    ];
    for (url, state, why, requests) in cases {
        let before = elsewhere.script.reads("here") + elsewhere.script.reads("moved");
        let bench =
            described("", "[providers.mine.result]\nurl = \"{/url}\"\n").job("mine", "job-1", [asked_for(&url)]);
        let once = bench.run(&["once", "--format", "jsonl"]);
        let line = once.line(|line| line["type"] == "state").unwrap_or_else(|| panic!("{url}: {once:?}"));
        assert_eq!(line["state"], state, "{url}: {line}");
        let said = format!("{} {}", line["warning"], line["reason"]);
        assert!(said.contains(why), "{url}: {said}");
        let after = elsewhere.script.reads("here") + elsewhere.script.reads("moved");
        assert_eq!(after - before, requests, "{url}");
        assert!(!format!("{once:?}").contains("SIGNATURE"), "{once:?}");
    }
    for asked in ["here", "moved"].iter().flat_map(|path| elsewhere.script.received(path)) {
        assert!(!format!("{asked:?}").contains(TOKEN), "{asked:?}");
    }
}

#[test]
fn a_status_read_that_is_redirected_ten_times_is_asked_once() {
    let bench = described("", "");
    let hop = Scripted::json(307, "{}").header("Location", &bench.script.url("/v1/jobs/job-1"));
    let bench = bench.job("mine", "job-1", vec![hop; 10]);
    let once = bench.run(&["once", "--format", "jsonl"]);
    let line = once.line(|line| line["type"] == "state").unwrap();
    assert_eq!((line["read"].as_str(), bench.script.reads("job-1")), (Some("rejected"), 1), "{line}");
}

#[test]
fn a_response_that_is_none_says_which_pointer_leads_nowhere() {
    let big = format!(r#"{{"status":"done","output":"{}"}}"#, "0123456789".repeat(10 << 20));
    let cases = [
        ("{\"other\":1}", 200, "malformed", "no word stands"),
        ("<html><title>Sign in</title></html>", 200, "malformed", "no JSON"),
        ("", 200, "malformed", "no JSON"),
        ("{\"status\":\"do", 200, "malformed", "no JSON"),
        ("[]", 200, "malformed", "no word stands"),
        ("{\"status\":7}", 200, "ok", "the word at /status is `7`"),
        ("{\"status\":{\"a\":1}}", 200, "ok", "the word at /status is `{\"a\":1}`"),
        ("{\"status\":[\"done\"]}", 200, "ok", "knows no such word"),
        ("{\"status\":true}", 200, "ok", "the word at /status is `true`"),
        ("{\"status\":null,\"output\":1}", 200, "ok", "the state stays as it was"),
        ("{\"status\":\"done\"}", 418, "rejected", "HTTP 418 is no answer about the job"),
        (big.as_str(), 200, "ok", "`done` is succeeded by [states]"),
    ];
    for (body, code, read, why) in cases {
        let shown: String = body.chars().take(60).collect();
        let bench = described("", "[providers.mine.result]\nat = \"/output\"\n").job(
            "mine",
            "job-1",
            [Scripted::json(code, body)],
        );
        let once = bench.run(&["once", "--format", "jsonl"]);
        let line = once.line(|line| line["type"] == "state").unwrap_or_else(|| panic!("{shown}: {once:?}"));
        assert_eq!(line["read"], read, "{shown}: {line}");
        std::fs::write(bench.home().join("reply.json"), body).unwrap();
        let code = code.to_string();
        let explained = bench.run(&["check", "--reply", "reply.json", "--service", "mine", "--code", &code]).with(0);
        assert!(explained.text().contains(why), "{shown}: {}", explained.text());
    }
}

#[test]
fn an_error_body_is_no_output_whichever_request_it_answers() {
    let codes = "[providers.mine.codes]\n200 = \"succeeded\"\n404 = \"lost\"\n[providers.mine.result]\nat = \"\"\n";
    let fetched =
        "[providers.mine.result]\nurl = \"{base}/jobs/{id}/result\"\nfails_on = [422]\nlost_on = [{ code = 410 }]\n";
    let done = || Scripted::json(200, r#"{"status":"done"}"#);
    let cases = [
        (codes, vec![Scripted::json(404, r#"{"detail":"expired"}"#)], "lost", None),
        (codes, vec![Scripted::json(200, r#"{"n":1}"#)], "succeeded", Some("{\n  \"n\": 1\n}\n")),
        (codes, vec![Scripted::json(200, r#"{"status":"broken"}"#)], "failed", None),
        (fetched, vec![done(), Scripted::json(200, r#"{"n":1}"#)], "succeeded", Some("{\n  \"n\": 1\n}\n")),
        (fetched, vec![done(), Scripted::json(422, r#"{"detail":"no"}"#)], "failed", None),
        (fetched, vec![done(), Scripted::json(410, r#"{"detail":"gone"}"#)], "lost", None),
    ];
    for (tables, replies, state, output) in cases {
        let bench = described("", tables).job("mine", "job-1", replies.clone());
        bench.run(&["once"]);
        assert_eq!(bench.known("job-1")["state"], state, "{replies:?}");
        let shown = bench.run(&["show", "job-1", "--output"]);
        assert_eq!(
            (shown.code, shown.text().as_str()),
            output.map_or((Some(4), ""), |text| (Some(0), text)),
            "{replies:?}: {shown:?}"
        );
    }
}

#[test]
fn fields_of_the_output_are_taken_from_a_fetched_result_and_renewed_from_it() {
    let replies = [
        Scripted::json(200, r#"{"status":"done"}"#),
        Scripted::json(200, r#"{"data":{"total":12.50,"vendor":"acme"}}"#),
    ];
    let result = "[providers.mine.result]\nurl = \"{base}/jobs/{id}/result\"\nat = \"/data\"\n";
    let fields = "[services.mine.fields]\ntotal = \"output:/total\"\n";
    let bench = described("", result).job("mine", "job-1", replies).also(fields);
    bench.run(&["once"]).with(0);
    assert_eq!(bench.known("job-1")["fields"].to_string(), r#"{"total":12.5}"#);
    let bench = bench.also("vendor = \"output:/vendor\"\n");
    assert_eq!(bench.known("job-1")["fields"]["vendor"], "acme", "taken anew from what was saved");
    let bench = bench.also("after = \"output:/vendor\"\n");
    let sheet = bench.run(&["status", "--format", "csv"]).text();
    let columns = sheet.lines().next().unwrap();
    assert!(columns.ends_with(",total,vendor,after"), "in the order of the file: {columns}");
}

#[test]
fn files_fetched_beside_a_result_are_listed_printed_and_exported() {
    let tables = "[providers.mine.result]\nurl = \"{base}/results-{id}\"\n\
                  [[providers.mine.result.also]]\nname = \"errors.jsonl\"\nurl = \"{base}/{/errors}\"\n\
                  [[providers.mine.result.also]]\nname = \"body\"\nurl = \"{base}/{/log}\"\n";
    let done = |more: &str| Scripted::json(200, format!(r#"{{"status": "done"{more}}}"#));
    let bench = described("", tables)
        .job("mine", "both", [done(r#", "errors": "errors-1", "log": "log-1""#)])
        .job("mine", "one", [done(r#", "errors": "errors-2", "log": "log-2""#)])
        .job("mine", "none", [done("")]);
    bench.script.on("results-both", [Scripted::json(200, r#"{"n":1}"#)]);
    bench.script.on("results-one", [Scripted::json(200, r#"{"n":2}"#)]);
    bench.script.on("results-none", [Scripted::json(200, r#"{"n":3}"#)]);
    bench.script.on("errors-1", [Scripted::typed(200, "text/plain", "line 1\n")]);
    bench.script.on("errors-2", [Scripted::typed(200, "text/plain", "line 2\n")]);
    bench.script.on("log-1", [Scripted::typed(200, "text/plain", "log 1")]);
    bench.script.on("log-2", [Scripted::json(404, "{}")]);
    bench.run(&["watch", "--export", "out"]).with(0);
    bench.run(&["export", "again"]).with(0);
    let cases: [(&str, &[(&str, &str)]); 3] = [
        ("both", &[("body", "log 1"), ("errors.jsonl", "line 1\n")]),
        ("one", &[("errors.jsonl", "line 2\n")]),
        ("none", &[]),
    ];
    for (id, files) in cases {
        let listed = bench.run(&["show", id]).with(0).text();
        for dir in ["out", "again"] {
            let also = bench.home().join(dir).join(format!("mine__{id}/also"));
            let mut names: Vec<String> = std::fs::read_dir(&also)
                .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
                .unwrap_or_default();
            names.sort();
            assert_eq!(names, files.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{id} in {dir}");
            for (name, text) in files {
                assert_eq!(std::fs::read_to_string(also.join(name)).unwrap(), *text);
            }
        }
        for (name, text) in files {
            assert!(listed.contains(&format!("beside it  {name}: ")), "{listed}");
            assert_eq!(bench.run(&["show", id, "--also", name]).with(0).out, text.as_bytes());
        }
    }
    bench.run(&["show", "one", "--also", "body"]).with(4).said("no file of that name");
    assert!(bench.run(&["export", "again"]).with(0).err.contains(" 0 files written"));
}

#[test]
fn a_result_that_is_handed_out_once_is_kept_whatever_becomes_of_the_files_beside_it() {
    let tables = "[providers.mine.result]\nurl = \"{base}/results-{id}\"\none_shot = true\n\
                  [[providers.mine.result.also]]\nname = \"log\"\nurl = \"{base}/{/log}\"\n\
                  [[providers.mine.result.also]]\nname = \"page\"\nurl = \"{base}/{/page}\"\n";
    let log = || Scripted::typed(200, "text/plain", "line 1\nline 2\n");
    let cases = [
        ("cut", log().fault(Fault::CutAfter(4))),
        ("chunks", log().fault(Fault::CutChunked(4))),
        ("closed", log().fault(Fault::NoReply)),
        ("length", log().fault(Fault::WrongLength(500))),
        ("error", Scripted::json(500, "{}")),
    ];
    let mut bench = described("", tables);
    for (id, _) in &cases {
        let status = format!(r#"{{"status": "done", "log": "log-{id}", "page": "page-{id}"}}"#);
        bench = bench.job("mine", id, [Scripted::json(200, status)]);
    }
    for (id, log) in cases.clone() {
        bench.script.on(&format!("results-{id}"), [Scripted::json(200, r#"{"n":1}"#), Scripted::json(404, "{}")]);
        bench.script.on(&format!("log-{id}"), [log]);
        bench.script.on(&format!("page-{id}"), [Scripted::typed(200, "text/plain", "page 1")]);
    }
    bench.run(&["watch"]).with(0);
    for (id, _) in cases {
        assert_eq!(bench.script.reads(&format!("results-{id}")), 1, "{id}");
        assert_eq!(bench.run(&["show", id, "--raw"]).with(0).out, br#"{"n":1}"#, "{id}");
        assert!(bench.known(id)["warning"].as_str().unwrap().contains("the file `log` is not here"), "{id}");
        assert_eq!(bench.run(&["show", id, "--also", "page"]).with(0).out, b"page 1", "the next is fetched: {id}");
    }
}

#[test]
fn a_file_beside_a_result_is_asked_for_again_where_it_may_come_yet_and_named_where_it_does_not() {
    let tables = "[providers.mine.result]\nurl = \"{base}/results-{id}\"\nagain_on = [202]\n\
                  [[providers.mine.result.also]]\nname = \"log\"\nurl = \"{base}/{/log}\"\n";
    let (log, error) = (|| Scripted::typed(200, "text/plain", "line 1\n"), |code| Scripted::json(code, "{}"));
    let cut = || log().fault(Fault::CutAfter(4));
    // What is answered, how often it is asked, and what is said where the file is missing.
    let cases = [
        ("late", vec![error(202), log()], 2, None),
        ("down", vec![error(500), error(503), log()], 3, None),
        ("throttled", vec![error(429).header("Retry-After", "0"), log()], 2, None),
        ("cut", vec![cut(), log()], 2, None),
        ("dead", vec![error(500)], 3, Some("HTTP 500: {}, asked 3 times")),
        ("never", vec![error(202)], 3, Some("HTTP 202: not there yet, asked 3 times")),
        ("none", vec![error(404), log()], 1, Some("HTTP 404")),
        ("refused", vec![error(403), log()], 1, Some("HTTP 403")),
        ("hour", vec![error(503).header("Retry-After", "3600"), log()], 1, Some("HTTP 503")),
    ];
    let mut bench = described("", tables);
    for (id, ..) in &cases {
        bench = bench.job("mine", id, [Scripted::json(200, format!(r#"{{"status": "done", "log": "log-{id}"}}"#))]);
    }
    for (id, answers, ..) in cases.clone() {
        bench.script.on(&format!("results-{id}"), [Scripted::json(200, r#"{"n":1}"#)]);
        bench.script.on(&format!("log-{id}"), answers);
    }
    bench.run(&["watch"]).with(0);
    for (id, _, asked, missing) in cases {
        let warning = bench.known(id)["warning"].as_str().unwrap_or_default().to_owned();
        let told = missing.map_or_else(|| warning.is_empty(), |why| warning.contains(why) && warning.contains("`log`"));
        assert!(told, "{id}: {warning}");
        assert_eq!(bench.script.reads(&format!("log-{id}")), asked, "{id}");
        let shown = bench.run(&["show", id, "--also", "log"]);
        assert_eq!(shown.out, if missing.is_none() { &b"line 1\n"[..] } else { b"" }, "{id}");
    }
}

#[test]
fn files_that_one_poll_does_not_ask_for_are_named_in_the_row() {
    let files: String = (1..=40)
        .map(|n| format!("[[providers.mine.result.also]]\nname = \"file-{n}\"\nurl = \"{{base}}/file-{n}\"\n"))
        .collect();
    let bench = described("", &format!("[providers.mine.result]\nurl = \"{{base}}/results-{{id}}\"\n{files}")).job(
        "mine",
        "one",
        [Scripted::json(200, r#"{"status": "done"}"#)],
    );
    bench.script.on("results-one", [Scripted::json(200, "{}")]);
    bench.script.on("file-", [Scripted::typed(200, "text/plain", "x")]);
    bench.run(&["watch"]).with(0);
    assert_eq!(bench.script.reads("file-"), 30, "with the status and the result 32 requests");
    let warning = bench.known("one")["warning"].as_str().unwrap().to_owned();
    assert!(warning.contains("`file-31`, `file-32`") && warning.contains("32 requests at most"), "{warning}");
}

#[test]
fn every_mistake_of_a_users_own_file_is_told_in_its_lines_all_at_once() {
    let bench = Bench::new()
        .service("a", "provider = \"own\"\nbase = \"https://a.example\"\ntoken = { env = \"T\" }")
        .service("b", "provider = \"own\"\nmodel = \"x\"\ntoken = { env = \"T\" }");
    let folder = bench.home().join(".config/jobdeck/providers");
    std::fs::create_dir_all(&folder).unwrap();
    let own = "titel = \"Mine\"\nlike = \"parent\"\n[states]\nsuceeded = [\"done\"]\n";
    std::fs::write(folder.join("own.toml"), own).unwrap();
    std::fs::write(folder.join("parent.toml"), "[status]\nurl = \"{bse}/x\"\nword = \"status\"\n").unwrap();
    let said = bench.run(&["check"]).with(2).err;
    for expected in [
        "providers/own.toml:1:1: unknown key `titel`",
        "1 | titel = \"***\"\n  | ^^^^^\n  = did you mean `title`?",
        "providers/own.toml:4:1: `suceeded` is none of our states",
        "providers/parent.toml:2:7: `{bse}` names nothing",
        "2 | url = \"***\"\n  |       ^^^^^",
        "providers/parent.toml:3:8: `status` in `word` is no pointer",
        "4 errors",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(
        !said.contains("`base`") && !said.contains("`model`"),
        "nobody knows the settings of what is broken: {said}"
    );
    std::fs::write(folder.join("own.toml"), "title = 'Mine\n[status\n").unwrap();
    let said = bench.run(&["check"]).with(2).err;
    assert!(
        said.contains("providers/own.toml:1:9: `'` is not closed")
            && said.contains("own.toml:2:1: `[` is not closed")
            && said.contains("2 errors"),
        "{said}"
    );
    std::fs::write(folder.join("own.toml"), "like = \"openai-batch\"\n[status]\nmethod = \"POST\"\n").unwrap();
    let said = bench.run(&["check"]).with(2).err;
    assert!(said.contains("providers/own.toml:3:10: a POST may submit a job"), "{said}");
}

#[test]
fn a_table_of_a_provider_that_stands_in_a_service_is_told_as_that_with_where_it_belongs() {
    for table in
        ["settings = { base = \"https://x.example\" }", "states = { failed = [\"x\"] }", "result = { at = \"/x\" }"]
    {
        let service = format!("provider = \"replicate\"\ntoken = {{ env = \"T\" }}\n{table}");
        let said = Bench::new().service("a", &service).run(&["check"]).with(2).err;
        let key = table.split(' ').next().unwrap();
        for expected in
            [&format!("`{key}` in [services.a], which is no provider"), "keys of its own", "[providers.<name>]", "^^^"]
        {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
    }
}

#[test]
fn a_secret_that_nothing_asks_for_is_a_mistake_and_an_address_may_be_called_base_url() {
    let service = |more: &str| format!("provider = \"mine\"\ntoken = {{ env = \"T\" }}\n{more}");
    let mine = |headers: &str| {
        format!(
            "[providers.mine]\nsettings = {{ url = \"\" }}\n[providers.mine.status]\nurl = \"{{url}}/{{id}}\"\nheaders = {{ {headers} }}\nword = \"/s\"\n"
        )
    };
    let secrets = "base_url = \"https://a.example\"\nsecrets = { secret = { env = \"S\" } }";
    let cases = [
        (secrets, "X-Secret = \"{secret}\"", None),
        (secrets, "X-Other = \"{token}\"", Some("nothing asks for key `secret` in [services.a]")),
        (
            "secrets = { secret = { env = \"S\" } }\nurl = \"https://a.example\"\nbase_url = \"https://a.example\"",
            "X = \"{secret}\"",
            Some("`base_url` beside `url`"),
        ),
    ];
    for (more, headers, expected) in cases {
        let bench = Bench::new().service("a", &service(more)).also(&mine(headers));
        let said = bench.run(&["check"]).err;
        match expected {
            Some(expected) => assert!(said.contains(expected), "{said}"),
            None => assert!(said.is_empty(), "{said}"),
        }
    }
}

#[test]
fn a_check_says_of_a_platform_key_apart_from_the_token_whether_it_is_accepted_and_takes_nothing() {
    let (unseen, accepted) = (r#"{"detail":"No WorkflowExecution matches the given query."}"#, "OK, token accepted");
    let cases = [
        (404, unseen, 404, unseen, 0, vec!["; OK, token accepted; platform_token: OK, token accepted"]),
        (404, unseen, 401, "{}", 2, vec!["; OK, token accepted; platform_token FAILED: token rejected, HTTP 401"]),
        (403, "{}", 404, unseen, 2, vec!["; FAILED: token rejected, HTTP 403", "; platform_token: OK, token accepted"]),
        (404, unseen, 404, "<h1>Not Found</h1>", 2, vec![accepted, "platform_token FAILED: HTTP 404"]),
        (404, unseen, 429, "{}", 0, vec![accepted, "platform_token: OK, but rate limited for now (HTTP 429)"]),
    ];
    for (own, own_body, key, key_body, code, said) in cases {
        let bench = Bench::new();
        let url = bench.script.url("/deployment/api/org/invoices/");
        let service = format!(
            "provider = \"unstract\"\nurl = \"{url}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\n\
             platform_token = {{ command = [\"echo\", \"platform-key\"] }}"
        );
        let bench = bench.service("invoices", &service);
        bench.script.on("deployment/api", [Scripted::json(own, own_body)]);
        bench.script.on("api/v1/unstract/org/execution", [Scripted::json(key, key_body)]);
        let check = bench.run(&["check", "--online"]).with(code);
        for said in said {
            assert!(check.text().contains(said), "{said}: {check:?}");
        }
        let asked =
            |path: &str| bench.script.received(path).first().unwrap().header("authorization").map(str::to_owned);
        assert_eq!(asked("deployment/api"), Some(format!("Bearer {TOKEN}")));
        assert_eq!(asked("api/v1/unstract/org/execution"), Some("Bearer platform-key".to_owned()));
        assert!(!format!("{check:?}").contains("platform-key"), "{check:?}");
    }
    let bench = Bench::new();
    let url = bench.script.url("/deployment/api/org/invoices/");
    let service = format!(
        "provider = \"unstract\"\nurl = \"{url}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\nplatform_token = {{ env = \"UNSET\" }}"
    );
    let check = bench.service("invoices", &service).run(&["check"]).with(0);
    assert!(check.text().contains("(no platform_token from the variable UNSET: polled without it)"), "{check:?}");
}

#[test]
fn a_saved_response_to_the_request_for_the_result_is_read_behind_that_to_the_status_and_each_rule_is_named() {
    let tables = "[providers.mine.result]\nurl = \"{base}/results/{id}?sig={/sig}\"\nat = \"/out\"\none_shot = true\n\
                  again_on = [202]\nfails_on = [422]\nreason = [\"/why\"]\n\
                  lost_on = [{ code = 400, when = [\"/why = taken\"] }]\n\
                  [[providers.mine.result.also]]\nname = \"errors\"\nurl = \"{base}/errors/{/errors}\"\n";
    let bench = described("id = [\"/id\"]", tables);
    let done = r#"{"id": "j-1", "status": "done", "errors": "e-1", "sig": "SIGNATURE"}"#;
    for (file, body) in [("done.json", done), ("running.json", r#"{"status": "working"}"#)] {
        std::fs::write(bench.home().join(file), body).unwrap();
    }
    let first = [
        "`done` is succeeded by [states]",
        "/results/j-1?***, with the token, handed out once, and 1 more behind it",
        "\n\nthen      HTTP ",
    ];
    let cases: [(&str, &str, &[&str]); 9] = [
        (
            "200",
            r#"{"out": {"n": 1}}"#,
            &[
                "state     succeeded",
                "result    at .out, 8 B",
                "HTTP 200 holds the result",
                "the result stands at /out in it",
                "then what is beside it is fetched: errors",
            ],
        ),
        ("200", "a,b\n1,2\n", &["state     succeeded", "result    raw, 8 B", "no result: nothing stands at /out"]),
        ("202", "{}", &["state     running", "word      fetching", "HTTP 202 is in again_on"]),
        (
            "422",
            r#"{"why": "no licence"}"#,
            &["state     failed", "reason    no licence", "HTTP 422 is in fails_on", "the reason is at /why"],
        ),
        ("400", r#"{"why": "taken"}"#, &["state     lost (already read)", "in lost_on (/why = taken)"]),
        ("400", r#"{"why": "other"}"#, &["read      rejected", "in none of again_on, fails_on and lost_on: rejected"]),
        ("302", "", &["read      rejected", "is a redirect: it is not followed"]),
        ("503", "<h1>no</h1>", &["read      server_error", "in none of again_on"]),
        ("200", "<html></html>", &["read      malformed", "a web page is no result: [result] looks into it at /out"]),
    ];
    for (code, body, said) in cases {
        std::fs::write(bench.home().join("result"), body).unwrap();
        let args = ["check", "--reply", "done.json", "--service", "mine", "--result", "result", "--result-code", code];
        let text = bench.run(&args).with(0).text();
        for said in first.iter().chain(said) {
            assert!(text.contains(said), "{code} {body}: {said}\n{text}");
        }
        assert!(!text.contains("SIGNATURE"), "{text}");
    }
    let unknown = r#"{"error": "ref j-7 was never seen"}"#;
    std::fs::write(bench.home().join("unknown.json"), unknown).unwrap();
    for (id, read) in [("j-7", "not_found"), ("j-8", "rejected")] {
        let args = ["check", "--reply", "unknown.json", "--service", "mine", "--code", "404", "--id", id];
        assert!(bench.run(&args).with(0).text().contains(&format!("read      {read}\n")), "{id}");
    }
    let other = bench.run(&["check", "--reply", "done.json", "--service", "mine", "--id", "j-2"]).with(0).text();
    assert!(other.contains("about another job"), "{other}");
    let leads_nowhere = ["check", "--reply", "running.json", "--service", "mine", "--result", "result"];
    bench.run(&leads_nowhere).with(2).said("leads to no request for a result");
    let missing = ["check", "--reply", "done.json", "--service", "mine", "--result", "none"];
    bench.run(&missing).with(2).said("failed to read none: ");
    bench.run(&["check", "--result", "result"]).with(2).said("--reply");
}

/// When each request about a job came, in order.
fn times(bench: &Bench, id: &str) -> Vec<std::time::Instant> {
    bench.script.received(id).iter().map(|received| received.at).collect()
}

#[test]
fn a_short_lived_result_is_polled_first_and_often_and_no_job_sooner_than_its_provider_allows() {
    let described = |name: &str, keys: &str| {
        format!(
            "[providers.{name}]\nsettings = {{ base = \"\" }}\n{keys}\n[providers.{name}.status]\nurl = \"{{base}}/{{id}}\"\n\
             word = [\"/status\"]\n[providers.{name}.states]\nrunning = [\"working\"]\nsucceeded = [\"done\"]\n"
        )
    };
    let bench = Bench::new().poll("interval = \"1h\"\nmax_interval = \"2h\"\nin_flight = 1");
    let base = bench.script.url("/v1");
    let service = |name: &str, more: &str| {
        format!("provider = \"{name}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\nbase = \"{base}\"\n{more}")
    };
    let bench = bench
        .service("a-lasting", &service("a-lasting", ""))
        .service("brief", &service("brief", ""))
        .service("least", &service("least", "interval = \"1ms\"\nmax_interval = \"1ms\""))
        .also(&described("a-lasting", ""))
        .also(&described("brief", "keeps = \"1s\""))
        .also(&described("least", "interval = \"500ms\""));
    let working = || Scripted::json(200, r#"{"status":"working"}"#);
    let bench = (0..5).fold(bench, |bench, n| bench.job("a-lasting", &format!("lasting-{n}"), [working()]));
    let bench = (0..5).fold(bench, |bench, n| bench.job("brief", &format!("brief-{n}"), [working()]));
    let bench = bench.job("least", "least-0", [working()]);
    let watch = bench.start(&["watch"]);
    bench.until_read("lasting-4", 1);
    bench.until_read("brief-0", 3);
    bench.until_read("least-0", 3);
    drop(watch);
    let first = |id: &str| times(&bench, id)[0];
    let brief = (0..5).map(|n| first(&format!("brief-{n}"))).max().unwrap();
    let lasting = (0..5).map(|n| first(&format!("lasting-{n}"))).min().unwrap();
    assert!(brief < lasting, "those whose results do not last are asked first");
    assert_eq!(bench.script.reads("lasting-0"), 1, "an hour is not over");
    for pair in times(&bench, "least-0").windows(2) {
        // What is sent after so long may arrive a little sooner after the one before, which took longer on its way.
        assert!(pair[1] - pair[0] >= std::time::Duration::from_millis(450), "{pair:?}");
    }
}

#[test]
fn a_changed_file_of_a_provider_is_put_in_force_and_a_bad_one_is_told_and_changes_nothing() {
    let bench = Bench::new();
    let providers = bench.home().join(".config/jobdeck/providers");
    std::fs::create_dir_all(&providers).unwrap();
    let put = |name: &str, text: &str| {
        std::fs::write(providers.join("new"), text).unwrap();
        std::fs::rename(providers.join("new"), providers.join(name)).unwrap();
    };
    let base = bench.script.url("/v1");
    let under = |states: &str| {
        let status = "[settings]\nbase = \"\"\n[status]\nurl = \"{base}/{id}\"\nword = [\"/status\"]\n";
        put("under.toml", &format!("{status}[states]\n{states}\n"));
    };
    under("running = [\"working\"]");
    put("mine.toml", "like = \"under\"\n");
    let service = format!("provider = \"mine\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\nbase = \"{base}\"");
    let reply = |word: &str| Scripted::json(200, format!(r#"{{"status":"{word}"}}"#));
    let bench = bench
        .service("mine", &service)
        .job("mine", "job-1", [reply("finished")])
        .job("mine", "job-2", [reply("over")])
        .job("mine", "job-3", [reply("working")]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-3", 1);
    // Each of the files that it is made of, the one that it is like among them.
    put("mine.toml", "like = \"under\"\n[states]\nsucceeded = [\"finished\"]\ncolour = [\"x\"]\n");
    for part in ["providers/mine.toml:4:1", "colour", "still applies"] {
        watch.until_said(part);
    }
    put("mine.toml", "like = \"under\"\n[states]\nsucceeded = [\"finished\"]\n");
    support::wait_for("a success", || watch.out().contains("\"state\":\"succeeded\""));
    under("running = [\"working\"]\nfailed = [\"over\"]");
    support::wait_for("a failure", || watch.out().contains("\"state\":\"failed\""));
    under("failed = [\"over\"]\ncancelled = [\"working\"]");
    let summary = watch.end().with(3).summary();
    let counts = ["succeeded", "failed", "cancelled"].map(|state| summary[state].as_u64());
    assert_eq!(counts, [Some(1); 3], "{summary}");
}

#[test]
fn a_file_of_a_provider_that_appears_is_what_its_name_means_from_then_on() {
    let bench = Bench::new();
    let base = bench.script.url("");
    let service = format!("provider = \"luma\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\nbase = \"{base}\"");
    let bench = bench.service("video", &service).job("video", "job-1", [Scripted::json(200, r#"{"state":"odd"}"#)]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    let providers = bench.home().join(".config/jobdeck/providers");
    std::fs::create_dir_all(&providers).unwrap();
    // A description that is like the one which it stands in for would be like itself.
    let own = "[settings]\nbase = \"\"\n[status]\nurl = \"{base}/{id}\"\nword = [\"/state\"]\n[states]\nsucceeded = [\"odd\"]\n";
    std::fs::write(providers.join("luma.toml"), own).unwrap();
    assert_eq!(watch.end().with(0).summary()["succeeded"], 1);
}

#[test]
fn a_result_that_is_redirected_ten_times_is_asked_for_once_a_poll_and_says_that_nothing_is_followed() {
    let bench = described("", "[providers.mine.result]\nurl = \"{base}/results/{id}\"\n");
    let hop = Scripted::json(307, "{}").header("Location", &bench.script.url("/v1/results/job-1"));
    let bench = bench.job("mine", "job-1", [Scripted::json(200, r#"{"status":"done"}"#)]);
    bench.script.on("results/job-1", vec![hop; 10]);
    let once = bench.run(&["once", "--format", "jsonl"]);
    let line = once.line(|line| line["type"] == "state").unwrap();
    assert_eq!((line["state"].as_str(), line["read"].as_str()), (Some("running"), Some("rejected")), "{line}");
    assert!(line["reason"].as_str().unwrap().contains("not followed; the [result] of the description"), "{line}");
    assert_eq!(bench.script.reads("results/job-1"), 1);
}

#[test]
fn a_large_result_that_a_second_request_brings_is_saved_to_its_last_byte() {
    let rows = "0123456789".repeat(1 << 20);
    let bench = described("", "[providers.mine.result]\nurl = \"{base}/results/{id}\"\nat = \"/rows\"\n").job(
        "mine",
        "job-1",
        [Scripted::json(200, r#"{"status":"done"}"#)],
    );
    bench.script.on("results/job-1", [Scripted::json(200, format!(r#"{{"rows":"{rows}"}}"#))]);
    bench.run(&["once"]).with(0);
    let raw = bench.run(&["show", "job-1", "--raw"]).with(0).out;
    assert!(raw == rows.as_bytes(), "{} bytes", raw.len());
}

#[test]
fn descriptions_that_are_like_each_other_in_a_circle_name_the_circle() {
    let bench = Bench::new();
    let providers = bench.home().join(".config/jobdeck/providers");
    std::fs::create_dir_all(&providers).unwrap();
    for (name, like) in [("one", "two"), ("two", "three"), ("three", "one")] {
        std::fs::write(providers.join(format!("{name}.toml")), format!("like = \"{like}\"\n")).unwrap();
    }
    let service = format!("provider = \"one\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}");
    let bench = bench.service("s", &service).also(
        "[providers.mine]\nlike = \"other\"\n[providers.other]\nlike = \"mine\"\n[providers.self]\nlike = \"self\"\n",
    );
    let check = bench.run(&["check"]).with(2);
    for circle in [
        "`one` is like `two` is like `three` is like `one`",
        "`mine` is like `other` is like `mine`",
        "`self` is like `self`",
    ] {
        assert!(check.err.contains(&format!("{circle}: a circle")), "{circle}: {check:?}");
    }
}

#[test]
fn a_description_that_points_nowhere_is_a_job_that_cannot_be_reached_and_says_why() {
    for base in ["http://127.0.0.1:1/v1", "https://no-such-host.invalid/v1", "https://[::1]:1"] {
        let bench = described("", "");
        let service = format!("provider = \"mine\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}\nbase = \"{base}\"");
        let bench = bench.service("nowhere", &service).declared("nowhere", "job-1", "");
        let once = bench.run(&["once", "--format", "jsonl"]).with(6);
        let line = once.line(|line| line["id"] == "job-1").unwrap();
        assert_eq!((line["read"].as_str(), line["state"].as_str()), (Some("unreachable"), Some("unknown")), "{line}");
        assert!(line["reason"].as_str().is_some_and(|reason| !reason.contains("job-1")), "{line}");
    }
}

#[test]
fn no_id_and_no_value_of_a_response_leaves_its_place_in_an_address_a_body_or_a_header() {
    let hostile = [
        "../../admin",
        "..",
        "a?token=x#y",
        "%2e%2e%2f",
        "a b",
        "\"},\"admin\":{\"x",
        "{token}",
        "//evil.example/",
        "ü",
        "a\\b",
    ];
    let mut refused = 0;
    let status = "method = \"POST\"\nreads_only = true\nbody = { task = { id = \"{id}\" } }\n";
    let tables = "[providers.mine.result]\nurl = \"{base}/results/{/file}/content?of={/file}\"\n";
    for id in hostile {
        let bench = described(status, tables);
        let done = serde_json::json!({"status": "done", "file": id}).to_string();
        bench.script.on("/v1/jobs/", [Scripted::json(200, done)]);
        bench.script.on("/v1/results/", [Scripted::json(200, r#"{"n":1}"#)]);
        let bench = bench.declared("mine", id, "");
        // What is no id at all is refused with its line, and nothing is asked.
        if bench.run(&["check"]).code == Some(2) {
            assert_eq!(bench.script.connections(), 0, "{id}");
            refused += 1;
            continue;
        }
        bench.run(&["once"]).with(0);
        let (asked, fetched) = (bench.script.received("/v1/jobs/"), bench.script.received("/v1/results/"));
        assert_eq!((asked.len(), fetched.len()), (1, 1), "{id}");
        let target = |received: &Received| {
            let url = format!("http://h{}", received.line.split(' ').nth(1).unwrap());
            let url = url::Url::parse(&url).unwrap();
            assert!(!received.line.contains(TOKEN), "{id}: {}", received.line);
            (url.path_segments().unwrap().count(), url.query_pairs().into_owned().collect::<Vec<_>>())
        };
        assert_eq!(target(&asked[0]), (3, Vec::new()), "{id}");
        // Two dots are written twice over: an address cannot hold them as a segment, however they are written.
        let of = if id == ".." { "%2E%2E" } else { id };
        assert_eq!(target(&fetched[0]), (4, vec![("of".to_owned(), of.to_owned())]), "{id}");
        let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
        assert_eq!(body, serde_json::json!({"task": {"id": id}}));
        let headers: Vec<_> = asked[0].headers.iter().filter(|(_, value)| value.contains(TOKEN)).collect();
        assert_eq!(headers.len(), 1, "{id}: {headers:?}");
    }
    assert!(refused <= 5, "{refused} of {} are refused", hostile.len());
}

/// What each service answers to a submission, by its own pages: where the job is named, the answer, the id.
const SUBMITTED: &[(&str, &str, &str, &str)] = &[
    (
        "unstract",
        "message.execution_id",
        r#"{"message":{"execution_id":"c7f0a8a6-56b2-4d86-9be8-1f2e3d4c5b6a","execution_status":"PENDING","status_api":"/deployment/api/org/api/?execution_id=c7f0","error":null,"result":null}}"#,
        "c7f0a8a6-56b2-4d86-9be8-1f2e3d4c5b6a",
    ),
    (
        "anthropic-batch",
        "id",
        r#"{"id":"msgbatch_013Zva2CMHLNnXjNJJKqJ2EF","type":"message_batch","processing_status":"in_progress","request_counts":{"processing":2}}"#,
        "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF",
    ),
    (
        "apify",
        "data.id",
        r#"{"data":{"id":"HG7ML7M8z78YcAPEB","actId":"HDSasDasz78YcAPEB","status":"READY"}}"#,
        "HG7ML7M8z78YcAPEB",
    ),
    (
        "assemblyai",
        "id",
        r#"{"id":"9ea68fd3-f953-42c1-9742-976c447fb463","status":"queued","audio_url":"https://files.example/a.mp3","error":null}"#,
        "9ea68fd3-f953-42c1-9742-976c447fb463",
    ),
    (
        "azure-docint",
        "header",
        r#"https://myres.cognitiveservices.azure.com/documentintelligence/documentModels/prebuilt-invoice/analyzeResults/3b31320d-8bab-4f88-b19c-2322a7f11034?api-version=2024-11-30"#,
        "3b31320d-8bab-4f88-b19c-2322a7f11034",
    ),
    (
        "azure-docint-batch",
        "header",
        r#"https://myres.cognitiveservices.azure.com/documentintelligence/documentModels/prebuilt-invoice/analyzeBatchResults/3b31320d-8bab-4f88-b19c-2322a7f11034?api-version=2024-11-30"#,
        "3b31320d-8bab-4f88-b19c-2322a7f11034",
    ),
    (
        "azure-openai-batch",
        "id",
        r#"{"id":"batch_51","object":"batch","status":"validating","errors":null}"#,
        "batch_51",
    ),
    (
        "baseten",
        "request_id",
        r#"{"request_id":"9876543210abcdef1234567890fedcba"}"#,
        "9876543210abcdef1234567890fedcba",
    ),
    ("brightdata", "snapshot_id", r#"{"snapshot_id":"s_m4x7enmven8djfqak"}"#, "s_m4x7enmven8djfqak"),
    (
        "browser-use-v2",
        "id",
        r#"{"id":"01995f3c-0f2e-7c1b-9a50-111111111111","sessionId":"01995f3c-0f2e-7c1b-9a50-222222222222"}"#,
        "01995f3c-0f2e-7c1b-9a50-111111111111",
    ),
    (
        "browser-use-v4",
        "id",
        r#"{"id":"01995f3c-0f2e-7c1b-9a50-111111111111","status":"dispatching"}"#,
        "01995f3c-0f2e-7c1b-9a50-111111111111",
    ),
    (
        "browserbase",
        "id",
        r#"{"id":"3c5f0e5e-8a0b-4c53-9b1f-1d6d0f6f5d11","status":"PENDING"}"#,
        "3c5f0e5e-8a0b-4c53-9b1f-1d6d0f6f5d11",
    ),
    (
        "cloudflare-ai-batch",
        "result.request_id",
        r#"{"result":{"status":"queued","request_id":"000-000-000","model":"@cf/baai/bge-m3"},"success":true,"errors":[],"messages":[]}"#,
        "000-000-000",
    ),
    (
        "datalab",
        "request_id",
        r#"{"success":true,"error":null,"request_id":"pXy1","request_check_url":"https://www.datalab.to/api/v1/convert/pXy1"}"#,
        "pXy1",
    ),
    (
        "fal",
        "request_id",
        r#"{"status":"IN_QUEUE","request_id":"80e732af-660e-45cd-bd63-580e4f2a94cc","response_url":"https://queue.fal.run/fal-ai/flux/requests/80e7","queue_position":0}"#,
        "80e732af-660e-45cd-bd63-580e4f2a94cc",
    ),
    ("firecrawl", "id", r#"{"success":true,"id":"5b1f","url":"https://api.firecrawl.dev/v2/crawl/5b1f"}"#, "5b1f"),
    (
        "fireworks-batch",
        "name",
        r#"{"name":"accounts/acme/batchInferenceJobs/bij-7","displayName":"mine","state":"JOB_STATE_CREATING"}"#,
        "bij-7",
    ),
    (
        "github-actions",
        "workflow_run_id",
        r#"{"workflow_run_id":16281872846,"run_url":"https://api.github.com/repos/acme/app/actions/runs/16281872846","html_url":"https://github.com/acme/app/actions/runs/16281872846"}"#,
        "16281872846",
    ),
    (
        "google-documentai",
        "name",
        r#"{"name":"projects/42/locations/us/operations/1234"}"#,
        "projects/42/locations/us/operations/1234",
    ),
    ("groq-batch", "id", r#"{"id":"batch_01","object":"batch","status":"validating","errors":null}"#, "batch_01"),
    ("heygen", "data.video_id", r#"{"error":null,"data":{"video_id":"af3d1e"}}"#, "af3d1e"),
    (
        "huggingface-jobs",
        "id",
        r#"{"id":"687fb701029421ae5549d998","createdAt":"2026-11-28T10:00:00Z","status":{"stage":"RUNNING"}}"#,
        "687fb701029421ae5549d998",
    ),
    ("llamacloud-batch", "id", r#"{"id":"btch-1","job_type":"parse","status":"pending"}"#, "btch-1"),
    ("llamaparse", "job.id", r#"{"job":{"id":"pjb-1","status":"PENDING"}}"#, "pjb-1"),
    (
        "llmwhisperer",
        "whisper_hash",
        r#"{"message":"Whisper Job Accepted","status":"processing","whisper_hash":"xxxxx-xxx-xxxx"}"#,
        "xxxxx-xxx-xxxx",
    ),
    (
        "luma",
        "id",
        r#"{"id":"123e4567-e89b-12d3-a456-426614174000","state":"queued","failure_reason":null}"#,
        "123e4567-e89b-12d3-a456-426614174000",
    ),
    ("mistral-batch", "id", r#"{"id":"b_1","object":"batch","status":"QUEUED","errors":[]}"#, "b_1"),
    ("modal", "call_id", r#"{"call_id":"fc-01"}"#, "fc-01"),
    (
        "openai-batch",
        "id",
        r#"{"id":"batch_abc123","object":"batch","status":"validating","errors":null}"#,
        "batch_abc123",
    ),
    ("optexity", "task_id", r#"{"success":true,"message":"Task created","task_id":"t-1"}"#, "t-1"),
    ("reducto", "job_id", r#"{"job_id":"r-1"}"#, "r-1"),
    (
        "replicate",
        "id",
        r#"{"id":"gm3qorzdhgbfurvjtvhg6dckhu","status":"starting","error":null,"urls":{"get":"https://api.replicate.com/v1/predictions/gm3q"}}"#,
        "gm3qorzdhgbfurvjtvhg6dckhu",
    ),
    (
        "runpod",
        "id",
        r#"{"id":"eaebd6e7-6a92-4bb8-a911-f996ac5ea99d","status":"IN_QUEUE"}"#,
        "eaebd6e7-6a92-4bb8-a911-f996ac5ea99d",
    ),
    ("runpod-batch", "id", r#"{"id":"rb-1","status":"DRAFT"}"#, "rb-1"),
    ("runway", "id", r#"{"id":"17f20503-6c24-4c16-946b-35dbbce2af2f"}"#, "17f20503-6c24-4c16-946b-35dbbce2af2f"),
    (
        "together-batch",
        "job.id",
        r#"{"job":{"id":"batch-xyz789","status":"VALIDATING"},"warning":null}"#,
        "batch-xyz789",
    ),
    ("vessl", "id", r#"{"id":"98nlux8b0eu6","status":"pending"}"#, "98nlux8b0eu6"),
];

#[test]
fn what_each_service_answers_to_a_submission_is_added_as_it_stands_and_the_page_says_where_the_job_is_named() {
    let mut bench = Bench::new();
    let page = include_str!("../docs/providers.md");
    for (provider, ..) in SUBMITTED {
        let mut settings = String::new();
        for (_, setting, value) in SETTINGS.iter().filter(|(name, ..)| name == provider) {
            settings.push_str(&format!("{setting} = \"{value}\"\n"));
        }
        if *provider == "unstract" {
            settings.push_str("url = \"https://us-central.unstract.com/deployment/api/org/api/\"\n");
        }
        let text = format!("provider = \"{provider}\"\n{settings}token = {{ env = \"{TOKEN_VARIABLE}\" }}");
        bench = bench.service(provider, &text);
    }
    for shipped in documented().iter().map(|documented| documented.provider.as_str()) {
        assert!(SUBMITTED.iter().any(|(provider, ..)| *provider == shipped), "{shipped}");
    }
    let answer = bench.home().join("answer");
    for (provider, field, text, id) in SUBMITTED {
        std::fs::write(&answer, text).unwrap();
        let mut command = bench.command(&["add", provider, "-"]);
        command.stdin(std::fs::File::open(&answer).unwrap());
        let ended = support::Running::start(command).end().with(0);
        assert_eq!(ended.text(), format!("{provider}/{id}\n"), "{ended:?}");
        let is_row = |line: &&str| line.starts_with(&format!("| `{field}`")) && line.contains(&format!("`{provider}`"));
        assert_eq!(page.lines().filter(is_row).count(), 1, "docs/providers.md on {provider}");
    }
}
