//! Embeds the last build of the dashboard. Without a build, nothing is embedded, and the program
//! says so at `/`.

use std::{fs, io};

fn main() -> io::Result<()> {
    const DIST: &str = "../../dashboard/dist";
    fs::create_dir_all(DIST)?;
    println!("cargo:rerun-if-changed={DIST}");
    Ok(())
}
