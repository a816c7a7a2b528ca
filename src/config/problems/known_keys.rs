//! Every key that our files know: one table for the reader, for "did you mean", for excerpts and for the schema's test.

/// Top level of the jobs file.
pub const TOP: &[&str] =
    &["batch", "export", "alert_after", "poll", "commands", "hooks", "services", "providers", "jobs"];

/// `[poll]`.
pub const POLL: &[&str] =
    &["interval", "max_interval", "in_flight", "connect_timeout", "read_timeout", "not_found_grace", "max_response"];

/// `[services.*]`, whatever the provider.
pub const SERVICE: &[&str] = &[
    "provider",
    "base_url",
    "url",
    "organization_id",
    "api_name",
    "token",
    "secrets",
    "platform_token",
    "insecure",
    "interval",
    "max_interval",
    "in_flight",
    "rate",
    "alert_after",
    "fields",
    "include_metadata",
    "include_metrics",
    "include_extracted_text",
];

/// Of [`SERVICE`], those that have a meaning for Unstract alone.
pub const UNSTRACT_ONLY: &[&str] = &[
    "url",
    "organization_id",
    "api_name",
    "platform_token",
    "include_metadata",
    "include_metrics",
    "include_extracted_text",
];

/// A token's table.
pub const TOKEN: &[&str] = &["env", "file", "command"];

/// A field of `[services.<name>.fields]` in full.
pub const FIELD: &[&str] = &["at", "fold", "column", "width", "title"];

/// `[[jobs]]`.
pub const JOB: &[&str] = &[
    "service",
    "id",
    "request_id",
    "task_id",
    "execution_id",
    "ids",
    "ids_file",
    "name",
    "tags",
    "batch",
    "resubmits",
];

/// Of [`JOB`], those that say which job it is: one of them must stand.
pub const ID: &[&str] = &["id", "request_id", "task_id", "execution_id", "ids", "ids_file"];

/// Top level of the user's config.toml.
pub const USER: &[&str] = &["keys", "theme", "charset", "clipboard", "notify", "commands", "hooks", "store"];

/// `[[commands]]`, in either file.
pub const COMMAND: &[&str] = &["name", "key", "run", "when", "marked", "confirm", "mode", "adds", "token"];

/// `[[hooks]]`, in either file.
pub const HOOK: &[&str] = &["on", "filter", "run", "batch"];

/// `store` of the user's config.toml.
pub const STORE: &[&str] = &["url", "password"];

/// `[notify]` of the user's config.toml.
pub const NOTIFY: &[&str] = &["on", "command"];

/// Words that people use for a key of ours and that no likeness of spelling would find.
const SYNONYMS: &[(&str, &str)] = &[
    ("api_key", "token"),
    ("apikey", "token"),
    ("key", "token"),
    ("secret", "token"),
    ("password", "token"),
    ("bearer", "token"),
    ("type", "provider"),
    ("kind", "provider"),
    ("endpoint", "base_url"),
    ("host", "base_url"),
    ("job_id", "id"),
    ("ids_from", "ids_file"),
    ("id_file", "ids_file"),
    ("concurrency", "in_flight"),
    ("timeout", "read_timeout"),
    ("environment", "env"),
    ("path", "file"),
    ("cmd", "command"),
    ("label", "name"),
    ("title", "name"),
];

/// The one of `known` that was probably meant.
pub fn meant<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    // Spelling is compared at quadratic cost: nothing as long as this was meant to be a key.
    if key.len() > 64 {
        return None;
    }
    let plain = |name: &str| name.trim().to_lowercase().replace(['-', ' '], "_");
    let key = plain(key);
    let synonym = SYNONYMS.iter().find(|(word, _)| *word == key).map(|(_, ours)| *ours);
    if let Some(ours) = synonym.and_then(|ours| known.iter().find(|name| **name == ours)) {
        return Some(ours);
    }
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&key, &plain(name)), *name))
        .filter(|(distance, name)| {
            *distance <= name.chars().count() / 3 || strsim::jaro_winkler(&key, &plain(name)) > 0.92
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Whether a key may be shown. A text that was pasted to the wrong place can look like a key to the reader and be a
/// secret: what is no key of ours, nor like one, is shown only if it is a short word in small letters.
pub fn may_be_shown(key: &str) -> bool {
    if !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return false;
    }
    let known = || [TOP, POLL, SERVICE, TOKEN, FIELD, JOB, USER, STORE, NOTIFY].into_iter();
    let word = key.len() <= 24 && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '-');
    (word && !key.is_empty())
        || known().any(|names| names.contains(&key))
        || known().any(|names| meant(key, names).is_some())
}

/// Keys whose values are words of ours or names of the file's own, never a secret.
const OPEN: &[&str] = &["provider", "service", "theme", "charset"];

/// Whether the value of a key may be shown: a word in small letters, with two digits at most, of a key that takes no
/// secret. What was pasted to the wrong place looks otherwise.
pub fn value_may_be_shown(key: &str, value: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let digits = value.chars().filter(char::is_ascii_digit).count();
    OPEN.contains(&key) && (1..=24).contains(&value.len()) && digits <= 2 && value.chars().all(is_plain)
}

/// A key for a message, in back quotes where it may be shown.
pub fn quoted(key: &str) -> String {
    if may_be_shown(key) { format!("key `{key}`") } else { "key".to_owned() }
}

/// Whether a service may be called so: letters, digits, `-`, `_` and `.`.
pub fn is_service_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 64 && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_the_one_that_was_meant() {
        let cases = [
            ("intervall", SERVICE, Some("interval")),
            ("Base-URL", SERVICE, Some("base_url")),
            ("baseurl", SERVICE, Some("base_url")),
            ("api_key", SERVICE, Some("token")),
            ("tokn", SERVICE, Some("token")),
            ("job", TOP, Some("jobs")),
            ("service", TOP, Some("services")),
            ("executionid", JOB, Some("execution_id")),
            ("tag", JOB, Some("tags")),
            ("colour", SERVICE, None),
            ("zebra", TOP, None),
        ];
        for (key, known, expected) in cases {
            assert_eq!(meant(key, known), expected, "{key}");
        }
    }

    #[test]
    fn a_key_that_could_be_a_secret_is_not_shown() {
        let cases = [
            ("interval", true),
            ("max_intervall", true),
            ("baseUrl", true),
            ("colour", true),
            ("sk-live-4f9aQ", false),
            ("eyJhbGciOiJIUzI1NiJ9", false),
            ("deadbeef0123456789", false),
            ("a-very-long-word-in-small-letters", false),
            ("", false),
            ("\u{1b}poll", false),
            ("p\u{202e}oll", false),
        ];
        for (key, shown) in cases {
            assert_eq!(may_be_shown(key), shown, "{key}");
        }
    }
}
