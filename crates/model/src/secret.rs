//! A secret, and where it was taken from. Only the latter is ever shown.

use std::fmt;

/// A password, a key or a token. It is given to the server that asks for it, and to nobody else: Debug shows the reference.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    reference: String,
    value: String,
}

impl Secret {
    /// `reference` is what a configuration says: `env:NAME` or `file:PATH`.
    pub fn new(reference: impl Into<String>, value: impl Into<String>) -> Self {
        Self { reference: reference.into(), value: value.into() }
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Where it was taken from, fit to be shown.
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
    fn a_secret_shows_where_it_came_from_and_not_what_it_is() {
        let secret = Secret::new("env:PASSWORD", "hunter2");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "Secret(env:PASSWORD) Some(\n    Secret(env:PASSWORD),\n)");
        assert_eq!((secret.expose(), secret.reference()), ("hunter2", "env:PASSWORD"));
    }
}
