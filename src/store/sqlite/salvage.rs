//! What can still be read of a database, copied into another: of one that is damaged, or whose log was taken away.
//!
//! Rows are copied by the names of their columns, so that a database of an earlier edition can be read too, and by what
//! identifies a job, because the numbers of the other database may be in use here.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params_from_iter};

use crate::domain::checksum::Checksum;
use crate::store::dir::new_file;
use crate::store::trouble::Trouble;

/// How much was copied.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Salvaged {
    /// Jobs that were read.
    pub jobs: usize,
    /// Saved responses that were read whole.
    pub bodies: usize,
    /// Tables that could not be read to their end.
    pub broken_tables: usize,
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} jobs with {} saved responses", self.jobs, self.bodies)?;
        if self.broken_tables > 0 {
            f.write_str(", the rest could not be read")?;
        }
        Ok(())
    }
}

/// Writes everything that a connection sees into a new file, of which nobody else may read anything.
pub fn snapshot(connection: &Connection, path: &Path) -> Result<(), Trouble> {
    let _ = std::fs::remove_file(path);
    // An empty file is taken for a new database, and keeps its mode.
    drop(new_file(path)?);
    connection.execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
    Ok(())
}

/// Copies everything that can be read of the database at a path into one that is open, as [`copy`] does.
pub fn copy_file(path: &Path, to: &Connection) -> Result<Salvaged, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    copy(&Connection::open_with_flags(path, flags)?, to)
}

/// Copies everything that can be read of `from` and is newer than, or missing in, `to`. All or nothing of it is written.
fn copy(from: &Connection, to: &Connection) -> Result<Salvaged, Trouble> {
    let transaction = rusqlite::Transaction::new_unchecked(to, rusqlite::TransactionBehavior::Immediate)?;
    let salvaged = Salvage { from, to, columns: HashMap::new(), done: Salvaged::default() }.run()?;
    transaction.commit()?;
    Ok(salvaged)
}

/// A row by the names of its columns.
type SalvagedRow = Vec<(String, Value)>;

/// The numbers of one table's rows: there, and here.
type Numbers = HashMap<i64, i64>;

struct Salvage<'a> {
    from: &'a Connection,
    to: &'a Connection,
    /// The columns that a table has here.
    columns: HashMap<&'static str, Vec<String>>,
    done: Salvaged,
}

