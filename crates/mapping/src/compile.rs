//! From SQL to expressions, or all mistakes with their positions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use arrow_schema::SchemaRef;
use datafusion::common::DFSchema;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use kassa_model::Contract;
use kassa_model::nearest::nearest;
use kassa_pipeline::extract::input_schema;

use crate::lookup::Lookups;
use crate::parse::Select;
use crate::weight::{self, Weight};
use crate::{MappingError, bounded, check};

/// The stack of the thread that compiles.
const STACK_BYTES: usize = 32 << 20;

/// A compiled mapping.
#[derive(Debug)]
pub struct Mapping {
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<(String, Arc<dyn PhysicalExpr>, Weight)>,
    pub(crate) schema: SchemaRef,
}

impl Mapping {
    /// Compiles a mapping for a contract, or returns all mistakes in the order of the text.
    ///
    /// Every required field must be selected, every column must be a field, and every lookup must
    /// name an existing table and column.
    pub fn compile(sql: &str, contract: Contract, lookups: &Lookups) -> Result<Self, Vec<MappingError>> {
        // The parser and the planner call themselves once a level.
        let compiled = thread::scope(|scope| {
            let deep = thread::Builder::new().stack_size(STACK_BYTES);
            let compiling = deep.spawn_scoped(scope, || Self::compile_here(sql, contract, lookups));
            compiling.map(|thread| thread.join())
        });
        match compiled {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(_)) => Err(vec![MappingError::new("the engine cannot compile it")]),
            Err(error) => Err(vec![MappingError::new(format!("no thread to compile it: {error}"))]),
        }
    }

    fn compile_here(sql: &str, contract: Contract, lookups: &Lookups) -> Result<Self, Vec<MappingError>> {
        let select = Select::parse(sql).map_err(|error| vec![error])?;
        let schema = input_schema(&select.inputs);
        let planner = Planner::new(&schema, lookups).map_err(|error| vec![MappingError::of(&error)])?;
        let (mut outputs, mut errors) = (Vec::with_capacity(select.columns.len()), Vec::new());
        let mut seen = BTreeSet::new();
        for (nth, column) in select.columns.iter().enumerate() {
            if !seen.insert(&column.name) {
                errors.push(MappingError::new(format!("`{}` is selected twice", column.name)).at(column.span));
            }
            let known = is_field(contract, &column.name).and_then(|()| lookups.check(&column.expr));
            match known.and_then(|()| planner.compile(&select, nth, contract)) {
                Ok(compiled) => {
                    let weight = Weight::of(&compiled);
                    outputs.push((column.name.clone(), compiled, weight));
                }
                Err(error) if error.line == 1 && error.column == 1 => errors.push(error.at(column.span)),
                Err(error) => errors.push(error),
            }
        }
        errors.extend(missing(contract, &seen));
        if errors.is_empty() { Ok(Self { inputs: select.inputs, outputs, schema }) } else { Err(errors) }
    }

    /// The input columns in the SQL; all are texts.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }
}

fn is_field(contract: Contract, name: &str) -> Result<(), MappingError> {
    let columns = contract.columns();
    if columns.iter().any(|column| column == name) {
        return Ok(());
    }
    let hint = match nearest(name, columns.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("fields: {}", columns.join(", ")),
    };
    Err(MappingError::new(format!("`{name}` is not a field of the contract {}", contract.name())).hint(hint))
}

fn missing(contract: Contract, selected: &BTreeSet<&String>) -> Option<MappingError> {
    let required = contract.columns().into_iter().filter(|name| contract.requires(name));
    let missing: Vec<String> = required.filter(|name| !selected.contains(name)).collect();
    let message = format!("the contract {} also needs: {}", contract.name(), missing.join(", "));
    (!missing.is_empty()).then(|| MappingError::new(message))
}

/// Plans columns over the input's schema.
struct Planner {
    state: SessionState,
    input: DFSchema,
    schema: SchemaRef,
}

impl Planner {
    fn new(schema: &SchemaRef, lookups: &Lookups) -> Result<Self, DataFusionError> {
        let mut config = SessionConfig::new();
        let parser = &mut config.options_mut().sql_parser;
        // Column names are case-sensitive, and 0.01 is a decimal like all money.
        parser.enable_ident_normalization = false;
        parser.map_string_types_to_utf8view = false;
        parser.parse_float_as_decimal = true;
        let context = SessionContext::new_with_config(config);
        bounded::register(&context);
        context.register_udf(lookups.function());
        context.register_table("input", Arc::new(MemTable::try_new(Arc::clone(schema), vec![vec![]])?))?;
        let input = DFSchema::try_from_qualified_schema("input", schema)?;
        Ok(Self { state: context.state(), input, schema: Arc::clone(schema) })
    }

    /// Compiles one column of the mapping.
    fn compile(&self, select: &Select, nth: usize, contract: Contract) -> Result<Arc<dyn PhysicalExpr>, MappingError> {
        let engine = |error: DataFusionError| MappingError::of(&error);
        let expr = self.plan(select, nth)?;
        check::is_repeatable(&expr)?;
        weight::check(&expr)?;
        check::compares_exactly(&expr, &self.input)?;
        let expr = self.simplify(expr).map_err(engine)?;
        let compiled = self.state.create_physical_expr(expr, &self.input).map_err(engine)?;
        let kind = compiled.data_type(&self.schema).map_err(engine)?;
        check::fits(contract, &select.columns[nth].name, &kind)?;
        check::no_float(contract, &select.columns[nth].name, &compiled, &self.schema)?;
        check::computes(&compiled, &self.schema)?;
        Ok(compiled)
    }

    /// Some functions (`coalesce`) are only rewritten to others by the simplifier and do not work
    /// without it.
    fn simplify(&self, expr: Expr) -> Result<Expr, DataFusionError> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(self.input.clone()))
            .with_config_options(Arc::clone(self.state.config_options()))
            .build();
        let simplifier = ExprSimplifier::new(context);
        simplifier.simplify(simplifier.coerce(expr, &self.input)?)
    }

    fn plan(&self, select: &Select, nth: usize) -> Result<Expr, MappingError> {
        let statement = Statement::Statement(Box::new(select.only(nth)));
        let plan =
            futures::executor::block_on(self.state.statement_to_plan(statement)).map_err(|error| MappingError::of(&error))?;
        match plan {
            LogicalPlan::Projection(projection) if matches!(projection.input.as_ref(), LogicalPlan::TableScan(_)) => {
                projection.expr.into_iter().next().map(Expr::unalias).ok_or_else(|| MappingError::new("a column is missing"))
            }
            _ => {
                let message = format!("`{}` reads more than its own record", select.columns[nth].name);
                Err(MappingError::new(message).hint("no aggregates, windows or UNNEST: each record becomes one row"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
