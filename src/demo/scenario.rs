//! What the simulated services do, as data: the files of `assets/demo`, read into types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::DemoError;
use super::kind::{JobKind, OptexityKind, Range, RenderKind, UnstractKind, VesslKind, WhisperKind};
use crate::domain::job::ProviderName;

const SERVICES: &str = include_str!("../../assets/demo/services.toml");
const UNSTRACT: &str = include_str!("../../assets/demo/unstract.toml");
const VESSL: &str = include_str!("../../assets/demo/vessl.toml");
const OPTEXITY: &str = include_str!("../../assets/demo/optexity.toml");
const LLMWHISPERER: &str = include_str!("../../assets/demo/llmwhisperer.toml");
const RENDER: &str = include_str!("../../assets/demo/render.toml");

#[derive(Debug)]
pub struct Scenario {
    /// Services, trouble and times.
    pub services: ServicesFile,
    /// What the executions extract, by name.
    pub documents: BTreeMap<String, Arc<ExtractedDocument>>,
    /// The kinds of job, of all services.
    pub kinds: Vec<JobKind>,
}

/// `services.toml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicesFile {
    /// Seconds within which every job ends.
    pub horizon: f64,
    /// Share of the batch that is over within the first seconds.
    pub early: f64,
    pub services: Vec<DemoService>,
    /// Trouble of whole services.
    pub troubles: Vec<Outage>,
    /// Trouble of single reads.
    pub sporadic: Sporadic,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoService {
    /// Its name in the jobs file.
    pub name: String,
    pub provider: String,
    /// Unstract: organization_id.
    #[serde(default)]
    pub organization: String,
    /// Unstract: api_name.
    #[serde(default)]
    pub api: String,
    /// VESSL: the service's slug.
    #[serde(default)]
    pub slug: String,
    /// Others: the path that all its addresses begin with.
    #[serde(default)]
    pub path: String,
}

/// A time during which a service answers every read in one way.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    pub service: String,
    /// In which way.
    pub kind: TroubleKind,
    /// Seconds from the start.
    pub at: Range<f64>,
    /// Seconds.
    pub lasts: Range<f64>,
}

/// A way of not answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// 429, Retry-After in seconds.
    Throttled,
    /// 429, Retry-After as an HTTP-date.
    ThrottledUntil,
    /// 503 with Retry-After.
    Unavailable,
    /// 504 with a proxy's HTML page.
    GatewayTimeout,
    /// The connection is closed without a byte.
    HangsUp,
}

/// Shares of all reads that fail independently of others.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sporadic {
    /// See [`TroubleKind::HangsUp`].
    pub hangs_up: f64,
    /// See [`TroubleKind::GatewayTimeout`].
    pub gateway_timeout: f64,
    /// A second passes before the answer comes.
    pub slow: f64,
}

/// What an Unstract deployment extracts from a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractedDocument {
    /// The extracted fields that metadata and metrics speak of.
    pub fields: Vec<String>,
    /// The text of the file.
    pub text: String,
    /// The extraction, as JSON.
    pub output: String,
}

impl DemoService {
    pub fn provider(&self) -> ProviderName {
        ProviderName::new(&self.provider)
    }
}

impl Scenario {
    /// Reads the files that are built into the binary.
    pub fn load() -> Result<Self, DemoError> {
        #[derive(Deserialize)]
        struct UnstractTable {
            documents: BTreeMap<String, Arc<ExtractedDocument>>,
            kinds: Vec<Arc<UnstractKind>>,
        }
        #[derive(Deserialize)]
        struct Kinds<T> {
            kinds: Vec<T>,
        }
        let unstract: UnstractTable = parse("unstract.toml", UNSTRACT)?;
        let vessl: Kinds<Arc<VesslKind>> = parse("vessl.toml", VESSL)?;
        let optexity: Kinds<Arc<OptexityKind>> = parse("optexity.toml", OPTEXITY)?;
        let whispers: Kinds<Arc<WhisperKind>> = parse("llmwhisperer.toml", LLMWHISPERER)?;
        let renders: Kinds<Arc<RenderKind>> = parse("render.toml", RENDER)?;
        let kinds = (unstract.kinds.into_iter().map(JobKind::Unstract))
            .chain(vessl.kinds.into_iter().map(JobKind::Vessl))
            .chain(optexity.kinds.into_iter().map(JobKind::Optexity))
            .chain(whispers.kinds.into_iter().map(JobKind::Whisper))
            .chain(renders.kinds.into_iter().map(JobKind::Render))
            .collect();
        Ok(Self { services: parse("services.toml", SERVICES)?, documents: unstract.documents, kinds })
    }
}

fn parse<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Result<T, DemoError> {
    toml::from_str(text).map_err(|error| DemoError::Scenario(format!("{file}: {}", error.message())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_names_a_service_that_exists_and_a_document_that_is_there() {
        let scenario = Scenario::load().unwrap();
        for kind in &scenario.kinds {
            let common = kind.common();
            let service = scenario.services.services.iter().find(|service| service.name == common.service);
            let provider = service.map(DemoService::provider).unwrap();
            let same = match kind {
                JobKind::Unstract(_) => ProviderName::UNSTRACT,
                JobKind::Vessl(_) => ProviderName::VESSL,
                JobKind::Optexity(_) => ProviderName::OPTEXITY,
                JobKind::Whisper(_) => ProviderName::new("llmwhisperer"),
                JobKind::Render(_) => ProviderName::new("render"),
            };
            assert_eq!(provider, same, "{}", common.name);
            if let JobKind::Unstract(kind) = kind {
                assert!(kind.text.is_some() || scenario.documents.contains_key(kind.document.as_ref().unwrap()));
            }
        }
        for trouble in &scenario.services.troubles {
            assert!(scenario.services.services.iter().any(|service| service.name == trouble.service));
        }
    }
}
