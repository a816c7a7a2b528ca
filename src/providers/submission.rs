//! What a service answers to a submission: the ids of the jobs that it began, or why it began none.

use serde_json::value::RawValue;

use super::page;
use super::reply::{self, Object};
use crate::domain::id;
use crate::json::scan::{self, ValueKind};

/// The fields that hold an id, in the order in which they are looked at.
const ID_FIELDS: [&str; 10] = [
    "execution_id",
    "task_id",
    "request_id",
    "id",
    "job_id",
    "call_id",
    "video_id",
    "snapshot_id",
    "whisper_hash",
    "workflow_run_id",
];

/// The field that names what was begun by its path, `projects/42/operations/7`: without a slash it is somebody's name.
const PATH_FIELD: &str = "name";

/// The fields that an answer may be wrapped in: one before what stands beside it, the others after.
const WRAPPED: (&str, [&str; 3]) = ("message", ["data", "result", "job"]);

/// One answer of a text, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionAnswer {
    /// The answer's number in the text.
    pub number: usize,
    pub said: Result<Vec<String>, NotSubmitted>,
}

/// Why an answer names no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSubmitted {
    /// The service refused; its own sentence, which is foreign text.
    #[error("the service began no job: {0}")]
    Refused(String),
    #[error(
        "no job is named in this JSON (looked for id, execution_id, task_id, job_id, request_id and the like, also inside of message, data, result and job)"
    )]
    NoId,
    /// It is a web page; its title, which is foreign text.
    #[error("no job was begun: a web page came in place of the service's answer: {0}")]
    Page(String),
    /// It is not JSON to its end.
    #[error("this is not whole JSON")]
    Broken,
}

/// The answers that a text holds, one behind the other, on one line or on many. Empty unless the text begins as a
/// JSON object or array, or is a web page.
pub fn answers(text: &str) -> Vec<SubmissionAnswer> {
    let text = id::trimmed(text);
    if page::is_markup(text.as_bytes()) {
        let title = page::title(text.as_bytes()).unwrap_or_else(|| "it has no title".to_owned());
        return vec![SubmissionAnswer { number: 1, said: Err(NotSubmitted::Page(title)) }];
    }
    if !text.starts_with(['{', '[']) {
        return Vec::new();
    }
    let documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let said = documents.map(|document| match document {
        Ok(document) => ids(document.get().as_bytes()),
        Err(_) => Err(NotSubmitted::Broken),
    });
    said.zip(1..).map(|(said, number)| SubmissionAnswer { number, said }).collect()
}

fn ids(json: &[u8]) -> Result<Vec<String>, NotSubmitted> {
    if scan::kind(json) != Some(ValueKind::Array) {
        return id_in(json).map(|id| vec![id]);
    }
    let elements = scan::elements(json).map_err(|_| NotSubmitted::Broken)?;
    let ids: Result<Vec<String>, _> =
        elements.into_iter().map(|range| id_in(json.get(range).unwrap_or_default())).collect();
    ids.and_then(|ids| if ids.is_empty() { Err(NotSubmitted::NoId) } else { Ok(ids) })
}

/// The id in an answer, or in one of a list. A list of lists is no answer to a submission.
fn id_in(json: &[u8]) -> Result<String, NotSubmitted> {
    match scan::kind(json) {
        Some(ValueKind::Object) => of_object(&Object::parse(json).map_err(|_| NotSubmitted::Broken)?),
        Some(ValueKind::String | ValueKind::Number) => reply::text(json).ok_or(NotSubmitted::NoId),
        Some(ValueKind::Array | ValueKind::Bool | ValueKind::Null) | None => Err(NotSubmitted::NoId),
    }
}

fn of_object(object: &Object<'_>) -> Result<String, NotSubmitted> {
    let inside = |key: &str| object.get(key).and_then(|inside| Object::parse(inside).ok());
    let (first, last) = (inside(WRAPPED.0), WRAPPED.1.map(inside));
    let refused = object.get("success") == Some(b"false") || ["error", "errors"].iter().any(|key| says(object, key));
    let id = first.iter().chain([object]).chain(last.iter().flatten()).find_map(|object| {
        ID_FIELDS.iter().find_map(|key| object.get(key).filter(|value| !is_nested(value)).and_then(reply::text))
    });
    let path = || object.get(PATH_FIELD).and_then(reply::text).filter(|path| path.contains('/'));
    match (id.or_else(path), refused) {
        (Some(id), false) => Ok(id),
        (None, _) | (Some(_), true) => match reply::sentence(object).text {
            Some(sentence) => Err(NotSubmitted::Refused(sentence)),
            None => Err(NotSubmitted::NoId),
        },
    }
}

