//! Which database it is, how it is reached, and the one way to write to it.
//!
//! Both databases run the same statements, through `sqlx`'s `Any` driver. What differs stands here: how a connection is
//! prepared, and how a write transaction keeps all others out from its start.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{
    Any, AnyConnection, AnyPool, ConnectOptions, Connection, SqliteConnection, Transaction,
};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::config::Secret;
use crate::store::StoreError;

/// More readers than this only wait for the disk.
const CONNECTIONS_MAX: u32 = 8;

/// How long a request waits for the write lock or a connection before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a path keeps of its characters in a URL.
const PATH_CHARS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// Keeps all other writers out until the transaction ends; on PostgreSQL a lock of the database that is only ours.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";
const BEGIN_POSTGRES: &str = "BEGIN; SELECT pg_advisory_xact_lock(8104200715)";

/// Where the store is.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the URL holds a password.
    Postgres(Secret),
}

impl Database {
    /// Reads `sqlite://<path>` or `postgres://...`; the error is the rule that `url` breaks.
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            let path = percent_decode_str(path).decode_utf8();
            return match path {
                Ok(path) if !path.is_empty() && !path.contains('?') => {
                    Ok(Self::Sqlite(PathBuf::from(path.as_ref())))
                }
                _ => Err("must be sqlite:// and the path of a file, without parameters".to_owned()),
            };
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("must begin with sqlite:// or postgres://".to_owned());
        }
        match url.parse::<PgConnectOptions>() {
            Ok(options) if options.get_database().is_some() => Ok(Self::Postgres(Secret::new(url))),
            Ok(_) => Err("must name a database: postgres://user:password@host/database".to_owned()),
            Err(_) => {
                Err("is not a PostgreSQL URL: postgres://user:password@host/database".to_owned())
            }
        }
    }

    fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    async fn options(&self) -> Result<AnyConnectOptions, StoreError> {
        let url = match self {
            Self::Sqlite(path) => {
                let path = std::path::absolute(path).map_err(|source| StoreError::File {
                    path: path.clone(),
                    source,
                })?;
                prepare_file(&path).await?;
                let bytes = path.as_os_str().as_encoded_bytes();
                format!("sqlite://{}?mode=rwc", percent_encode(bytes, PATH_CHARS))
            }
            Self::Postgres(url) => url.expose().to_owned(),
        };
        Ok(url.parse::<AnyConnectOptions>()?)
    }

    /// Looks whether it could be used, and changes nothing. Answers what was seen.
    pub async fn examine(&self) -> Result<String, StoreError> {
        match self {
            Self::Sqlite(path) if !path.exists() => Ok("is made at the first start".to_owned()),
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let mut connection = options.connect().await?;
                check_file(&mut connection, path).await?;
                connection.close().await?;
                Ok("is sound".to_owned())
            }
            Self::Postgres(url) => {
                let mut connection = url.expose().parse::<PgConnectOptions>()?.connect().await?;
                let (version, may_create): (String, Option<bool>) = sqlx::query_as(
                    "SELECT current_setting('server_version'), has_schema_privilege(current_schema(), 'CREATE')",
                )
                .fetch_one(&mut connection)
                .await?;
                connection.close().await?;
                if may_create != Some(true) {
                    return Err(StoreError::NoTables);
                }
                Ok(format!("answers, PostgreSQL {version}"))
            }
        }
    }

    /// Connects, and creates the file when there is none.
    pub(super) async fn connect(&self) -> Result<AnyPool, StoreError> {
        sqlx::any::install_default_drivers();
        let is_sqlite = self.is_sqlite();
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(BUSY_TIMEOUT)
            // A transaction that failed at its end, as on a full disk, may leave its connection in a state that no later one
            // can begin from.
            .before_acquire(|connection, _| {
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let sql = if is_sqlite {
                        "PRAGMA synchronous = FULL"
                    } else {
                        // Not longer than SQLite waits.
                        "SET lock_timeout = '5s'"
                    };
                    sqlx::query(sql).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_with(self.options().await?)
            .await?;
        Ok(pool)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => match url.expose().parse::<PgConnectOptions>() {
                Ok(options) => {
                    let database = options.get_database().unwrap_or_default();
                    write!(
                        f,
                        "postgres://{}:{}/{database}",
                        options.get_host(),
                        options.get_port()
                    )
                }
                Err(_) => f.write_str("postgres://"),
            },
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

/// Whether the pages of the file, and its indexes and tables, fit together.
async fn check_file(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(connection)
        .await?;
    if found == "ok" {
        return Ok(());
    }
    Err(StoreError::Damaged {
        path: path.to_owned(),
        found,
    })
}

/// Creates the file in WAL mode, which it keeps, or checks the one that is there. It holds stream keys: nobody else on the machine reads it.
async fn prepare_file(path: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY_TIMEOUT);
    let mut connection = options.connect().await?;
    check_file(&mut connection, path).await?;
    connection.close().await?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|source| {
        StoreError::File {
            path: path.to_owned(),
            source,
        }
    })
}

/// Lets one writer in after the other, in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Writers {
    begin: &'static str,
    turn: Arc<Mutex<()>>,
    /// Counts commits with events.
    events: watch::Sender<u64>,
}

