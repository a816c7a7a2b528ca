//! The jobs file as a whole: what is accepted, what is said of the rest, and what is never said.

use std::path::Path;
use std::time::Duration;

use super::problems::known_keys;
use super::*;
use crate::domain::job::ProviderName;
use crate::domain::secret::TokenSource;
use crate::domain::service::Rate;
use crate::providers::described;

/// A file of one sound service, `llama`.
const LLAMA: &str = "[services.llama]
provider = \"vessl\"
base_url = \"https://host.example/llama\"
token = { env = \"T\" }
";

fn read(text: &str) -> Result<JobsFile, String> {
    parse(text, Path::new("/batch/jobs.toml")).map_err(|error| error.to_string())
}

/// The errors of a file, each as `line:column: message = help`.
fn errors(text: &str) -> Vec<String> {
    let error = parse(text, Path::new("/batch/jobs.toml")).expect_err(text);
    let texts: Vec<String> = error
        .problems
        .iter()
        .map(|problem| {
            let message = problem.lines().next().unwrap().strip_prefix("/batch/jobs.toml:").unwrap();
            let help = problem.lines().nth(4).map(|line| line.trim_start()).unwrap_or_default();
            format!("{message} {help}")
        })
        .collect();
    texts
}

#[test]
fn a_file_of_every_provider_is_read_with_its_defaults() {
    let file = read(
        "[services.llama]
provider = 'vessl'
base_url = 'https://serve-api.vessl.ai/api/v1/services/slug?gateway=key'
token = { file = 'secrets/token' }
[services.browser]
provider = 'optexity'
token = { command = ['pass', 'show', 'x'] }
interval = '10s'
rate = '20/s'
in_flight = 4
[services.invoices]
provider = 'unstract'
base_url = 'https://host.example/prefix/?k=v'
organization_id = 'org x'
api_name = 'invoices'
token = { env = 'T' }
include_extracted_text = true
include_metrics = false
[services.'eu.west']
provider = 'unstract'
url = 'https://us-central.unstract.com/deployment/api/org/receipts'
token = { file = '~/t' }
[[jobs]]
service = 'llama'
request_id = ' 98nlux8b0eu6 '
[[jobs]]
service = 'invoices'
ids = ['a', 'b']
name = 'scan'
tags = ['nightly']
",
    )
    .unwrap();
    let [llama, browser, invoices, west] = file.services.as_slice() else { panic!("{:?}", file.services) };
    assert_eq!(file.poll, PollSettings::default());
    assert_eq!((&*llama.name, llama.provider.name()), ("llama", ProviderName::VESSL));
    assert_eq!(llama.base.as_str(), "https://serve-api.vessl.ai/api/v1/services/slug?gateway=key");
    assert_eq!(llama.token, TokenSource::File("/batch/secrets/token".into()));
    assert_eq!(browser.base.as_str(), "https://api.optexity.com/");
    assert_eq!(browser.token, TokenSource::Command(["pass", "show", "x"].map(str::to_owned).into()));
    assert_eq!((browser.pace.interval, browser.in_flight), (Duration::from_secs(10), Some(4)));
    assert_eq!(browser.pace.max_interval, Duration::from_secs(60));
    assert_eq!(invoices.base.as_str(), "https://host.example/prefix/deployment/api/org%20x/invoices/?k=v");
    assert_eq!(
        (invoices.include.metadata, invoices.include.metrics, invoices.include.extracted_text),
        (true, false, true)
    );
    assert_eq!(west.base.as_str(), "https://us-central.unstract.com/deployment/api/org/receipts/");
    assert_eq!(west.token, TokenSource::File(files::paths::home().unwrap().join("t")));
    let jobs: Vec<_> = file.jobs.iter().map(|job| (job.label(), job.title().to_owned(), job.tags.to_vec())).collect();
    let expected = [
        ("llama/98nlux8b0eu6", "98nlux8b0eu6", vec![]),
        ("invoices/a", "scan 1", vec!["nightly".to_owned()]),
        ("invoices/b", "scan 2", vec!["nightly".to_owned()]),
    ];
    assert_eq!(jobs, expected.map(|(label, title, tags)| (label.to_owned(), title.to_owned(), tags)));
}

#[test]
fn files_of_ids_are_read_with_their_names_and_what_is_no_id_in_them_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.toml");
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    put("a.txt", "\u{feff}# november\r\n7\r\n\r\n8\tinvoice 17.pdf\r\n");
    put("b.txt", "https://host.example/llama/async/9/output\n");
    put("bad.txt", "1\n2 3\nllama/4\n{\"id\":5}\nx\u{200b}\n1\n");
    let read = |entry: &str| parse(&format!("{LLAMA}[[jobs]]\nservice='llama'\n{entry}\n"), &path);
    let titles = |entry: &str| -> Vec<String> {
        read(entry).unwrap().jobs.iter().map(|job| format!("{} {}", job.key.id, job.title())).collect()
    };
    assert_eq!(titles("ids_file = 'a.txt'\nname = 'scan'\ntags = ['nov']"), ["7 scan 1", "8 invoice 17.pdf"]);
    assert_eq!(titles("ids_file = '[ab].txt'"), ["7 7", "8 invoice 17.pdf", "9 9"]);
    assert_eq!(titles("ids_file = 'none*.txt'"), Vec::<String>::new());
    let cases = [
        ("ids_file = 'none.txt'", "7:12: none.txt: there is no such file"),
        ("ids_file = 'none.txt'", "write that file, or name another"),
        ("ids_file = 'bad.txt'", "7:12: bad.txt, line 2: an id has no white space inside"),
        ("ids_file = 'bad.txt'", "7:12: bad.txt, line 3: this id begins with the name of a service"),
        ("ids_file = 'bad.txt'", "7:12: bad.txt, line 4: this is JSON, not an id"),
        ("ids_file = 'bad.txt'", "7:12: bad.txt, line 5: this id holds a control character"),
        ("ids_file = 'bad.txt'", "7:12: bad.txt, line 6: the same job as in line 1 of bad.txt"),
        ("id = '8'\n[[jobs]]\nservice='llama'\nids_file = 'a.txt'", "10:12: a.txt, line 4: the same job as in line 7"),
        ("id = '7'\nids_file = 'a.txt'", "8:1: `ids_file` beside `id`"),
        ("ids_file = 'x['", "7:12: this pattern cannot be read"),
        ("ids_file = 7", "7:12: key `ids_file` must be a string"),
        ("ids_file = '.'", ": this is a directory"),
        ("ids_file = '.'", "= name a file in it, or all of them"),
        ("ids_file = \"a\\u0000b\"", "7:12: key `ids_file` holds a NUL character"),
        ("id = '7'\nname = \"a\\u0000b\"", "8:8: key `name` holds a NUL character"),
        ("id = '7'\nbatch = \"\\u0000\"", "8:9: key `batch` holds a NUL character"),
        ("ids_file = ['a.txt']", "7:12: key `ids_file` must be a string, not an array"),
    ];
    for (entry, expected) in cases {
        let error = read(entry).unwrap_err();
        assert!(error.to_string().contains(expected), "{entry}\n{error}");
    }
}

