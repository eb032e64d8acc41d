//! A secret and its reference. Only the reference is ever printed.

use std::fmt;

/// A password, a key or a token. It is sent only to the server that needs it; Debug prints the
/// reference.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    reference: String,
    value: String,
}

impl Secret {
    /// `reference` is the text in the configuration: `env:NAME` or `file:PATH`.
    pub fn new(reference: impl Into<String>, value: impl Into<String>) -> Self {
        Self { reference: reference.into(), value: value.into() }
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The reference, safe to print.
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_its_reference_and_not_its_value() {
        let secret = Secret::new("env:PASSWORD", "hunter2");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "Secret(env:PASSWORD) Some(\n    Secret(env:PASSWORD),\n)");
        assert_eq!((secret.expose(), secret.reference()), ("hunter2", "env:PASSWORD"));
    }
}
