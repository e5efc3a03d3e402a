//! The page is embedded from `web/dist`. The folder is made when the page was not built yet, so that the server always
//! compiles; it then serves a page that says so.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let dist = Path::new("../web/dist");
    std::fs::create_dir_all(dist)?;
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", dist.display());
    Ok(())
}
