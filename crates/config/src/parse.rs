//! One text → one typed value, or its mistake: one function per kind.

use std::fmt::Display;
use std::net::SocketAddr;

use kassa_model::country::code_of;
use kassa_model::nearest::{hint, list, nearest};
use kassa_model::secret::{without_secrets, written_out};
use kassa_model::{Code, Currency};

use crate::value::{LakeUrl, SourceUrl, Value};

/// Code, message, and lines of help.
pub(crate) type Fault = (Code, String, Vec<String>);

pub(crate) fn fault(code: Code, what: String, help: impl Into<String>) -> Fault {
    (code, what, vec![help.into()])
}

pub(crate) fn malformed(path: &str, noun: &str, text: &str, form: &str, example: &str) -> Fault {
    let help = format!("a {noun} is {form}, for example `{example}`");
    fault(Code::BadQuantity, format!("`{path}` is not a {noun}: \"{text}\""), help)
}

pub(crate) fn within<T: Display>(path: &str, number: u64, min: u64, max: u64, show: impl Fn(u64) -> T) -> Result<u64, Fault> {
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

pub(crate) fn not_empty(path: &str, text: &str) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Err(fault(Code::WrongType, format!("`{path}` is empty"), "give it a value, or remove the key"));
    }
    Ok(Value::Text(text.to_owned()))
}

/// Topic names and patterns, separated by commas. A topic's name is a folder of the log and of the
/// archive.
pub(crate) fn topics(path: &str, text: &str) -> Result<Value, Fault> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte);
    let is_topic = |name: &str| (1..=200).contains(&name.len()) && name.bytes().all(legal) && !name.starts_with('.');
    match text.split(',').map(str::trim).find(|name| !is_topic(name)) {
        None => Ok(Value::Text(text.to_owned())),
        Some(name) => {
            let help = "a topic consists of A–Z, a–z, 0–9, `.`, `_` and `-`, no `.` first, and has at most 200 characters; `*` stands for \
                        any of them, and commas separate several topics";
            Err(fault(Code::BadName, format!("`{path}` cannot be \"{name}\""), help))
        }
    }
}

pub(crate) fn one_of(path: &str, text: &str, choices: &'static [&'static str]) -> Result<Value, Fault> {
    if choices.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    // Common names for formats and encodings that have another name here.
    let help = match text {
        "ndjson" | "jsonl" => "write `json`: such a file has one JSON object per line".to_owned(),
        "latin1" | "latin-1" | "iso-8859-1" | "cp1252" => "write `windows-1252`, which contains it".to_owned(),
        _ => hint(text, choices.iter().copied()),
    };
    let mut lines = vec![help];
    if lines[0].starts_with("did you mean") {
        lines.push(format!("valid here: {}", list(choices.iter().copied())));
    }
    Err((Code::UnknownChoice, format!("`{path}` cannot be \"{text}\""), lines))
}

pub(crate) fn delimiter(path: &str, text: &str) -> Result<Value, Fault> {
    match text.as_bytes() {
        b"\\t" => Ok(Value::Byte(b'\t')),
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(Value::Byte(*byte)),
        _ => {
            let help = "one ASCII character, not a quote or a line end: `,`, `;`, `|` or `\\t`";
            Err(fault(Code::UnknownChoice, format!("`{path}` cannot be \"{}\"", text.escape_default()), help))
        }
    }
}

pub(crate) fn time_zone(path: &str, text: &str) -> Result<Value, Fault> {
    if jiff::tz::TimeZone::get(text).is_ok() {
        return Ok(Value::Text(text.to_owned()));
    }
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let names = || names.iter().map(String::as_str);
    let city = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
    // Users often write the city without the continent.
    let candidate = names().find(|name| city(name) == text.to_lowercase().replace(' ', "_")).or_else(|| nearest(text, names()));
    let help = match candidate {
        Some(name) => format!("did you mean `{name}`?"),
        None => "write an IANA name such as `Europe/London`: an abbreviation or an offset does not say when the clocks change"
            .to_owned(),
    };
    Err(fault(Code::UnknownTimeZone, format!("`{path}` is not a time zone: \"{text}\""), help))
}

pub(crate) fn currency(path: &str, text: &str) -> Result<Value, Fault> {
    if let Some(currency) = Currency::parse(text) {
        return Ok(Value::Currency(currency));
    }
    let help = match Currency::parse(&text.trim().to_uppercase()) {
        Some(currency) => format!("did you mean `{currency}`?"),
        None => "write an active ISO 4217 code such as `GBP`, `EUR` or `INR`".to_owned(),
    };
    Err(fault(Code::UnknownCurrency, format!("`{path}` is not a currency: \"{text}\""), help))
}

