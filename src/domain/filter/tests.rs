//! What the filter language finds, and what it says of what it does not understand.

use std::sync::Arc;

use super::*;
use crate::domain::job::{Job, JobKey, ProviderName};
use crate::domain::observation::{BodyId, FieldValues, LastPoll, Observation, SavedBody};
use crate::domain::state::{PollOutcome, State};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn job() -> Job {
    Job {
        key: JobKey { provider: ProviderName::OPTEXITY, endpoint: "https://x".into(), id: "6B1F-77".into() },
        service: Arc::from("Browser"),
        name: Some("acme 2211".into()),
        tags: ["Nov".into(), "nightly".into()].into(),
        traits: crate::tests::traits(ProviderName::OPTEXITY),
        batch: Some("November".into()),
        resubmits: Arc::default(),
    }
}

fn known() -> Observation {
    Observation {
        state: State::Failed,
        fail_reason: Some("Login page did not load: connection TIMED out".into()),
        http_status: Some(200),
        service_status_code: Some(503),
        first_seen: Some(at(0)),
        running_since: Some(at(0)),
        finished_at: Some(at(120)),
        cost: Some("0.25".into()),
        fields: Some(Box::new(FieldValues {
            taken_by: String::new(),
            values: r#"{"total":1200.50,"vendor":"Acme Inc"}"#.to_owned(),
        })),
        saved: Some(SavedBody {
            body: BodyId(1),
            bytes: 1_200_000,
            sha256: Default::default(),
            http_status: 200,
            at: at(120),
            masked: false,
        }),
        ..Observation::default()
    }
}

fn finds(filter: &str) -> bool {
    let own = ["total", "vendor"];
    let filter = Filter::parse_with(filter, &own).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let (job, known) = (job(), known());
    let files = ["Invoice.PDF".to_owned()];
    let text = SearchText::new(&job, &known);
    let subject = FilterSubject { marked: true, files: &files, ..FilterSubject::new(&job, &known, &text) };
    filter.matches(&subject, at(120 + 601))
}

#[test]
fn what_a_filter_finds() {
    let cases = [
        "",
        "  ",
        "login",
        "LOGIN Timed",
        "acme",
        "6b1f",
        "browser",
        "nov",
        "\"did not load\"",
        "\"acme 2211\"",
        "state:failed,partial",
        "State:FAILED",
        "!state:succeeded",
        "!!login",
        "! nothing",
        "is:problem",
        "is:active,finished",
        "is:saved",
        "is:marked",
        "!is:stale",
        "service:browser",
        "provider:opt*",
        "tag:nov",
        "tag:x,night*",
        "name:acme*",
        "name:\"acme 2211\"",
        "name:*22*1",
        "id:6b1f*",
        "file:*.pdf",
        "age:>10m",
        "age:<=1h30m",
        "age:>=601s",
        "took:>=2m",
        "took:<2.5m",
        "size:>1mb",
        "size:<2m",
        "size:>=1200000",
        "cost:>0.1",
        "cost:=0.25",
        "!cost:>1",
        "batch:nov*",
        "batch:november",
        "total:>1000",
        "total:<=1200.50",
        "total:1200.50",
        "vendor:acme*",
        "!vendor:acme",
        "!vendor:>1",
        "!is:stuck",
        "http:5xx",
        "http:200",
        "http:50x",
        "http:>=500",
        "http:404,503",
        "reason:~\"timeout|timed out\"",
        "reason:~tim.d",
        "reason:login",
        "reason:login*load",
        "name:~^acme",
        "login and nov",
        "nope or login",
        "login and (nope or nov)",
        "(nope or login) !(xx or yy)",
        "login AND nov",
        "nope nope or nov login",
    ];
    for filter in cases {
        assert!(finds(filter), "{filter}");
    }
}

#[test]
fn what_a_filter_does_not_find() {
    let cases = [
        "nope",
        "login nope",
        "\"load not\"",
        "state:succeeded",
        "!state:failed",
        "is:active",
        "is:stale",
        "service:brow",
        "provider:vessl",
        "tag:nove",
        "name:acme",
        "id:6b1f",
        "file:*.png",
        "age:<10m",
        "took:>2m",
        "size:<1mb",
        "http:4xx",
        "reason:~^timed",
        "login (nope or nada)",
        "!(login)",
        "optexity",
        "\"2211 6b1f\"",
        "name:acme*acme*",
        "name:2*",
    ];
    for filter in cases {
        assert!(!finds(filter), "{filter}");
    }
}

