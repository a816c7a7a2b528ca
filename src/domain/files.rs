//! What one file of a many-file job came to.

/// How many files a reply names, and how many of them failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct FileCounts {
    /// All files of the reply.
    pub total: u32,
    /// Those that failed.
    pub failed: u32,
}

/// How many items a job works on, and what became of them; None where the service does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemCounts {
    pub total: Option<u64>,
    /// Those that worked.
    pub succeeded: Option<u64>,
    /// Those that failed.
    pub failed: Option<u64>,
}

/// One file of an Unstract reply. Texts are foreign and not sanitised; ranges are byte ranges of the reply's body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileResult {
    /// The file's name as sent.
    pub name: String,
    /// The service's own word, `Success` or `Failed`.
    pub status: String,
    /// Whether it counts as failed.
    pub failed: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// Number of keys of `result.output` (or of `result` where it has no `output`), if it is an object.
    pub keys: Option<u32>,
    /// Bytes of the file's whole JSON object.
    pub size: u64,
    /// `cost_in_dollars`, digit for digit as it came.
    pub cost: Option<String>,
    /// Whether it was sent to human review: then its result does not come here.
    pub in_review: bool,
    /// Where the file's own object is in the body.
    pub range: std::ops::Range<usize>,
    /// Where its `result` is in the body.
    pub result: Option<std::ops::Range<usize>>,
}
