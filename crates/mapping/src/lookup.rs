//! `lookup('table', key, 'column')`: a cell of a reference table, or NULL if the table has no such
//! key or the cell is empty.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::DataType;
use datafusion::common::exec_err;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Value, visit_expressions,
};
use datafusion::sql::sqlparser::tokenizer::Span;
use kassa_model::nearest::hint;

use crate::MappingError;
use crate::table::{Table, TableError, TableFile};

/// The reference tables of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Lookups(HashMap<String, Arc<Table>>);

impl Lookups {
    /// Loads a table and keeps it in memory.
    pub fn load(&mut self, name: &str, file: TableFile<'_>) -> Result<(), TableError> {
        self.0.insert(name.to_owned(), Arc::new(Table::load(file)?));
        Ok(())
    }

    /// Checks that every lookup in the expression names an existing table and column.
    pub(crate) fn check(&self, expr: &Expr) -> Result<(), MappingError> {
        let visited = visit_expressions(expr, |part| match part {
            Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("lookup") => match self.check_call(call) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
            _ => ControlFlow::Continue(()),
        });
        visited.break_value().map_or(Ok(()), Err)
    }

    fn check_call(&self, call: &Function) -> Result<(), MappingError> {
        let arguments = match &call.args {
            FunctionArguments::List(list) => list.args.as_slice(),
            _ => &[],
        };
        let wrong = || MappingError::new("a lookup is lookup('table', key, 'column')").at(call.span());
        let [table, _, column] = arguments else { return Err(wrong()) };
        let (Some((table, table_span)), Some((column, column_span))) = (literal(table), literal(column)) else {
            return Err(
                wrong().hint("put table and column in single quotes, so that they can be checked before the first record")
            );
        };
        let Some(found) = self.0.get(table) else {
            let mut names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            names.sort_unstable();
            let hint = if names.is_empty() { format!("add [lookups.{table}] with its file and key") } else { hint(table, names) };
            return Err(MappingError::new(format!("there is no lookup `{table}`")).at(table_span).hint(hint));
        };
        if found.has(column) {
            return Ok(());
        }
        let message = format!("the lookup `{table}` has no column `{column}`");
        Err(MappingError::new(message).at(column_span).hint(hint(column, found.columns())))
    }

    pub(crate) fn function(&self) -> ScalarUDF {
        let tables = self.clone();
        let text = DataType::Utf8;
        let arguments = vec![text.clone(), text.clone(), text.clone()];
        let call = Arc::new(move |arguments: &[ColumnarValue]| tables.call(arguments));
        create_udf("lookup", arguments, text, Volatility::Immutable, call)
    }

    fn call(&self, arguments: &[ColumnarValue]) -> DfResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let [tables, keys, columns] = arrays.as_slice() else { return exec_err!("lookup takes a table, a key and a column") };
        let (tables, keys, columns) = (tables.as_string::<i32>(), keys.as_string::<i32>(), columns.as_string::<i32>());
        let cell = |row: usize| {
            let table = self.0.get(tables.value(row))?;
            keys.is_valid(row).then(|| table.cell(keys.value(row), columns.value(row))).flatten()
        };
        let cells: StringArray = (0..keys.len()).map(cell).collect();
        Ok(ColumnarValue::Array(Arc::new(cells) as ArrayRef))
    }
}

fn literal(argument: &FunctionArg) -> Option<(&str, Span)> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr @ Expr::Value(value))) = argument else { return None };
    match &value.value {
        Value::SingleQuotedString(text) => Some((text, expr.span())),
        _ => None,
    }
}
