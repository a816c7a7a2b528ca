//! The views of the database, for those who read it with sqlite3: their names and columns stay.

/// A view: its name, what it holds, its columns in order.
type ViewDoc = (&'static str, &'static str, &'static str);

/// All of them.
pub const VIEWS: [ViewDoc; 4] = [
    (
        "jobs",
        "every job and what is known of it; `fields` is a JSON object, `saved_body` a `body` of `bodies`",
        "job service provider endpoint id name tags batch state provider_status lost_because fail_reason error_code \
         warning progress http_status files_total files_failed items_total items_succeeded items_failed cost fields \
         created_at first_seen running_since finished_at expires_at polled_at poll poll_reason saved_bytes \
         saved_sha256 saved_body",
    ),
    (
        "changes",
        "changes of a state or of the service's word: of each job the last 200",
        "job at previous state provider_status",
    ),
    (
        "bodies",
        "every saved response; `data` is the body itself, or NULL where it is the file `file` in the folder `bodies`",
        "body job role is_result broken bytes sha256 http_status content_type received_at exported_at file data",
    ),
    (
        "batches",
        "the batches and how far they are",
        "batch jobs succeeded problems unfinished first_seen last_finished saved_bytes",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_views_are_those_that_the_database_has() {
        let dir = tempfile::tempdir().unwrap();
        crate::store::Store::open(dir.path()).unwrap().0.close().await;
        let database = rusqlite::Connection::open(dir.path().join("jobdeck.db")).unwrap();
        let list = |sql: &str, of: &str| -> Vec<String> {
            let mut statement = database.prepare(sql).unwrap();
            statement.query_map([of], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let names = list("SELECT name FROM sqlite_master WHERE type = ?", "view");
        assert_eq!(names, VIEWS.map(|(name, _, _)| name));
        for (name, _, columns) in VIEWS {
            let there = list("SELECT name FROM pragma_table_info(?)", name);
            assert_eq!(there, columns.split_whitespace().collect::<Vec<_>>(), "{name}");
        }
    }
}