impl Writers {
    pub(super) fn new(database: &Database) -> Self {
        Self {
            begin: if database.is_sqlite() {
                BEGIN_SQLITE
            } else {
                BEGIN_POSTGRES
            },
            turn: Arc::default(),
            events: watch::Sender::new(0),
        }
    }

    /// Wakes whoever reads events.
    pub(super) fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    pub(super) async fn begin(&self, pool: &AnyPool) -> Result<WriteTransaction, StoreError> {
        let turn = Arc::clone(&self.turn).lock_owned();
        let turn = tokio::time::timeout(BUSY_TIMEOUT, turn)
            .await
            .map_err(|_| StoreError::Busy)?;
        Ok(WriteTransaction {
            inner: pool.begin_with(self.begin).await?,
            events: self.events.clone(),
            has_events: false,
            _turn: turn,
        })
    }
}

/// A transaction that holds the write lock; rolled back unless committed.
pub(crate) struct WriteTransaction {
    inner: Transaction<'static, Any>,
    events: watch::Sender<u64>,
    has_events: bool,
    // Last: the next writer is let in when the transaction is over.
    _turn: OwnedMutexGuard<()>,
}

impl WriteTransaction {
    /// Makes everything in it true at once.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.inner.commit().await?;
        if self.has_events {
            self.events.send_modify(|commits| *commits += 1);
        }
        Ok(())
    }

    /// The next number of this sequence; without the commit, it was never taken.
    pub(crate) async fn next(&mut self, sequence: &str) -> Result<i64, StoreError> {
        let value = sqlx::query_scalar(
            "INSERT INTO counter (name, value) VALUES ($1, 1) \
             ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value",
        )
        .bind(sequence)
        .fetch_one(&mut **self)
        .await?;
        Ok(value)
    }

    pub(super) fn announce_events(&mut self) {
        self.has_events = true;
    }
}

impl Deref for WriteTransaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for WriteTransaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

impl fmt::Debug for WriteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTransaction").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_ever_shown() {
        let database = Database::parse("postgres://me:hunter2@db.example:5433/stages").unwrap();
        assert_eq!(database.to_string(), "postgres://db.example:5433/stages");
        assert!(!format!("{database:?}").contains("hunter2"));
    }

    #[test]
    fn only_files_and_postgresql_are_stores() {
        let file = Database::parse("sqlite:///var/lib/a%20b.db").unwrap();
        assert_eq!(file, Database::Sqlite(PathBuf::from("/var/lib/a b.db")));
        for wrong in [
            "",
            "mysql://h/d",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://a.db?mode=ro",
            "postgres://host",
            "postgres://host:port/d",
        ] {
            assert!(Database::parse(wrong).is_err(), "{wrong}");
        }
    }
}
