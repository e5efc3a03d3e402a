//! Which country an address is in, from a MaxMind DB file (GeoLite2 Country and City, DB-IP and others have this form).

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use channel::Country;
use maxminddb::{MaxMindDbError, Reader, path};

/// A GeoIP database, read into memory at start.
#[derive(Debug)]
pub struct GeoIp(Reader<Vec<u8>>);

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the GeoIP database {}", path.display())]
pub struct GeoIpError {
    path: PathBuf,
    #[source]
    source: MaxMindDbError,
}

impl GeoIp {
    /// Reads the file.
    pub fn open(path: &Path) -> Result<Self, GeoIpError> {
        let opened = Reader::open_readfile(path);
        opened.map(Self).map_err(|source| GeoIpError {
            path: path.to_owned(),
            source,
        })
    }

    /// The country of an address; `None` when the database does not know, as for private networks.
    pub fn country_of(&self, address: IpAddr) -> Option<Country> {
        let found = self.0.lookup(address.to_canonical());
        let code: Option<String> = found
            .and_then(|found| found.decode_path(&path!["country", "iso_code"]))
            .inspect_err(|error| tracing::debug!(%error, "the GeoIP database cannot be asked"))
            .ok()?;
        code.map(|code| Country::new(&code))
    }
}
