//! Who polls a job: one running jobdeck among those that share a store.

use std::fmt;

use super::clean::Clean;

/// A running jobdeck that holds claims.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The name of its machine.
    pub host: Clean,
    /// The user that it runs as.
    pub user: Clean,
    /// Its process on that machine.
    pub pid: u32,
    /// Its name, unique over time: pids come back.
    pub instance: Clean,
    /// Whether it runs on this machine.
    pub is_here: bool,
}

/// `pid 17` on this machine, `ana@build-3` on another.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_here { write!(f, "pid {}", self.pid) } else { write!(f, "{}@{}", self.user, self.host) }
    }
}

#[cfg(test)]
impl Owner {
    /// A process of this machine.
    pub fn here(pid: u32) -> std::sync::Arc<Self> {
        let instance = format!("{pid}-1").into();
        std::sync::Arc::new(Self { host: "build-1".into(), user: "ana".into(), pid, instance, is_here: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_s_jobdeck_is_called_by_its_user_and_host() {
        let here = Owner::here(17);
        assert_eq!(here.to_string(), "pid 17");
        let there = Owner { host: "build-3".into(), is_here: false, ..(*here).clone() };
        assert_eq!(there.to_string(), "ana@build-3");
    }

    #[test]
    fn a_hostile_host_name_reaches_no_terminal() {
        let there = Owner { host: "b\x1b[31m\n3".into(), is_here: false, ..(*Owner::here(1)).clone() };
        assert_eq!(there.to_string(), "ana@b 3");
    }
}
