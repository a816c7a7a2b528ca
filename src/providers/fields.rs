//! The user's fields of one saved body: found by their pointers, folded, and kept as one JSON object.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::domain::field::{self, Field, FieldValue, Of, fold};
use crate::domain::observation::FieldValues;
use crate::domain::provider::BodySource;
use crate::domain::reading::Answer;
use crate::domain::service::Service;
pub use crate::json::pointer::NoPointer;
use crate::json::pointer::{FoundValues, Lookup, Pointer, PointerId};
use crate::json::scan::{self, ValueKind};
use crate::json::text::quoted;

/// Whether a text is a pointer that a field can have.
pub fn check_pointer(text: &str) -> Result<(), NoPointer> {
    Pointer::parse(text).map(drop)
}

/// Takes the fields of a service from a body that ends a job. A field called `cost` is the job's cost.
pub fn take(service: &Service, source: &BodySource, body: &Bytes, answer: &mut Answer) {
    if service.fields.is_empty() {
        return;
    }
    let values = taken(&service.fields, body, || super::extract(&service.provider, source, body).output);
    if let Some(cost) = field::value_of(&values, "cost").filter(|value| value.amount().is_some()) {
        answer.cost = Some(cost.text().to_owned());
    }
    answer.fields = Some(Box::new(FieldValues { taken_by: field::definition(&service.fields), values }));
}

/// The values of some fields in a body as a JSON object, in their order; what is not there is left out. The output is
/// asked for only if a field begins there. Where something that is no JSON stands behind the body's document, that counts.
pub fn taken(fields: &[Field], body: &Bytes, output: impl FnOnce() -> Option<Bytes>) -> String {
    let output = fields.iter().any(|field| field.of == Of::Output).then(output).flatten();
    let document = super::document_in(body);
    let text = |of| match of {
        Of::Body => Some(document.as_ref()),
        Of::Output => output.as_deref(),
    };
    object(fields, text)
}

/// The same of one file's own object: every pointer begins there.
pub fn of_file(fields: &[Field], file: &[u8]) -> String {
    object(fields, |_| Some(file))
}

fn object<'a>(fields: &[Field], text: impl Fn(Of) -> Option<&'a [u8]>) -> String {
    // One pass over each text, however many fields it has.
    let (mut in_body, mut in_output) = (Lookup::default(), Lookup::default());
    let mut added = |field: &Field| {
        let lookup = match field.of {
            Of::Body => &mut in_body,
            Of::Output => &mut in_output,
        };
        Some(lookup.add(Pointer::parse(&field.at).ok()?))
    };
    let places: Vec<Option<PointerId>> = fields.iter().map(&mut added).collect();
    let found_in = |lookup: &Lookup, of| {
        let text = if lookup.is_empty() { None } else { text(of) };
        text.and_then(|text| lookup.find(text).ok()).unwrap_or_else(FoundValues::nothing)
    };
    let (in_body, in_output) = (found_in(&in_body, Of::Body), found_in(&in_output, Of::Output));
    let members = fields.iter().zip(places).filter_map(|(field, at)| {
        let at = at?;
        let found = match field.of {
            Of::Body => &in_body,
            Of::Output => &in_output,
        };
        let value = fold(field.fold, found.values(at).filter_map(value).collect())?;
        Some(format!("{}:{}", quoted(&field.name), json(&value)))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The value in a JSON text; None of null.
fn value(text: &[u8]) -> Option<FieldValue> {
    let own = || String::from_utf8_lossy(text).into_owned();
    match scan::kind(text)? {
        ValueKind::Null => None,
        ValueKind::Bool => Some(FieldValue::Flag(text == b"true")),
        ValueKind::Number if serde_json::from_str::<&RawValue>(&own()).is_ok() => Some(FieldValue::Number(own())),
        ValueKind::Number | ValueKind::Object | ValueKind::Array => Some(FieldValue::Text(own())),
        ValueKind::String => Some(FieldValue::Text(scan::string(text)?.into_owned())),
    }
}

fn json(value: &FieldValue) -> String {
    match value {
        FieldValue::Number(digits) => digits.clone(),
        FieldValue::Text(text) => quoted(text),
        FieldValue::Flag(flag) => flag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::field::{Aggregate, value_of};
    use crate::domain::job::ProviderName;

    fn field(name: &str, of: Of, at: &str, fold: Aggregate) -> Field {
        let name: Arc<str> = name.into();
        Field { name, of, at: at.to_owned(), fold, column: false, width: None, title: None }
    }

    #[test]
    fn fields_are_taken_from_the_body_and_from_the_output_digit_for_digit() {
        let body = br#"{"status":"COMPLETED","message":[
            {"file":"a","status":"Success","result":{"output":{"total":12.50,"vendor":"ac\"me","lines":[1,2]},"metadata":{"cost":0.1}}},
            {"file":"b","status":"Success","result":{"output":{"total":123456789012345678901.10},"metadata":{"cost":"0.2"}}}]}"#;
        let fields = [
            field("total", Of::Body, "/message/1/result/output/total", Aggregate::First),
            field("vendor", Of::Body, "/message/*/result/output/vendor", Aggregate::First),
            field("cost", Of::Body, "/message/*/result/metadata/cost", Aggregate::Sum),
            field("files", Of::Body, "/message/*/file", Aggregate::Join),
            field("lines", Of::Body, "/message/0/result/output/lines", Aggregate::First),
            field("none", Of::Body, "/message/7", Aggregate::First),
        ];
        let taken = taken(&fields, &Bytes::from_static(body), || None);
        assert_eq!(
            taken,
            r#"{"total":123456789012345678901.10,"vendor":"ac\"me","cost":0.3,"files":"a, b","lines":"[1,2]"}"#
        );
        assert_eq!(value_of(&taken, "total"), Some(FieldValue::Number("123456789012345678901.10".to_owned())));
        assert_eq!(value_of(&taken, "vendor"), Some(FieldValue::Text("ac\"me".to_owned())));
        assert_eq!(value_of(&taken, "none"), None);
    }

    #[test]
    fn a_field_of_the_output_begins_there_and_one_of_a_file_at_the_file() {
        let taken = |fields: &[Field], body: &Bytes| {
            taken(fields, body, || crate::tests::extract(ProviderName::VESSL, body).output)
        };
        let body = Bytes::from_static(br#"{"status":"completed","output":{"vendor":"acme"}}"#);
        let fields = [field("vendor", Of::Output, "/vendor", Aggregate::First)];
        assert_eq!(taken(&fields, &body), r#"{"vendor":"acme"}"#);
        assert_eq!(of_file(&fields, br#"{"vendor":true}"#), r#"{"vendor":true}"#);
        assert_eq!(taken(&fields, &Bytes::from_static(b"no json")), "{}");
        let both = [fields[0].clone(), field("word", Of::Body, "/status", Aggregate::First)];
        for rest in ["", "\0", " \n\0\0", "<!-- served by b2 -->"] {
            let body = format!("{}{rest}", r#"{"status":"completed","output":{"vendor":"acme"}}"#);
            assert_eq!(taken(&both, &body.into()), r#"{"vendor":"acme","word":"completed"}"#, "{rest:?}");
        }
    }
}
