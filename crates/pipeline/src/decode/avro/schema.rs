//! A parsed Avro schema (specification 1.12): nodes that refer to each other by number, so that recursive types need no special
//! case.

use hashbrown::HashMap;
use serde_json::{Map, Value as Json};

use crate::ports::SchemaText;

/// Limit of the bytes of a schema and everything that it refers to.
const TEXT_MAX: usize = 4 << 20;

/// Limit of a union's branches, because they are compared with each other.
const BRANCHES_MAX: usize = 1_000;

/// Why a text is no Avro schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchema {
    #[error("{0} bytes, at most {TEXT_MAX}")]
    TooLarge(usize),
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("`{0}` is neither a type of Avro nor a name declared before")]
    UnknownType(String),
    #[error("{0} has no `{1}`, or not the right one")]
    Missing(&'static str, &'static str),
    #[error("`{0}` is no name")]
    BadName(String),
    #[error("`{0}` is declared twice")]
    Twice(String),
    #[error("a union cannot hold {0}")]
    BadUnion(&'static str),
    #[error("the schema is no record, but each record of a stream has fields")]
    NotARecord,
}

/// The number of a node in its schema.
pub(super) type Id = usize;

/// The unit of a time, as units per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Record(Vec<Field>),
    Enum(Vec<String>),
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    Fixed(usize),
    /// `size` is a fixed's.
    Decimal {
        precision: u32,
        scale: u32,
        size: Option<usize>,
    },
    Date,
    /// An int in milliseconds or a long in microseconds.
    TimeOfDay(Unit),
    Timestamp(Unit),
    LocalTimestamp(Unit),
    /// 16 bytes; a UUID as text is a text.
    Uuid,
    Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) node: Id,
}

/// A parsed schema.
#[derive(Debug, PartialEq)]
pub struct Schema {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
}

impl Schema {
    pub fn parse(given: &SchemaText) -> Result<Self, BadSchema> {
        let size = given.references.iter().chain([&given.text]).map(|text| text.len()).sum();
        if size > TEXT_MAX {
            return Err(BadSchema::TooLarge(size));
        }
        let mut parser = Parser::default();
        for reference in &given.references {
            parser.text(reference)?;
        }
        let root = parser.text(&given.text)?;
        Ok(Self { nodes: parser.nodes, root })
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }
}

#[derive(Debug, Default)]
struct Parser {
    nodes: Vec<Node>,
    /// By full name.
    named: HashMap<String, Id>,
}

impl Parser {
    fn text(&mut self, text: &str) -> Result<Id, BadSchema> {
        // A registry may hand out a bare name, `string`, without its quotes.
        let json = match serde_json::from_str(text) {
            Ok(json) => json,
            Err(_) if primitive(text.trim()).is_some() => Json::String(text.trim().to_owned()),
            Err(error) => return Err(BadSchema::NotJson(error.to_string())),
        };
        self.any(&json, "")
    }

    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// A schema within a namespace.
    fn any(&mut self, json: &Json, space: &str) -> Result<Id, BadSchema> {
        match json {
            Json::String(name) => self.reference(name, space),
            Json::Array(branches) => self.union(branches, space),
            Json::Object(object) => self.object(object, space),
            _ => Err(BadSchema::UnknownType(json.to_string().chars().take(32).collect())),
        }
    }

    fn reference(&mut self, name: &str, space: &str) -> Result<Id, BadSchema> {
        if let Some(node) = primitive(name) {
            return Ok(self.add(node));
        }
        let known = self.named.get(&full_name(name, space)).or_else(|| self.named.get(name));
        known.copied().ok_or_else(|| BadSchema::UnknownType(crate::decode::shorten(name).to_owned()))
    }

