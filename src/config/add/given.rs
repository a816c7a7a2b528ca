//! Ids as they are given to `add`: a list, or what services answered to submissions.

use super::id_list;
use crate::domain::clean::Clean;
use crate::domain::id;
use crate::providers::submission::{self, SubmissionAnswer};

/// An id that was given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// The id, or its address, as the service gave it.
    pub id: String,
    pub name: Option<String>,
    /// Where it stood, such as `line 3`; empty where that goes without saying.
    pub place: String,
}

/// The ids of a text: one a line, or in answers of a service. What is in the place of an id is not checked yet.
/// The error is a line for each answer that names no job.
pub fn of_text(text: &str) -> Result<Vec<Given>, Vec<String>> {
    // A UUID in braces is no JSON.
    let is_id = |line: &str| id::read(line, |_| false).is_ok();
    let is_list = text.lines().next().is_some_and(is_id);
    let answers = if is_list { Vec::new() } else { submission::answers(text) };
    if !answers.is_empty() {
        return of_answers(answers);
    }
    let listed = id_list::read(text, |_| false).map(|listed| Given {
        id: listed.text.to_owned(),
        name: listed.name.map(str::to_owned),
        place: format!("line {}", listed.line),
    });
    Ok(listed.collect())
}

fn of_answers(answers: Vec<SubmissionAnswer>) -> Result<Vec<Given>, Vec<String>> {
    let are_many = answers.len() > 1;
    let mut given = Vec::new();
    let mut refused = Vec::new();
    for SubmissionAnswer { number, said } in answers {
        let place = if are_many { format!("answer {number}") } else { String::new() };
        match said {
            Ok(ids) => given.extend(ids.into_iter().map(|id| Given { id, place: place.clone(), name: None })),
            Err(error) => {
                let error = Clean::new(&error.to_string());
                refused.push(if are_many { format!("{place}: {error}") } else { error.to_string() });
            }
        }
    }
    if refused.is_empty() {
        return Ok(given);
    }
    refused.push("nothing was added".to_owned());
    Err(refused)
}
