//! The envelope: `{"before", "after", "op", "source", "ts_ms"}`, by itself or as the `payload` of `{"schema", "payload"}`.

use std::borrow::Cow;

use kassa_model::{DeadLetter, Reason, time};
use serde_json::value::RawValue;

use crate::decode;
use crate::extract::Extract;

/// The kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Create,
    Update,
    Delete,
    /// A snapshot read it.
    Read,
}

impl Op {
    pub(super) fn code(self) -> &'static str {
        match self {
            Op::Create => "c",
            Op::Update => "u",
            Op::Delete => "d",
            Op::Read => "r",
        }
    }
}

/// Where and when the source's database made the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The connector's name for the database.
    pub(super) name: Option<String>,
    /// The position in its log, as text: the same each time the event is sent.
    pub(super) position: String,
    /// The same as a number that grows with it.
    pub(super) revision: i64,
    /// µs UTC.
    pub(super) at: Option<i64>,
}

/// One change of one row.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(super) op: Op,
    /// The row after the change; for a deletion, before it. JSON objects.
    pub(super) row: &'a str,
    /// The row before an update, if the event contains it.
    pub(super) before: Option<&'a str>,
    pub(super) origin: Origin,
}

type Pairs<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

fn get<'a>(pairs: &Pairs<'a>, name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(held, _)| held == name).map(|(_, raw)| raw.get());
    found.filter(|raw| *raw != "null")
}

fn text_of(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn refuse(field: &'static str, detail: impl Into<Cow<'static, str>>) -> DeadLetter {
    DeadLetter::new(Reason::NotDebezium, field, detail)
}

impl<'a> Change<'a> {
    /// `None`: an event without contents, such as a tombstone with a schema.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Option<Self>, DeadLetter> {
        let text = decode::utf8(bytes)?;
        let outer = decode::pairs(text).map_err(|_| decode::not_json(text))?;
        let has = |name: &str| outer.iter().any(|(held, _)| held == name);
        let pairs = match get(&outer, "payload") {
            Some(payload) if !has("op") => object(payload, "payload")?,
            None if has("payload") && !has("op") => return Ok(None),
            _ => outer,
        };
        for (nth, (name, _)) in pairs.iter().enumerate() {
            if matches!(&**name, "op" | "before" | "after" | "source" | "ts_ms")
                && pairs[..nth].iter().any(|(other, _)| other == name)
            {
                return Err(DeadLetter::new(Reason::DuplicateField, name.clone().into_owned(), "the field appears twice"));
            }
        }
        Self::of(&pairs).map(Some)
    }

    fn of(pairs: &Pairs<'a>) -> Result<Self, DeadLetter> {
        let unwrapped = "no `op`: not a change event (if a transform unwraps them, the stream's format is json)";
        let op = get(pairs, "op").ok_or_else(|| refuse("op", unwrapped))?;
        let op = match text_of(op).as_deref() {
            Some("c") => Op::Create,
            Some("u") => Op::Update,
            Some("d") => Op::Delete,
            Some("r") => Op::Read,
            Some("t") => {
                let detail = "the table was truncated, which names no row: what is to be taken back cannot be told";
                return Err(DeadLetter::new(Reason::UnsupportedChange, "op", detail));
            }
            _ => return Err(refuse("op", "expected c, u, d, r or t")),
        };
        let origin = origin(pairs)?;
        let image = |name: &'static str| match get(pairs, name) {
            Some(raw) if !raw.starts_with('{') => Err(refuse(name, "expected a row as a JSON object")),
            image => Ok(image),
        };
        let (before, after) = (image("before")?, image("after")?);
        let (row, before) = match op {
            Op::Delete => (before, None),
            Op::Update => (after, before),
            Op::Create | Op::Read => (after, None),
        };
        let row = row.ok_or_else(|| match op {
            Op::Delete => no_before("before", "a deletion without the row as it was"),
            _ => refuse("after", "the event brings no row"),
        })?;
        Ok(Self { op, row, before, origin })
    }

    /// Whether the change is computed from two rows, before and after.
    pub(crate) fn has_before(&self) -> bool {
        self.before.is_some()
    }

    /// Adds the row, and then the row before the change, to the input of a mapping, with `_op` and `_source_ts` beside their
    /// columns.
    pub(crate) fn extract(&self, index: usize, extract: &mut Extract) -> Result<(), DeadLetter> {
        let given = [("_op", Some(self.op.code().to_owned())), ("_source_ts", self.origin.at.map(time::format))];
        let row = extract.cells(self.row, &given)?;
        let before = self.before.map(|before| extract.cells(before, &given)).transpose()?;
        extract.push(index, row);
        if let Some(before) = before {
            extract.push(index, before);
        }
        Ok(())
    }
}

/// The dead letter of a change that needs the row before it.
pub(super) fn no_before(field: impl Into<Cow<'static, str>>, what: &str) -> DeadLetter {
    let detail = format!("{what}: let the database log whole rows (PostgreSQL: ALTER TABLE … REPLICA IDENTITY FULL)");
    DeadLetter::new(Reason::NoBefore, field, detail)
}

fn object<'a>(raw: &'a str, field: &'static str) -> Result<Pairs<'a>, DeadLetter> {
    decode::pairs(raw).map_err(|_| refuse(field, "expected a JSON object"))
}

fn origin(pairs: &Pairs<'_>) -> Result<Origin, DeadLetter> {
    let source =
        object(get(pairs, "source").ok_or_else(|| refuse("source", "the event does not say where it is from"))?, "source")?;
    let number = |pairs: &Pairs<'_>, name: &str| get(pairs, name).and_then(|raw| raw.trim_matches('"').parse::<i64>().ok());
    let text = |name: &str| get(&source, name).and_then(text_of);
    let millis = number(&source, "ts_ms").filter(|ms| *ms > 0).or_else(|| number(pairs, "ts_ms"));
    let at = millis.and_then(|ms| ms.checked_mul(1_000)).and_then(|at| time::in_range(at).ok());
    let stamp = millis.unwrap_or(0);
    let (position, revision) = if let Some(lsn) = number(&source, "lsn") {
        (lsn.to_string(), lsn)
    } else if let (Some(file), Some(pos)) = (text("file"), number(&source, "pos")) {
        // Files are numbered (`binlog.000042`), and shorter than 2^40 bytes.
        let row = number(&source, "row").unwrap_or(0);
        let nth: i64 = file.rsplit('.').next().and_then(|nth| nth.parse().ok()).unwrap_or(0);
        (format!("{file}:{pos}:{row}"), (nth % (1 << 22)) << 40 | pos & ((1 << 40) - 1))
    } else if let Some(lsn) = text("change_lsn").or_else(|| text("commit_lsn")) {
        (format!("{lsn}:{}", number(&source, "event_serial_no").unwrap_or(0)), stamp)
    } else if let Some(scn) = number(&source, "scn") {
        let parts =
            ["rs_id", "ssn"].map(|name| get(&source, name).map_or("", |raw| raw.trim_matches('"')).trim().replace('/', "."));
        (format!("{scn}:{}:{}", parts[0], parts[1]), scn)
    } else if millis.is_some() {
        (format!("ts{stamp}"), stamp)
    } else {
        return Err(refuse("source", "the event says neither its place in the database's log nor its time"));
    };
    Ok(Origin { name: text("name"), position: position.replace('/', "."), revision, at })
}
