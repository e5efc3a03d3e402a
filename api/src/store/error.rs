//! Why the store could not do it.

use std::path::PathBuf;

use crate::arn::Arn;
use crate::error::ApiError;

/// Failure of a store call.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses or cannot be reached.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("the database schema cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database file has no usable path or cannot be made private.
    #[error("cannot prepare the file {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// What the disk has made of the database is not what was written.
    #[error("the database file {} is damaged: {found}; restore it from a copy, or move it away to begin anew", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite says of it.
        found: String,
    },
    /// The user of the database may not do what a start does.
    #[error("the user may not create tables in the current schema")]
    NoTables,
    /// Other writers did not end in time.
    #[error("the write lock of the store was not free in time")]
    Busy,
    /// A row is not what this version writes.
    #[error("unreadable row: {what}")]
    Corrupt {
        /// Which row, which rule.
        what: String,
        /// The cause.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// A channel cannot refer to what is not there.
    #[error("the resource {arn} does not exist")]
    MissingReference {
        /// What is not there.
        arn: Arn,
    },
    /// The account has the same already.
    #[error("{arn} has the same content")]
    Duplicate {
        /// What is the same.
        arn: String,
    },
    /// One more would exceed a limit of the account.
    #[error("{what}: at most {limit} allowed")]
    Quota {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: u32,
    },
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Quota { what, limit } => Self::quota(what, limit),
            StoreError::MissingReference { arn } => Self::not_found("the resource", &arn),
            StoreError::Duplicate { arn } => {
                Self::conflict(format!("{arn} has the same content already"))
            }
            StoreError::Sql(_)
            | StoreError::Migrate(_)
            | StoreError::File { .. }
            | StoreError::Damaged { .. }
            | StoreError::NoTables
            | StoreError::Busy
            | StoreError::Corrupt { .. } => Self::internal(error),
        }
    }
}
