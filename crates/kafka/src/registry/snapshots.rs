use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use super::Schema;

/// Stores schemas, so that the archive can be read without the registry.
pub trait Snapshots: Debug + Send + Sync {
    fn load(&self, id: u32) -> io::Result<Option<Schema>>;

    /// The schema is durable when this returns.
    fn store(&self, schema: &Schema) -> io::Result<()>;
}

/// A folder with one JSON file per schema, `<id>.json`.
#[derive(Debug)]
pub struct FolderSnapshots(PathBuf);

impl FolderSnapshots {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    fn file(&self, id: u32) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }
}

impl Snapshots for FolderSnapshots {
    fn load(&self, id: u32) -> io::Result<Option<Schema>> {
        match fs::read(self.file(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(serde_json::from_slice(&read?)?)),
        }
    }

    fn store(&self, schema: &Schema) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let part = self.0.join(format!("{}.json.part", schema.id));
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec_pretty(schema)?)?;
        file.sync_all()?;
        fs::rename(&part, self.file(schema.id))?;
        File::open(&self.0)?.sync_all()
    }
}
