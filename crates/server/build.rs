//! The dashboard is embedded as it was last built. Without a build there is nothing to embed, and the program says so at `/`.

use std::{fs, io};

fn main() -> io::Result<()> {
    const DIST: &str = "../../dashboard/dist";
    fs::create_dir_all(DIST)?;
    println!("cargo:rerun-if-changed={DIST}");
    Ok(())
}
