//! Bodies: put where they belong, kept by the rules of evidence, found again when an instance died.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::cells::Cells;
use super::{rows, values};
use crate::domain::checksum::Checksum;
use crate::domain::job::JobKey;
use crate::domain::observation::{BodyId, Keep, Observation, Role, SavedBody};
use crate::domain::response::Headers;
use crate::store::dir::{StateDir, new_file, sync_dir};
use crate::store::instance::Liveness;
use crate::store::name::{BodyName, UNFINISHED, job_digest};
use crate::store::spool::{self, LONGEST_INLINE};
use crate::store::trouble::Trouble;
use crate::store::{KeptBody, SaveBody};

/// How many bodies of evidence a job keeps, besides those of one-shot replies that broke off.
const EVIDENCE_KEPT: usize = 5;

/// The columns of a body that [`read_kept`] reads.
const KEPT_COLUMNS: [&str; 15] = [
    "id",
    "bytes",
    "sha256",
    "http_status",
    "at",
    "masked",
    "is_copy",
    "broken",
    "content_type",
    "content_encoding",
    "retry_after",
    "date",
    "role",
    "exported_at",
    "file",
];

/// Where a body's bytes are before its row is written.
#[derive(Debug)]
pub struct PlacedBody {
    sha256: Checksum,
    /// Its name in `bodies/`; None: its bytes go into the row.
    file: Option<String>,
    /// A spool file that is of no more use once the row is committed.
    spooled: Option<PathBuf>,
}

impl PlacedBody {
    /// Whether it is a file, whose name has to be made durable.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }
}

/// Puts a body's bytes where they belong, synced. The directory is not synced yet.
pub fn place(dir: &StateDir, key: &JobKey, seq: u64, instance: &str, body: &SaveBody) -> io::Result<PlacedBody> {
    if body.bytes.len() <= LONGEST_INLINE {
        return Ok(PlacedBody { sha256: Checksum::of(&body.bytes), file: None, spooled: body.spooled.clone() });
    }
    if let Some(spooled) = &body.spooled
        && let Some(name) = spooled.file_name().and_then(|name| name.to_str())
        && let Some(sha256) = BodyName::parse(spooled).and_then(|name| name.sha256)
    {
        let target = dir.bodies().join(name);
        // Moved by an earlier try whose commit failed.
        if holds(&target, body) {
            return Ok(PlacedBody { sha256, file: Some(name.to_owned()), spooled: None });
        }
        if holds(spooled, body) && sync_file(spooled).is_ok() {
            match dir.with_folders(|| std::fs::rename(spooled, &target)) {
                Ok(()) => return Ok(PlacedBody { sha256, file: Some(name.to_owned()), spooled: None }),
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
                Err(error) => return Err(error),
            }
        }
    }
    let sha256 = Checksum::of(&body.bytes);
    let name = BodyName {
        job: job_digest(key),
        seq,
        http_status: body.http_status,
        instance: instance.to_owned(),
        sha256: Some(sha256),
        role: None,
        masked: body.masked,
    }
    .to_string();
    if !holds(&dir.bodies().join(&name), body) {
        dir.with_folders(|| write_anew(dir, &name, &body.bytes, None))?;
    }
    Ok(PlacedBody { sha256, file: Some(name), spooled: body.spooled.clone() })
}

