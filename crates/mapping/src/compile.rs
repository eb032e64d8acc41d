//! From SQL to expressions, or what is wrong with it and where.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::{Expr, SetExpr, Statement, visit_expressions};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use kassa_model::Contract;
use kassa_model::contract::{ENVELOPE, Kind};
use kassa_pipeline::extract::{input_schema, pseudo_columns};

use crate::lookup::Lookups;

/// What is wrong with a mapping's SQL. Line and column count from 1, within the SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MappingError {
    pub message: String,
    pub line: usize,
    pub column: usize,
    pub hint: Option<String>,
}

impl MappingError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: 1, column: 1, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn of(error: &DataFusionError) -> Self {
        Self::new(error.strip_backtrace())
    }
}

/// A compiled mapping.
#[derive(Debug)]
pub struct Mapping {
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<(String, Arc<dyn PhysicalExpr>)>,
    pub(crate) schema: SchemaRef,
}

impl Mapping {
    /// Compiles a mapping for a contract. Every required field must be selected, and every column must be a field.
    pub fn compile(sql: &str, contract: Contract, lookups: &Lookups) -> Result<Self, MappingError> {
        let inputs = referenced(sql)?;
        let schema = input_schema(&inputs);
        let context = context();
        context.register_udf(lookups.function());
        let table = MemTable::try_new(Arc::clone(&schema), vec![vec![]]).map_err(|error| MappingError::of(&error))?;
        context.register_table("input", Arc::new(table)).map_err(|error| MappingError::of(&error))?;
        let state = context.state();
        let plan = futures::executor::block_on(state.create_logical_plan(sql)).map_err(|error| MappingError::of(&error))?;
        let LogicalPlan::Projection(projection) = plan else {
            return Err(MappingError::new("a mapping is one SELECT of columns FROM input")
                .hint("no aggregates, ORDER BY, LIMIT or DISTINCT"));
        };
        let source = DFSchema::try_from_qualified_schema("input", &schema).map_err(|error| MappingError::of(&error))?;
        let mut outputs = Vec::with_capacity(projection.expr.len());
        for (expr, field) in projection.expr.into_iter().zip(projection.schema.fields()) {
            let compiled = state.create_physical_expr(expr.unalias(), &source).map_err(|error| MappingError::of(&error))?;
            check_column(contract, field.name(), field.data_type())?;
            outputs.push((field.name().clone(), compiled));
        }
        check_required(contract, &outputs)?;
        Ok(Self { inputs, outputs, schema })
    }

    /// The input columns that the SQL names, all texts.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }
}

fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    // Columns of people's files keep the case of their letters.
    config.options_mut().sql_parser.enable_ident_normalization = false;
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    SessionContext::new_with_config(config)
}

/// The input columns that a mapping names, once it is seen to be a plain projection of `input`.
fn referenced(sql: &str) -> Result<Vec<String>, MappingError> {
    let statements = Parser::parse_sql(&GenericDialect {}, sql).map_err(|error| {
        let message = error.to_string();
        let (line, column) = place(&message).unwrap_or((1, 1));
        MappingError { message, line, column, hint: None }
    })?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err(MappingError::new("a mapping is one SELECT … FROM input"));
    };
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(MappingError::new("a mapping is one SELECT … FROM input"));
    };
    let only_input = matches!(select.from.as_slice(), [from] if from.joins.is_empty() && from.relation.to_string() == "input");
    if !only_input || query.with.is_some() {
        return Err(
            MappingError::new("a mapping reads FROM input alone").hint("lookup('table', key, 'column') reads reference tables")
        );
    }
    if select.selection.is_some() {
        let hint = "every record must be accounted for: give unwanted rows a movement of their own, or filter at the source";
        return Err(MappingError::new("a mapping has no WHERE").hint(hint));
    }
    let pseudo: BTreeSet<String> = pseudo_columns().iter().map(|field| field.name().clone()).collect();
    let mut names = Vec::new();
    let _: ControlFlow<()> = visit_expressions(&statements, |expr| {
        let name = match expr {
            Expr::Identifier(ident) => Some(ident.value.clone()),
            Expr::CompoundIdentifier(idents) => match idents.as_slice() {
                [table, column] if table.value == "input" => Some(column.value.clone()),
                _ => Some(idents.iter().map(|ident| ident.value.as_str()).collect::<Vec<_>>().join(".")),
            },
            _ => None,
        };
        names.extend(name.filter(|name| !pseudo.contains(name)));
        ControlFlow::Continue(())
    });
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}

/// `… at Line: 2, Column: 7` of a parser's message.
fn place(message: &str) -> Option<(usize, usize)> {
    let (_, rest) = message.rsplit_once("Line: ")?;
    let (line, column) = rest.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    Some((line.parse().ok()?, digits.parse().ok()?))
}

fn check_column(contract: Contract, name: &str, kind: &DataType) -> Result<(), MappingError> {
    let columns = contract.columns();
    if !columns.iter().any(|column| column == name) {
        return Err(MappingError::new(format!("`{name}` is no field of the contract {}", contract.name()))
            .hint(format!("fields: {}", columns.join(", "))));
    }
    let field = ENVELOPE.iter().chain(contract.fields()).find(|field| field.name == name);
    let decimal = field.is_some_and(|field| matches!(field.kind, Kind::Amount | Kind::Quantity | Kind::Rate));
    let known = match kind {
        DataType::Float16 | DataType::Float32 | DataType::Float64 if decimal => {
            return Err(
                MappingError::new(format!("`{name}` would go through a float")).hint("CAST to DECIMAL(18,6) before computing")
            );
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Null => true,
        DataType::Int32 | DataType::Int64 | DataType::Decimal128(..) => true,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => true,
        _ => false,
    };
    if known {
        Ok(())
    } else {
        Err(MappingError::new(format!("`{name}` has the type {kind}")).hint("CAST it to VARCHAR, BIGINT or DECIMAL"))
    }
}

fn check_required(contract: Contract, outputs: &[(String, Arc<dyn PhysicalExpr>)]) -> Result<(), MappingError> {
    let selected = |name: &str| outputs.iter().any(|(output, _)| output == name);
    let missing: Vec<String> = contract.columns().into_iter().filter(|name| contract.requires(name) && !selected(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(MappingError::new(format!("the contract {} also needs: {}", contract.name(), missing.join(", "))))
}
