//! Checks for expressions that the engine accepts but a mapping must not contain.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, ExprSchemable, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use kassa_model::Contract;
use kassa_model::contract::{ENVELOPE, Kind};

use crate::MappingError;

/// A record must map to the same row whenever it is read again, otherwise it would conflict with
/// itself.
pub(crate) fn is_repeatable(expr: &Expr) -> Result<(), MappingError> {
    find(expr, |part| match part {
        Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => Some(
            MappingError::new(format!("`{}` gives a different value each time", call.func.name()))
                .hint("a record must map to the same row whenever it is read again; `_ingested_at` is its ingest time"),
        ),
        _ => None,
    })
}

/// The engine parses a text that is compared with a whole number as a whole number, as users
/// expect. Compared with a decimal, it would round the text to that decimal's places.
pub(crate) fn compares_exactly(expr: &Expr, input: &DFSchema) -> Result<(), MappingError> {
    find(expr, |part| {
        let rounds = compared(part).into_iter().any(|(left, right)| {
            let (Ok(left), Ok(right)) = (left.get_type(input), right.get_type(input)) else { return false };
            is_text(&left) && right.is_decimal() || left.is_decimal() && is_text(&right)
        });
        let error = || {
            let words = part.human_display().to_string().replace("input.", "");
            MappingError::new(format!("`{words}` would round a text to the decimal's places"))
        };
        rounds.then(|| error().hint("CAST the text to DECIMAL(18, 6) first"))
    })
}

/// The pairs that an expression compares.
fn compared(part: &Expr) -> Vec<(&Expr, &Expr)> {
    match part {
        Expr::BinaryExpr(binary) => vec![(&binary.left, &binary.right)],
        Expr::Between(between) => vec![(&between.expr, &between.low), (&between.expr, &between.high)],
        Expr::InList(list) => list.list.iter().map(|each| (list.expr.as_ref(), each)).collect(),
        Expr::Case(case) => match &case.expr {
            Some(expr) => case.when_then_expr.iter().map(|(when, _)| (expr.as_ref(), when.as_ref())).collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

pub(crate) fn find(expr: &Expr, mut wrong: impl FnMut(&Expr) -> Option<MappingError>) -> Result<(), MappingError> {
    let mut found = Ok(());
    let walked = expr.apply(|part| {
        Ok(match wrong(part) {
            Some(error) => {
                found = Err(error);
                TreeNodeRecursion::Stop
            }
            None => TreeNodeRecursion::Continue,
        })
    });
    walked.map_err(|error| MappingError::of(&error))?;
    found
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The fields of an address are texts.
fn kind_of(contract: Contract, name: &str) -> Kind {
    ENVELOPE.iter().chain(contract.fields()).find(|field| field.name == name).map_or(Kind::Text, |field| field.kind)
}

fn is_decimal(kind: Kind) -> bool {
    matches!(kind, Kind::Amount | Kind::Quantity | Kind::Rate)
}

/// Whether a column of this type can hold the field's values. Text can hold all of them.
pub(crate) fn fits(contract: Contract, name: &str, found: &DataType) -> Result<(), MappingError> {
    let kind = kind_of(contract, name);
    let textual = matches!(kind, Kind::Id | Kind::Text | Kind::LongText);
    let fits = match found {
        DataType::Null => true,
        text if is_text(text) => true,
        DataType::Boolean => kind == Kind::Boolean,
        DataType::Int32 | DataType::Int64 => {
            textual || is_decimal(kind) || matches!(kind, Kind::Integer | Kind::Timestamp | Kind::Boolean)
        }
        DataType::Decimal128(_, scale) => textual || is_decimal(kind) || kind == Kind::Integer && *scale == 0,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => kind == Kind::Timestamp,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    if found.is_floating() && is_decimal(kind) {
        return Err(through_a_float(name));
    }
    let to = match kind {
        kind if is_decimal(kind) => "DECIMAL(18, 6)",
        Kind::Integer => "BIGINT",
        Kind::Boolean => "BOOLEAN",
        _ => "VARCHAR",
    };
    Err(MappingError::new(format!("`{name}` cannot be of the type {found}")).hint(format!("CAST it to {to}")))
}

fn through_a_float(name: &str) -> MappingError {
    MappingError::new(format!("`{name}` would pass through a float")).hint("CAST to DECIMAL(18, 6) before computing")
}

/// Amounts, quantities and rates must never pass through a float.
pub(crate) fn no_float(
    contract: Contract,
    name: &str,
    expr: &Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
) -> Result<(), MappingError> {
    if !is_decimal(kind_of(contract, name)) {
        return Ok(());
    }
    let floats = expr.exists(|part| Ok(part.data_type(schema)?.is_floating()));
    match floats {
        Ok(false) => Ok(()),
        Ok(true) => Err(through_a_float(name)),
        Err(error) => Err(MappingError::of(&error)),
    }
}

/// Computes a column without inputs once, so that an error is found here and not on every record.
pub(crate) fn computes(expr: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Result<(), MappingError> {
    if !collect_columns(expr).is_empty() {
        return Ok(());
    }
    let none = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let nullable = Arc::new(arrow_schema::Schema::new(
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    ));
    let row = RecordBatch::try_new_with_options(nullable, none, &RecordBatchOptions::new().with_row_count(Some(1)));
    let computed = row.map_err(DataFusionError::from).and_then(|row| expr.evaluate(&row));
    computed.map(|_| ()).map_err(|error| MappingError::of(&error))
}
