//! Functions whose result may be much larger than their arguments. Each is computed only if its results are small enough: a record decides
//! some arguments, and must not decide the memory of the pipeline.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{DataType, FieldRef};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use datafusion::prelude::SessionContext;

/// The limit of one result.
const RESULT_BYTES_MAX: u64 = 1 << 20;
/// The limit of one call's results for all records that are computed together. A batch beyond it is computed in parts.
const CALL_BYTES_MAX: u64 = 8 << 20;

/// How large a result is, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// `repeat(text, count)`
    Repeat,
    /// `lpad(text, characters, fill)`
    Pad,
    /// `replace(text, from, to)`
    Replace,
    /// `regexp_replace(text, pattern, to, flags)`
    RegexpReplace,
    /// `regexp_match(text, pattern, flags)`: a text for each group
    RegexpMatch,
    /// `levenshtein(text, text)`: not the size of the result, but the time that it takes
    Distance,
}

const GROWING: &[(&str, Growth)] = &[
    ("repeat", Growth::Repeat),
    ("lpad", Growth::Pad),
    ("rpad", Growth::Pad),
    ("replace", Growth::Replace),
    ("regexp_replace", Growth::RegexpReplace),
    ("regexp_match", Growth::RegexpMatch),
    ("levenshtein", Growth::Distance),
];

/// Whether results of the function may be much larger than its arguments.
pub(crate) fn grows(function: &str) -> bool {
    GROWING.iter().any(|(name, _)| *name == function)
}

/// Replaces these functions of the engine.
pub(crate) fn register(context: &SessionContext) {
    for (name, growth) in GROWING {
        let known = context.state().scalar_functions().get(*name).cloned();
        if let Some(inner) = known {
            context.register_udf(ScalarUDF::new_from_impl(Bounded { inner: inner.as_ref().clone(), growth: *growth }));
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: ScalarUDF,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, kinds: &[DataType]) -> DfResult<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn return_type(&self, kinds: &[DataType]) -> DfResult<DataType> {
        self.inner.return_type(kinds)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let is_constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let mut sum = 0_u64;
        for row in 0..if is_constant { 1 } else { args.number_rows } {
            let bytes = self.growth.bytes(&args.args, row);
            if bytes > RESULT_BYTES_MAX {
                return exec_err!("`{}` may make {bytes} bytes of this record; the limit is {RESULT_BYTES_MAX}", self.name());
            }
            sum = sum.saturating_add(bytes);
        }
        if sum > CALL_BYTES_MAX {
            return exec_err!(
                "`{}` may make {sum} bytes of {} records; the limit is {CALL_BYTES_MAX}",
                self.name(),
                args.number_rows
            );
        }
        self.inner.invoke_with_args(args)
    }
}

impl Growth {
    fn bytes(self, args: &[ColumnarValue], row: usize) -> u64 {
        let length = |at: usize| args.get(at).map_or(0, |value| text(value, row, str::len));
        let marks = |at: usize, mark: u8| {
            args.get(at).map_or(0, |value| text(value, row, |text| text.bytes().filter(|byte| *byte == mark).count()))
        };
        match self {
            Self::Repeat => length(0).saturating_mul(number(args.get(1), row)),
            // A character has at most four bytes.
            Self::Pad => number(args.get(1), row).saturating_mul(4),
            Self::Replace => {
                let most = length(0) / length(1).max(1) + 1;
                length(0).saturating_add(most.saturating_mul(length(2)))
            }
            // What all matches hold together is not longer than the text.
            Self::RegexpReplace => {
                let literal = (length(0) + 1).saturating_mul(length(2));
                let groups = (marks(2, b'\\') + marks(2, b'$')).saturating_mul(length(0));
                length(0).saturating_add(literal).saturating_add(groups)
            }
            Self::RegexpMatch => (marks(1, b'(') + 1).saturating_mul(length(0)),
            Self::Distance => length(0).saturating_mul(length(1)),
        }
    }
}

/// A measure of a text; 0 for NULL.
fn text(value: &ColumnarValue, row: usize, measure: impl Fn(&str) -> usize) -> u64 {
    let found = match value {
        ColumnarValue::Scalar(scalar) => match scalar.try_as_str() {
            Some(text) => Some(text.map_or(0, measure)),
            None => scalar.is_null().then_some(0),
        },
        ColumnarValue::Array(array) if array.is_null(row) => Some(0),
        ColumnarValue::Array(array) => array
            .as_string_opt::<i32>()
            .map(|texts| measure(texts.value(row)))
            .or_else(|| array.as_string_opt::<i64>().map(|texts| measure(texts.value(row))))
            .or_else(|| array.as_string_view_opt().map(|texts| measure(texts.value(row)))),
    };
    // What is not known to be small is taken to be large.
    found.and_then(|found| u64::try_from(found).ok()).unwrap_or(u64::MAX)
}

/// A count; 0 for NULL and below.
fn number(value: Option<&ColumnarValue>, row: usize) -> u64 {
    let found = match value {
        None => Some(0),
        Some(ColumnarValue::Scalar(ScalarValue::Int64(number))) => Some(number.unwrap_or(0)),
        Some(ColumnarValue::Scalar(scalar)) => scalar.is_null().then_some(0),
        Some(ColumnarValue::Array(array)) if array.is_null(row) => Some(0),
        Some(ColumnarValue::Array(array)) => array.as_primitive_opt::<Int64Type>().map(|numbers| numbers.value(row)),
    };
    found.map_or(u64::MAX, |found| u64::try_from(found).unwrap_or(0))
}