#[test]
fn a_hundred_thousand_ids_of_a_file_are_jobs_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let ids: String = (0..100_000).map(|n| format!("id-{n}\tscan {n}\n")).collect();
    std::fs::write(directory.path().join("ids.txt"), ids).unwrap();
    let text = format!("{LLAMA}[[jobs]]\nservice='llama'\nids_file='ids.txt'\n");
    let file = parse(&text, &directory.path().join("jobs.toml")).unwrap();
    assert_eq!((file.jobs.len(), file.jobs[99_999].title()), (100_000, "scan 99999"));
}

#[test]
fn a_service_has_fields_of_the_users_own_and_a_time_after_which_a_job_is_stuck() {
    let text = format!(
        "batch = 'nov-22'\nalert_after = '30m'\n{LLAMA}[services.llama.fields]\ntotal = '/output/total'\n\
         vendor = {{ at = 'output:/*/vendor', fold = 'join', column = true, width = 9, title = 'V' }}\n\
         [services.b]\nprovider = 'optexity'\ntoken = {{ env = 'T' }}\nalert_after = '5s'\n[[jobs]]\nservice='b'\nid='7'\n"
    );
    let file = read(&text).unwrap();
    let [llama, b] = file.services.as_slice() else { panic!() };
    assert_eq!((llama.alert_after, b.alert_after), (Some(Duration::from_secs(1800)), Some(Duration::from_secs(5))));
    assert_eq!(file.jobs[0].batch.as_deref(), Some("nov-22"));
    assert_eq!(file.jobs[0].traits.alert_after, b.alert_after);
    assert_eq!(
        crate::domain::field::definition(&llama.fields),
        "total first /output/total\nvendor join output:/*/vendor"
    );
    assert_eq!((llama.fields[1].heading(), llama.fields[1].width), ("V".to_owned(), Some(9)));
    assert_eq!(read(LLAMA).unwrap().batch.as_deref(), Some("jobs"));
    for (value, error) in [("'llama/a'", "must be an array of strings"), ("['a']", "no service before this id")] {
        let text = format!("{LLAMA}[[jobs]]\nservice = 'llama'\nid = 'b'\nresubmits = {value}\n");
        let said = read(&text).unwrap_err();
        assert!(said.contains(error), "{said}");
    }
    // What came of a service that was taken out of the file stays in it.
    let text = format!("{LLAMA}[[jobs]]\nservice = 'llama'\nid = 'b'\nresubmits = ['gone/a', 'llama/a']\n");
    assert_eq!(read(&text).unwrap().jobs[0].resubmits.len(), 1);
    let cases = [
        ("total = 'output/total'", "a pointer begins with `/`"),
        ("total = { at = '/a~' }", "`~` is written `~0`"),
        ("total = { column = true }", "no `at` in this field"),
        ("total = { at = '/a', fold = 'summ' }", "there is no such fold"),
        ("total = { at = '/a', fold = 'summ' }", "did you mean \"sum\"?"),
        ("total = { at = '/a', colour = 1 }", "unknown key `colour` in a field"),
        ("total = 7", "key `total` must be a table"),
        ("state = '/a'", "`state` is a word of the filter already"),
        ("'7 x' = '/a'", "this is no name for a field"),
    ];
    for (field, expected) in cases {
        let error = read(&format!("{LLAMA}[services.llama.fields]\n{field}\n")).unwrap_err();
        assert!(error.contains(expected), "{field}\n{error}");
    }
}

