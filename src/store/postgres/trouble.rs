//! What can go wrong with a team's store, as sentences: what failed, and what to do.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::{DbError, SqlState};

use crate::domain::clean::Clean;
use crate::store::{StoreError, StoreErrorKind};
use crate::tls;

/// Why a team's store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TeamTrouble {
    /// No connection, or one that broke: it is tried again.
    #[error("the team's store cannot be reached: {0}")]
    Unreachable(String),
    /// The server's certificate is not trusted.
    #[error("the team's store at {0} cannot be trusted: {1}")]
    Certificate(String, String),
    /// The server refuses the password, or has no such role.
    #[error("the team's store refuses to let {0} in: {1}")]
    Refused(String, String),
    /// The server wants a password, and there is none.
    #[error("the team's store wants a password, and none is set")]
    NoPassword,
    /// There is no such database.
    #[error("the team's store has no database {0}")]
    NoDatabase(String),
    /// The role may not.
    #[error("the team's store gives no right to this: {0}")]
    NoRight(String),
    /// The tables are not there.
    #[error("the team's store has no tables yet")]
    NoTables,
    /// The tables are older than this jobdeck.
    #[error("the team's store was made by an older jobdeck (schema {0}, here {1})")]
    Older(i32, i32),
    /// The tables are newer than this jobdeck.
    #[error("the team's store was made by a newer jobdeck (schema {0}, here {1})")]
    Newer(i32, i32),
    /// The server is too old.
    #[error("the team's store runs on PostgreSQL {0}; jobdeck needs 13 or later")]
    OldServer(i32),
    /// A standby.
    #[error("the team's store is a replica that takes no writes")]
    Replica,
    #[error("the team's store is read-only: {0}")]
    ReadOnly(String),
    /// No connection is left.
    #[error("the team's store has no connection left: {0}")]
    Full(String),
    #[error("the disk of the team's store is full: {0}")]
    NoRoom(String),
    /// A pooler that gives each transaction another connection.
    #[error(
        "the team's store is behind a pooler that changes the connection with every transaction, so leases and \
         notifications do not work"
    )]
    Pooler,
    /// Our lease ran out: others may have taken over.
    #[error("the lease of this jobdeck in the team's store ran out")]
    LeaseLost,
    /// What came is not what was uploaded.
    #[error("a response in the team's store is damaged: {0}")]
    Damaged(String),
    /// Anything else that the server says.
    #[error("the team's store refused a request: {0}")]
    Other(String),
}