pub(crate) fn country(path: &str, text: &str) -> Result<Value, Fault> {
    let code = code_of(text);
    if code == Some(text) || text == "none" {
        return Ok(Value::Text(text.to_owned()));
    }
    let help = match code {
        Some(code) => format!("did you mean `{code}`?"),
        None => "write a two-letter ISO 3166-1 code such as `GB`, `DE` or `US`, or `none`".to_owned(),
    };
    Err(fault(Code::UnknownChoice, format!("`{path}` is not a country: \"{text}\""), help))
}

pub(crate) fn source_url(path: &str, text: &str) -> Result<Value, Fault> {
    let what = format!("`{path}` is not a supported source: \"{}\"", without_secrets(text));
    match text.split_once(':') {
        Some(("log", folder)) => match url_folder(path, "log", folder)? {
            Value::Text(folder) => Ok(Value::Source(SourceUrl::Log(folder))),
            other => Ok(other),
        },
        Some(("kafka", rest)) => brokers(path, rest).map(|brokers| Value::Source(SourceUrl::Kafka(brokers))),
        Some(("file", _)) => {
            Err(fault(Code::BadUrl, what, "read files with `kassa replay --stream NAME FILE…`; keep `log:log` here"))
        }
        _ => Err(fault(Code::BadUrl, what, "write `log:FOLDER`, for example `log:log`, or `kafka://HOST:PORT`")),
    }
}

/// The part after `kafka:`: hosts with ports.
fn brokers(path: &str, rest: &str) -> Result<String, Fault> {
    let list = rest.strip_prefix("//").unwrap_or_default().trim_end_matches('/');
    let is_host = |broker: &str| {
        let (host, port) = broker.rsplit_once(':').unwrap_or_default();
        !host.is_empty() && !host.contains(['/', '@', ' ', '?', '#']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if list.is_empty() || !list.split(',').all(is_host) {
        let help = "write `kafka://HOST:PORT`, separate several with commas: `kafka://one:9092,two:9092`; user and password have their own keys";
        return Err(fault(
            Code::BadUrl,
            format!("`{path}` names no brokers: \"{}\"", without_secrets(&format!("kafka:{rest}"))),
            help,
        ));
    }
    Ok(list.to_owned())
}

pub(crate) fn warehouse_url(path: &str, text: &str) -> Result<Value, Fault> {
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let Some((user, place)) = rest.and_then(|rest| rest.split('?').next()).and_then(|rest| rest.split_once('@')) else {
        let help = "write `postgres://USER@HOST/DATABASE`, for example `postgres://kassa@localhost/kassa`";
        return Err(fault(Code::BadUrl, format!("`{path}` is not a supported warehouse"), help));
    };
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    if user.is_empty() || host.is_empty() || database.is_empty() {
        let help = "write `postgres://USER@HOST/DATABASE`: all three are needed";
        return Err(fault(Code::BadUrl, format!("`{path}` is incomplete: \"{text}\""), help));
    }
    Ok(Value::Text(text.to_owned()))
}

pub(crate) fn registry_url(path: &str, text: &str) -> Result<Value, Fault> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.contains(['@', ' ']) || rest.contains(['?', '#', ' ']) {
        let help = "write `http://HOST:PORT` or `https://HOST:PORT/PATH`; user and password have their own keys";
        return Err(fault(Code::BadUrl, format!("`{path}` is not a registry's URL"), help));
    }
    Ok(Value::Text(text.trim_end_matches('/').to_owned()))
}

pub(crate) fn lake_url(path: &str, text: &str) -> Result<Value, Fault> {
    let what = format!("`{path}` is not a supported lake: \"{}\"", without_secrets(text));
    match text.split_once(':') {
        Some(("file", folder)) => match url_folder(path, "file", folder)? {
            Value::Text(folder) => Ok(Value::Lake(LakeUrl::Folder(folder))),
            other => Ok(other),
        },
        Some(("s3", rest)) => bucket(path, rest).map(Value::Lake),
        Some(("s3a" | "s3n", rest)) => Err(fault(Code::BadUrl, what, format!("did you mean `s3:{rest}`?"))),
        None => Err(fault(Code::BadUrl, what, format!("did you mean `file:{text}`?"))),
        Some(_) => Err(fault(Code::BadUrl, what, "write `file:FOLDER`, for example `file:lake`, or `s3://BUCKET/PREFIX`")),
    }
}

/// The part after `s3:`: a bucket, and the prefix of the lake's folders.
fn bucket(path: &str, rest: &str) -> Result<LakeUrl, Fault> {
    let (bucket, prefix) = rest.trim_start_matches("//").split_once('/').unwrap_or((rest.trim_start_matches("//"), ""));
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if !rest.starts_with("//") || !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(legal) {
        let help = "write `s3://BUCKET/PREFIX`; a bucket's name has 3 to 63 of a–z, 0–9, `-` and `.`; a server's URL belongs in `lake.s3.endpoint`";
        return Err(fault(
            Code::BadUrl,
            format!("`{path}` names no bucket: \"{}\"", without_secrets(&format!("s3:{rest}"))),
            help,
        ));
    }
    let prefix = prefix.trim_matches('/');
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte))
    };
    if !prefix.is_empty() && !prefix.split('/').all(plain) {
        let help = "a prefix consists of A–Z, a–z, 0–9, `.`, `_`, `-` and `=`, in parts with `/` between them";
        return Err(fault(Code::BadUrl, format!("`{path}` has an invalid prefix: \"{prefix}\""), help));
    }
    Ok(LakeUrl::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// The URL of a server: only `https://host:port`.
pub(crate) fn endpoint(path: &str, text: &str) -> Result<Value, Fault> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
    if host.contains('@') {
        let help = "put keys in `access_key_id` and `secret_access_key`, by reference";
        return Err(fault(Code::BadUrl, format!("`{path}` contains a user"), help));
    }
    if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
        let help = "write scheme, host and port, for example `https://s3.example.com:9000`; the bucket belongs in `lake.url`";
        return Err(fault(Code::BadUrl, format!("`{path}` is not a server's URL: \"{text}\""), help));
    }
    Ok(Value::Text(text.trim_end_matches('/').to_owned()))
}

