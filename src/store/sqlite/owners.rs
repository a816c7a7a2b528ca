//! Whose a claim is, by the number of the instance in the database.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use crate::domain::clean::Clean;
use crate::domain::owner::Owner;
use crate::store::instance;
use crate::store::trouble::Trouble;

/// Instances that hold claims, each looked up once.
#[derive(Debug)]
pub struct ClaimOwners<'a> {
    connection: &'a Connection,
    known: HashMap<i64, Arc<Owner>>,
}

impl<'a> ClaimOwners<'a> {
    /// Of the instances of this database, none looked up yet.
    pub fn new(connection: &'a Connection) -> Self {
        Self { connection, known: HashMap::new() }
    }

    /// The instance with this number.
    pub fn get(&mut self, id: i64) -> Result<Arc<Owner>, Trouble> {
        if let Some(owner) = self.known.get(&id) {
            return Ok(Arc::clone(owner));
        }
        let here = instance::host();
        let owner = self
            .connection
            .prepare_cached("SELECT name, pid, host, user FROM instance WHERE id = ?1")?
            .query_row([id], |row| {
                let host = row.get::<_, Option<String>>(2)?.map_or_else(|| here.clone(), Clean::from);
                let user = row.get::<_, Option<String>>(3)?.unwrap_or_default().into();
                let instance = row.get::<_, String>(0)?.into();
                Ok(Owner { is_here: host == here, host, user, pid: row.get(1)?, instance })
            })?;
        let owner = Arc::new(owner);
        self.known.insert(id, Arc::clone(&owner));
        Ok(owner)
    }
}
