//! `export --format csv --fields a,b`: some columns alone, a row for each job or for each of its files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::commands::export::ExportRows;
use super::csv;
use super::failure::Failure;
use crate::config::problems::known_keys;
use crate::domain::clean::Clean;
use crate::domain::field;
use crate::domain::service::Service;
use crate::engine::saved::{self, Results};
use crate::session::select::KnownJob;

/// The columns that stand in front of those that are asked for.
const FIRST: [&str; 3] = ["job", "name", "state"];

/// The columns of a file, behind those.
const OF_FILE: [&str; 2] = ["file", "file_status"];

#[derive(Debug)]
pub struct FieldTable {
    columns: Vec<String>,
    rows: ExportRows,
    services: HashMap<Arc<str>, Arc<Service>>,
}

impl FieldTable {
    /// These columns: fields of these services, or columns of `--format csv`. A name of neither is a usage error; no
    /// name at all means every field of these services.
    pub fn new(columns: &[String], rows: ExportRows, services: &[Arc<Service>]) -> Result<Self, Failure> {
        let own = services.iter().flat_map(|service| service.fields.iter()).map(|field| &*field.name);
        let known: Vec<&str> = own.clone().chain(csv::COLUMNS).collect();
        for name in columns {
            if known.contains(&name.as_str()) {
                continue;
            }
            let help = match known_keys::meant(name, &known) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("there are {}", known.join(", ")),
            };
            let name = Clean::new(name);
            return Err(Failure::usage(format!("there is no field {:?}", name.as_str())).help(help));
        }
        let mut seen = HashSet::new();
        let every: Vec<String> = own.filter(|name| seen.insert(*name)).map(str::to_owned).collect();
        let columns = if columns.is_empty() { every.as_slice() } else { columns };
        let columns = columns.iter().filter(|name| !FIRST.contains(&name.as_str())).cloned().collect();
        let services = services.iter().map(|service| (Arc::clone(&service.name), Arc::clone(service))).collect();
        Ok(Self { columns, rows, services })
    }

    /// Whether a column is taken by a pointer of the user's own.
    pub fn has_pointer(&self, name: &str) -> bool {
        self.services.values().any(|service| service.fields.iter().any(|field| &*field.name == name))
    }

    pub fn header(&self) -> Vec<&str> {
        let of_file: &[&str] = match self.rows {
            ExportRows::Jobs => &[],
            ExportRows::Files => &OF_FILE,
        };
        FIRST.into_iter().chain(of_file.iter().copied()).chain(self.columns.iter().map(String::as_str)).collect()
    }

    /// A job's rows, unguarded.
    pub async fn rows(&self, store: &Results, entry: &KnownJob) -> Result<Vec<Vec<String>>, Failure> {
        let whole = csv::row(entry, &[], None);
        let cell = |name: &str| csv::COLUMNS.iter().position(|column| *column == name).and_then(|at| whole.get(at));
        let first = FIRST.map(|name| cell(name).cloned().unwrap_or_default());
        let row = |of_file: &[String], values: &str, cost: Option<&String>| {
            let values = field::values(values);
            let columns = self.columns.iter().map(|name| match (values.get(name), name.as_str()) {
                (Some(value), _) => value.text().to_owned(),
                (None, "cost") if cost.is_some() => cost.cloned().unwrap_or_default(),
                (None, name) => cell(name).cloned().unwrap_or_default(),
            });
            first.iter().chain(of_file).cloned().chain(columns).collect::<Vec<String>>()
        };
        match (self.rows, entry.known.saved.as_ref()) {
            (ExportRows::Jobs, _) => {
                let values = entry.known.fields.as_ref().map(|fields| fields.values.as_str()).unwrap_or("{}");
                Ok(vec![row(&[], values, None)])
            }
            (ExportRows::Files, None) => Ok(Vec::new()),
            (ExportRows::Files, Some(saved)) => {
                let body = store.body(saved.body).await?;
                let files = saved::payload(store, &entry.job, &entry.known, &body).await.files;
                let service = self.services.get(&entry.job.service);
                let rows = files.into_iter().map(|file| {
                    let object = body.get(file.range.clone()).unwrap_or_default();
                    let values =
                        service.map_or_else(|| "{}".to_owned(), |service| saved::fields_of_file(service, object));
                    row(&[file.name, file.status], &values, Some(&file.cost.unwrap_or_default()))
                });
                Ok(rows.collect())
            }
        }
    }
}
