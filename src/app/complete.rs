//! What a filter that is being typed can go on with: fields, and their values.

use std::collections::BTreeSet;

use super::App;
use crate::domain::filter;
use crate::domain::state::State;

/// How many values are offered at most.
const OFFERED: usize = 40;

impl App {
    /// `Tab`: what is typed becomes what all that fits it begin with; a single one is finished.
    pub(super) fn complete(&mut self) {
        let offers = self.offers();
        let Some(prompt) = &mut self.prompt else { return };
        let typed = last_word(prompt.input.before()).to_owned();
        let Some(first) = offers.first() else { return };
        let mut common = first.clone();
        for offer in &offers {
            let same = common.chars().zip(offer.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
            common = same;
        }
        if let Some(rest) = common.strip_prefix(&typed) {
            prompt.input.paste(rest);
            self.prompt_changed();
        }
    }

    /// What fits the word in front of the cursor: fields, or a field's values.
    pub fn offers(&self) -> Vec<String> {
        let Some(prompt) = &self.prompt else { return Vec::new() };
        let before = prompt.input.before();
        let typed = last_word(before);
        let all: BTreeSet<String> = match typed.split_once(':') {
            None => {
                let own = self.list.field_names().into_iter().map(|field| format!("{field}:"));
                filter::fields().map(|field| format!("{field}:")).chain(own).collect()
            }
            Some((field, _)) => {
                self.values(field.trim_start_matches('!')).into_iter().map(|value| format!("{field}:{value}")).collect()
            }
        };
        let fits = |offer: &String| offer.starts_with(typed) && (!typed.is_empty());
        all.into_iter().filter(fits).take(OFFERED).collect()
    }

    fn values(&self, field: &str) -> BTreeSet<String> {
        let rows = || self.jobs.iter().map(|(_, row)| row);
        match field {
            "state" => State::ALL.iter().map(ToString::to_string).collect(),
            "is" => ["problem", "active", "finished", "stale", "saved", "marked", "stuck"].map(str::to_owned).into(),
            "service" => rows().map(|row| row.job.service.to_string()).collect(),
            "provider" => rows().map(|row| row.job.key.provider.to_string()).collect(),
            "tag" => rows().flat_map(|row| row.job.tags.iter().cloned()).collect(),
            _ => BTreeSet::new(),
        }
    }
}

fn last_word(text: &str) -> &str {
    text.rsplit([' ', '(']).next().unwrap_or_default()
}
