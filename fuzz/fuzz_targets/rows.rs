//! A database into which another hand has written: whatever stands in one column of one job, nothing panics, and the
//! other job is told as it is.

#![no_main]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jobdeck::bench_api::{Job, JobKey, JobTraits, Observation, Results, Save, State, Store, names};
use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;
use rusqlite::types::Value;
use tokio::runtime::Runtime;

struct Bench {
    runtime: Runtime,
    dir: PathBuf,
    columns: Vec<(String, String)>,
    sound: Vec<Observation>,
}

fn key(id: &str) -> JobKey {
    JobKey { provider: names()[0], endpoint: "https://example.com".into(), id: id.to_owned() }
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let dir = std::env::temp_dir().join(format!("jobdeck-fuzz-{}", std::process::id()));
        let store = Store::open(&dir).expect("a state directory").0;
        let sound = runtime.block_on(async {
            for id in ["odd", "sound"] {
                let at = Some(Timestamp::UNIX_EPOCH);
                let observation = Observation { state: State::Failed, finished_at: at, ..Observation::default() };
                let traits = JobTraits::default();
                let (service, tags, batch) = ("s".into(), Arc::default(), None);
                let job = Job { key: key(id), service, name: None, tags, batch, traits };
                store.save(Save::new(Arc::new(job), observation)).await.expect("a disk");
            }
            let sound = store.results().load(vec![key("sound")]).await.expect("what was saved");
            store.close().await;
            sound
        });
        let columns = {
            let outside = Connection::open(dir.join("jobdeck.db")).expect("the database");
            let query = "SELECT 'observation', name FROM pragma_table_info('observation') WHERE name <> 'job' \
                         UNION ALL SELECT 'declaration', name FROM pragma_table_info('declaration') WHERE name <> 'job'";
            let mut statement = outside.prepare(query).expect("a query");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("columns");
            rows.map(|row| row.expect("a column")).collect()
        };
        Bench { runtime, dir, columns, sound }
    })
}

fuzz_target!(|input: (u8, u8, i64, f64, &str)| {
    let (column, kind, number, real, text) = input;
    let bench = bench();
    let (table, column) = &bench.columns[usize::from(column) % bench.columns.len()];
    let value = match kind % 5 {
        0 => Value::Null,
        1 => Value::Integer(number),
        2 => Value::Real(real),
        3 => Value::Text(text.to_owned()),
        _ => Value::Blob(text.as_bytes().to_vec()),
    };
    let outside = Connection::open(bench.dir.join("jobdeck.db")).expect("the database");
    let job = "(SELECT id FROM job WHERE service_id = 'odd')";
    // The table refuses what is not of a column's type.
    let _ = outside.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE job = {job}"), [&value]);
    drop(outside);
    let results = Results::open(&bench.dir).expect("a state directory");
    bench.runtime.block_on(async {
        assert_eq!(results.load(vec![key("sound")]).await.as_ref(), Ok(&bench.sound));
        assert!(results.load_all().await.is_ok(), "{table}.{column} = {value:?}");
        let _ =
            (results.load(vec![key("odd")]).await, results.history(key("odd")).await, results.kept(key("odd")).await);
    });
});
