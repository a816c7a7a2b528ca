-- What the second edition keeps beside the first: costs, items, fields of the user's own, batches, the descriptions of
-- providers, further bodies of one job, events of hooks; and views that stay, for people with a sqlite3.

-- A description of a provider as a job was last polled with it, so that what was saved stays readable.
CREATE TABLE description (
    id     INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    text   TEXT NOT NULL
) STRICT;

ALTER TABLE job ADD COLUMN description INTEGER REFERENCES description (id);
-- Whether its service hands a result out only once; NULL where the provider's word decides.
ALTER TABLE job ADD COLUMN one_shot INTEGER;
-- When a command of the user's own last sent it again: further jobs came of it.
ALTER TABLE job ADD COLUMN sent_again_at INTEGER;
-- The name of the instance that runs such a command for it now, or died at it.
ALTER TABLE job ADD COLUMN sent_by TEXT;
CREATE INDEX job_sent_again ON job (id) WHERE sent_again_at IS NOT NULL;

-- The batch that the jobs file named; NULL for jobs of the first edition.
ALTER TABLE declaration ADD COLUMN batch TEXT;

-- The changes of a job are read in the order in which they came to pass.
DROP INDEX change_of_job;
CREATE INDEX change_of_job ON change (job, at);

-- US dollars as decimal text, digit for digit.
ALTER TABLE observation ADD COLUMN cost TEXT;
-- When the service accepted the job, by its own clock.
ALTER TABLE observation ADD COLUMN created_at INTEGER;
-- When the service lets go of the job or of its result.
ALTER TABLE observation ADD COLUMN expires_at INTEGER;
-- What an unnamed job may be called: the name of its first file.
ALTER TABLE observation ADD COLUMN title TEXT;
ALTER TABLE observation ADD COLUMN items_total INTEGER;
ALTER TABLE observation ADD COLUMN items_succeeded INTEGER;
ALTER TABLE observation ADD COLUMN items_failed INTEGER;
-- The user's fields, a JSON object, and the definition that they were taken by.
ALTER TABLE observation ADD COLUMN fields TEXT;
ALTER TABLE observation ADD COLUMN fields_by TEXT;

-- The poll that left the doubt.
ALTER TABLE observation ADD COLUMN doubt_http_status INTEGER;
ALTER TABLE observation ADD COLUMN doubt_at INTEGER;
ALTER TABLE observation ADD COLUMN doubt_reason TEXT;

-- What the body is: 'status' (the response of the status poll), 'result' (of a separate request), 'also:<name>'.
ALTER TABLE body ADD COLUMN role TEXT NOT NULL DEFAULT 'status';
-- When it was first written out by `export` or as it arrived.
ALTER TABLE body ADD COLUMN exported_at INTEGER;

-- On which machine an instance runs, and as which user.
ALTER TABLE instance ADD COLUMN host TEXT;
ALTER TABLE instance ADD COLUMN user TEXT;

-- An event of a job that a hook is run for: once, whoever dies in between. `instance` is who runs it; `delivered` is
-- when that succeeded, or was given up.
CREATE TABLE hook_event (
    id        INTEGER PRIMARY KEY,
    job       INTEGER NOT NULL REFERENCES job (id),
    hook      TEXT NOT NULL,
    event     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    instance  INTEGER NOT NULL,
    delivered INTEGER,
    tries     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job, hook, event, at)
) STRICT;
CREATE INDEX hook_event_undelivered ON hook_event (instance) WHERE delivered IS NULL;

-- Jobs that ended, by which their whole run may have: whether it did has yet to be looked at for this hook.
CREATE TABLE hook_ending (
    job  INTEGER NOT NULL REFERENCES job (id),
    hook TEXT NOT NULL,
    PRIMARY KEY (job, hook)
) STRICT, WITHOUT ROWID;