impl TeamTrouble {
    /// What an error of the library means, of a connection to this server.
    pub fn of(error: &tokio_postgres::Error, server: &str, user: &str, database: &str) -> Self {
        if let Some(refusal) = tls::refusal(error) {
            return Self::Certificate(server.to_owned(), refusal);
        }
        let Some(said) = error.as_db_error() else {
            if error.source().is_some_and(|cause| cause.to_string() == "password missing") {
                return Self::NoPassword;
            }
            return Self::Unreachable(format!("{server}: {}", cause(error)));
        };
        let message = message(said);
        let code = said.code();
        if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code) {
            Self::Refused(user.to_owned(), message)
        } else if *code == SqlState::INVALID_CATALOG_NAME {
            Self::NoDatabase(database.to_owned())
        } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            Self::NoRight(message)
        } else if [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].contains(code) {
            Self::NoTables
        } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
            Self::ReadOnly(message)
        } else if *code == SqlState::TOO_MANY_CONNECTIONS {
            Self::Full(message)
        } else if *code == SqlState::DISK_FULL {
            Self::NoRoom(message)
        } else if is_passing(code) {
            Self::Unreachable(format!("{server}: {message}"))
        } else {
            Self::Other(message)
        }
    }

    /// What to do about it, without a full stop; None where nothing is to be done but to wait.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoDatabase(name) => {
                return Some(format!("Create it, as in `createdb {name}`, or correct the address"));
            }
            Self::Refused(_, why) if why.starts_with(NOT_LISTED) => return Some(let_in(why)),
            Self::NoPassword => {
                "Set PGPASSWORD, or write a line to ~/.pgpass: --store and JOBDECK_STORE do not use the password of config.toml"
            }
            Self::Refused(..) => "See the password setting, ~/.pgpass and the server's pg_hba.conf",
            Self::NoRight(_) => "Let its owner grant it, see docs/team.md",
            Self::NoTables => "Make them with `jobdeck store init`",
            Self::Older(..) => "Bring it up to date with `jobdeck store init`",
            Self::Newer(..) => "Update jobdeck on this machine",
            Self::Replica => "Name its primary server",
            Self::ReadOnly(_) => "Let it take writes again, or name another server",
            Self::Full(_) => "Raise max_connections on the server, or end some jobdecks",
            Self::NoRoom(_) => "Make room on the server",
            Self::Pooler => "Name the server itself, or a pool in session mode",
            Self::Damaged(_) => "It is taken over once a machine that has it has uploaded it again",
            Self::Certificate(..) => "How one is made stands in docs/team.md",
            Self::Unreachable(_) | Self::OldServer(_) | Self::LeaseLost | Self::Other(_) => return None,
        };
        Some(help.to_owned())
    }

    /// What failed and what to do, as one text.
    pub fn sentence(&self) -> String {
        match self.help() {
            Some(help) => format!("{self}. {help}"),
            None => self.to_string(),
        }
    }

    /// Whether trying again later is of use without anybody doing something.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Full(_) | Self::NoRoom(_) | Self::LeaseLost => true,
            Self::Certificate(..)
            | Self::Refused(..)
            | Self::NoPassword
            | Self::NoDatabase(_)
            | Self::NoRight(_)
            | Self::NoTables
            | Self::Older(..)
            | Self::Newer(..)
            | Self::OldServer(_)
            | Self::Replica
            | Self::ReadOnly(_)
            | Self::Pooler
            | Self::Damaged(_)
            | Self::Other(_) => false,
        }
    }
}

impl From<TeamTrouble> for StoreError {
    fn from(trouble: TeamTrouble) -> Self {
        let kind = if trouble.is_passing() { StoreErrorKind::Unreachable } else { StoreErrorKind::Other };
        let help = trouble.help().unwrap_or_else(|| "See that the server runs and can be reached from here".to_owned());
        Self { kind, what: trouble.to_string(), help }
    }
}

/// How PostgreSQL begins to say that no line of pg_hba.conf is about a client.
const NOT_LISTED: &str = "no pg_hba.conf entry for host";

/// The line to add for a client that is not listed, of the server's own words: host, role and database stand in quotes.
fn let_in(why: &str) -> String {
    let words: Vec<&str> = why.split('"').skip(1).step_by(2).collect();
    let (host, role, database) = match words.as_slice() {
        [host, role, database, ..] => (*host, *role, *database),
        _ => ("ADDRESS", "ROLE", "DATABASE"),
    };
    let bits = if host.contains(':') { 128 } else { 32 };
    let line = format!(
        "Add to the server's pg_hba.conf: hostssl {database} {role} {host}/{bits} scram-sha-256, then reload it"
    );
    if why.ends_with("no encryption") { format!("{line}, and take sslmode=disable out of the URL") } else { line }
}

/// A server that is going down, coming up, or had to give way to another transaction.
fn is_passing(code: &SqlState) -> bool {
    let passing = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    passing.contains(code) || code.code().starts_with("08")
}

fn message(said: &DbError) -> String {
    Clean::new(said.message()).as_str().to_owned()
}

/// The innermost cause: the library's own words name only the step.
fn cause(error: &tokio_postgres::Error) -> String {
    let mut causes = std::iter::successors(error.source(), |&error| error.source());
    let first = causes.next();
    let last = causes.last().or(first);
    match last {
        Some(last) => match last.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            Some(_) | None => Clean::new(&last.to_string()).as_str().to_owned(),
        },
        None if error.is_closed() => "the connection was closed".to_owned(),
        None => Clean::new(&error.to_string()).as_str().to_owned(),
    }
}
