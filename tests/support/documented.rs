//! The documented replies in `tests/wire` of every service that is shipped as a description: shapes that the services'
//! own pages and clients give, not recordings.

use std::path::PathBuf;

use serde_json::Value;

/// How many documented replies there are at least.
const AT_LEAST: usize = 130;

/// What a service of each provider has to give beyond its token, as the documented addresses have it.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("vessl", "base", "https://serve-api.vessl.ai/api/v1/services/slug"),
    ("azure-openai-batch", "base", "https://myres.openai.azure.com/openai/v1"),
    ("fireworks-batch", "account", "acme"),
    ("runpod", "endpoint", "ENDPOINT"),
    ("runpod-batch", "endpoint", "ENDPOINT"),
    ("fal", "app", "fal-ai/flux"),
    ("baseten", "base", "https://model-abc123.api.baseten.co"),
    ("modal", "base", "https://me--app.modal.run"),
    ("azure-docint", "base", "https://myres.cognitiveservices.azure.com"),
    ("azure-docint", "model", "prebuilt-invoice"),
    ("azure-docint-batch", "base", "https://myres.cognitiveservices.azure.com"),
    ("azure-docint-batch", "model", "prebuilt-invoice"),
    ("github-actions", "repo", "acme/app"),
    ("huggingface-jobs", "namespace", "me"),
    ("cloudflare-ai-batch", "account", "ACC"),
    ("cloudflare-ai-batch", "model", "@cf/baai/bge-m3"),
];

/// One documented reply.
pub struct Documented {
    /// `provider/file`.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// The file.
    pub json: Value,
}

/// Every documented reply of a shipped description.
pub fn documented() -> Vec<Documented> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let sorted = |folder: PathBuf| {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap_or_else(|_| panic!("there is no {}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    };
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for description in sorted(root.join("assets/providers")) {
        let provider = stem(&description);
        for file in sorted(root.join("tests/wire").join(&provider)) {
            let json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let name = format!("{provider}/{}", stem(&file));
            // Those that were recorded say what is expected of them in another form.
            if !json["means"].is_null() {
                found.push(Documented { name, provider: provider.clone(), json });
            }
        }
    }
    assert!(found.len() >= AT_LEAST, "only {} documented replies", found.len());
    found
}
