//! Whether the store can be used.

use crate::store::{Database, StoreError};
use crate::telemetry::chain;

use super::Finding;

pub(super) async fn examine(database: &Database) -> Finding {
    let what = format!("store {database}");
    match database.examine().await {
        Ok(seen) => Finding::fine(what, seen),
        Err(error) => {
            let remedy = match (&error, database) {
                (StoreError::Corrupt { .. }, Database::Sqlite(_)) => {
                    "restore the file from a copy, or move it away to begin anew"
                }
                (_, Database::Sqlite(_)) => "make it readable and writable for this user",
                (_, Database::Postgres(_)) => {
                    "check store.url, that PostgreSQL runs there, and that its user may create tables"
                }
            };
            Finding::wrong(what, chain(&error).to_string(), remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_no_database_is_wrong_and_none_at_all_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let database = Database::Sqlite(path.clone());
        assert!(examine(&database).await.is_fine());
        assert!(!path.exists());
        std::fs::write(&path, "this is not a database, however long it may be").unwrap();
        let finding = examine(&database).await;
        assert!(!finding.is_fine(), "{finding}");
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_wrong_and_its_password_not_shown() {
        let database = Database::parse("postgres://me:hunter2@127.0.0.1:1/stages").unwrap();
        let finding = examine(&database).await.to_string();
        assert!(finding.contains("store.url"), "{finding}");
        assert!(!finding.contains("hunter2"), "{finding}");
    }
}