#[test]
fn a_filter_that_is_not_understood_says_where_and_what_to_write_instead() {
    let cases = [
        ("state:faild", 6..11, "there is no state \"faild\": did you mean failed?"),
        ("a stat:failed", 2..6, "there is no field \"stat\": did you mean state?"),
        ("timeout:", 0..7, "there is no field \"timeout\": there are state, is,"),
        ("is:brokn", 3..8, "there is no word for is: \"brokn\": there are problem,"),
        ("age:10m", 4..7, "say whether longer or shorter: age:>10m"),
        ("age:>ten", 4..8, "\"ten\" is no duration: write 30s"),
        ("size:>1xb", 5..9, "\"1xb\" is no size: write"),
        ("http:abc", 5..8, "\"abc\" is no HTTP code: write 404"),
        ("http:xxx", 5..8, "\"xxx\" is no HTTP code"),
        ("reason:~\"(\"", 7..11, "not a regular expression: unclosed group"),
        ("reason:~", 0..8, "a value is missing: write reason:~"),
        ("state:", 0..6, "a value is missing: write state:failed,partial"),
        ("state:failed,", 0..13, "a value is missing"),
        ("say \"hello", 4..10, "this quote is never closed"),
        ("a (b", 2..3, "this parenthesis is never closed"),
        ("a ) b", 2..3, "this closes a parenthesis that was never opened"),
        ("()", 1..2, "there is nothing before this parenthesis"),
        ("or b", 0..2, "this needs something on both sides"),
        ("a and", 5..5, "something is missing here"),
        ("a !", 3..3, "something is missing here"),
    ];
    for (text, span, message) in cases {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!(error.span, span, "{text}: {error}");
        assert!(error.message.starts_with(message), "{text}: {error}");
    }
    let error = Filter::parse("漢字 state:faild").unwrap_err();
    assert_eq!(error.excerpt("漢字 state:faild"), "漢字 state:faild\n           ^^^^^");
}

#[test]
fn what_is_still_being_typed_counts_as_far_as_it_goes() {
    let finished = [
        ("state:", ""),
        ("state:fai", "state:failed"),
        ("acme State:F", "acme state:failed"),
        ("state:partial,", "state:partial"),
        ("!state:succeeded,c", "!state:succeeded,cancelled"),
        ("is:s", "is:stale,saved,stuck"),
        ("login age:>", "login"),
        ("login age:>1", "login"),
        ("size:>=1.5", "size:>=1.5"),
        ("http:5", ""),
        ("reason:~", ""),
        ("reason:~\"tim", "reason:~\"tim\""),
        ("say \"hel", "say \"hel\""),
        ("a and (b or ", "a and (b)"),
        ("a !(", "a"),
        ("or", ""),
        ("漢\u{3000}state:f", "漢\u{3000}state:failed"),
        ("(state:f", "(state:failed)"),
        ("tag:nig", "tag:nig*"),
        ("login !Service:inv", "login !Service:inv*"),
        ("(provider:ves,opt", "(provider:ves,opt*)"),
        ("tag:nig login", "tag:nig login"),
        ("tag:\"nig\"", "tag:\"nig\""),
        ("name:~acme", "name:~acme"),
        ("reason:tim", "reason:tim"),
    ];
    for (typed, meant) in finished {
        let found = Filter::parse_unfinished(typed, &[]).unwrap_or_else(|error| panic!("{typed}: {error}"));
        let meant = Filter::parse(meant).unwrap();
        assert_eq!(format!("{:?}", found.root), format!("{:?}", meant.root), "{typed}");
        assert_eq!(found.source(), typed);
    }
    for broken in ["state:x", "state:fai ", "stat:failed", "is:x", "age:>ten", "age:10m", "a ) b", "or b", "http:5y"] {
        assert_eq!(Filter::parse_unfinished(broken, &[]).unwrap_err(), Filter::parse(broken).unwrap_err(), "{broken}");
    }
}

