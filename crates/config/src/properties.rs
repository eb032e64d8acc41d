//! `source.properties`: pairs for librdkafka. A secret among them is a reference, as everywhere.

use kassa_model::Code;
use kassa_model::secret::{is_secret_name, written_out};

use crate::parse::{Fault, fault, secret};
use crate::value::Value;

/// The pairs as written. `None` for a part that is not a pair.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    text.split(',').map(|part| part.split_once('=').map(|(name, value)| (name.trim(), value.trim())))
}

/// A mistake never repeats a value, because it may be a secret.
pub(crate) fn properties(path: &str, text: &str) -> Result<Value, Fault> {
    for (at, pair) in pairs(text).enumerate() {
        let Some((name, value)) = pair else {
            let what = format!("`{path}` takes pairs, but its part {} is not one", at + 1);
            return Err(fault(Code::WrongType, what, "write `name=value`, separated by commas"));
        };
        if name == "sasl.password" {
            let what = format!("`{path}` cannot set `{name}`");
            return Err(fault(
                Code::BadSecret,
                what,
                "write `password = \"env:NAME\"` or `password = \"file:PATH\"` in [source]",
            ));
        }
        let is_out = match is_secret_name(name) {
            true => secret(path, value).is_err(),
            // A value may have pairs of its own, as a login module's.
            false => written_out(value).is_some() || value.split_once('=').is_some_and(|(name, _)| is_secret_name(name)),
        };
        if is_out {
            let what = format!("`{path}` contains a secret: the property `{name}`");
            let help = format!("write a reference instead of the secret: `{name}=env:NAME` or `{name}=file:PATH`");
            return Err(fault(Code::BadSecret, what, help));
        }
    }
    Ok(Value::Text(text.to_owned()))
}
