//! What the lines of `batches`, `compare`, `stats`, `export` and of hooks hold, for the reference.

/// A field of a line or a sheet, and what it holds.
pub type FieldDoc = (&'static str, &'static str);

/// A line of `export --format jsonl`, beyond those of a state line.
pub const EXPORT: [FieldDoc; 2] = [
    ("output", "the decoded output as JSON, digit for digit; null if there is none"),
    ("raw", "the raw output as a text, where there is no decoded one"),
];

/// A line on a hook's standard input, beyond those of a state line.
pub const HOOK: [FieldDoc; 1] =
    [("event", "what the hook is run for: a state, `over`, `stuck`, `first-failure` or `finished`")];

/// A line of `batches --format jsonl`.
pub const BATCH: [FieldDoc; 6] = [
    ("v, type", "1 and `batch`"),
    ("batch", "its name; null of jobs without one"),
    ("first, last", "when its first job was first seen, and when its last one was over"),
    ("jobs", "how many it has"),
    ("succeeded … unknown", "how many are in each of the eight states"),
    ("cost", "what is known of its cost, US dollars; null where nothing is"),
];

/// A line of `compare --format jsonl` for each change.
pub const CHANGE: [FieldDoc; 6] = [
    ("v, type", "1 and `change`"),
    ("change", "newly_failed, slower, dearer, fixed or other_output"),
    ("name", "what the two jobs are matched by"),
    ("job_a, job_b", "the two, as `service/id`"),
    (
        "a, b",
        "the states, the seconds, the dollars, or the fields that differ in short (`total: 12.50; vendor: \"ACME\"`)",
    ),
    ("fields", "the fields of the output that differ; left out where there are none"),
];

/// The last line of `compare --format jsonl`.
pub const COMPARISON: [FieldDoc; 6] = [
    ("v, type", "1 and `comparison`"),
    ("a, b", "what was compared"),
    ("jobs", "how many jobs are in both"),
    ("newly_failed … other_output", "how many changes there are of each kind"),
    ("only_a, only_b", "how many jobs only one of them has"),
    ("exit", "the exit code"),
];

/// A line of `stats --format jsonl` for each group.
pub const GROUP: [FieldDoc; 8] = [
    ("v, type", "1 and `group`; `slowest` of the ten lines behind them, with `job` and `ran_s`"),
    ("by, name", "service, tag or reason, and which"),
    ("jobs, finished, succeeded", "how many jobs, how many of them are over, and well"),
    ("queued, ran", "`count`, `median_s`, `p90_s`, `longest_s` and `histogram` of the times; null where none is known"),
    ("finishes_per_minute", "over the batch; null where it cannot be said"),
    ("cost", "the sum of the known costs, US dollars; null where none is known"),
    ("cost_per_job", "the same for each job whose cost is known"),
    ("costed_jobs", "how many those are"),
];
