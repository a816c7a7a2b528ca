//! What the simulated services do, as data: the files of `assets/demo`, read into types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::DemoError;
use crate::domain::job::ProviderName;
use crate::domain::state::{LostBecause, State};

const SERVICES: &str = include_str!("../../assets/demo/services.toml");
const UNSTRACT: &str = include_str!("../../assets/demo/unstract.toml");
const VESSL: &str = include_str!("../../assets/demo/vessl.toml");
const OPTEXITY: &str = include_str!("../../assets/demo/optexity.toml");

/// A range to draw from, both ends included.
pub type Range<T> = [T; 2];

/// Everything in `assets/demo`.
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
    /// The services.
    pub services: Vec<DemoService>,
    /// Trouble of whole services.
    pub troubles: Vec<Outage>,
    /// Trouble of single reads.
    pub sporadic: Sporadic,
}

/// A simulated service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoService {
    /// Its name in the jobs file.
    pub name: String,
    /// `unstract`, `vessl` or `optexity`.
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
}

/// A time during which a service answers every read in one way.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Which service.
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

/// A kind of job.
#[derive(Debug, Clone)]
pub enum JobKind {
    /// An execution.
    Unstract(Arc<UnstractKind>),
    /// A request.
    Vessl(Arc<VesslKind>),
    /// A task.
    Optexity(Arc<OptexityKind>),
}

/// What every kind of job has.
#[derive(Debug, Deserialize)]
pub struct CommonSettings {
    /// Its service's name.
    pub service: String,
    /// How often it occurs, in proportion to the others.
    pub weight: f64,
    /// The job's name, with placeholders.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Seconds that it runs.
    pub runs: Range<f64>,
}

/// A kind of Unstract execution.
#[derive(Debug, Deserialize)]
pub struct UnstractKind {
    /// What every kind has.
    #[serde(flatten)]
    pub common: CommonSettings,
    /// How it ends.
    pub ends: UnstractEnd,
    /// What is extracted: a name of `documents`.
    pub document: Option<String>,
    /// In place of a document: the tool's output is plain text.
    pub text: Option<String>,
    /// Name of a file.
    pub file: String,
    /// How many files.
    pub files: Range<usize>,
    /// How many of them fail.
    #[serde(default)]
    pub failed: Range<usize>,
    /// Why they fail, one of these.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// How the result is sent.
    #[serde(default)]
    pub delivery: Delivery,
}

/// How an Unstract execution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnstractEnd {
    /// COMPLETED, every file well.
    Completed,
    /// COMPLETED, some files failed.
    Partial,
    /// ERROR, every file failed.
    Error,
    /// ERROR without a word why.
    ErrorWithoutFiles,
    /// HTTP 500, COMPLETED, a file failed for want of its tool.
    ToolMissing,
    /// STOPPED.
    Stopped,
    /// COMPLETED long ago, the result is gone.
    Expired,
    /// Somebody else has read the result.
    AlreadyRead,
    /// COMPLETED, the reply breaks off before its Content-Length.
    Cut,
    /// COMPLETED, the reply breaks off between two chunks.
    CutChunked,
    /// COMPLETED, the connection is closed without a byte.
    NoReply,
}

impl UnstractEnd {
    /// What a reader who is alone comes to know.
    pub fn state(self) -> State {
        match self {
            Self::Completed => State::Succeeded,
            Self::Partial | Self::ToolMissing => State::Partial,
            Self::Error | Self::ErrorWithoutFiles => State::Failed,
            Self::Stopped => State::Cancelled,
            Self::Expired | Self::AlreadyRead | Self::Cut | Self::CutChunked | Self::NoReply => State::Lost,
        }
    }