    fn union(&mut self, branches: &[Json], space: &str) -> Result<Id, BadSchema> {
        if branches.len() > BRANCHES_MAX {
            return Err(BadSchema::BadUnion("more than 1,000 branches"));
        }
        let mut ids = Vec::with_capacity(branches.len());
        for branch in branches {
            let id = self.any(branch, space)?;
            if matches!(self.nodes[id], Node::Union(_)) {
                return Err(BadSchema::BadUnion("another union"));
            }
            if ids.contains(&id) || ids.iter().any(|held| same_kind(&self.nodes[*held], &self.nodes[id])) {
                return Err(BadSchema::BadUnion("two branches of one type"));
            }
            ids.push(id);
        }
        Ok(self.add(Node::Union(ids)))
    }

    fn object(&mut self, object: &Map<String, Json>, space: &str) -> Result<Id, BadSchema> {
        let kind = object.get("type").ok_or(BadSchema::Missing("a schema", "type"))?;
        match kind.as_str() {
            Some("record" | "error") => self.record(object, space),
            Some("enum") => self.symbols(object, space),
            Some("fixed") => self.fixed(object, space),
            Some("array") => self.container(object, space, "an array", "items").map(|item| self.add(Node::Array(item))),
            Some("map") => self.container(object, space, "a map", "values").map(|item| self.add(Node::Map(item))),
            Some(name) => match primitive(name) {
                Some(node) => {
                    let node = logical(node, object);
                    Ok(self.add(node))
                }
                None => self.reference(name, space),
            },
            None => self.any(kind, space),
        }
    }

    fn container(
        &mut self,
        object: &Map<String, Json>,
        space: &str,
        kind: &'static str,
        key: &'static str,
    ) -> Result<Id, BadSchema> {
        self.any(object.get(key).ok_or(BadSchema::Missing(kind, key))?, space)
    }

    /// The full name of a named type that is being declared. It can be referred to from here on; its node is set later.
    fn declare(&mut self, object: &Map<String, Json>, space: &str, kind: &'static str) -> Result<(String, Id), BadSchema> {
        let name = object.get("name").and_then(Json::as_str).ok_or(BadSchema::Missing(kind, "name"))?;
        let own = object.get("namespace").and_then(Json::as_str).unwrap_or(space);
        let full = full_name(name, own);
        if !full.split('.').all(is_name) {
            return Err(BadSchema::BadName(crate::decode::shorten(&full).to_owned()));
        }
        // The placeholder must not equal any other branch of a union that names the type.
        let id = self.add(Node::Fixed(0));
        if self.named.insert(full.clone(), id).is_some() {
            return Err(BadSchema::Twice(crate::decode::shorten(&full).to_owned()));
        }
        Ok((full, id))
    }

    fn record(&mut self, object: &Map<String, Json>, space: &str) -> Result<Id, BadSchema> {
        let (full, id) = self.declare(object, space, "a record")?;
        let space = full.rsplit_once('.').map_or("", |(space, _)| space);
        let given = object.get("fields").and_then(Json::as_array).ok_or(BadSchema::Missing("a record", "fields"))?;
        let mut fields: Vec<Field> = Vec::with_capacity(given.len());
        let mut seen = hashbrown::HashSet::with_capacity(given.len());
        for field in given {
            let name = field.get("name").and_then(Json::as_str).ok_or(BadSchema::Missing("a field", "name"))?;
            if !is_name(name) {
                return Err(BadSchema::BadName(crate::decode::shorten(name).to_owned()));
            }
            if !seen.insert(name) {
                return Err(BadSchema::Twice(crate::decode::shorten(name).to_owned()));
            }
            let node = self.any(field.get("type").ok_or(BadSchema::Missing("a field", "type"))?, space)?;
            fields.push(Field { name: name.to_owned(), aliases: texts(field.get("aliases")), node });
        }
        self.nodes[id] = Node::Record(fields);
        Ok(id)
    }

    fn symbols(&mut self, object: &Map<String, Json>, space: &str) -> Result<Id, BadSchema> {
        let (_, id) = self.declare(object, space, "an enum")?;
        let given = object.get("symbols").and_then(Json::as_array).ok_or(BadSchema::Missing("an enum", "symbols"))?;
        let symbols = texts(object.get("symbols"));
        if symbols.len() != given.len() {
            return Err(BadSchema::Missing("an enum", "symbols"));
        }
        self.nodes[id] = Node::Enum(symbols);
        Ok(id)
    }

