//! What can be an id: one word of visible characters, and the one spelling by which a UUID is known.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::clean::is_harmless;
use super::job::ProviderName;

/// Why a text is no id. Holds nothing of the text, which may be a secret in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoId {
    #[error("empty id")]
    Empty,
    #[error("an id has no white space inside")]
    WhiteSpace,
    #[error("this id holds a control character or one that cannot be seen")]
    Invisible,
    #[error("this is JSON, not an id")]
    Json,
    /// A page, or an id with the quotation marks of a text or a shell around it.
    #[error("this begins with a mark that no id begins with")]
    Mark,
    #[error("this is longer than an id can be")]
    Long,
    /// `null`, as a program writes an id that an answer does not hold.
    #[error("`null` stands where an answer held no id")]
    Null,
    /// `service/id`, as commands print it.
    #[error("this id begins with the name of a service")]
    Service,
}

impl NoId {
    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Empty => "write the id that the service gave, or take the job out",
            Self::WhiteSpace => "give one id at a time; a name follows its id after a tab, or stands in `name`",
            Self::Invisible | Self::Mark | Self::Long => "copy the id again, without what stands around it",
            Self::Json => "give the id alone; `jobdeck add SERVICE -` takes a service's whole answer on standard input",
            Self::Null => "see what the service answered: `jobdeck add SERVICE -` takes its whole answer",
            Self::Service => "give what follows the slash",
        }
    }
}

/// The longest id or address that is taken: servers refuse requests with longer ones.
const LONGEST: usize = 4096;

/// A text without what programs and editors put around an id: white space and byte order marks.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// The id, or address, in a text of one. `is_service` tells the names of the file's services.
pub fn read(text: &str, is_service: impl Fn(&str) -> bool) -> Result<&str, NoId> {
    let id = trimmed(text);
    if id.is_empty() {
        return Err(NoId::Empty);
    }
    if id.starts_with(['[', '"']) || (id.starts_with('{') && uuid(id).is_none()) {
        return Err(NoId::Json);
    }
    if id.starts_with(['<', '\'', '`', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}']) {
        return Err(NoId::Mark);
    }
    if id.len() > LONGEST {
        return Err(NoId::Long);
    }
    if id == "null" {
        return Err(NoId::Null);
    }
    if id.contains(char::is_whitespace) {
        return Err(NoId::WhiteSpace);
    }
    if !id.chars().all(is_harmless) {
        return Err(NoId::Invisible);
    }
    match id.split_once('/') {
        Some((service, rest)) if !rest.is_empty() && is_service(service) => Err(NoId::Service),
        Some(_) | None => Ok(id),
    }
}

/// What is odd about an id of this provider: it may be another service's. None if it looks right.
pub fn oddity(provider: ProviderName, id: &str) -> Option<&'static str> {
    match provider {
        ProviderName::UNSTRACT if uuid(id).is_none() => Some("an execution_id of Unstract is a UUID, and this is none"),
        _ if id.split('/').any(|part| matches!(part, "." | "..")) => Some("this is a path, and hardly an id"),
        _ => None,
    }
}

/// The spelling by which an id is known: of ids that are UUIDs the lower-case one with hyphens, whatever the case,
/// braces or hyphens that it was given in; any other as it is.
pub fn canonical(provider: ProviderName, id: &str) -> Cow<'_, str> {
    match provider {
        ProviderName::UNSTRACT => match uuid(id) {
            Some(canonical) if canonical != id => Cow::Owned(canonical),
            Some(_) | None => Cow::Borrowed(id),
        },
        _ => Cow::Borrowed(id),
    }
}

