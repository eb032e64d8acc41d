//! The kinds of values: one value as it was given → one typed value, or what is wrong with it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use kassa_model::{Code, Currency};

use crate::given::{Given, Raw};
use crate::mistake::Mistake;
use crate::nearest::{hint, list, nearest};

/// What a key takes. Bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Topic,
    Sql,
    /// A folder of kassa's own.
    Folder,
    /// A file that exists.
    File,
    OneOf(&'static [&'static str]),
    Delimiter,
    TimeZone,
    Currency,
    SourceUrl,
    LakeUrl,
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

/// A value that is right by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Byte(u8),
    Currency(Currency),
    Address(SocketAddr),
    Number(u64),
    Duration(Duration),
}

impl Kind {
    pub(crate) fn parse(self, path: &str, given: &Given) -> Result<Value, Mistake> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let wrong = |code: Code, what: String| Mistake::new(code, what, given.origin.clone());
        let text = match (&given.raw, self) {
            (Raw::Text(text), _) => text.as_str(),
            (Raw::Integer(digits), Kind::Bytes { .. } | Kind::Count { .. } | Kind::Duration { .. }) => digits.as_str(),
            (Raw::Integer(digits), _) => {
                let what = format!("`{path}` takes text, not a number");
                return Err(wrong(Code::WrongType, what).help(format!("write it in quotes: `{key} = \"{digits}\"`")));
            }
            (Raw::Other(what), _) => {
                let (what, example) = (format!("`{path}` cannot be {what}"), self.example());
                return Err(wrong(Code::WrongType, what).help(format!("write for example `{key} = {example}`")));
            }
        };
        let in_file = given.text_at.is_some();
        if in_file && matches!((&given.raw, self), (Raw::Text(_), Kind::Count { .. })) {
            let what = format!("`{path}` takes a number, not text");
            let number = text.parse::<u64>().map_or_else(|_| self.example(), |number| number.to_string());
            return Err(wrong(Code::WrongType, what).help(format!("write it without quotes: `{key} = {number}`")));
        }
        self.parse_text(path, text).map_err(|(code, what, help)| {
            let mistake = wrong(code, what);
            help.into_iter().fold(mistake, Mistake::help)
        })
    }

    fn parse_text(self, path: &str, text: &str) -> Result<Value, Fault> {
        match self {
            Kind::Text | Kind::Sql | Kind::Folder | Kind::File => not_empty(path, text),
            Kind::Topic => topic(path, text),
            Kind::OneOf(choices) => one_of(path, text, choices),
            Kind::Delimiter => delimiter(path, text),
            Kind::TimeZone => time_zone(path, text),
            Kind::Currency => currency(path, text),
            Kind::SourceUrl => source_url(path, text),
            Kind::LakeUrl => lake_url(path, text),
            Kind::Address => address(path, text),
            Kind::Bytes { min, max } => {
                let form = "a whole number and B, kB, MB, GB, KiB, MiB or GiB";
                let bytes = parse_size(text).ok_or_else(|| malformed(path, "size", text, form, "64MiB"))?;
                within(path, bytes, min, max, size).map(Value::Number)
            }
            Kind::Count { min, max } => {
                let number = text.parse().map_err(|_| malformed(path, "number", text, "digits alone", &min.to_string()))?;
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

    /// A value as it would stand in a file.
    fn example(self) -> String {
        match self {
            Kind::Count { min, .. } => min.to_string(),
            Kind::Bytes { .. } => "\"64MiB\"".into(),
            Kind::Duration { .. } => "\"2s\"".into(),
            Kind::OneOf(choices) => format!("\"{}\"", choices.first().copied().unwrap_or_default()),
            Kind::TimeZone => "\"Europe/London\"".into(),
            Kind::Currency => "\"GBP\"".into(),
            Kind::SourceUrl => "\"log:log\"".into(),
            Kind::LakeUrl => "\"file:lake\"".into(),
            Kind::Address => "\"127.0.0.1:8080\"".into(),
            Kind::Delimiter => "\";\"".into(),
            Kind::Text | Kind::Topic | Kind::Sql | Kind::Folder | Kind::File => "\"…\"".into(),
        }
    }
}

/// Code, what, and lines of help.
type Fault = (Code, String, Vec<String>);

fn fault(code: Code, what: String, help: impl Into<String>) -> Fault {
    (code, what, vec![help.into()])
}

fn malformed(path: &str, noun: &str, text: &str, form: &str, example: &str) -> Fault {
    let help = format!("a {noun} is {form}, for example `{example}`");
    fault(Code::BadQuantity, format!("`{path}` is not a {noun}: \"{text}\""), help)
}

fn within<T: Display>(path: &str, number: u64, min: u64, max: u64, show: impl Fn(u64) -> T) -> Result<u64, Fault> {
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    let side = if number < min { "small" } else { "large" };
    Err(fault(
        Code::BadQuantity,
        format!("`{path}` is too {side}: {}", show(number)),
        format!("it can be {} to {}", show(min), show(max)),
    ))
}

fn not_empty(path: &str, text: &str) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Err(fault(Code::WrongType, format!("`{path}` is empty"), "give it a value, or leave the key out"));
    }
    Ok(Value::Text(text.to_owned()))
}

