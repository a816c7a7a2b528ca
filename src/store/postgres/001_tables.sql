-- What a team knows of its jobs. `job` is what was declared, `lease` who polls it, `known` what was learned, `body` and
-- `chunk` the responses. Times that jobdeck counts in are nanoseconds since 1970, UTC; those that decide about leases
-- are this server's clock.

CREATE TABLE jobdeck.store (
    id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    version integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A running jobdeck. `until` is the end of its lease on all that it holds, renewed by itself; once `ended` is set it is
-- never unset: whoever was too late registers anew. `place` is its state directory, `waiting` how many jobs that has
-- still to upload, `has_saved` whether anything here says that this instance brought it. `lock` names the lock that its
-- process holds there: another one over the same directory that can take it ends the lease at once.
CREATE TABLE jobdeck.instance (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host    text NOT NULL,
    "user"  text NOT NULL,
    pid     integer NOT NULL,
    place   text NOT NULL,
    lock    text NOT NULL,
    version text NOT NULL,
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
    until   timestamptz NOT NULL,
    ended   timestamptz,
    waiting integer NOT NULL DEFAULT 0,
    has_saved boolean NOT NULL DEFAULT false
);
CREATE INDEX instance_living ON jobdeck.instance (until) WHERE ended IS NULL;

-- A description of a provider, so that what was saved stays readable everywhere.
CREATE TABLE jobdeck.description (
    sha256 text PRIMARY KEY,
    text   text NOT NULL
);

-- A job's identity, what a jobs file last said about it, and whether a command has sent it again. `tags` is a JSON array
-- of strings.
CREATE TABLE jobdeck.job (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider    text NOT NULL,
    endpoint    text NOT NULL,
    service_id  text NOT NULL,
    one_shot    boolean NOT NULL,
    service     text NOT NULL,
    name        text,
    tags        text NOT NULL,
    batch       text,
    sent_again  boolean NOT NULL DEFAULT false,
    description text REFERENCES jobdeck.description (sha256),
    UNIQUE (provider, endpoint, service_id)
);

-- Who polls a job. Every job has its row, so that it can be locked; it counts as long as the instance has not ended.
CREATE TABLE jobdeck.lease (
    job      bigint PRIMARY KEY REFERENCES jobdeck.job (id) ON DELETE CASCADE,
    instance bigint
);
CREATE INDEX lease_of_instance ON jobdeck.lease (instance) WHERE instance IS NOT NULL;

-- What is known of a job: all of it in `record`, the rest for people and for the rules. `changed` is the transaction
-- of the last change, `revision` counts them.
CREATE TABLE jobdeck.known (
    job         bigint PRIMARY KEY REFERENCES jobdeck.job (id) ON DELETE CASCADE,
    state       text NOT NULL,
    word        text,
    lost        text,
    fail_reason text,
    cost        text,
    is_over     boolean NOT NULL,
    applied     bigint NOT NULL,
    polled_at   bigint,
    saved       bigint,
    record      json NOT NULL,
    instance    bigint NOT NULL,
    changed     xid8 NOT NULL,
    revision    bigint NOT NULL
);
CREATE INDEX known_changed ON jobdeck.known (changed, job);

-- A response as it was received, in chunks of at most 1 MiB, and who uploaded it. `is_damaged`: somebody has found other
-- bytes than its SHA-256 says, until a machine that has it uploads it again.
CREATE TABLE jobdeck.body (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job              bigint NOT NULL REFERENCES jobdeck.job (id) ON DELETE CASCADE,
    is_copy          boolean NOT NULL,
    broken           boolean NOT NULL,
    role             text NOT NULL,
    bytes            bigint NOT NULL,
    sha256           text NOT NULL,
    http_status      integer NOT NULL,
    content_type     text,
    content_encoding text,
    retry_after      text,
    date             text,
    masked           boolean NOT NULL,
    at               bigint NOT NULL,
    instance         bigint NOT NULL,
    is_damaged       boolean NOT NULL DEFAULT false,
    UNIQUE (job, sha256, role, is_copy)
);
CREATE INDEX body_damaged ON jobdeck.body (job) WHERE is_damaged;
CREATE TABLE jobdeck.chunk (
    body bigint NOT NULL REFERENCES jobdeck.body (id) ON DELETE CASCADE,
    n    integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (body, n)
);
-- The last changes of state and of the service's word, with who saw them.
CREATE TABLE jobdeck.change (
    job      bigint NOT NULL REFERENCES jobdeck.job (id) ON DELETE CASCADE,
    at       bigint NOT NULL,
    state    text NOT NULL,
    previous text,
    word     text,
    instance bigint NOT NULL,
    PRIMARY KEY (job, at, state)
);

-- For people with psql.
CREATE VIEW jobdeck.jobs AS
SELECT j.service || '/' || j.service_id AS job, j.service, j.provider, j.endpoint, j.service_id AS id, j.name, j.tags,
       j.batch, coalesce(k.state, 'unknown') AS state, k.word AS provider_status, k.lost AS lost_because, k.fail_reason,
       k.cost, b.bytes AS saved_bytes, b.sha256 AS saved_sha256, k.saved AS saved_body,
       s."user" || '@' || s.host AS said_by, r."user" || '@' || r.host AS polled_by
FROM jobdeck.job j
LEFT JOIN jobdeck.known k ON k.job = j.id
LEFT JOIN jobdeck.body b ON b.id = k.saved
LEFT JOIN jobdeck.instance s ON s.id = k.instance
LEFT JOIN jobdeck.lease l ON l.job = j.id
LEFT JOIN jobdeck.instance r ON r.id = l.instance AND r.ended IS NULL;