/// A UUID in any spelling that Python's `uuid.UUID` takes, as lower-case hex digits with hyphens.
fn uuid(text: &str) -> Option<String> {
    let text = text.strip_prefix("urn:").unwrap_or(text);
    let text = text.strip_prefix("uuid:").unwrap_or(text).trim_matches(['{', '}']);
    let mut canonical = String::with_capacity(36);
    let mut digits = 0;
    for c in text.chars().filter(|c| *c != '-') {
        if !c.is_ascii_hexdigit() || digits == 32 {
            return None;
        }
        if matches!(digits, 8 | 12 | 16 | 20) {
            canonical.push('-');
        }
        // Writing to a String cannot fail.
        let _ = canonical.write_char(c.to_ascii_lowercase());
        digits += 1;
    }
    (digits == 32).then_some(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "e748d90f-af7d-4a98-813d-4c47344ff595";

    #[test]
    fn an_id_is_one_visible_word_and_what_programs_put_around_it_is_taken_off() {
        let cases = [
            ("98nlux8b0eu6", Ok("98nlux8b0eu6")),
            (" 7\r\n", Ok("7")),
            ("\u{feff}7", Ok("7")),
            ("\u{feff} 7\u{a0}\u{feff}", Ok("7")),
            ("{e748d90f-af7d-4a98-813d-4c47344ff595}", Ok("{e748d90f-af7d-4a98-813d-4c47344ff595}")),
            ("projects/p/operations/7", Ok("projects/p/operations/7")),
            ("a|b#c", Ok("a|b#c")),
            ("llama/", Ok("llama/")),
            ("/llama/7", Ok("/llama/7")),
            (" \u{feff}\t", Err(NoId::Empty)),
            ("<html><title>502</title></html>", Err(NoId::Mark)),
            ("<id>", Err(NoId::Mark)),
            ("'7'", Err(NoId::Mark)),
            ("`7`", Err(NoId::Mark)),
            ("\u{201c}7\u{201d}", Err(NoId::Mark)),
            ("\u{ab}7\u{bb}", Err(NoId::Mark)),
            (&"x".repeat(LONGEST), Ok(&"x".repeat(LONGEST))),
            (&"x".repeat(LONGEST + 1), Err(NoId::Long)),
            ("7\tscan", Err(NoId::WhiteSpace)),
            ("7 8", Err(NoId::WhiteSpace)),
            ("7\u{3000}8", Err(NoId::WhiteSpace)),
            ("7\u{200b}", Err(NoId::Invisible)),
            ("a\u{feff}b", Err(NoId::Invisible)),
            ("a\u{0}b", Err(NoId::Invisible)),
            ("a\u{1b}[31mb", Err(NoId::Invisible)),
            ("{\"id\": \"7\"}", Err(NoId::Json)),
            ("[\"7\"]", Err(NoId::Json)),
            ("\"7\"", Err(NoId::Json)),
            (" null\n", Err(NoId::Null)),
            ("null-7", Ok("null-7")),
            ("llama/98nl", Err(NoId::Service)),
        ];
        for (text, id) in cases {
            assert_eq!(read(text, |name| name == "llama"), id, "{text:?}");
        }
    }

    #[test]
    fn every_spelling_of_a_uuid_is_one_id_of_unstract_and_others_stay_as_they_are() {
        let spellings = [
            UUID.to_owned(),
            UUID.to_uppercase(),
            UUID.replace('-', ""),
            format!("{{{UUID}}}"),
            format!("urn:uuid:{UUID}"),
            "E748D90Faf7d4a98-813d4c47344ff595".to_owned(),
        ];
        for spelling in &spellings {
            assert_eq!(canonical(ProviderName::UNSTRACT, spelling), UUID);
            assert_eq!(oddity(ProviderName::UNSTRACT, spelling), None);
            assert_eq!(canonical(ProviderName::OPTEXITY, spelling), spelling.as_str());
        }
        for other in ["id1", "", "e748d90f", &format!("{UUID}0"), "g748d90f-af7d-4a98-813d-4c47344ff595"] {
            assert_eq!(canonical(ProviderName::UNSTRACT, other), other);
            assert!(oddity(ProviderName::UNSTRACT, other).is_some() && oddity(ProviderName::VESSL, other).is_none());
        }
    }
    #[test]
    fn a_path_is_an_odd_id() {
        for (text, is_odd) in
            [("..", true), ("a/../b", true), (".", true), ("a/b", false), ("a..b", false), ("...", false)]
        {
            assert_eq!(oddity(ProviderName::VESSL, text).is_some(), is_odd, "{text}");
        }
    }
}
