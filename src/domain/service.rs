//! What a service of the jobs file is: where it is, how it is asked, and at what pace.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::field::Field;
use super::job::JobTraits;
use super::provider::{OneShot, ProviderRef};
use super::request::masked;
use super::secret::TokenSource;

/// The name of the further secret with which Unstract's platform is asked how far an execution is. A service is polled
/// without it where there is none.
pub const PLATFORM_TOKEN: &str = "platform_token";

/// A service as the jobs file declares it, every default filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct Service {
    /// The user's name for it.
    pub name: Arc<str>,
    /// How it speaks.
    pub provider: ProviderRef,
    /// VESSL and Optexity: the base_url, with its path prefix and query. Unstract: the deployment's whole URL,
    /// `…/deployment/api/<organization_id>/<api_name>/`. The query may hold a gateway's key: a secret.
    pub base: Url,
    /// The normalised endpoint of its jobs, see `Provider::endpoint`. Holds no query.
    pub endpoint: Arc<str>,
    /// The settings of a described provider, defaults filled in. Not secret.
    pub settings: BTreeMap<String, String>,
    /// Where its token comes from.
    pub token: TokenSource,
    /// Further secrets that its headers need, by the names that the description has for them.
    pub secrets: Vec<(String, TokenSource)>,
    /// How often one of its jobs is read.
    pub pace: Pace,
    /// Requests at once to this service; None: only the limit of all services holds.
    pub in_flight: Option<usize>,
    /// Requests a second; None: no limit.
    pub rate: Option<Rate>,
    /// What an Unstract read asks for; of no use to the others.
    pub include: Include,
    /// How long one of its unfinished jobs may stay as it is before it counts as stuck; None: for ever.
    pub alert_after: Option<Duration>,
    /// The user's fields of its results.
    pub fields: Arc<[Field]>,
}

impl Service {
    /// Whether a result of it is handed out once, by whichever read.
    pub fn is_one_shot(&self) -> bool {
        self.provider.one_shot() != OneShot::Never
    }

    /// What holds for its jobs.
    pub fn job_traits(&self) -> JobTraits {
        JobTraits {
            one_shot: self.is_one_shot(),
            id_noun: self.provider.about().id_noun,
            alert_after: self.alert_after,
        }
    }
}

/// Without the query of `base`, which may be a gateway's key.
impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("provider", &self.provider)
            .field("base", &masked(&self.base).as_str())
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// How often a job is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two reads of one job.
    pub interval: Duration,
    /// Up to which an unchanged job is slowed down.
    pub max_interval: Duration,
}

/// So many requests in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests, above zero.
    pub requests: u32,
    /// In this time, above zero.
    pub per: Duration,
}

/// What an Unstract read asks for besides the extraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Include {
    /// Tokens, models and costs.
    pub metadata: bool,
    /// Times of the single steps.
    pub metrics: bool,
    /// The text that was read from the document.
    pub extracted_text: bool,
}

impl Default for Include {
    /// The contract's defaults: the result can be read only once.
    fn default() -> Self {
        Self { metadata: true, metrics: true, extracted_text: false }
    }
}

/// The `[poll]` table: what holds for all services together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollSettings {
    /// The pace of a service that sets none.
    pub pace: Pace,
    /// Requests at once, all services together.
    pub in_flight: usize,
    /// Bound on connecting.
    pub connect_timeout: Duration,
    /// Silence on an open reply, never a bound on the whole reply.
    pub read_timeout: Duration,
    /// How long a 404 is doubted.
    pub not_found_grace: Duration,
    /// The longest response body that is taken, in bytes.
    pub max_response: u64,
}

impl Default for PollSettings {
    fn default() -> Self {
        Self {
            pace: Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) },
            in_flight: 16,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(120),
            not_found_grace: Duration::from_secs(60),
            max_response: 4 << 30,
        }
    }
}
