//! What a mapping may compute of a record: functions whose work and result are bounded by their arguments, on so many bytes at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use datafusion::common::exec_err;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use crate::bounded::grows;
use crate::error::MappingError;

/// Bytes of arguments that one column of a mapping computes with at once. A batch beyond it is computed in parts.
const EVALUATED_BYTES_MAX: u64 = 32 << 20;

/// Calls of growing functions in one column.
const GROWING_MAX: usize = 16;

/// Functions whose result is bounded by their arguments, and whose time is nearly linear in them.
#[rustfmt::skip]
pub(crate) const PLAIN: &[&str] = &[
    // Numbers.
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "cos", "cosh", "cot", "degrees", "exp", "factorial",
    "floor", "gcd", "isnan", "iszero", "lcm", "ln", "log", "log10", "log2", "nanvl", "pi", "power", "radians", "round", "signum", "sin", "sinh",
    "sqrt", "tan", "tanh", "trunc",
    // Texts.
    "ascii", "bit_length", "btrim", "character_length", "chr", "concat", "concat_ws", "contains", "ends_with", "find_in_set", "initcap", "left",
    "lower", "ltrim", "octet_length", "overlay", "reverse", "right", "rtrim", "split_part", "starts_with", "strpos", "substr", "substr_index",
    "to_hex", "translate", "upper",
    "digest", "md5", "sha224", "sha256", "sha384", "sha512",
    // Times.
    "date_bin", "date_part", "date_trunc", "from_unixtime", "make_date", "make_time", "to_date", "to_local_time", "to_time", "to_timestamp",
    "to_timestamp_micros", "to_timestamp_millis", "to_timestamp_nanos", "to_timestamp_seconds", "to_unixtime",
    // Any values.
    "arrow_cast", "arrow_try_cast", "arrow_typeof", "cast_to_type", "coalesce", "get_field", "greatest", "least", "named_struct", "nullif", "nvl",
    "nvl2", "struct", "try_cast_to_type",
    // Lists.
    "array_distinct", "array_element", "array_has", "array_length", "array_max", "array_min", "array_position", "array_reverse", "array_slice",
    "array_sort", "cardinality", "empty", "make_array", "string_to_array",
    "lookup",
];

/// Functions of this kind too, if this argument and those after it are the same for every record: the pattern of a regular expression is compiled
/// once, and what a record says must not be one.
pub(crate) const FIXED: &[(&str, usize)] = &[
    ("array_to_string", 1),
    ("regexp_count", 1),
    ("regexp_instr", 1),
    ("regexp_like", 1),
    ("regexp_match", 1),
    ("regexp_replace", 1),
    ("to_char", 1),
];

/// Refuses what a record could make large or slow.
pub(crate) fn check(expr: &Expr) -> Result<(), MappingError> {
    let mut growing = 0;
    crate::check::find(expr, |part| {
        if let Expr::ScalarFunction(call) = part {
            growing += usize::from(grows(call.func.name()));
        }
        if growing > GROWING_MAX {
            let message = format!("more than {GROWING_MAX} calls of functions whose result may be larger than a record");
            return Some(MappingError::new(message).hint("compute the column in fewer steps, or at the source"));
        }
        unbounded(part)
    })
}

fn unbounded(part: &Expr) -> Option<MappingError> {
    let fixed = |expr: &Expr| !expr.any_column_refs();
    let pattern = |what: &str| {
        MappingError::new(format!("the pattern of `{what}` is part of a record"))
            .hint("write the pattern as a text in quotes; to look for a part of the record, use strpos(text, part)")
    };
    match part {
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            if let Some((_, from)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
                return (!call.args.iter().skip(*from).all(fixed)).then(|| pattern(name));
            }
            (!grows(name) && !PLAIN.contains(&name)).then(|| unknown(name))
        }
        Expr::HigherOrderFunction(call) => Some(unknown(call.func.name())),
        Expr::Like(like) if !fixed(&like.pattern) => Some(pattern("LIKE")),
        Expr::SimilarTo(like) if !fixed(&like.pattern) => Some(pattern("SIMILAR TO")),
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) if matches_pattern(*op) && !fixed(right) => Some(pattern(&op.to_string())),
        _ => None,
    }
}

fn matches_pattern(op: Operator) -> bool {
    use Operator::{ILikeMatch, LikeMatch, NotILikeMatch, NotLikeMatch, RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch};
    matches!(
        op,
        RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch | LikeMatch | ILikeMatch | NotLikeMatch | NotILikeMatch
    )
}

fn unknown(name: &str) -> MappingError {
    MappingError::new(format!("a mapping has no `{name}`"))
        .hint("only functions whose work is bounded by the size of the record: the guide to mappings lists them")
}

/// How often a computation holds each input column, by the column's index.
#[derive(Debug, Default)]
pub(crate) struct Weight(BTreeMap<usize, u64>);

impl Weight {
    pub(crate) fn of(expr: &Arc<dyn PhysicalExpr>) -> Self {
        let mut weight = Self::default();
        weight.add(expr, 1);
        weight
    }

    fn add(&mut self, expr: &Arc<dyn PhysicalExpr>, times: u64) {
        if let Some(column) = expr.downcast_ref::<Column>() {
            let held = self.0.entry(column.index()).or_default();
            *held = held.saturating_add(times);
        }
        let children = expr.children();
        let own = match expr.downcast_ref::<ScalarFunctionExpr>().map(|call| call.fun().name()) {
            // The separator stands between all of them.
            Some("concat_ws") => u64::try_from(children.len()).unwrap_or(u64::MAX),
            // A text of commas has as many elements.
            Some("string_to_array") => 4,
            // Short elements with a separator, which the mapping's text bounds.
            Some("array_to_string") => 16,
            _ => 1,
        };
        for child in children {
            self.add(child, times.saturating_mul(own));
        }
    }

    /// Whether the records are few and small enough to be computed together.
    pub(crate) fn check(&self, input: &RecordBatch) -> DfResult<()> {
        let bytes = self.0.iter().map(|(index, times)| {
            let texts = input.columns().get(*index).and_then(|column| column.as_string_opt::<i32>());
            let ends = texts.and_then(|texts| Some((*texts.value_offsets().first()?, *texts.value_offsets().last()?)));
            let bytes = ends.and_then(|(first, last)| u64::try_from(last - first).ok());
            bytes.unwrap_or(0).saturating_mul(*times)
        });
        let bytes = bytes.fold(0, u64::saturating_add);
        if bytes > EVALUATED_BYTES_MAX {
            return exec_err!("it would compute with {bytes} bytes of this record; the limit is {EVALUATED_BYTES_MAX}");
        }
        Ok(())
    }
}