-- The store of a team that this directory belongs to, up to which transaction its changes were read, and what this
-- directory is called there.
CREATE TABLE team (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    store  TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    place  TEXT NOT NULL
) STRICT;

-- Jobs with saves that the team's store does not know of yet; `n` counts those saves.
CREATE TABLE upload (
    job INTEGER PRIMARY KEY REFERENCES job (id),
    n   INTEGER NOT NULL
) STRICT;

-- Unstract's ids are UUIDs, of which one has many spellings. The first edition kept them as they were typed.
UPDATE OR IGNORE job SET service_id = lower(service_id)
WHERE endpoint IN (SELECT id FROM endpoint WHERE provider = 'unstract')
  AND length(service_id) = 36 AND service_id GLOB '*-*-*-*-*' AND service_id NOT GLOB '*[^0-9A-Fa-f-]*';

-- The views. Their names and columns stay; times are UTC, 'YYYY-MM-DDTHH:MM:SS.SSSZ'.
CREATE VIEW jobs AS
SELECT coalesce(d.service, p.provider) || '/' || j.service_id AS job,
       coalesce(d.service, p.provider) AS service,
       p.provider,
       p.url AS endpoint,
       j.service_id AS id,
       d.name,
       d.tags,
       d.batch,
       coalesce(o.state, 'unknown') AS state,
       o.word AS provider_status,
       o.lost AS lost_because,
       o.fail_reason,
       o.error_code,
       o.warning,
       o.progress,
       o.http_status,
       o.files_total,
       o.files_failed,
       o.items_total,
       o.items_succeeded,
       o.items_failed,
       o.cost,
       o.fields,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.created_at / 1e9, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.first_seen / 1e9, 'unixepoch') AS first_seen,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.running_since / 1e9, 'unixepoch') AS running_since,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.finished_at / 1e9, 'unixepoch') AS finished_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.expires_at / 1e9, 'unixepoch') AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.read_at / 1e9, 'unixepoch') AS polled_at,
       o.read AS poll,
       o.read_reason AS poll_reason,
       s.bytes AS saved_bytes,
       s.sha256 AS saved_sha256,
       s.id AS saved_body
FROM job j
JOIN endpoint p ON p.id = j.endpoint
LEFT JOIN declaration d ON d.job = j.id
LEFT JOIN observation o ON o.job = j.id
LEFT JOIN body s ON s.id = o.saved;

CREATE VIEW changes AS
SELECT coalesce(d.service, p.provider) || '/' || j.service_id AS job,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.at / 1e9, 'unixepoch') AS at,
       c.previous,
       c.state,
       c.word AS provider_status
FROM change c
JOIN job j ON j.id = c.job
JOIN endpoint p ON p.id = j.endpoint
LEFT JOIN declaration d ON d.job = j.id;

-- `data` is the body itself, or NULL where it is the file `file` in the folder bodies.
CREATE VIEW bodies AS
SELECT b.id AS body,
       coalesce(d.service, p.provider) || '/' || j.service_id AS job,
       b.role,
       b.is_copy AS is_result,
       b.broken,
       b.bytes,
       b.sha256,
       b.http_status,
       b.content_type,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.at / 1e9, 'unixepoch') AS received_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.exported_at / 1e9, 'unixepoch') AS exported_at,
       b.file,
       b.data
FROM body b
JOIN job j ON j.id = b.job
JOIN endpoint p ON p.id = j.endpoint
LEFT JOIN declaration d ON d.job = j.id;

CREATE VIEW batches AS
SELECT coalesce(batch, '') AS batch,
       count(*) AS jobs,
       sum(state = 'succeeded') AS succeeded,
       sum(state IN ('failed', 'partial', 'cancelled', 'lost')) AS problems,
       sum(state IN ('queued', 'running', 'unknown')) AS unfinished,
       min(first_seen) AS first_seen,
       max(finished_at) AS last_finished,
       sum(saved_bytes) AS saved_bytes
FROM jobs
GROUP BY coalesce(batch, '');
