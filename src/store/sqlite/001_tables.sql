-- What the jobs files declared (endpoint, job, declaration) and what reads learned (observation, body, attempt,
-- change) are apart; who reads what (instance, claim) belongs to neither. Times are nanoseconds since 1970, UTC.

-- A service's normalised endpoint. Holds no query and no token.
CREATE TABLE endpoint (
    id       INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    url      TEXT NOT NULL,
    UNIQUE (provider, url)
) STRICT;

-- A job's identity. Its number is the order in which jobs were first heard of.
CREATE TABLE job (
    id         INTEGER PRIMARY KEY,
    endpoint   INTEGER NOT NULL REFERENCES endpoint (id),
    service_id TEXT NOT NULL,
    UNIQUE (endpoint, service_id)
) STRICT;

-- What a jobs file last said about it. Tags are a JSON array of strings.
CREATE TABLE declaration (
    job     INTEGER PRIMARY KEY REFERENCES job (id),
    service TEXT NOT NULL,
    name    TEXT,
    tags    TEXT NOT NULL
) STRICT;

-- What is known. `saved` and `evidence` are bodies; no foreign keys, so that dropping a body costs no scan.
CREATE TABLE observation (
    job                 INTEGER PRIMARY KEY REFERENCES job (id),
    state               TEXT NOT NULL,
    word                TEXT,
    lost                TEXT,
    http_status         INTEGER,
    service_status_code INTEGER,
    progress            REAL,
    fail_reason         TEXT,
    error_code          TEXT,
    warning             TEXT,
    files_total         INTEGER,
    files_failed        INTEGER,
    first_seen          INTEGER,
    running_since       INTEGER,
    finished_at         INTEGER,
    eta                 INTEGER,
    changed_at          INTEGER,
    saved               INTEGER,
    evidence            INTEGER,
    applied             INTEGER NOT NULL,
    doubt               TEXT,
    read                TEXT,
    read_http_status    INTEGER,
    read_reason         TEXT,
    read_at             INTEGER
) STRICT;

-- A body as received: in `data`, or in bodies/`file` if it is longer than 64 KiB. AUTOINCREMENT, because a number
-- that some instance still shows must never come to mean another body. `http_status` is 0 where a dead instance left
-- a reply whose code is not known.
CREATE TABLE body (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    job              INTEGER NOT NULL REFERENCES job (id),
    is_copy          INTEGER NOT NULL,
    broken           INTEGER NOT NULL,
    bytes            INTEGER NOT NULL,
    sha256           TEXT NOT NULL,
    http_status      INTEGER NOT NULL,
    content_type     TEXT,
    content_encoding TEXT,
    retry_after      TEXT,
    date             TEXT,
    masked           INTEGER NOT NULL,
    at               INTEGER NOT NULL,
    file             TEXT,
    data             BLOB,
    CHECK ((file IS NULL) <> (data IS NULL))
) STRICT;
CREATE INDEX body_of_job ON body (job);
CREATE UNIQUE INDEX body_of_file ON body (file) WHERE file IS NOT NULL;

-- The last reads, oldest first by `n`. Durations are nanoseconds.
CREATE TABLE attempt (
    job         INTEGER NOT NULL REFERENCES job (id),
    n           INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    read        TEXT NOT NULL,
    http_status INTEGER,
    latency     INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    retry_after INTEGER,
    word        TEXT,
    reason      TEXT,
    PRIMARY KEY (job, n)
) STRICT, WITHOUT ROWID;

-- The last changes of state and of the service's word, in their order by `at`.
CREATE TABLE change (
    id       INTEGER PRIMARY KEY,
    job      INTEGER NOT NULL REFERENCES job (id),
    at       INTEGER NOT NULL,
    previous TEXT,
    state    TEXT NOT NULL,
    word     TEXT
) STRICT;
CREATE INDEX change_of_job ON change (job);

-- A running jobdeck. It lives exactly as long as somebody holds the lock on instances/`name`.lock.
CREATE TABLE instance (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT NOT NULL UNIQUE,
    pid     INTEGER NOT NULL,
    started INTEGER NOT NULL
) STRICT;

-- Which instance reads a job.
CREATE TABLE claim (
    job      INTEGER PRIMARY KEY REFERENCES job (id),
    instance INTEGER NOT NULL REFERENCES instance (id)
) STRICT;
CREATE INDEX claim_of_instance ON claim (instance);

-- One row that is rewritten to find out whether the disk can be written.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
) STRICT;