/// A topic names a folder of the archive, so it is held to what Kafka allows.
fn topic(path: &str, text: &str) -> Result<Value, Fault> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(1..=249).contains(&text.len()) || !text.bytes().all(legal) || text == "." || text == ".." {
        let help = "a topic is made of A–Z, a–z, 0–9, `.`, `_` and `-`, and has at most 249 characters";
        return Err(fault(Code::BadName, format!("`{path}` cannot be \"{text}\""), help));
    }
    Ok(Value::Text(text.to_owned()))
}

fn one_of(path: &str, text: &str, choices: &'static [&'static str]) -> Result<Value, Fault> {
    if choices.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    // Two names that the field uses for what is called otherwise here.
    let help = match text {
        "ndjson" | "jsonl" => "write `json`: a file of that format has one JSON object a line".to_owned(),
        "latin1" | "latin-1" | "iso-8859-1" | "cp1252" => "write `windows-1252`, which contains it".to_owned(),
        _ => hint(text, choices.iter().copied()),
    };
    let mut lines = vec![help];
    if lines[0].starts_with("did you mean") {
        lines.push(format!("valid here: {}", list(choices.iter().copied())));
    }
    Err((Code::UnknownChoice, format!("`{path}` cannot be \"{text}\""), lines))
}

fn delimiter(path: &str, text: &str) -> Result<Value, Fault> {
    match text.as_bytes() {
        b"\\t" => Ok(Value::Byte(b'\t')),
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(Value::Byte(*byte)),
        _ => {
            let help = "one ASCII character, not a quote or a line end: `,`, `;`, `|` or `\\t`";
            Err(fault(Code::UnknownChoice, format!("`{path}` cannot be \"{}\"", text.escape_default()), help))
        }
    }
}

fn time_zone(path: &str, text: &str) -> Result<Value, Fault> {
    if jiff::tz::TimeZone::get(text).is_ok() {
        return Ok(Value::Text(text.to_owned()));
    }
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let names = || names.iter().map(String::as_str);
    let city = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
    // Most people remember the city and forget the continent.
    let candidate = names().find(|name| city(name) == text.to_lowercase().replace(' ', "_")).or_else(|| nearest(text, names()));
    let help = match candidate {
        Some(name) => format!("did you mean `{name}`?"),
        None => "an IANA name, as `Europe/London`: an abbreviation or an offset does not know when the clocks change".to_owned(),
    };
    Err(fault(Code::UnknownTimeZone, format!("`{path}` is not a time zone: \"{text}\""), help))
}

fn currency(path: &str, text: &str) -> Result<Value, Fault> {
    if let Some(currency) = Currency::parse(text) {
        return Ok(Value::Currency(currency));
    }
    let help = match Currency::parse(&text.trim().to_uppercase()) {
        Some(currency) => format!("did you mean `{currency}`?"),
        None => "an active ISO 4217 code, as `GBP`, `EUR` or `INR`".to_owned(),
    };
    Err(fault(Code::UnknownCurrency, format!("`{path}` is not a currency: \"{text}\""), help))
}