impl Salvage<'_> {
    fn run(mut self) -> Result<Salvaged, Trouble> {
        let mut endpoints = Numbers::new();
        for row in self.read("endpoint") {
            let (Some(id), Some(provider), Some(url)) = (number(&row, "id"), get(&row, "provider"), get(&row, "url"))
            else {
                continue;
            };
            self.insert("endpoint", &without(&row, &["id"]))?;
            let here = self.find("SELECT id FROM endpoint WHERE provider = ?1 AND url = ?2", &[provider, url])?;
            endpoints.extend(here.map(|here| (id, here)));
        }
        let mut descriptions = Numbers::new();
        for row in self.read("description") {
            let (Some(id), Some(sum)) = (number(&row, "id"), get(&row, "sha256")) else { continue };
            self.insert("description", &without(&row, &["id"]))?;
            let here = self.find("SELECT id FROM description WHERE sha256 = ?1", &[sum])?;
            descriptions.extend(here.map(|here| (id, here)));
        }
        let mut jobs = Numbers::new();
        for row in self.read("job") {
            let endpoint = number(&row, "endpoint").and_then(|endpoint| endpoints.get(&endpoint));
            let (Some(id), Some(endpoint), Some(service_id)) = (number(&row, "id"), endpoint, get(&row, "service_id"))
            else {
                continue;
            };
            let description = number(&row, "description").and_then(|id| descriptions.get(&id)).copied();
            let renumbered = with(without(&row, &["id"]), "endpoint", *endpoint);
            self.insert("job", &with(renumbered, "description", description))?;
            let identity = [Value::Integer(*endpoint), service_id];
            let here = self.find("SELECT id FROM job WHERE endpoint = ?1 AND service_id = ?2", &identity)?;
            jobs.extend(here.map(|here| (id, here)));
        }
        self.done.jobs = jobs.len();
        self.copy_of_jobs("declaration", &jobs)?;
        let bodies = self.bodies(&jobs)?;
        let replaced = self.observations(&jobs, &bodies)?;
        self.copy_of_jobs("attempt", &replaced)?;
        self.changes(&jobs)?;
        self.claims(&jobs)?;
        Ok(self.done)
    }

    /// Copies rows that belong to a job and whose keys are not taken here.
    fn copy_of_jobs(&mut self, table: &'static str, jobs: &Numbers) -> Result<(), Trouble> {
        for row in self.read(table) {
            if let Some(job) = number(&row, "job").and_then(|job| jobs.get(&job)) {
                self.insert(table, &with(row, "job", *job))?;
            }
        }
        Ok(())
    }

    fn bodies(&mut self, jobs: &Numbers) -> Result<Numbers, Trouble> {
        let mut bodies = Numbers::new();
        for row in self.read("body") {
            let job = number(&row, "job").and_then(|job| jobs.get(&job));
            let (Some(id), Some(job), Some(sum)) = (number(&row, "id"), job, get(&row, "sha256")) else { continue };
            if let Some(Value::Blob(data)) = get(&row, "data")
                && Value::Text(Checksum::of(&data).to_string()) != sum
            {
                continue;
            }
            let identity = [Value::Integer(*job), sum, get(&row, "is_copy").unwrap_or(Value::Integer(0))];
            let find = "SELECT id FROM body WHERE job = ?1 AND sha256 = ?2 AND is_copy = ?3 ORDER BY id DESC LIMIT 1";
            let here = match self.find(find, &identity)? {
                Some(here) => Some(here),
                None => {
                    self.insert("body", &with(without(&row, &["id"]), "job", *job))?;
                    self.find(find, &identity)?
                }
            };
            if let Some(here) = here {
                bodies.insert(id, here);
                self.done.bodies += 1;
            }
        }
        Ok(bodies)
    }

    /// Copies what is newer than what is known here. Answers with the jobs of which it was.
    fn observations(&mut self, jobs: &Numbers, bodies: &Numbers) -> Result<Numbers, Trouble> {
        let mut replaced = Numbers::new();
        for row in self.read("observation") {
            let Some((id, job)) = number(&row, "job").and_then(|id| Some((id, *jobs.get(&id)?))) else { continue };
            let saved = number(&row, "saved").and_then(|body| bodies.get(&body)).copied();
            let evidence = number(&row, "evidence").and_then(|body| bodies.get(&body)).copied();
            let applied = number(&row, "applied").unwrap_or(0);
            let newer_here = self
                .to
                .prepare_cached(
                    "SELECT 1 FROM observation WHERE job = ?1 \
                     AND (applied > ?2 OR (saved IS NOT NULL AND (applied = ?2 OR ?3 IS NULL)))",
                )?
                .exists((job, applied, saved))?;
            if newer_here {
                continue;
            }
            self.to.prepare_cached("DELETE FROM observation WHERE job = ?1")?.execute([job])?;
            self.to.prepare_cached("DELETE FROM attempt WHERE job = ?1")?.execute([job])?;
            let row = with(with(with(row, "job", job), "saved", saved), "evidence", evidence);
            self.insert("observation", &row)?;
            replaced.insert(id, job);
        }
        Ok(replaced)
    }

    fn changes(&mut self, jobs: &Numbers) -> Result<(), Trouble> {
        for row in self.read("change") {
            let Some(job) = number(&row, "job").and_then(|job| jobs.get(&job)) else { continue };
            let (Some(at), Some(state)) = (get(&row, "at"), get(&row, "state")) else { continue };
            let identity = [Value::Integer(*job), at, state];
            if self.find("SELECT id FROM change WHERE job = ?1 AND at = ?2 AND state = ?3", &identity)?.is_none() {
                self.insert("change", &with(without(&row, &["id"]), "job", *job))?;
            }
        }
        Ok(())
    }

    /// Who polled what: a living instance goes on, and what a dead one had claimed is in doubt.
    fn claims(&mut self, jobs: &Numbers) -> Result<(), Trouble> {
        let mut instances = Numbers::new();
        for row in self.read("instance") {
            let (Some(id), Some(name)) = (number(&row, "id"), get(&row, "name")) else { continue };
            self.insert("instance", &without(&row, &["id"]))?;
            let here = self.find("SELECT id FROM instance WHERE name = ?1", &[name])?;
            instances.extend(here.map(|here| (id, here)));
        }
        for row in self.read("claim") {
            let job = number(&row, "job").and_then(|job| jobs.get(&job));
            let instance = number(&row, "instance").and_then(|instance| instances.get(&instance));
            if let (Some(job), Some(instance)) = (job, instance) {
                self.insert("claim", &with(with(row, "job", *job), "instance", *instance))?;
            }
        }
        for row in self.read("hook_event") {
            // One whose instance is gone is taken over by whoever asks first.
            let instance = number(&row, "instance").and_then(|instance| instances.get(&instance)).copied();
            if let Some(job) = number(&row, "job").and_then(|job| jobs.get(&job)) {
                let row = with(without(&row, &["id"]), "instance", instance.unwrap_or(0));
                self.insert("hook_event", &with(row, "job", *job))?;
            }
        }
        self.copy_of_jobs("hook_ending", jobs)
    }

    /// The rows of a table, none if there is no such table: from its beginning and, if it is broken somewhere, from its end as well.
    fn read(&mut self, table: &'static str) -> Vec<SalvagedRow> {
        let mut found = Vec::new();
        if !self.from.table_exists(None, table).unwrap_or(true) {
            return found;
        }
        let mut whole = self.scan(table, "", &mut found).is_ok();
        if !whole {
            let before = found.len();
            let mut from_end = Vec::new();
            let order = if table == "attempt" { " ORDER BY job DESC, n DESC" } else { " ORDER BY rowid DESC" };
            whole = self.scan(table, order, &mut from_end).is_ok();
            from_end.retain(|row| !found.contains(row));
            found.extend(from_end);
            tracing::warn!(table, from_start = before, rows = found.len(), "a table is damaged");
            self.done.broken_tables += usize::from(!whole || before < found.len());
        }
        found
    }

    fn scan(&self, table: &str, order: &str, found: &mut Vec<SalvagedRow>) -> rusqlite::Result<()> {
        let mut statement = self.from.prepare(&format!("SELECT * FROM {table} NOT INDEXED{order}"))?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut copied = SalvagedRow::with_capacity(names.len());
            for (at, name) in names.iter().enumerate() {
                copied.push((name.clone(), row.get(at)?));
            }
            found.push(copied);
        }
        Ok(())
    }

    /// Writes a row unless its key is taken. A row that breaks a rule of the table is left out.
    fn insert(&mut self, table: &'static str, row: &SalvagedRow) -> Result<(), Trouble> {
        if !self.columns.contains_key(table) {
            let known = self
                .to
                .prepare("SELECT name FROM pragma_table_info(?1)")?
                .query_map([table], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            self.columns.insert(table, known);
        }
        let known = self.columns.get(table).map_or(&[][..], Vec::as_slice);
        let row: Vec<_> = row.iter().filter(|(name, _)| known.contains(name)).collect();
        let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
        let places = vec!["?"; row.len()].join(", ");
        let sql = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({places})", names.join(", "));
        let written = self.to.prepare_cached(&sql)?.execute(params_from_iter(row.iter().map(|(_, value)| value)));
        match written.map_err(Trouble::from) {
            Err(trouble) if trouble.spoils_connection() || trouble.is_busy() => Err(trouble),
            Err(trouble) => {
                tracing::warn!(table, %trouble, "a damaged row is left out");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    fn find(&self, sql: &str, values: &[Value]) -> Result<Option<i64>, Trouble> {
        Ok(self.to.prepare_cached(sql)?.query_row(params_from_iter(values), |row| row.get(0)).optional()?)
    }
}

fn get(row: &SalvagedRow, column: &str) -> Option<Value> {
    row.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone())
}

fn number(row: &SalvagedRow, column: &str) -> Option<i64> {
    match get(row, column) {
        Some(Value::Integer(number)) => Some(number),
        Some(Value::Null | Value::Real(_) | Value::Text(_) | Value::Blob(_)) | None => None,
    }
}

fn without(row: &SalvagedRow, columns: &[&str]) -> SalvagedRow {
    row.iter().filter(|(name, _)| !columns.contains(&name.as_str())).cloned().collect()
}

fn with(mut row: SalvagedRow, column: &str, value: impl Into<Value>) -> SalvagedRow {
    let value = value.into();
    if let Some(cell) = row.iter_mut().find(|(name, _)| name == column) {
        cell.1 = value;
    }
    row
}
