//! What an Unstract execution answers when it is over: the file results in the recorded shape, by the include flags.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::kind::{UnstractEnd, UnstractKind};
use super::plan::Planned;
use super::scenario::ExtractedDocument;
use super::template::{fill, hex, uuid};
use super::world::{Flags, World};

/// Where all executions of the demo belong.
const WORKFLOW: &str = "1b0fcbf6-11fc-454b-a6c0-3770728788a7";

/// The status word and the HTTP code of an execution that is over.
pub fn verdict(ends: UnstractEnd) -> (&'static str, u16) {
    match ends {
        UnstractEnd::Completed | UnstractEnd::Partial => ("COMPLETED", 200),
        UnstractEnd::Expired | UnstractEnd::AlreadyRead => ("COMPLETED", 200),
        UnstractEnd::Cut | UnstractEnd::CutChunked | UnstractEnd::NoReply => ("COMPLETED", 200),
        UnstractEnd::ToolMissing => ("COMPLETED", 500),
        UnstractEnd::Error | UnstractEnd::ErrorWithoutFiles => ("ERROR", 422),
        UnstractEnd::Stopped => ("STOPPED", 422),
    }
}

/// The whole body of the GET that takes the result.
pub fn body(world: &World, job: &Planned, kind: &UnstractKind, names: &[String], flags: Flags) -> Vec<u8> {
    let (status, _) = verdict(kind.ends);
    to_json(&Envelope { status, message: files(world, job, kind, names, flags) })
}

/// The file results alone; None where the service has none to give.
pub fn files(
    world: &World,
    job: &Planned,
    kind: &UnstractKind,
    names: &[String],
    flags: Flags,
) -> Option<Vec<DemoFile>> {
    match kind.ends {
        UnstractEnd::ErrorWithoutFiles | UnstractEnd::Expired | UnstractEnd::AlreadyRead => return None,
        UnstractEnd::Completed
        | UnstractEnd::Partial
        | UnstractEnd::Error
        | UnstractEnd::ToolMissing
        | UnstractEnd::Stopped
        | UnstractEnd::Cut
        | UnstractEnd::CutChunked
        | UnstractEnd::NoReply => {}
    }
    let mut rng = job.rng(2);
    let count = if names.is_empty() { draw(kind.files, &mut rng) } else { names.len() };
    let failed = draw(kind.failed, &mut rng).min(count);
    let failed = if kind.ends == UnstractEnd::Error { count } else { failed };
    let mut order: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut order);
    let failing: BTreeSet<usize> = order.into_iter().take(failed).collect();
    let made = (0..count).map(|index| {
        let mut file = OneFile { world, job, kind, flags, rng: Rng::with_seed(rng.u64(..)), index };
        let name = match names.get(index) {
            Some(name) => name.clone(),
            None => fill(&kind.file, &mut file.rng, job.number, index + 1),
        };
        if failing.contains(&index) { file.failed(name) } else { file.succeeded(name) }
    });
    Some(made.collect())
}

/// A result as JSON text; empty if it could not be written, which cannot be.
pub fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The envelope of every GET.
#[derive(Debug, Serialize)]
pub struct Envelope<T> {
    /// The execution's word.
    pub status: &'static str,
    /// The file results, null, or a sentence.
    pub message: T,
}