fn source_url(path: &str, text: &str) -> Result<Value, Fault> {
    let what = format!("`{path}` is no source of this build: \"{text}\"");
    match text.split_once(':') {
        Some(("log", folder)) => url_folder(path, "log", folder),
        Some(("kafka", _)) => Err(fault(
            Code::BadUrl,
            what,
            "this build reads the collector's log (`log:log`) and files (`kassa replay`), not Kafka: POST the records to /v1/{stream}",
        )),
        Some(("file", _)) => {
            Err(fault(Code::BadUrl, what, "files are read by `kassa replay --stream NAME FILE…`; leave `log:log` here"))
        }
        _ => Err(fault(Code::BadUrl, what, "write `log:FOLDER`, for example `log:log`")),
    }
}

fn lake_url(path: &str, text: &str) -> Result<Value, Fault> {
    let what = format!("`{path}` is no lake of this build: \"{text}\"");
    match text.split_once(':') {
        Some(("file", folder)) => url_folder(path, "file", folder),
        Some(("s3" | "s3a", _)) => {
            Err(fault(Code::BadUrl, what, "this build writes the lake to a local folder, not to S3: write `file:FOLDER`"))
        }
        None => Err(fault(Code::BadUrl, what, format!("did you mean `file:{text}`?"))),
        Some(_) => Err(fault(Code::BadUrl, what, "write `file:FOLDER`, for example `file:lake`")),
    }
}

/// The folder behind the scheme: `lake`, `/srv/lake` or `///srv/lake`.
fn url_folder(path: &str, scheme: &str, folder: &str) -> Result<Value, Fault> {
    let folder = match folder.strip_prefix("//") {
        Some(rest) if rest.starts_with('/') => rest,
        Some(_) => {
            let help = format!("a local folder has no host: write `{scheme}:FOLDER` or `{scheme}:///ABSOLUTE/FOLDER`");
            return Err(fault(Code::BadUrl, format!("`{path}` names a host: \"{scheme}:{folder}\""), help));
        }
        None => folder,
    };
    if folder.trim().is_empty() {
        let help = format!("write `{scheme}:FOLDER`");
        return Err(fault(Code::BadUrl, format!("`{path}` names no folder: \"{scheme}:\""), help));
    }
    Ok(Value::Text(folder.to_owned()))
}

fn address(path: &str, text: &str) -> Result<Value, Fault> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let Ok(address) = numeric.parse::<SocketAddr>() else {
        let port = text.trim_start_matches(':');
        let help = match port.parse::<u16>() {
            Ok(port) => format!("did you mean `127.0.0.1:{port}`?"),
            Err(_) => "an IP address and a port, for example `127.0.0.1:8080` or `[::1]:8080`".to_owned(),
        };
        return Err(fault(Code::BadAddress, format!("`{path}` is not an address: \"{text}\""), help));
    };
    if !address.ip().is_loopback() {
        let help = vec![
            "whoever reaches kassa reads and writes everything: it has no users and tokens yet".to_owned(),
            format!("write `127.0.0.1:{}`; from afar, tunnel: `ssh -L {0}:127.0.0.1:{0} HOST`", address.port()),
        ];
        return Err((Code::NotLoopback, format!("`{path}` is not an address of this machine alone: \"{text}\""), help));
    }
    Ok(Value::Address(address))
}

/// `64MiB`, `1 GB`, `512` (bytes).
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000 * 1000,
        "gb" => 1000 * 1000 * 1000,
        "tb" => 1000 * 1000 * 1000 * 1000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Bytes as people write them: `64MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes > 0 && bytes.is_multiple_of(1 << shift)) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

/// Milliseconds as people write them: `2s`, `400d`. Years and months are not whole days, so they are not used.
pub(crate) fn span(millis: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let unit = units.into_iter().find(|(_, length)| millis > 0 && millis.is_multiple_of(*length));
    unit.map_or_else(|| "0s".to_owned(), |(unit, length)| format!("{}{unit}", millis / length))
}

#[cfg(test)]
mod tests;
