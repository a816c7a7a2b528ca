//! The descriptions that are built into the binary.

use std::sync::{LazyLock, Mutex, PoisonError};

use super::Described;
use super::like::{KnownDescriptions, from_text};
use super::node::Table;
use super::parse_values::KnownSecrets;
use crate::domain::job::ProviderName;

/// Each by its name, in the order of the manual. A new one is a file and a line here.
const SHIPPED: &[(&str, &str)] = &[
    ("vessl", include_str!("../../../assets/providers/vessl.toml")),
    ("optexity", include_str!("../../../assets/providers/optexity.toml")),
    ("openai-batch", include_str!("../../../assets/providers/openai-batch.toml")),
    ("groq-batch", include_str!("../../../assets/providers/groq-batch.toml")),
    ("together-batch", include_str!("../../../assets/providers/together-batch.toml")),
    ("mistral-batch", include_str!("../../../assets/providers/mistral-batch.toml")),
    ("azure-openai-batch", include_str!("../../../assets/providers/azure-openai-batch.toml")),
    ("anthropic-batch", include_str!("../../../assets/providers/anthropic-batch.toml")),
    ("fireworks-batch", include_str!("../../../assets/providers/fireworks-batch.toml")),
    ("replicate", include_str!("../../../assets/providers/replicate.toml")),
    ("runpod", include_str!("../../../assets/providers/runpod.toml")),
    ("runpod-batch", include_str!("../../../assets/providers/runpod-batch.toml")),
    ("fal", include_str!("../../../assets/providers/fal.toml")),
    ("baseten", include_str!("../../../assets/providers/baseten.toml")),
    ("modal", include_str!("../../../assets/providers/modal.toml")),
    ("azure-docint", include_str!("../../../assets/providers/azure-docint.toml")),
    ("azure-docint-batch", include_str!("../../../assets/providers/azure-docint-batch.toml")),
    ("google-documentai", include_str!("../../../assets/providers/google-documentai.toml")),
    ("llamaparse", include_str!("../../../assets/providers/llamaparse.toml")),
    ("llamacloud-batch", include_str!("../../../assets/providers/llamacloud-batch.toml")),
    ("reducto", include_str!("../../../assets/providers/reducto.toml")),
    ("assemblyai", include_str!("../../../assets/providers/assemblyai.toml")),
    ("apify", include_str!("../../../assets/providers/apify.toml")),
    ("firecrawl", include_str!("../../../assets/providers/firecrawl.toml")),
    ("brightdata", include_str!("../../../assets/providers/brightdata.toml")),
    ("browser-use-v2", include_str!("../../../assets/providers/browser-use-v2.toml")),
    ("browser-use-v4", include_str!("../../../assets/providers/browser-use-v4.toml")),
    ("browserbase", include_str!("../../../assets/providers/browserbase.toml")),
    ("runway", include_str!("../../../assets/providers/runway.toml")),
    ("luma", include_str!("../../../assets/providers/luma.toml")),
    ("heygen", include_str!("../../../assets/providers/heygen.toml")),
    ("datalab", include_str!("../../../assets/providers/datalab.toml")),
    ("llmwhisperer", include_str!("../../../assets/providers/llmwhisperer.toml")),
    ("github-actions", include_str!("../../../assets/providers/github-actions.toml")),
    ("huggingface-jobs", include_str!("../../../assets/providers/huggingface-jobs.toml")),
    ("cloudflare-ai-batch", include_str!("../../../assets/providers/cloudflare-ai-batch.toml")),
];

/// Those that were asked for once.
static READ: LazyLock<Mutex<Vec<Described>>> = LazyLock::new(Mutex::default);

/// The names of the shipped descriptions.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// A shipped description as it was written.
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A shipped description, read. None if there is none of this name; a test holds that all of them can be read.
pub fn value(name: ProviderName) -> Option<Described> {
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = read.iter().find(|known| known.0.name == name) {
        return Some(known.clone());
    }
    let described = from_text(name, text(name.as_str())?, &Shipped, KnownSecrets::Named(&[]));
    let described = described
        .inspect_err(|faults| tracing::error!(provider = %name, ?faults, "a shipped description cannot be read"))
        .ok()?;
    read.push(described.clone());
    Some(described)
}

/// The shipped descriptions as what others are like.
#[derive(Debug, Clone, Copy)]
pub struct Shipped;

impl KnownDescriptions for Shipped {
    fn table(&self, name: &str) -> Option<Table> {
        let (table, _) = toml::de::DeTable::parse_recoverable(text(name)?);
        Some(Table::of(table.get_ref()))
    }

    fn names(&self) -> Vec<String> {
        names().map(str::to_owned).collect()
    }
}