#[test]
fn the_sample_is_valid() {
    assert_eq!(read(SAMPLE).map(|file| file.jobs.len()), Ok(1));
}

#[test]
fn the_query_of_a_base_url_is_not_in_the_debug_output() {
    let file = read(&LLAMA.replace("/llama", "/llama?key=CANARY7")).unwrap();
    let shown = format!("{file:?}");
    assert!(shown.contains("https://host.example/llama?***") && !shown.contains("CANARY7"), "{shown}");
}

#[test]
fn a_file_without_jobs_or_services_is_valid() {
    let texts = ["", "\u{feff}# nothing\r\n", "jobs = []\n", "[poll]\ninterval = '1s'\n", LLAMA, "[services]\n"];
    for text in texts {
        assert!(read(text).is_ok(), "{text:?}");
    }
}

#[test]
fn poll_sets_what_holds_for_all_services() {
    let text = "[poll]\ninterval='1s'\nmax_interval='1m 30s'\nin_flight=3\nconnect_timeout='500ms'\nread_timeout='2h'\nnot_found_grace='5s'\n";
    let file = read(&format!("{text}{LLAMA}max_interval='9s'\n")).unwrap();
    let seconds = |duration: Duration| duration.as_secs_f64();
    assert_eq!(seconds(file.poll.pace.interval), 1.0);
    assert_eq!(seconds(file.poll.connect_timeout), 0.5);
    assert_eq!(seconds(file.poll.read_timeout), 7200.0);
    assert_eq!(seconds(file.poll.not_found_grace), 5.0);
    assert_eq!(file.poll.in_flight, 3);
    let pace = file.services[0].pace;
    assert_eq!((seconds(pace.interval), seconds(pace.max_interval)), (1.0, 9.0));
}

#[test]
fn a_service_is_polled_no_more_often_than_its_provider_asks_for_whatever_the_file_says() {
    let second = Duration::from_secs;
    let rate = |requests, per| Some(Rate { requests, per: second(per) });
    let cases = [
        ("runway", "", second(5), None),
        ("runway", "interval = '1s'\nmax_interval = '2s'", second(5), None),
        ("runway", "interval = '9s'", second(9), None),
        ("datalab", "", second(5), rate(400, 60)),
        ("datalab", "rate = '1/s'", second(5), rate(1, 1)),
        ("runpod", "endpoint = 'e'\ninterval = '1s'", second(1), rate(2000, 10)),
        ("runpod-batch", "endpoint = 'e'", second(5), rate(2000, 10)),
        ("vessl", "base_url = 'https://h.example'", second(5), None),
    ];
    for (provider, more, least, rate) in cases {
        let text = format!("[services.s]\nprovider = '{provider}'\ntoken = {{ env = 'T' }}\n{more}\n");
        let file = read(&text).unwrap();
        let service = &file.services[0];
        assert_eq!(service.rate, rate, "{text}");
        // A least interval holds for every single pause; that of the file is one from which chance may take a tenth.
        let shortest = crate::domain::schedule::pause(service.pace, 0, 0.0);
        let of_provider = second(5) == least && provider == "runway";
        let least = if of_provider { least } else { least.mul_f64(0.9) };
        assert!(shortest + Duration::from_micros(1) >= least, "{text}: {shortest:?}");
    }
}