/// A reference to a secret. A wrong value may be the secret itself, so the mistake does not repeat
/// it.
pub(crate) fn secret(path: &str, text: &str) -> Result<Value, Fault> {
    match text.split_once(':') {
        Some(("env" | "file", name)) if !name.trim().is_empty() => Ok(Value::Text(text.to_owned())),
        _ => {
            let help = vec![
                "configurations are copied and shown, so they contain a reference to a secret instead of the secret".to_owned(),
                "write `env:NAME` for an environment variable or `file:PATH` for a file that contains only the secret".to_owned(),
            ];
            Err((Code::BadSecret, format!("`{path}` is not a reference to a secret"), help))
        }
    }
}

/// Refuses a secret that is written into another value, before any mistake repeats the value.
pub(crate) fn without_secret(path: &str, text: &str, is_url: bool) -> Result<(), Fault> {
    if !is_url && !text.contains("://") {
        return Ok(());
    }
    let Some(found) = written_out(text) else { return Ok(()) };
    let help = match path.split('.').next().unwrap_or_default() {
        section @ ("source" | "registry" | "warehouse") => {
            format!("give the password separately: `password = \"env:NAME\"` or `password = \"file:PATH\"` in [{section}]")
        }
        "lake" => "put keys in `access_key_id` and `secret_access_key` of [lake.s3], as `env:NAME` or `file:PATH`".to_owned(),
        _ => "configurations are copied and shown: only keys for secrets, as `env:NAME` or `file:PATH`, may refer to one"
            .to_owned(),
    };
    Err(fault(Code::BadSecret, format!("`{path}` contains a secret: {found}"), help))
}

pub(crate) fn switch(path: &str, text: &str) -> Result<Value, Fault> {
    match text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        _ => Err(fault(Code::UnknownChoice, format!("`{path}` cannot be \"{text}\""), "valid here: `true` and `false`")),
    }
}

/// The folder after the scheme: `lake`, `/srv/lake` or `///srv/lake`.
pub(crate) fn url_folder(path: &str, scheme: &str, folder: &str) -> Result<Value, Fault> {
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

pub(crate) fn address(path: &str, text: &str) -> Result<Value, Fault> {
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
            "anybody who can reach kassa can read and write everything: it has no users or tokens yet".to_owned(),
            format!("write `127.0.0.1:{}`; from another machine, use a tunnel: `ssh -L {0}:127.0.0.1:{0} HOST`", address.port()),
        ];
        return Err((Code::NotLoopback, format!("`{path}` is not a loopback address of this machine: \"{text}\""), help));
    }
    Ok(Value::Address(address))
}

/// `64MiB`, `1 GB`, `512` (bytes).
pub(crate) fn parse_size(text: &str) -> Option<u64> {
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

/// Bytes in the largest whole unit: `64MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes > 0 && bytes.is_multiple_of(1 << shift)) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

/// Milliseconds in the largest whole unit: `2s`, `400d`. Years and months vary in length, so they
/// are not used.
pub(crate) fn span(millis: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let unit = units.into_iter().find(|(_, length)| millis > 0 && millis.is_multiple_of(*length));
    unit.map_or_else(|| "0s".to_owned(), |(unit, length)| format!("{}{unit}", millis / length))
}
