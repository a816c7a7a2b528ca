//! A team's store on PostgreSQL: its tables, who is there, who polls what, what was saved. Knows nothing of this
//! machine's own store.

pub mod changes;
pub mod damage;
pub mod leases;
pub mod schema;
pub mod session;
pub mod status;
#[cfg(test)]
pub mod tests;
mod tls;
pub mod trouble;
pub mod upload;