    fn fixed(&mut self, object: &Map<String, Json>, space: &str) -> Result<Id, BadSchema> {
        let (_, id) = self.declare(object, space, "a fixed")?;
        let size = object.get("size").and_then(Json::as_u64).and_then(|size| usize::try_from(size).ok());
        self.nodes[id] = logical(Node::Fixed(size.ok_or(BadSchema::Missing("a fixed", "size"))?), object);
        Ok(id)
    }
}

fn texts(json: Option<&Json>) -> Vec<String> {
    json.and_then(Json::as_array).into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::Text,
        _ => return None,
    })
}

/// Applies the logical type to a node. An unknown one, or one that does not fit its node, is ignored, as Avro specifies.
fn logical(node: Node, object: &Map<String, Json>) -> Node {
    let name = object.get("logicalType").and_then(Json::as_str).unwrap_or_default();
    match (name, &node) {
        ("decimal", Node::Bytes) => decimal(object, None).unwrap_or(node),
        ("decimal", Node::Fixed(size)) => decimal(object, Some(*size)).unwrap_or(node),
        ("date", Node::Int) => Node::Date,
        ("time-millis", Node::Int) => Node::TimeOfDay(Unit::Millis),
        ("time-micros", Node::Long) => Node::TimeOfDay(Unit::Micros),
        ("timestamp-millis", Node::Long) => Node::Timestamp(Unit::Millis),
        ("timestamp-micros", Node::Long) => Node::Timestamp(Unit::Micros),
        ("timestamp-nanos", Node::Long) => Node::Timestamp(Unit::Nanos),
        ("local-timestamp-millis", Node::Long) => Node::LocalTimestamp(Unit::Millis),
        ("local-timestamp-micros", Node::Long) => Node::LocalTimestamp(Unit::Micros),
        ("local-timestamp-nanos", Node::Long) => Node::LocalTimestamp(Unit::Nanos),
        ("uuid", Node::Fixed(16)) => Node::Uuid,
        ("duration", Node::Fixed(12)) => Node::Duration,
        _ => node,
    }
}

fn decimal(object: &Map<String, Json>, size: Option<usize>) -> Option<Node> {
    let number = |key: &str| object.get(key).map(|json| json.as_u64().and_then(|number| u32::try_from(number).ok()));
    let precision = number("precision")??;
    let scale = number("scale").unwrap_or(Some(0))?;
    (precision > 0 && scale <= precision).then_some(Node::Decimal { precision, scale, size })
}

/// Whether a part of a name is valid. Registries accept more than the specification does: any letters and digits, `_` and `-`.
fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    starts && name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-'))
}

fn full_name(name: &str, space: &str) -> String {
    if space.is_empty() || name.contains('.') { name.to_owned() } else { format!("{space}.{name}") }
}

/// Whether a union cannot distinguish two branches. Named types are distinguished by their names.
fn same_kind(one: &Node, other: &Node) -> bool {
    let underlying = |node: &Node| match node {
        Node::Null => Some("null"),
        Node::Boolean => Some("boolean"),
        Node::Int | Node::Date | Node::TimeOfDay(Unit::Millis) => Some("int"),
        Node::Long | Node::TimeOfDay(_) | Node::Timestamp(_) | Node::LocalTimestamp(_) => Some("long"),
        Node::Float => Some("float"),
        Node::Double => Some("double"),
        Node::Bytes | Node::Decimal { size: None, .. } => Some("bytes"),
        Node::Text => Some("string"),
        Node::Array(_) => Some("array"),
        Node::Map(_) => Some("map"),
        _ => None,
    };
    underlying(one).is_some() && underlying(one) == underlying(other)
}

#[cfg(test)]
mod tests;