#[test]
fn an_error_shows_line_column_caret_and_what_to_do() {
    let text = format!("{LLAMA}intervall = \"5s\"  # my comment\n");
    assert_eq!(
        read(&text).unwrap_err(),
        "/batch/jobs.toml:5:1: unknown key `intervall` in [services.llama]\n  |\n5 | intervall = \"***\"  #***\n  | ^^^^^^^^^\n  = did you mean `interval`?"
    );
}

#[test]
fn every_kind_of_mistake_is_named_and_says_what_to_do() {
    // Each is put below a sound service and its first job; lines are counted from there.
    let cases = [
        ("[pol]", "1:2: unknown key `pol` at the top of the file = did you mean `poll`?"),
        ("[[job]]", "1:3: unknown key `job` at the top of the file = did you mean `jobs`?"),
        ("[poll]\ninterval = 5", "2:12: key `interval` must be a string, not an integer = write it in quotes"),
        ("[poll]\ninterval = '5'", "2:12: key `interval` lacks a unit = write a duration like \"500ms\""),
        ("[poll]\ninterval = '0s'", "2:12: key `interval` must be above zero"),
        ("[poll]\nread_timeout = 'ages'", "2:16: key `read_timeout` is no duration = write one like"),
        ("[poll]\nin_flight = 0", "2:13: key `in_flight` must be a whole number above zero"),
        ("[poll]\nin_flight = -4", "2:13: key `in_flight` must be a whole number above zero"),
        ("[poll]\nin_flight = '4'", "2:13: key `in_flight` must be a whole number, not a string"),
        ("[poll]\nrate = '4/s'", "2:1: unknown key `rate` in [poll] = known here: interval, max_interval"),
        ("[services.x]", "1:1: no `provider` in [services.x] = write provider ="),
        ("[services.x]", "1:1: no `token` in [services.x] = say where it comes from"),
        ("[services.x]\nprovider = 'vesl'", "2:12: unknown provider in [services.x] = did you mean \"vessl\"?"),
        ("[services.x]\nprovider = 'aws'", "2:12: unknown provider in [services.x] = write \"vessl\", \"optexity\""),
        ("[services.x]\nprovider = 'vessl'", "1:1: no `base_url` in [services.x] = write base_url"),
        ("[services.x]\nprovider = 'unstract'", "1:1: no `url` in [services.x] = write url = "),
        ("[services.x]\nprovider = 'unstract'\nbase_url='https://h'", "1:1: no `organization_id` and no `api_name` in"),
        (
            "[services.x]\nprovider = 'unstract'\nurl='https://h/deployment/api/o/a'\napi_name='a'",
            "4:1: `api_name` beside `url`",
        ),
        ("[services.x]\nprovider = 'unstract'\nurl='https://h/o/a'", "3:5: `url` is no deployment's URL"),
        (
            "[services.x]\nprovider = 'unstract'\nurl='https://h/deployment/api/o/a/?execution_id=7'",
            "3:5: `url` holds an execution_id",
        ),
        (
            "[services.x]\nprovider = 'unstract'\nbase_url='https://h/deployment/api'\norganization_id='o'\napi_name='a'",
            "3:10: `base_url` holds the path of a deployment already",
        ),
        (
            "[services.x]\nprovider = 'unstract'\nbase_url='https://h'\norganization_id='a/b'\napi_name='a'",
            "4:17: `organization_id` is no single part of a path",
        ),
        (
            "[services.x]\nprovider = 'vessl'\nurl='https://h'",
            "3:1: `url` in [services.x], which is no unstract service = write it as `base_url`",
        ),
        (
            "[services.x]\nprovider = 'optexity'\ninclude_metrics=true",
            "3:1: `include_metrics` in [services.x], which is no unstract service",
        ),
        (
            "[services.x]\nprovider='vessl'\nbase_url='host'",
            "3:10: `base_url` is no URL: relative URL without a base = write it like",
        ),
        ("[services.x]\nprovider='vessl'\nbase_url='ftp://h'", "3:10: `base_url` is no https URL"),
        ("[services.x]\nprovider='vessl'\nbase_url=''", "3:10: key `base_url` is empty"),
        (
            "[services.x]\nprovider='vessl'\nbase_url='https://u:p@h'",
            "3:10: `base_url` holds a user or a password = take what stands",
        ),
        (
            "[services.x]\nprovider='vessl'\nbase_url='http://h'",
            "3:10: `base_url` is plain http, which would show the token to the network = write https, or allow",
        ),
        (
            "[services.x]\ntoken = 'sk-1'",
            "2:9: a token is never written in the file = say where it comes from: token = { env = \"VESSL_TOKEN\" }",
        ),
        ("[services.x]\ntoken = {}", "2:9: this token has neither env nor file nor command"),
        ("[services.x\n", "1:1: `[` is not closed = end it with ]"),
        ("a b\n", "write key = \"value\", or a # before what is a remark"),
        ("a = \"b\n", "1:5: `\"` is not closed = end it with \""),
        ("a = 'b' c\n", "= write one key a line, and text in quotes"),
        ("a = 01\n", "`jobdeck init -c example.toml` writes a file to compare with"),
        ("[services.x]\ntoken = { env = 'A', file = 'b' }", "2:22: `file` is one source too many for a token"),
        ("[services.x]\ntoken = { var = 'A' }", "2:11: unknown key `var` in a token"),
        ("[services.x]\ntoken = { env = '$A' }", "2:17: this is no name of an environment variable"),
        ("[services.x]\ntoken = { env = 'sk-live-4f9a' }", "2:17: this is no name of an environment variable"),
        ("[services.x]\ntoken = { env = 3 }", "2:17: key `env` must be a string, not an integer"),
        (
            "[services.x]\ntoken = { command = 'pass show x' }",
            "2:21: key `command` must be an array of strings, not a string = write command = [",
        ),
        ("[services.x]\ntoken = { command = [] }", "2:21: this command names no program"),
        ("[services.x]\ntoken = { file = '~root/x' }", "2:18: another user's ~ is not known here"),
        ("[services.x]\napi_key = 'sk-1'", "2:1: unknown key `api_key` in [services.x] = did you mean `token`?"),
        ("[services.x]\ninsecure = 'yes'", "2:12: key `insecure` must be true or false, not a string"),
        ("[services.x]\nrate = '20'", "2:8: key `rate` is no rate = write one like \"20/s\""),
        (
            "[services.eu.west]\nprovider = 'vessl'",
            "1:14: a table in [services.eu] = a name with a dot is written in quotes",
        ),
        ("[services.x]\ntokne = { env = 'T' }", "2:1: unknown key `tokne` in [services.x] = did you mean `token`?"),
        ("[services.'a b']\nprovider = 'vessl'", "1:11: this is no name for a service = a name has letters"),
        ("[[services]]\nprovider = 'vessl'", "this key or table is given twice"),
        (
            "[jobs]\nservice='llama'",
            "this key or table is given twice = keep one of them; for several jobs write [[jobs]]",
        ),
        ("[[jobs]]\nid='y'", "1:1: no `service` in this job"),
        ("[[jobs]]\nservice='llama'", "1:1: no `id` in this job"),
        ("[[jobs]]\nservice='lama'\nid='y'", "2:9: the file defines no service of this name = did you mean \"llama\"?"),
        (
            "[[jobs]]\nservice='zebra'\nid='y'",
            "2:9: the file defines no service of this name = the file defines: llama",
        ),
        ("[[jobs]]\nservice='llama'\nid=''", "3:4: empty id"),
        ("[[jobs]]\nservice='llama'\nids=['a', ' ']", "3:11: empty id"),
        ("[[jobs]]\nservice='llama'\nid='a'\nids=['b']", "4:1: `ids` beside `id`: a job has one id"),
        ("[[jobs]]\nservice='llama'\ntask_id='a'\nexecution_id='b'", "4:1: `execution_id` beside `task_id`"),
        ("[[jobs]]\nservice='llama'\nid=17", "3:4: key `id` must be a string, not an integer"),
        ("[[jobs]]\nservice='llama'\nid=['a']", "3:1: `id` takes one id = write `ids` for many"),
        ("[[jobs]]\nservice='llama'\nids='a'", "3:5: key `ids` must be an array of strings, not a string"),
        ("[[jobs]]\nservice='llama'\nids=['a', 7]", "3:11: key `ids` holds an integer among its strings"),
        ("[[jobs]]\nservice='llama'\nid='a'\ntags='x'", "4:6: key `tags` must be an array of strings"),
        ("[[jobs]]\nservice='llama'\nid='a'\nstate='x'", "4:1: unknown key `state` in [[jobs]]"),
        ("[[jobs]]\nservice='llama'\nid=' first '", "3:4: the same job as in line 7"),
        ("[[jobs]]\nservice='llama'\nids=['a','b','a']", "3:14: the same job as in line 10"),
        (
            "[services.l2]\nprovider='vessl'\nbase_url='https://HOST.example:443/llama/'\ntoken={env='T'}\n[[jobs]]\nservice='l2'\nid='first'",
            "7:4: the same job as in line 7",
        ),
        (
            "[[jobs]]\nservice='llama'\nid='https://other.example/x/async/7/output'",
            "3:4: this id is an address of another host than its service's = name the service",
        ),
        (
            "[[jobs]]\nservice='llama'\nid='https://host.example/llama/async/first/output'",
            "3:4: the same job as in line 7",
        ),
        (
            "[[jobs]]\nservice='llama'\nid='https://host.example/other/async/7/output'",
            "3:4: this id is an address that is not the status URL of its service",
        ),
        ("[poll]\ninterval", "2:9: key with no value, expected `=`"),
        ("[poll]\ninterval = ", "2:12: string values must be quoted"),
        ("[poll", "1:1: `[` is not closed"),
        ("[poll]\ninterval = \"5s", "2:12: `\"` is not closed"),
        ("[poll]\ninterval = '5s'\ninterval = '6s'", "3:1: this key or table is given twice"),
    ];
    let base = format!("{LLAMA}[[jobs]]\nservice='llama'\nid='first'\n");
    let above = base.lines().count();
    for (text, expected) in cases {
        let whole = format!("{base}{text}\n");
        let errors = errors(&whole);
        let shifted: Vec<String> = errors
            .iter()
            .map(|error| {
                let (line, rest) = error.split_once(':').unwrap();
                format!("{}:{rest}", line.parse::<usize>().unwrap() as isize - above as isize)
            })
            .collect();
        assert!(
            shifted.iter().any(|error| error.contains(expected)),
            "{text}\n  wanted {expected}\n  found {shifted:#?}"
        );
    }
}