/// Makes a copy's row, or finds the one with the same bytes. `garbage` takes files that are of no use once this is
/// committed.
pub fn add_copy(
    connection: &Connection,
    dir: &StateDir,
    job: i64,
    body: &SaveBody,
    placed: &PlacedBody,
    garbage: &mut Vec<PathBuf>,
) -> rusqlite::Result<SavedBody> {
    garbage.extend(placed.spooled.clone());
    let same = connection
        .prepare_cached(
            "SELECT id FROM body WHERE job = ?1 AND is_copy AND sha256 = ?2 AND role = ?3 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![job, placed.sha256.to_string(), body.role.to_string()], |row| row.get(0))
        .optional()?;
    if let Some(same) = same {
        drop_duplicate(connection, dir, placed.file.as_deref(), garbage)?;
        return rows::read_saved(connection, same);
    }
    insert(connection, job, body, placed)
}

/// Adds evidence by its rules and answers with what `observation.evidence` is from now on: the last evidence, but one
/// of a one-shot reply that broke off gives way to a longer one of its kind only.
pub fn add_evidence(
    connection: &Connection,
    dir: &StateDir,
    (job, protects): (i64, bool),
    current: Option<&SavedBody>,
    (body, placed): (&SaveBody, &PlacedBody),
    garbage: &mut Vec<PathBuf>,
) -> rusqlite::Result<SavedBody> {
    garbage.extend(placed.spooled.clone());
    let same = connection
        .prepare_cached("SELECT id, is_copy OR broken OR id = ?3 FROM body WHERE job = ?1 AND sha256 = ?2 ORDER BY id")?
        .query_map(params![job, placed.sha256.to_string(), current.map(|saved| saved.body.0)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
        })?
        .find(|row| !matches!(row, Ok((_, false))))
        .transpose()?;
    if let Some((same, _)) = same {
        drop_duplicate(connection, dir, placed.file.as_deref(), garbage)?;
        return match current {
            Some(current) => Ok(current.clone()),
            None => rows::read_saved(connection, same),
        };
    }
    let added = insert(connection, job, body, placed)?;
    let pointed = match current {
        Some(current) if protects && is_broken(connection, current.body.0)? => {
            if body.broken && added.bytes > current.bytes { added } else { current.clone() }
        }
        Some(_) | None => added,
    };
    prune(connection, dir, (job, protects), pointed.body.0, garbage)?;
    Ok(pointed)
}

/// Files in `spool/` and `bodies/` that dead instances left and no row knows, by the mark of their job.
/// `bodies` is looked through only when asked for: it can be long.
pub fn leftovers(
    connection: &Connection,
    dir: &StateDir,
    liveness: &mut Liveness<'_>,
    bodies_too: bool,
) -> Result<HashMap<String, Vec<PathBuf>>, Trouble> {
    let mut found: HashMap<String, Vec<PathBuf>> = HashMap::new();
    let bodies = bodies_too.then(|| dir.bodies());
    for place in [Some(dir.spool()), bodies].into_iter().flatten() {
        for entry in dir.with_folders(|| std::fs::read_dir(&place))? {
            let path = entry?.path();
            let Some(name) = BodyName::parse(&path) else { continue };
            if !liveness.is_alive(&name.instance) && !is_known(connection, &path)? {
                found.entry(name.job).or_default().push(path);
            }
        }
    }
    Ok(found)
}

/// Whether the spool holds something of this instance.
pub fn is_left_by(dir: &StateDir, instance: &str) -> bool {
    let entries = std::fs::read_dir(dir.spool()).into_iter().flatten().flatten();
    entries.filter_map(|entry| BodyName::parse(&entry.path())).any(|name| name.instance == instance)
}

/// Makes what a dead instance left of a reply evidence of its job. Answers with the evidence from now on.
pub fn import(
    connection: &Connection,
    dir: &StateDir,
    job: (i64, bool),
    known: &Observation,
    (path, name): (&Path, BodyName),
    garbage: &mut Vec<PathBuf>,
) -> Result<Option<SavedBody>, Trouble> {
    let current = known.evidence.as_deref();
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.len() == 0 && name.role.is_none() {
        garbage.push(path.to_owned());
        return Ok(current.cloned());
    }
    let at = about.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or_default();
    let body = SaveBody {
        keep: Keep::Evidence,
        role: name.role.clone().unwrap_or_default(),
        // What may hold a result is never displaced, even where all of it is here; a status that stood by holds none.
        broken: name.role != Some(Role::Status),
        bytes: spool::read_kept(&file)?,
        spooled: Some(path.to_owned()),
        http_status: name.http_status,
        headers: Headers::default(),
        masked: name.masked,
        at,
    };
    let sha256 = Checksum::of(&body.bytes);
    let file_name = BodyName { sha256: Some(sha256), ..name }.to_string();
    let target = dir.bodies().join(&file_name);
    if target != path {
        file.sync_all()?;
        match std::fs::rename(path, &target) {
            // What was rescued may stand on another file system.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                write_anew(dir, &file_name, &body.bytes, Some(path))?;
                garbage.push(path.to_owned());
            }
            renamed => renamed?,
        }
        sync_dir(&dir.bodies())?;
    }
    let placed = PlacedBody { sha256, file: Some(file_name), spooled: None };
    Ok(Some(add_evidence(connection, dir, job, current, (&body, &placed), garbage)?))
}

/// All bodies of a job, oldest first.
pub fn read_kept(connection: &Connection, job: i64) -> rusqlite::Result<Vec<KeptBody>> {
    connection
        .prepare_cached(&format!("SELECT {} FROM body WHERE job = ?1 ORDER BY id", KEPT_COLUMNS.join(", ")))?
        .query_map([job], |row| {
            let mut cells = Cells::new(row, &KEPT_COLUMNS);
            let saved = rows::saved_of(&mut cells, rows::SAVED_COLUMNS);
            Ok(saved.map(|saved| KeptBody {
                saved,
                keep: if cells.get("is_copy").unwrap_or_default() { Keep::Result } else { Keep::Evidence },
                broken: cells.get("broken").unwrap_or_default() && !left_whole(cells.get("file")),
                exported: cells.get::<i64>("exported_at").is_some(),
                headers: Headers {
                    content_type: cells.get("content_type"),
                    content_encoding: cells.get("content_encoding"),
                    retry_after: cells.get("retry_after"),
                    date: cells.get("date"),
                    location: None,
                },
                role: cells.word("role", Role::from_word).unwrap_or_default(),
            }))
        })?
        .filter_map(Result::transpose)
        .collect()
}