/// Whether a field holds more than nothing.
fn says(object: &Object<'_>, key: &str) -> bool {
    object.held(key).is_some_and(|value| !matches!(value, b"false" | b"[]" | b"{}"))
}

fn is_nested(value: &[u8]) -> bool {
    matches!(scan::kind(value), Some(ValueKind::Object | ValueKind::Array))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Result<Vec<String>, String>> {
        answers(text).into_iter().map(|answer| answer.said.map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn the_answer_to_a_submission_is_taken_as_it_stands() {
        let cases = [
            (
                r#"{"message":{"execution_id":"c7f0","execution_status":"PENDING","status_api":"/x","error":null}}"#,
                "c7f0",
            ),
            (r#"{"message":"Execution queued","execution_id":"e"}"#, "e"),
            (" \u{feff}{\n \"id\": \"98nlux8b0eu6\"\n}\n", "98nlux8b0eu6"),
            (r#"{"success":true,"task_id":"t","error":""}"#, "t"),
            (r#"{"id":42,"error":null}"#, "42"),
            (r#"["a"]"#, "a"),
            (r#"[{"request_id":"a"}]"#, "a"),
            (r#"{"data":{"id":"HG7ML","actId":"x","status":"READY"}}"#, "HG7ML"),
            (r#"{"error":null,"data":{"video_id":"v"}}"#, "v"),
            (r#"{"result":{"status":"queued","request_id":"r"},"success":true,"errors":[]}"#, "r"),
            (r#"{"job_id":"j"}"#, "j"),
            (r#"{"name":"projects/42/operations/7"}"#, "projects/42/operations/7"),
            (r#"{"name":"mine/1","id":"i"}"#, "i"),
            (r#"{"message":"accepted","status":"processing","whisper_hash":"w|1"}"#, "w|1"),
            (r#"{"id":"batch_1","object":"batch","errors":null,"metadata":{"id":"mine"}}"#, "batch_1"),
        ];
        for (text, id) in cases {
            assert_eq!(all(text), [Ok(vec![id.to_owned()])], "{text}");
        }
        let ids = |ids: &[&str]| Ok(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(all("{\"id\":\"a\"}{\"id\":\"b\"}\n{\"id\":\"c\"}"), [ids(&["a"]), ids(&["b"]), ids(&["c"])]);
        assert_eq!(all("[{\"id\":\"a\"},\"b\"]"), [ids(&["a", "b"])]);
        assert!(all("98nl\n").is_empty() && all("").is_empty());
    }

    #[test]
    fn an_answer_however_deep_names_a_job_or_none() {
        for deep in ["[".repeat(50_000) + &"]".repeat(50_000), "{\"data\":".repeat(50_000) + "1" + &"}".repeat(50_000)]
        {
            let said = all(&deep);
            assert!(said.iter().all(Result::is_err), "{} answers", said.len());
        }
    }

    #[test]
    fn the_recorded_answers_of_a_submission_name_an_execution_or_say_why_there_is_none() {
        let of = |text: &str| {
            let json: serde_json::Value = serde_json::from_str(text).unwrap();
            all(json["response"]["body"].as_str().unwrap())
        };
        let queued = of(include_str!("../../tests/wire/unstract-platform/post_queued_200.json"));
        assert!(queued.len() == 1 && queued[0].as_ref().is_ok_and(|ids| ids.len() == 1), "{queued:?}");
        let limited = of(include_str!("../../tests/wire/unstract-platform/post_429_rate_limited.json"));
        assert!(limited[0].as_ref().is_err_and(|error| error.starts_with("the service began no job")), "{limited:?}");
    }

    #[test]
    fn a_refused_submission_is_said_in_the_service_s_own_words() {
        let cases = [
            (
                r#"{"type":"client_error","errors":[{"code":"error","detail":"Too many (20/20).","attr":null}]}"#,
                "the service began no job: Too many (20/20).",
            ),
            (r#"{"success":false,"task_id":"t","message":"no credit"}"#, "the service began no job: no credit"),
            (r#"{"error":{"message":"bad"},"request_id":"req_7"}"#, "the service began no job: bad"),
            (r#"{"detail":"Not Found"}"#, "the service began no job: Not Found"),
            (r#"{"colour":1}"#, "no job is named in this JSON"),
            ("[]", "no job is named in this JSON"),
            (r#"{"id":{"x":1}}"#, "no job is named in this JSON"),
            (r#"{"id":"a""#, "this is not whole JSON"),
            ("<html><head><title>502 Bad Gateway</title></head><body>x</body></html>", "no job was begun: a web page"),
        ];
        for (text, expected) in cases {
            let said = all(text);
            assert_eq!(said.len(), 1, "{text}");
            assert!(said[0].as_ref().is_err_and(|error| error.starts_with(expected)), "{text}: {said:?}");
        }
    }
}
