//! `jobdeck providers`: which providers a service can name, and the description of one.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::output::{self, StdoutWriter};
use crate::config;
use crate::config::files::reading::read_patiently;
use crate::config::tables::provider::{self, ListedProvider};
use crate::domain::clean::Clean;

/// Prints the list, or the description of the one that is named. Returns the exit code.
pub fn run(name: Option<&str>, jobs_file: Option<&Path>) -> Result<u8, Failure> {
    // Without a jobs file the shipped ones and the user's are all that there are.
    let text = config::locate(jobs_file).ok().and_then(|path| read_patiently(&path).ok());
    let mut out = StdoutWriter::new();
    match name {
        None => {
            for line in lines(&provider::listed(text.as_deref())) {
                out.line(&line)?;
            }
        }
        Some(name) => {
            let Some(toml) = provider::toml_of(name, text.as_deref()) else {
                output::say_error(&unknown(name, &provider::listed(text.as_deref())));
                return Ok(2);
            };
            out.bytes(toml.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// Name, title, origin and page, a line each.
fn lines(listed: &[ListedProvider]) -> Vec<String> {
    let widest =
        |part: fn(&ListedProvider) -> &str| listed.iter().map(|one| part(one).chars().count()).max().unwrap_or(0);
    let (name, title) = (widest(|one| &one.name), widest(|one| &one.title));
    let line = |one: &ListedProvider| {
        let (title_text, page) = (Clean::new(&one.title), Clean::new(&one.page));
        format!("{:<name$}  {title_text:<title$}  {:<7}  {page}", one.name, one.origin).trim_end().to_owned()
    };
    listed.iter().map(line).collect()
}

fn unknown(name: &str, listed: &[ListedProvider]) -> String {
    let shown = Clean::new(name);
    if listed.iter().any(|one| one.name == name) {
        return format!("{shown} is spoken by code of jobdeck's own and has no description to copy");
    }
    let known: Vec<&str> = listed.iter().map(|one| one.name.as_str()).collect();
    match config::problems::known_keys::meant(name, &known) {
        Some(meant) => format!("there is no provider {shown}; did you mean {meant}?"),
        None => format!("there is no provider {shown}; `jobdeck providers` lists those that there are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_provider_once_the_file_s_before_the_shipped() {
        let file = "[providers.render]\nlike = 'luma'\n[providers.replicate]\nlike = 'runway'\ntitle = 'Mine'\n";
        let listed = provider::listed(Some(file));
        let of = |name: &str| listed.iter().filter(|one| one.name == name).collect::<Vec<_>>();
        assert_eq!((of("render")[0].origin, of("render")[0].title.as_str()), ("file", "Luma Dream Machine"));
        assert_eq!((of("replicate").len(), of("replicate")[0].title.as_str()), (1, "Mine"));
        assert_eq!(of("unstract")[0].origin, "shipped");
        assert!(listed.len() > 36 && lines(&listed).iter().any(|line| line.contains("OpenAI Batch")));
        let whole = provider::toml_of("render", Some(file)).unwrap();
        assert!(whole.contains("generations/{id}") && !whole.contains("like"));
        assert!(provider::toml_of("openai-batch", None).unwrap().starts_with("# A batch"));
        assert!(unknown("openai-bach", &listed).contains("did you mean openai-batch?"));
        assert!(unknown("unstract", &listed).contains("code"));
    }
}