fn insert(connection: &Connection, job: i64, body: &SaveBody, placed: &PlacedBody) -> rusqlite::Result<SavedBody> {
    let data = placed.file.is_none().then_some(&*body.bytes);
    connection
        .prepare_cached(
            "INSERT INTO body (job, is_copy, broken, bytes, sha256, http_status, content_type, content_encoding, \
             retry_after, date, masked, at, file, data, role) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            job,
            body.keep == Keep::Result,
            body.broken,
            body.bytes.len() as i64,
            placed.sha256.to_string(),
            body.http_status,
            body.headers.content_type,
            body.headers.content_encoding,
            body.headers.retry_after,
            body.headers.date,
            body.masked,
            values::nanoseconds(body.at),
            placed.file,
            data,
            body.role.to_string(),
        ])?;
    Ok(SavedBody {
        body: BodyId(connection.last_insert_rowid()),
        bytes: body.bytes.len() as u64,
        sha256: placed.sha256,
        http_status: body.http_status,
        at: body.at,
        masked: body.masked,
    })
}

/// Deletes the oldest evidence beyond [`EVIDENCE_KEPT`], never what is pointed to.
fn prune(
    connection: &Connection,
    dir: &StateDir,
    (job, protects): (i64, bool),
    pointed: i64,
    garbage: &mut Vec<PathBuf>,
) -> rusqlite::Result<()> {
    let old: Vec<(i64, Option<String>)> = connection
        .prepare_cached(
            "SELECT id, file FROM body WHERE job = ?1 AND NOT is_copy AND NOT (broken AND ?2) \
             ORDER BY id = ?3 DESC, id DESC LIMIT -1 OFFSET ?4",
        )?
        .query_map(params![job, protects, pointed, EVIDENCE_KEPT as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, file) in old {
        connection.prepare_cached("DELETE FROM body WHERE id = ?1")?.execute([id])?;
        garbage.extend(file.map(|file| dir.bodies().join(file)));
    }
    Ok(())
}

/// A file whose bytes a row has already, unless it is that row's file.
fn drop_duplicate(
    connection: &Connection,
    dir: &StateDir,
    file: Option<&str>,
    garbage: &mut Vec<PathBuf>,
) -> rusqlite::Result<()> {
    if let Some(file) = file {
        let path = dir.bodies().join(file);
        if !is_known(connection, &path)? {
            garbage.push(path);
        }
    }
    Ok(())
}

fn is_known(connection: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    connection.prepare_cached("SELECT 1 FROM body WHERE file = ?1")?.exists([name])
}

/// Whether this is the file of a result that a dead instance had received to its last byte.
fn left_whole(file: Option<String>) -> bool {
    file.and_then(|file| BodyName::parse(Path::new(&file))).is_some_and(|name| name.role == Some(Role::Result))
}

fn is_broken(connection: &Connection, body: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM body WHERE id = ?1 AND broken")?.exists([body])
}

fn holds(path: &Path, body: &SaveBody) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.len() == body.bytes.len() as u64)
}

fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Writes a file of `bodies/` whole or not at all. It is begun in the spool, where the next instance looks first; where
/// `bodies/` is on another file system, as behind a link to a larger disk, in its own folder. `source` is a file that
/// has the bytes and stays: it may stand where this one would be begun.
fn write_anew(dir: &StateDir, name: &str, bytes: &[u8], source: Option<&Path>) -> io::Result<()> {
    let target = dir.bodies().join(name);
    let begin_in = |place: PathBuf| {
        let path = place.join(format!("{name}{UNFINISHED}"));
        let _ = std::fs::remove_file(&path);
        let mut file = new_file(&path)?;
        let written =
            file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&path, &target));
        if written.is_err() {
            let _ = std::fs::remove_file(&path);
        }
        written
    };
    if source == Some(&*dir.spool().join(format!("{name}{UNFINISHED}"))) {
        return begin_in(dir.bodies());
    }
    match begin_in(dir.spool()) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => begin_in(dir.bodies()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_instance_left_half_written_stays_until_its_bytes_stand_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::new(root.path());
        dir.create().unwrap();
        let source = dir.spool().join(format!("name{UNFINISHED}"));
        std::fs::write(&source, "paid for").unwrap();
        // No room: it cannot be written there.
        std::fs::remove_dir(dir.bodies()).unwrap();
        std::fs::write(dir.bodies(), "").unwrap();
        write_anew(&dir, "name", b"paid for", Some(&source)).unwrap_err();
        assert_eq!(std::fs::read(&source).unwrap(), b"paid for");
        std::fs::remove_file(dir.bodies()).unwrap();
        std::fs::create_dir(dir.bodies()).unwrap();
        write_anew(&dir, "name", b"paid for", Some(&source)).unwrap();
        assert_eq!(std::fs::read(dir.bodies().join("name")).unwrap(), b"paid for");
        assert!(source.exists());
    }
}
