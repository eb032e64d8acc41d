//! A mistake: what, where, why and the fix, for people and for programs.

use std::fmt;

use kassa_model::Code;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::origin::Origin;

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub code: Code,
    pub what: String,
    pub origin: Origin,
    /// The reason and the fix, one line each.
    pub help: Vec<String>,
}

/// All mistakes of a configuration, sorted by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistake {
    pub fn new(code: Code, what: impl Into<String>, origin: Origin) -> Self {
        Self { code, what: what.into(), origin, help: Vec::new() }
    }

    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }
}

impl Mistakes {
    /// Mistakes in the environment and flags first, then those in files by line.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|mistake| match &mistake.origin {
            Origin::File(place) => (2, place.file.clone(), place.line, place.column),
            Origin::Default => (3, Default::default(), 0, 0),
            Origin::Env(_) | Origin::Flag(_) => (1, Default::default(), 0, 0),
        });
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.what)?;
        writeln!(f, "  --> {}", self.origin)?;
        for line in &self.help {
            writeln!(f, "   = {line}")?;
        }
        write!(f, "   = see {}", self.code.page())
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.0 {
            writeln!(f, "{mistake}\n")?;
        }
        let count = self.0.len();
        write!(f, "{count} mistake{} in the configuration", if count == 1 { "" } else { "s" })
    }
}

impl std::error::Error for Mistakes {}

impl Serialize for Mistake {
    /// `{code, message, file, line, column, variable, flag, help, page}`; a value that does not
    /// apply is null.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = if let Origin::File(place) = &self.origin { Some(place) } else { None };
        let variable = if let Origin::Env(name) = &self.origin { Some(name) } else { None };
        let flag = if let Origin::Flag(name) = &self.origin { Some(name) } else { None };
        let mut out = serializer.serialize_struct("Mistake", 9)?;
        out.serialize_field("code", self.code.code())?;
        out.serialize_field("message", &self.what)?;
        out.serialize_field("file", &place.map(|place| place.file.display().to_string()))?;
        out.serialize_field("line", &place.map(|place| place.line))?;
        out.serialize_field("column", &place.map(|place| place.column))?;
        out.serialize_field("variable", &variable)?;
        out.serialize_field("flag", &flag)?;
        out.serialize_field("help", &self.help)?;
        out.serialize_field("page", self.code.page())?;
        out.end()
    }
}
