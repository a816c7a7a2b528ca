//! What an Unstract execution answers when it is over: the file results in the recorded shape, by the include flags.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

use super::connection::{set, without_nulls};
use super::kind::{UnstractEnd, UnstractKind};
use super::plan::Planned;
use super::scenario::ExtractedDocument;
use super::template::{draw, fill, hex, uuid};
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
pub fn body(world: &World, job: &Planned, kind: &UnstractKind, names: &[String], flags: Flags) -> Value {
    let (status, _) = verdict(kind.ends);
    json!({ "status": status, "message": files(world, job, kind, names, flags) })
}

/// The file results alone; null where the service has none to give.
pub fn files(world: &World, job: &Planned, kind: &UnstractKind, names: &[String], flags: Flags) -> Value {
    match kind.ends {
        UnstractEnd::ErrorWithoutFiles | UnstractEnd::Expired | UnstractEnd::AlreadyRead => return Value::Null,
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
    made.collect()
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
    fn succeeded(&mut self, file: String) -> Value {
        let file_execution_id = uuid(&mut self.rng);
        let pages = self.rng.u32(1..6);
        let prompt = self.rng.u32(900..6_000);
        let completion = self.rng.u32(80..700);
        let embedding = self.rng.u32(300..3_000);
        let cost = f64::from(prompt) * 2.5e-6 + f64::from(completion) * 1e-5 + f64::from(embedding) * 2e-8;
        let elapsed = rounded(2.0 + 9.0 * self.rng.f64());
        let (result, extracted_text) = match (&self.kind.text, self.document()) {
            (Some(text), _) => (self.fill(text).into(), None),
            (None, None) => ("".into(), None),
            (None, Some(document)) => {
                self.extraction(&document, &file, &file_execution_id, [prompt, completion, embedding])
            }
        };
        let output_type = if result.is_string() { "TXT" } else { "JSON" };
        let mut made = json!({
            "file": file,
            "file_execution_id": file_execution_id,
            "status": "Success",
            "result": result,
            "error": null,
            "metadata": {
                "source_name": file,
                "source_hash": hex(&mut self.rng, 64),
                "organization_id": self.organization(),
                "workflow_id": WORKFLOW,
                "execution_id": self.job.id,
                "file_execution_id": file_execution_id,
                "tags": [],
                "workflow_start_time": self.start_time(),
                "tool_metadata": [
                    { "tool_name": "structure_tool", "output_type": output_type, "elapsed_time": elapsed },
                ],
                "total_elapsed_time": rounded(elapsed + 0.4),
                "usage": {
                    "file_execution_id": file_execution_id,
                    "embedding_tokens": embedding,
                    "prompt_tokens": prompt,
                    "completion_tokens": completion,
                    "total_tokens": prompt + completion + embedding,
                    "cost_in_dollars": (cost * 1e7).round() / 1e7,
                },
                "total_pages_processed": pages,
            },
        });
        if let Some(text) = extracted_text {
            set(&mut made, "extracted_text", text);
        }
        made
    }

    fn failed(&mut self, file: String) -> Value {
        let file_execution_id = uuid(&mut self.rng);
        let reason = self.rng.choice(&self.kind.reasons).map_or("Unknown error", String::as_str);
        let error = self.fill(reason);
        let mut metadata = json!({
            "workflow_id": WORKFLOW,
            "execution_id": self.job.id,
            "execution_time": rounded(0.2 + self.rng.f64()),
            "source_name": file,
            "source_hash": hex(&mut self.rng, 64),
            "organization_id": null,
            "total_elapsed_time": null,
            "tool_metadata": null,
            "error_occurred": true,
            "workflow_execution_failed": true,
            "processing_failed": null,
        });
        if self.is_filtered() {
            set(&mut metadata, "file_execution_id", file_execution_id.as_str());
            set(&mut metadata, "workflow_start_time", self.start_time());
            set(&mut metadata, "tags", json!([]));
            if self.flags.metadata || self.flags.metrics {
                let usage = json!({
                    "file_execution_id": file_execution_id,
                    "embedding_tokens": null,
                    "prompt_tokens": null,
                    "completion_tokens": null,
                    "total_tokens": null,
                    "cost_in_dollars": null,
                });
                set(&mut metadata, "usage", usage);
            }
        }
        json!({
            "file": file,
            "file_execution_id": file_execution_id,
            "status": "Failed",
            "result": null,
            "error": error,
            "metadata": metadata,
        })
    }

    /// The result of a file, and the text of it where it stands beside the result.
    fn extraction(
        &mut self,
        document: &ExtractedDocument,
        file: &str,
        file_execution_id: &str,
        [prompt, completion, embedding]: [u32; 3],
    ) -> (Value, Option<String>) {
        let text = self.fill(&document.text);
        let output: Value = serde_json::from_str(&self.fill(&document.output)).unwrap_or_default();
        let filtered = self.is_filtered();
        let wanted = |flag| !filtered || flag;
        let flags = self.flags;
        let costs = filtered && flags.metadata;
        let metadata = wanted(flags.metadata).then(|| {
            let llm = |model: &str, share: f64, price: f64| {
                let (input, output) = (scaled(prompt, share), scaled(completion, share));
                let cost = (f64::from(input) * 2.5e-6 + f64::from(output) * 1e-5) * price;
                json!([{
                    "model_name": model,
                    "cost_in_dollars": format!("{cost:.7}"),
                    "input_tokens": input,
                    "output_tokens": output,
                    "total_tokens": input + output,
                }])
            };
            let embedded = json!([{
                "model_name": "text-embedding-3-small",
                "cost_in_dollars": format!("{:.6}", f64::from(embedding) * 2e-8),
                "embedding_tokens": embedding,
            }]);
            without_nulls(json!({
                "run_id": file_execution_id,
                "file_name": file,
                "context": named(document, |field| json!([format!("chunk text for {field}")])),
                "required_fields": named(document, |_| Value::Null),
                "highlight_data": (!filtered).then(|| named(document, |_| json!([[1, 120, 30, 1100]]))),
                "line_numbers": named(document, |_| json!([[1]])),
                "whisper_hash": hex(&mut self.rng, 6),
                "confidence_data": named(document, |field| json!([{ "text": field, "confidence": "0.98" }])),
                "extracted_text": wanted(flags.extracted_text).then_some(&text),
                "embedding": costs.then_some(embedded),
                "challenge_llm": costs.then(|| llm("gpt-4o-mini", 0.3, 0.06)),
                "extraction_llm": costs.then(|| llm("gpt-4o", 0.7, 1.0)),
            }))
        });
        let times = json!({
            "context_retrieval": { "time_taken(s)": 0.084 },
            "extraction_llm": { "time_taken(s)": 1.532 },
        });
        let metrics = wanted(flags.metrics).then(|| named(document, |_| times.clone()));
        let result = without_nulls(json!({ "output": output, "metadata": metadata, "metrics": metrics }));
        (result, (filtered && flags.extracted_text).then_some(text))
    }

    fn fill(&mut self, text: &str) -> String {
        fill(text, &mut self.rng, self.job.number, self.index + 1)
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

fn named(document: &ExtractedDocument, value: impl Fn(&str) -> Value) -> Value {
    document.fields.iter().map(|field| (field.clone(), value(field))).collect()
}

fn scaled(tokens: u32, share: f64) -> u32 {
    (f64::from(tokens) * share) as u32
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}
