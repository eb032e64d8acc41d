//! The kinds of values: one raw value → one typed value, or the mistake in it.

use kassa_model::Code;

use crate::given::{Given, Raw};
use crate::mistake::Mistake;
use crate::parse::{
    Fault, address, country, currency, delimiter, endpoint, lake_url, malformed, not_empty, one_of, parse_size, registry_url,
    secret, size, source_url, span, switch, time_zone, topics, warehouse_url, within, without_secret,
};
use crate::properties::properties;
use crate::value::Value;

/// The values that a key accepts. Bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Names and patterns, separated by commas.
    Topics,
    Sql,
    /// A folder that kassa writes to.
    Folder,
    /// A file that exists.
    File,
    OneOf(&'static [&'static str]),
    Delimiter,
    TimeZone,
    Currency,
    Country,
    SourceUrl,
    LakeUrl,
    WarehouseUrl,
    RegistryUrl,
    /// An HTTP server: scheme, host and port.
    Endpoint,
    /// Pairs of names and values, separated by commas.
    Properties,
    /// A reference to a secret.
    Secret,
    /// `true` or `false`.
    Switch,
    Address,
    Bytes {
        min: u64,
        max: u64,
    },
    Count {
        min: u64,
        max: u64,
    },
    /// In milliseconds.
    Duration {
        min: u64,
        max: u64,
    },
}

impl Kind {
    pub(crate) fn parse(self, path: &str, given: &Given) -> Result<Value, Mistake> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let wrong = |code: Code, what: String| Mistake::new(code, what, given.origin.clone());
        let text = match (&given.raw, self) {
            (Raw::Boolean(boolean), Kind::Switch) => return Ok(Value::Bool(*boolean)),
            (Raw::Text(text), Kind::Secret) => text.as_str(),
            // A value that is not a reference may be the secret itself, so it is not repeated.
            (_, Kind::Secret) => "",
            (Raw::Text(text), _) => text.as_str(),
            (Raw::Integer(digits), Kind::Bytes { .. } | Kind::Count { .. } | Kind::Duration { .. }) => digits.as_str(),
            (Raw::Integer(digits), _) => {
                let what = format!("`{path}` must be text, not a number");
                return Err(wrong(Code::WrongType, what).help(format!("write it in quotes: `{key} = \"{digits}\"`")));
            }
            (Raw::Boolean(_) | Raw::Other(_), _) => {
                let what = if let Raw::Other(what) = &given.raw { what } else { "a boolean" };
                let (what, example) = (format!("`{path}` cannot be {what}"), self.example());
                return Err(wrong(Code::WrongType, what).help(format!("write for example `{key} = {example}`")));
            }
        };
        let in_file = given.text_at.is_some();
        if in_file && matches!((&given.raw, self), (Raw::Text(_), Kind::Count { .. })) {
            let what = format!("`{path}` must be a number, not text");
            let number = text.parse::<u64>().map_or_else(|_| self.example(), |number| number.to_string());
            return Err(wrong(Code::WrongType, what).help(format!("write it without quotes: `{key} = {number}`")));
        }
        self.parse_text(path, text).map_err(|(code, what, help)| {
            let mistake = wrong(code, what);
            help.into_iter().fold(mistake, Mistake::help)
        })
    }

    fn parse_text(self, path: &str, text: &str) -> Result<Value, Fault> {
        if !matches!(self, Kind::Sql | Kind::Properties | Kind::Secret) {
            without_secret(path, text, self.is_url())?;
        }
        match self {
            Kind::Text | Kind::Sql | Kind::Folder | Kind::File => not_empty(path, text),
            Kind::Topics => topics(path, text),
            Kind::OneOf(choices) => one_of(path, text, choices),
            Kind::Delimiter => delimiter(path, text),
            Kind::TimeZone => time_zone(path, text),
            Kind::Currency => currency(path, text),
            Kind::Country => country(path, text),
            Kind::SourceUrl => source_url(path, text),
            Kind::LakeUrl => lake_url(path, text),
            Kind::WarehouseUrl => warehouse_url(path, text),
            Kind::RegistryUrl => registry_url(path, text),
            Kind::Endpoint => endpoint(path, text),
            Kind::Properties => properties(path, text),
            Kind::Secret => secret(path, text),
            Kind::Switch => switch(path, text),
            Kind::Address => address(path, text),
            Kind::Bytes { min, max } => {
                let form = "a whole number and B, kB, MB, GB, KiB, MiB or GiB";
                let bytes = parse_size(text).ok_or_else(|| malformed(path, "size", text, form, "64MiB"))?;
                within(path, bytes, min, max, size).map(Value::Number)
            }
            Kind::Count { min, max } => {
                let number = text.parse().map_err(|_| malformed(path, "number", text, "digits only", &min.to_string()))?;
                within(path, number, min, max, |number| number.to_string()).map(Value::Number)
            }
            Kind::Duration { min, max } => {
                let parsed = humantime::parse_duration(text);
                let unit = if min < 60_000 { "s" } else { "d" };
                let digits = if text.parse::<u64>().is_ok() { text } else { "2" };
                let example = format!("{digits}{unit}");
                let duration =
                    parsed.map_err(|_| malformed(path, "duration", text, "numbers with ms, s, m, h or d", &example))?;
                let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
                within(path, millis, min, max, span)?;
                Ok(Value::Duration(duration))
            }
        }
    }

    fn is_url(self) -> bool {
        matches!(self, Kind::SourceUrl | Kind::LakeUrl | Kind::WarehouseUrl | Kind::RegistryUrl | Kind::Endpoint)
    }

    /// An example value, as written in a file.
    fn example(self) -> String {
        match self {
            Kind::Count { min, .. } => min.to_string(),
            Kind::Bytes { .. } => "\"64MiB\"".into(),
            Kind::Duration { .. } => "\"2s\"".into(),
            Kind::OneOf(choices) => format!("\"{}\"", choices.first().copied().unwrap_or_default()),
            Kind::TimeZone => "\"Europe/London\"".into(),
            Kind::Currency => "\"GBP\"".into(),
            Kind::Country => "\"GB\"".into(),
            Kind::SourceUrl => "\"log:log\"".into(),
            Kind::LakeUrl => "\"file:lake\"".into(),
            Kind::WarehouseUrl => "\"postgres://kassa@localhost/kassa\"".into(),
            Kind::RegistryUrl => "\"http://localhost:8081\"".into(),
            Kind::Endpoint => "\"https://s3.example.com\"".into(),
            Kind::Properties => "\"client.rack=a\"".into(),
            Kind::Secret => "\"env:NAME\"".into(),
            Kind::Switch => "true".into(),
            Kind::Address => "\"127.0.0.1:8080\"".into(),
            Kind::Delimiter => "\";\"".into(),
            Kind::Text | Kind::Topics | Kind::Sql | Kind::Folder | Kind::File => "\"…\"".into(),
        }
    }
}

#[cfg(test)]
mod tests;