#[test]
fn fields_of_the_user_s_own_are_typed_like_others() {
    let own = ["total", "vendor"];
    let cases = [
        ("vendor:", ""),
        ("vendor:ac", "vendor:ac*"),
        ("x vendor:acme,gl", "x vendor:acme,gl*"),
        ("vendor:~ac", "vendor:~ac"),
        ("total:>", ""),
        ("total:>1", "total:>1"),
        ("total:1", "total:1*"),
    ];
    for (typed, meant) in cases {
        let found = Filter::parse_unfinished(typed, &own).unwrap_or_else(|error| panic!("{typed}: {error}"));
        let meant = Filter::parse_with(meant, &own).unwrap();
        assert_eq!(format!("{:?}", found.root), format!("{:?}", meant.root), "{typed}");
    }
    for broken in ["total:>ten", "vendor:~(", "vendors:x"] {
        assert!(Filter::parse_unfinished(broken, &own).is_err(), "{broken}");
    }
    assert!(Filter::parse_unfinished("vendor:ac", &[]).is_err());
}

#[test]
fn a_broken_filter_means_what_it_means_without_the_bad_word() {
    let cases = [
        ("statee:", ""),
        ("stat:failed", ""),
        ("login stat:failed", "login "),
        ("login !size:>1xb", "login "),
        ("a statee: b", "a  b"),
        ("(login is:brokn) b", "(login ) b"),
        ("漢\u{3000}state:x", "漢\u{3000}"),
    ];
    for (broken, left) in cases {
        let error = Filter::parse_unfinished(broken, &[]).expect_err(broken);
        assert_eq!(Filter::without(broken, &error, &[]).unwrap().source(), left, "{broken}: {error}");
    }
    let error = Filter::parse_unfinished("statee:", &[]).unwrap_err();
    assert!(error.message.contains("did you mean state?"), "{error}");
}

#[test]
fn a_filter_that_is_finished_is_not_the_one_that_was_being_typed() {
    assert_ne!(Filter::parse("tag:nig").unwrap(), Filter::parse_unfinished("tag:nig", &[]).unwrap());
    assert_eq!(Filter::parse("nig").unwrap(), Filter::parse_unfinished("nig", &[]).unwrap());
}

#[test]
fn addresses_and_times_are_text_and_no_fields() {
    for text in ["https://x.y/z", "12:30", "\"state:x\"", "a+b:c", ":", "漢字:x"] {
        assert!(matches!(Filter::parse(text).unwrap().root, FilterNode::Term(Term::Word(_))), "{text}");
    }
}

#[test]
fn a_read_that_failed_can_be_looked_for_while_the_job_is_not_over() {
    let last =
        LastPoll { read: PollOutcome::Unreachable, http_status: None, reason: Some("no route".into()), at: at(0) };
    let mut known = Observation { last_poll: Some(last), ..Observation::default() };
    assert_eq!(SearchText::new(&job(), &known).reason(), "no route\n");
    known.state = State::Succeeded;
    assert_eq!(SearchText::new(&job(), &known).reason(), "");
}

#[test]
fn every_line_of_the_help_is_a_filter() {
    for (filter, _) in SYNTAX {
        Filter::parse_with(filter, &["total", "vendor"]).unwrap_or_else(|error| panic!("{filter}: {error}"));
    }
}

#[test]
fn hostile_filters_are_answered_at_once() {
    for part in ["(", "!", "\"", "a:", "state:,", "((a or", "age:>9", "a* ", "*", "reason:~((((("] {
        let _ = Filter::parse(&part.repeat(20_000));
    }
    assert!(Filter::parse(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).is_ok());
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error_within_it(text in "(\\PC|[()!\":,*~<>= ]|state|age|and|or|reason:~){0,40}") {
        if let Err(error) = Filter::parse(&text) {
            proptest::prop_assert!(text.get(error.span.clone()).is_some());
            proptest::prop_assert!(error.message.chars().all(crate::domain::clean::is_harmless));
            let _ = Filter::parse_unfinished(&text, &[]);
            let _ = Filter::without(&text, &error, &[]);
        }
    }

    #[test]
    fn a_filter_of_any_text_can_be_asked_of_any_job(text in "\\PC{0,40}", name in "\\PC{0,20}") {
        if let Ok(filter) = Filter::parse(&text) {
            let job = Job { name: Some(name), ..job() };
            let known = known();
            let text = SearchText::new(&job, &known);
            let subject = FilterSubject { stale: true, ..FilterSubject::new(&job, &known, &text) };
            let _ = filter.matches(&subject, at(0));
        }
    }
}
