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

/// Where a text contains a secret itself: in words that may be printed. `None`: nowhere that can be recognised.
pub fn written_out(text: &str) -> Option<String> {
    if user_of(text).is_some_and(|user| user.contains(':')) {
        return Some("the password of a user".to_owned());
    }
    let pairs = text.split(['?', '&', ';', '#', ' ', '\t', '\n']).skip(1).filter_map(|pair| pair.split_once('='));
    let name = pairs.map(|(name, _)| name.trim()).find(|name| is_secret_name(name))?;
    Some(format!("the parameter `{name}`"))
}

/// The URL without what may be a secret in it, for errors and reports.
pub fn without_secrets(url: &str) -> String {
    let mut shown = match user_of(url) {
        Some(user) => url.replacen(&format!("{user}@"), "…@", 1),
        None => url.to_owned(),
    };
    if written_out(&shown).is_some() {
        shown.truncate(shown.find(['?', '&', ';', '#', ' ', '\t', '\n']).unwrap_or(shown.len()));
        shown.push_str("?…");
    }
    shown
}

/// What stands before the last `@`, after the scheme. A password may contain any character.
fn user_of(text: &str) -> Option<&str> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['?', '#', ' ', '\t', '\n']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

/// Whether a property or a parameter of this name holds a secret, by the words in the name. The name of a place or of a kind
/// (`sasl.oauthbearer.token.endpoint.url`, `ssl.key.location`) does not.
pub fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "jaas",
        "credential",
        "apikey",
        "accesskey",
        "privatekey",
        "signature",
        "keypem",
        "oauthbearerconfig",
    ];
    const WHOLE: [&str; 5] = ["sig", "key", "auth", "pass", "pw"];
    const PLACES: [&str; 9] = ["url", "uri", "location", "file", "path", "id", "ms", "type", "method"];
    let name = name.to_lowercase();
    if name.rsplit_once('.').is_some_and(|(_, last)| PLACES.contains(&last)) {
        return false;
    }
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    WHOLE.contains(&plain.as_str()) || WORDS.iter().any(|word| plain.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_url_is_found_and_not_shown() {
        for (url, shown) in [
            ("postgres://kassa:CANARY@db/shop", "postgres://…@db/shop"),
            ("postgres://kassa:CAN/ARY@db/shop", "postgres://…@db/shop"),
            ("kafka:me:CANARY@one:9092", "…@one:9092"),
            ("postgres://kassa@db/shop?sslmode=disable&password=CANARY", "postgres://…@db/shop?…"),
            ("https://host/?sslpassword=CANARY", "https://host/?…"),
            ("https://host/x?sig=CANARY", "https://host/x?…"),
            ("https://host/x?X-Amz-Signature=CANARY", "https://host/x?…"),
            ("https://host/#access_token=CANARY", "https://host/?…"),
            ("host=db password=CANARY", "host=db?…"),
        ] {
            assert!(written_out(url).is_some_and(|what| !what.contains("CANARY")), "{url}");
            assert_eq!(without_secrets(url), shown);
        }
        for url in [
            "postgres://kassa@db:5432/shop?sslmode=verify-full&sslkey=/etc/key.pem",
            "kafka://one:9092,two:9092",
            "s3://shop-lake/a=b",
        ] {
            assert_eq!(written_out(url), None, "{url}");
        }
        assert_eq!(without_secrets("https://CANARY@host:9000/x"), "https://…@host:9000/x");
    }

    #[test]
    fn names_of_secrets_are_known_by_their_words() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.truststore.password",
            "sasl.jaas.config",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "ssl.key.pem",
            "SSL.Key.Password",
            "api_key",
            "sig",
            "aws.secret.access.key",
            "http.proxy.passwd",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "client.rack",
            "session.timeout.ms",
            "sasl.oauthbearer.token.endpoint.url",
            "sasl.oauthbearer.client.id",
            "ssl.ca.location",
            "ssl.keystore.location",
            "compression.codec",
            "sslkey",
            "partitioner",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_secret_prints_its_reference_and_not_its_value() {
        let secret = Secret::new("env:PASSWORD", "hunter2");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "Secret(env:PASSWORD) Some(\n    Secret(env:PASSWORD),\n)");
        assert_eq!((secret.expose(), secret.reference()), ("hunter2", "env:PASSWORD"));
    }
}