/// One file of an execution.
#[derive(Debug, Serialize)]
pub struct DemoFile {
    file: String,
    file_execution_id: String,
    status: &'static str,
    result: Option<Extraction>,
    error: Option<String>,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    extracted_text: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Extraction {
    Text(String),
    Document {
        output: Box<RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        metadata: Option<Box<Inner>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        metrics: Option<NamedMap<Metrics>>,
    },
}

/// An object of names in their order.
#[derive(Debug)]
struct NamedMap<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for NamedMap<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[derive(Debug, Serialize)]
struct Inner {
    run_id: String,
    file_name: String,
    context: NamedMap<[String; 1]>,
    required_fields: NamedMap<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    highlight_data: Option<NamedMap<[[u32; 4]; 1]>>,
    line_numbers: NamedMap<[[u32; 1]; 1]>,
    whisper_hash: String,
    confidence_data: NamedMap<[Confidence; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extracted_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<[Embedding; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge_llm: Option<[Llm; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extraction_llm: Option<[Llm; 1]>,
}

#[derive(Debug, Serialize)]
struct Confidence {
    text: String,
    confidence: String,
}

#[derive(Debug, Serialize)]
struct Embedding {
    model_name: &'static str,
    cost_in_dollars: String,
    embedding_tokens: u32,
}

#[derive(Debug, Serialize)]
struct Llm {
    model_name: &'static str,
    cost_in_dollars: String,
    input_tokens: u32,
    output_tokens: u32,
    total_tokens: u32,
}

#[derive(Debug, Serialize)]
struct Metrics {
    context_retrieval: TimeTaken,
    extraction_llm: TimeTaken,
}

#[derive(Debug, Serialize)]
struct TimeTaken {
    #[serde(rename = "time_taken(s)")]
    seconds: f64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Metadata {
    Succeeded {
        source_name: String,
        source_hash: String,
        organization_id: String,
        workflow_id: &'static str,
        execution_id: String,
        file_execution_id: String,
        tags: [String; 0],
        workflow_start_time: f64,
        tool_metadata: [Tool; 1],
        total_elapsed_time: f64,
        usage: Usage,
        total_pages_processed: u32,
    },
    Failed {
        workflow_id: &'static str,
        execution_id: String,
        execution_time: f64,
        source_name: String,
        source_hash: String,
        organization_id: Option<String>,
        total_elapsed_time: Option<f64>,
        tool_metadata: Option<[Tool; 1]>,
        error_occurred: bool,
        workflow_execution_failed: bool,
        processing_failed: Option<bool>,
        #[serde(flatten)]
        enriched: Option<Enriched>,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
}

/// What the server adds to a failed file of an execution that it calls COMPLETED with 200.
#[derive(Debug, Serialize)]
struct Enriched {
    file_execution_id: String,
    workflow_start_time: f64,
    tags: [String; 0],
}

#[derive(Debug, Serialize)]
struct Tool {
    tool_name: &'static str,
    output_type: &'static str,
    elapsed_time: f64,
}

#[derive(Debug, Serialize)]
struct Usage {
    file_execution_id: String,
    embedding_tokens: Option<u32>,
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    total_tokens: Option<u32>,
    cost_in_dollars: Option<f64>,
}

struct OneFile<'a> {
    world: &'a World,
    job: &'a Planned,
    kind: &'a UnstractKind,
    flags: Flags,
    rng: Rng,
    index: usize,
}

impl OneFile<'_> {
    fn succeeded(&mut self, file: String) -> DemoFile {
        let file_execution_id = uuid(&mut self.rng);
        let pages = self.rng.u32(1..6);
        let prompt = self.rng.u32(900..6_000);
        let completion = self.rng.u32(80..700);
        let embedding = self.rng.u32(300..3_000);
        let cost = f64::from(prompt) * 2.5e-6 + f64::from(completion) * 1e-5 + f64::from(embedding) * 2e-8;
        let elapsed = rounded(2.0 + 9.0 * self.rng.f64());
        let (result, extracted_text) = match (&self.kind.text, self.document()) {
            (Some(text), _) => (Extraction::Text(fill(text, &mut self.rng, self.job.number, self.index + 1)), None),
            (None, None) => (Extraction::Text(String::new()), None),
            (None, Some(document)) => {
                self.extraction(&document, &file, &file_execution_id, [prompt, completion, embedding])
            }
        };
        let output_type = if matches!(result, Extraction::Text(_)) { "TXT" } else { "JSON" };
        let metadata = Metadata::Succeeded {
            source_name: file.clone(),
            source_hash: hex(&mut self.rng, 64),
            organization_id: self.organization(),
            workflow_id: WORKFLOW,
            execution_id: self.job.id.clone(),
            file_execution_id: file_execution_id.clone(),
            tags: [],
            workflow_start_time: self.start_time(),
            tool_metadata: [Tool { tool_name: "structure_tool", output_type, elapsed_time: elapsed }],
            total_elapsed_time: rounded(elapsed + 0.4),
            usage: Usage {
                file_execution_id: file_execution_id.clone(),
                embedding_tokens: Some(embedding),
                prompt_tokens: Some(prompt),
                completion_tokens: Some(completion),
                total_tokens: Some(prompt + completion + embedding),
                cost_in_dollars: Some((cost * 1e7).round() / 1e7),
            },
            total_pages_processed: pages,
        };
        DemoFile {
            file,
            file_execution_id,
            status: "Success",
            result: Some(result),
            error: None,
            metadata,
            extracted_text,
        }
    }

    fn failed(&mut self, file: String) -> DemoFile {
        let file_execution_id = uuid(&mut self.rng);
        let reason = self.rng.choice(&self.kind.reasons).map_or("Unknown error", String::as_str);
        let error = fill(reason, &mut self.rng, self.job.number, self.index + 1);
        let completed = self.is_filtered();
        let enriched = completed.then(|| Enriched {
            file_execution_id: file_execution_id.clone(),
            workflow_start_time: self.start_time(),
            tags: [],
        });
        let usage = (completed && (self.flags.metadata || self.flags.metrics)).then(|| Usage {
            file_execution_id: file_execution_id.clone(),
            embedding_tokens: None,
            prompt_tokens: None,
            completion_tokens: None,
            total_tokens: None,
            cost_in_dollars: None,
        });
        let metadata = Metadata::Failed {
            workflow_id: WORKFLOW,
            execution_id: self.job.id.clone(),
            execution_time: rounded(0.2 + self.rng.f64()),
            source_name: file.clone(),
            source_hash: hex(&mut self.rng, 64),
            organization_id: None,
            total_elapsed_time: None,
            tool_metadata: None,
            error_occurred: true,
            workflow_execution_failed: true,
            processing_failed: None,
            enriched,
            usage,
        };
        DemoFile {
            file,
            file_execution_id,
            status: "Failed",
            result: None,
            error: Some(error),
            metadata,
            extracted_text: None,
        }
    }

    fn extraction(
        &mut self,
        document: &ExtractedDocument,
        file: &str,
        file_execution_id: &str,
        [prompt, completion, embedding]: [u32; 3],
    ) -> (Extraction, Option<String>) {
        let text = fill(&document.text, &mut self.rng, self.job.number, self.index + 1);
        let output = fill(&document.output, &mut self.rng, self.job.number, self.index + 1);
        let filtered = self.is_filtered();
        let wanted = |flag| !filtered || flag;
        let flags = self.flags;
        let costs = filtered && flags.metadata;
        let inner = wanted(flags.metadata).then(|| {
            let llm = |model_name, share: f64, cost: f64| {
                let (input_tokens, output_tokens) = (scaled(prompt, share), scaled(completion, share));
                let cost_in_dollars =
                    format!("{:.7}", (f64::from(input_tokens) * 2.5e-6 + f64::from(output_tokens) * 1e-5) * cost);
                Llm {
                    model_name,
                    cost_in_dollars,
                    input_tokens,
                    output_tokens,
                    total_tokens: input_tokens + output_tokens,
                }
            };
            Box::new(Inner {
                run_id: file_execution_id.to_owned(),
                file_name: file.to_owned(),
                context: named(document, |field| [format!("chunk text for {field}")]),
                required_fields: named(document, |_| ()),
                highlight_data: (!filtered).then(|| named(document, |_| [[1, 120, 30, 1100]])),
                line_numbers: named(document, |_| [[1]]),
                whisper_hash: hex(&mut self.rng, 6),
                confidence_data: named(document, |field| {
                    [Confidence { text: field.to_owned(), confidence: "0.98".to_owned() }]
                }),
                extracted_text: wanted(flags.extracted_text).then(|| text.clone()),
                embedding: costs.then(|| {
                    let cost_in_dollars = format!("{:.6}", f64::from(embedding) * 2e-8);
                    [Embedding { model_name: "text-embedding-3-small", cost_in_dollars, embedding_tokens: embedding }]
                }),
                challenge_llm: costs.then(|| [llm("gpt-4o-mini", 0.3, 0.06)]),
                extraction_llm: costs.then(|| [llm("gpt-4o", 0.7, 1.0)]),
            })
        });
        let metrics = wanted(flags.metrics).then(|| {
            named(document, |_| Metrics {
                context_retrieval: TimeTaken { seconds: 0.084 },
                extraction_llm: TimeTaken { seconds: 1.532 },
            })
        });
        let output = RawValue::from_string(output).unwrap_or_else(|_| RawValue::NULL.to_owned());
        let promoted = (filtered && flags.extracted_text).then_some(text);
        (Extraction::Document { output, metadata: inner, metrics }, promoted)
    }

    /// Whether the server applies the include flags: it does not to ERROR and STOPPED, nor where it answers 500.
    fn is_filtered(&self) -> bool {
        verdict(self.kind.ends) == ("COMPLETED", 200)
    }

    fn document(&self) -> Option<std::sync::Arc<ExtractedDocument>> {
        self.kind.document.as_ref().and_then(|name| self.world.scenario.documents.get(name)).cloned()
    }

    fn organization(&self) -> String {
        let services = &self.world.scenario.services.services;
        let ours = services.iter().find(|service| service.name == self.kind.common.service);
        ours.map_or_else(String::new, |service| service.organization.clone())
    }

    fn start_time(&self) -> f64 {
        self.world.clock.at(self.job.starts).as_microsecond() as f64 / 1e6
    }
}

fn named<T>(document: &ExtractedDocument, value: impl Fn(&str) -> T) -> NamedMap<T> {
    NamedMap(document.fields.iter().map(|field| (field.clone(), value(field))).collect())
}

fn scaled(tokens: u32, share: f64) -> u32 {
    (f64::from(tokens) * share) as u32
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// A number of the range.
pub fn draw([low, high]: [usize; 2], rng: &mut Rng) -> usize {
    rng.usize(low..=high.max(low))
}
