//! Descriptions of providers from outside: the documented replies over the wire, mistakes in descriptions, and services
//! that answer what they should not.
#![cfg(test)] // Helpers of tests are tests to the lints too.

#[path = "support/documented.rs"]
mod documented;
#[expect(dead_code, reason = "other suites need more of it")]
mod support;

use serde_json::Value;
use support::script::{Received, Scripted};
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
fn every_mistake_of_a_users_own_file_is_told_in_its_lines_all_at_once() {
    let bench = Bench::new()
        .service("a", "provider = \"own\"\ntoken = { env = \"T\" }")
        .service("b", "provider = \"own\"\ntoken = { env = \"T\" }");
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
    std::fs::write(folder.join("own.toml"), "title = 'Mine\n[status\n").unwrap();
    let said = bench.run(&["check"]).with(2).err;
    assert!(
        said.contains("providers/own.toml:1:") && said.contains("invalid literal string") && said.contains("^"),
        "{said}"
    );
    std::fs::write(folder.join("own.toml"), "like = \"openai-batch\"\n[status]\nmethod = \"POST\"\n").unwrap();
    let said = bench.run(&["check"]).with(2).err;
    assert!(said.contains("providers/own.toml:3:10: a POST may submit a job"), "{said}");
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