    /// Why the result is lost to that reader.
    pub fn lost(self) -> Option<LostBecause> {
        match self {
            Self::Completed | Self::Partial | Self::ToolMissing => None,
            Self::Error | Self::ErrorWithoutFiles | Self::Stopped => None,
            Self::Expired => Some(LostBecause::Expired),
            Self::AlreadyRead => Some(LostBecause::AlreadyRead),
            Self::Cut | Self::CutChunked => Some(LostBecause::Cut),
            Self::NoReply => Some(LostBecause::NoReply),
        }
    }
}

/// How a result is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// At once.
    #[default]
    Whole,
    /// Piece by piece over some seconds.
    Trickle,
}

/// A kind of VESSL request.
#[derive(Debug, Deserialize)]
pub struct VesslKind {
    /// What every kind has.
    #[serde(flatten)]
    pub common: CommonSettings,
    /// How it ends.
    pub ends: VesslEnd,
    /// The code that the user's own service answered.
    pub status_code: Option<u16>,
    /// What it answered.
    pub text: Option<String>,
    /// Whether that is JSON.
    #[serde(default)]
    pub json: bool,
    /// A JSON list of this many copies of the text.
    pub rows: Option<usize>,
    /// Why it failed.
    pub fail_reason: Option<String>,
}

/// How a VESSL request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VesslEnd {
    /// `completed`, whatever the status_code.
    Completed,
    /// `failed`
    Failed,
}

/// A kind of Optexity task.
#[derive(Debug, Deserialize)]
pub struct OptexityKind {
    /// What every kind has.
    #[serde(flatten)]
    pub common: CommonSettings,
    /// How it ends.
    pub ends: OptexityEnd,
    /// Where it goes.
    pub end_point: String,
    /// What for.
    pub goal: String,
    /// Its result as JSON.
    pub result: Option<String>,
    /// Its result as a string.
    pub result_text: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same as a code.
    pub error_code: Option<String>,
    /// Whether it comes with a signed URL of its last screenshot.
    #[serde(default)]
    pub screenshot: bool,
}

/// How an Optexity task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptexityEnd {
    /// `completed`
    Completed,
    /// `success`
    Success,
    /// `failed`
    Failed,
    /// `killed`: its time-out.
    Killed,
    /// `cancelled`
    Cancelled,
    /// Seen once, then the service knows it no more.
    Gone,
}

impl JobKind {
    /// What every kind has.
    pub fn common(&self) -> &CommonSettings {
        match self {
            Self::Unstract(kind) => &kind.common,
            Self::Vessl(kind) => &kind.common,
            Self::Optexity(kind) => &kind.common,
        }
    }

    /// The state in which a job of this kind ends, for a reader who is alone.
    pub fn state(&self) -> State {
        match self {
            Self::Unstract(kind) => kind.ends.state(),
            Self::Vessl(kind) => match kind.ends {
                VesslEnd::Completed if kind.status_code.is_none_or(|code| (200..300).contains(&code)) => {
                    State::Succeeded
                }
                VesslEnd::Completed | VesslEnd::Failed => State::Failed,
            },
            Self::Optexity(kind) => match kind.ends {
                OptexityEnd::Completed | OptexityEnd::Success => State::Succeeded,
                OptexityEnd::Failed | OptexityEnd::Killed => State::Failed,
                OptexityEnd::Cancelled => State::Cancelled,
                OptexityEnd::Gone => State::Lost,
            },
        }
    }

    /// Why the result of a job of this kind is lost.
    pub fn lost(&self) -> Option<LostBecause> {
        match self {
            Self::Unstract(kind) => kind.ends.lost(),
            Self::Vessl(_) => None,
            Self::Optexity(kind) => (kind.ends == OptexityEnd::Gone).then_some(LostBecause::Gone),
        }
    }
}

impl DemoService {
    /// Its provider's name.
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
        let kinds = (unstract.kinds.into_iter().map(JobKind::Unstract))
            .chain(vessl.kinds.into_iter().map(JobKind::Vessl))
            .chain(optexity.kinds.into_iter().map(JobKind::Optexity))
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