#[test]
fn what_is_not_closed_is_told_alone_where_it_was_opened() {
    let after = "tags = ['q', 'r']\n[[jobs]]\nservice = 'llama'\nid = 'c'\nname = 'x'\ntags = ['q', 'r']\n";
    // Each is part of a job that is the second of its file; lines are counted from there.
    let cases = [
        ("id = 'b'\nresubmits = ['llama/a'\n", "2:13: `[` is not closed = end it with ]"),
        ("ids = [\n  'a',\n  'b',\n", "1:7: `[` is not closed"),
        ("ids = [\n  'a',\n  'b'\nname = 'n'\n", "1:7: `[` is not closed"),
        ("ids = ['a', 'b'}\n", "1:7: `[` is not closed"),
        ("ids = ['a, 'b']\n", "1:8: `'` is not closed"),
        ("ids = ['a', 'b]\n", "1:13: `'` is not closed"),
        ("ids = [\n  'a',\n  'b,\n  'c',\n]\n", "3:3: `'` is not closed"),
        ("id = \"b\nname = 'n'\n", "1:6: `\"` is not closed = end it with \""),
        ("id = \"b\\\"\nname = 'n'\n", "1:6: `\"` is not closed"),
        ("id = 'b'\nname = \"\"\"n\n", "2:8: `\"\"\"` is not closed = end it with \"\"\""),
        ("id = 'b'\nname = '''n\ntags = ['q']\n", "2:8: `'''` is not closed"),
        ("id = 'b'\nname = \"\"\"n\nbatch = \"\"\"q\"\"\"\n", "2:8: `\"\"\"` is not closed"),
        (
            "id = 'b'\n[services.b]\nprovider='vessl'\ntoken = { env = 'B'\nbase_url='https://b'\n[[jobs]]\nservice='b'\nid='1'\n",
            "4:9: `{` is not closed = end it with }",
        ),
        (
            "id = 'b'\n[services.b]\nprovider='vessl'\ntoken = { env = 'B }\nbase_url='https://b'\n[[jobs]]\nservice='b'\nid='1'\n",
            "4:17: `'` is not closed",
        ),
        (
            "id = 'b'\n[services.b\nprovider='vessl'\nbase_url='https://b'\ntoken={env='T'}\n[[jobs]]\nservice='b'\nid='1'\n",
            "2:1: `[` is not closed",
        ),
        ("id = 'b'\n[[jobs]\nservice='llama'\nid='1'\n", "2:1: `[` is not closed"),
    ];
    let base = format!("{LLAMA}[[jobs]]\nservice='llama'\nid='first'\n[[jobs]]\nservice='llama'\n");
    let above = base.lines().count();
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        for whole in [format!("{base}{text}"), format!("{base}{text}{after}")] {
            let errors = errors(&whole);
            let told = errors
                .first()
                .and_then(|error| error.split_once(':'))
                .map_or_else(String::new, |(line, rest)| format!("{}:{rest}", line.parse::<usize>().unwrap() - above));
            if errors.len() != 1 || !told.starts_with(expected) {
                wrong.push(format!("{whole}\n  wanted {expected}\n  found {errors:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let two = format!(
        "{base}ids = ['a'\n[[jobs]]\nservice='lama'\nid='x'\n[[jobs]]\nservice='llama'\nid=\"y\n[poll]\nintervall='5s'\n"
    );
    let told: Vec<String> = errors(&two).iter().map(|error| error.split(" = ").next().unwrap().to_owned()).collect();
    assert_eq!(told.len(), 3, "errors that do not follow from it are told too: {told:#?}");
    let sound = "[poll] # [\ninterval = '5s' # \"\n";
    assert!(super::parse(sound, Path::new("/x/jobs.toml")).is_ok(), "what is closed is none");
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_the_file_syntax_errors_among_them() {
    let text = "[poll]
interval = 'soon'
in_flight
read_timeout = 7
[services.a]
provider = 'vessl'
base_url = 'http://h'
token = 'sk-live'
[[jobs]]
service = 'a'
id = ''
colour = 1
";
    let found: Vec<String> =
        errors(text).iter().map(|error| error.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        found,
        [
            "2:12 key `interval` is no duration = write one like \"500ms\", \"5s\", \"1m 30s\" or \"2h\"",
            "3:10 key with no value, expected `=` = write key = \"value\", or a # before what is a remark",
            "4:16 key `read_timeout` must be a string, not an integer = write it in quotes",
            "7:12 `base_url` is plain http, which would show the token to the network = write https, or allow it with insecure = true",
            "8:9 a token is never written in the file = say where it comes from",
            "11:6 empty id = write the id that the service gave, or take the job out",
            "12:1 unknown key `colour` in [[jobs]] = known here",
        ]
    );
}

#[test]
fn a_service_that_is_refused_does_not_hide_what_is_wrong_with_its_jobs() {
    let text = "[services.a]
provider = 'optexity'
base_url = 'http://me:pw@h.example'
token = 'sk-live'
[[jobs]]
service = 'a'
ids = ['q', ' q', 'https://other.example/?task_id=1']
";
    let found: Vec<String> = errors(text).iter().map(|error| error.split(" = ").take(1).collect()).collect();
    assert_eq!(
        found,
        [
            "3:12: `base_url` holds a user or a password",
            "3:12: `base_url` is plain http, which would show the token to the network",
            "4:9: a token is never written in the file",
            "7:13: the same job as in line 7",
            "7:19: this id is an address of another host than its service's",
        ]
    );
}

#[test]
fn the_schema_knows_the_keys_that_the_reader_knows_and_no_others() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let cases = [
        ("/properties", known_keys::TOP),
        ("/properties/poll/properties", known_keys::POLL),
        ("/definitions/service/properties", known_keys::SERVICE),
        ("/definitions/token/properties", known_keys::TOKEN),
        ("/definitions/field/properties", known_keys::FIELD),
        ("/definitions/job/properties", known_keys::JOB),
        ("/definitions/provider/properties", described::TOP),
        ("/definitions/provider/properties/status/properties", described::STATUS),
        ("/definitions/result/properties", described::RESULT),
        ("/definitions/command/properties", known_keys::COMMAND),
        ("/definitions/hook/properties", known_keys::HOOK),
    ];
    for (pointer, names) in cases {
        let keys: Vec<_> = schema.pointer(pointer).unwrap().as_object().unwrap().keys().collect();
        assert_eq!(keys, names, "{pointer}");
    }
    let ids: Vec<_> = schema.pointer("/definitions/job/oneOf").unwrap().as_array().unwrap().iter().collect();
    assert_eq!(
        ids,
        known_keys::ID
            .iter()
            .map(|id| serde_json::json!({ "required": [id] }))
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
}

#[test]
fn plain_http_is_for_loopback_or_on_request() {
    let cases = [
        ("http://127.0.0.1:9/x", "", true),
        ("http://localhost/x", "", true),
        ("http://demo.localhost/x", "", true),
        ("http://[::1]:80/x", "", true),
        ("http://localhost.example/x", "", false),
        ("http://127.0.0.1.example/x", "", false),
        ("http://10.0.0.1/x", "", false),
        ("http://10.0.0.1/x", "insecure = false", false),
        ("http://10.0.0.1/x", "insecure = true", true),
    ];
    for (url, more, is_valid) in cases {
        let text = format!("[services.x]\nprovider='vessl'\nbase_url='{url}'\ntoken={{env='T'}}\n{more}\n");
        assert_eq!(read(&text).is_ok(), is_valid, "{url} {more}");
    }
}

#[test]
fn a_job_of_a_service_that_is_wrong_in_itself_is_not_another_error() {
    let text = "[services.x]\nprovider='vessl'\ntoken={env='T'}\n[[jobs]]\nservice='x'\nid='a'\n";
    assert_eq!(errors(text).len(), 1);
}

#[test]
fn no_value_and_no_comment_of_the_file_is_ever_said_in_an_error() {
    let texts = [
        "token = 'CANARY7' # CANARY7",
        "CANARY7 = 1",
        "CANARY7",
        "[CANARY7]",
        "[services.x]\ntoken = CANARY7\n",
        "[services.x]\ntoken = CANARY7.x==\n",
        "[services.x]\ntoken CANARY7\n",
        "[services.x]\ntoken: CANARY7\n",
        "[services.x]\ntoken =\nCANARY7==\n",
        "[services.x]\ntoken = \"CANARY7\n",
        "[services.x]\ntoken = \"\"\"\nCANARY7\nkey = CANARY7\n\"\"\" # CANARY7\n",
        "[services.x]\ntoken = '''CANARY7\n",
        "[services.x]\ntoken = { env = \"CANARY7\", CANARY7 = CANARY7 }\n",
        "[services.x]\ntoken = { env = \"=CANARY7\" }\n",
        "[services.x]\ntoken = { file = \"~CANARY7\" }\n",
        "[services.x]\ntoken = { command = [\"CANARY7\", CANARY7, 7] }\n",
        "[services.x]\nprovider = \"CANARY7\"\nbase_url = \"https://CANARY7:CANARY7@h/?k=CANARY7\"\n",
        "[services.x]\nprovider = \"vessl\"\nbase_url = \"http://h/CANARY7?CANARY7\"\nrate='CANARY7'\ninterval='CANARY7'",
        "[services.x]\nprovider = \"unstract\"\nurl = \"https://h/CANARY7/\"\n",
        "[services.x]\nprovider = \"vessl\"\nbase_url = \"CANARY7://[::CANARY7\"\n",
        "[[jobs]]\nservice = \"CANARY7\"\nid = \"CANARY7\"\nname = CANARY7\n",
        "[[jobs]]\nservice = 'a'\nids = ['a', 'CANARY7', 'CANARY7', 1CANARY7]\n# CANARY7",
        "[[jobs]]\nservice = 'a'\nid = 'https://CANARY7/CANARY7?CANARY7'\n",
        "[[jobs]]\nservice = 'i'\nid = 'https://CANARY7/CANARY7?CANARY7'\n",
        "[[jobs]]\nservice = 'i'\nid = '/deployment/api/CANARY7/CANARY8/?execution_id=CANARY7'\n",
        "x = 2020-99-99CANARY7\ny = \"\\uCANARY7\"\nz = 0xCANARY7 ]CANARY7[ {CANARY7} , CANARY7",
    ];
    let sound = "[services.a]\nprovider='vessl'\nbase_url='https://h/CANARY7'\ntoken={env='CANARY7'}\n\
        [services.i]\nprovider='unstract'\nurl='https://h/deployment/api/CANARY7/CANARY7'\ntoken={env='CANARY7'}\n";
    for text in texts {
        for whole in [text.to_owned(), format!("{sound}{text}"), format!("{text}\n{sound}")] {
            let error = read(&whole).expect_err(&whole);
            assert!(!error.contains("CANARY7"), "{whole}\n---\n{error}");
        }
    }
}

#[test]
fn control_characters_of_a_file_never_reach_the_screen() {
    let text = "[\"\u{1b}]0;x\u{7}\"]\n\u{1b}[31m = 1\n\"\u{202e}ab\" = 2\n# \u{9b}2J\u{0}\n";
    let error = read(text).unwrap_err();
    assert!(error.chars().all(|c| c == '\n' || crate::domain::clean::is_harmless(c)), "{error:?}");
}

#[test]
fn a_file_that_cannot_be_read_says_why_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("latin1.toml"), b"# fine\n# caf\xe9\n").unwrap();
    let cases = [
        (path("none.toml"), "there is no such file\n  = write a starter file with `jobdeck init`"),
        (directory.path().to_owned(), "this is a directory"),
        (path("latin1.toml"), "the file is not UTF-8 (see line 2)\n  = save it as UTF-8"),
        (path("latin1.toml").join("x"), "failed to read the file: Not a directory"),
    ];
    for (path, expected) in cases {
        let error = load(&path).unwrap_err();
        assert!(error.to_string().contains(expected), "{}", error.to_string());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn nothing_that_looks_like_a_jobs_file_makes_the_reader_panic(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\n", "\r\n", " ", "\t", "#", "\"", "'", "\"\"\"", "'''", "\\", "\\u12",
            "poll", "services", "jobs", "token", "env", "ids", "id", "service", "provider", "base_url", "url", "interval",
            "'vessl'", "'unstract'", "'https://h/deployment/api/o/a'", "x", "é", "\u{1b}", "\u{0}", "\u{feff}", "1", "-", "2020-01-01",
            "\n[services.x]\n", "\n[[jobs]]\n", "\nservice = 'x'\n", "\nid = 'a'\n",
        ]), 0..40),
    ) {
        if let Err(error) = read(&pieces.concat()) {
            proptest::prop_assert!(error.chars().all(|c| c == '\n' || crate::domain::clean::is_harmless(c)));
        }
    }
}
