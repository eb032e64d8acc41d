//! Checks that a mapping's SQL is one plain `SELECT … FROM input`, and collects its input and
//! output columns.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, SelectItem, SetExpr, Spanned, Statement, visit_expressions, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, Tokenizer};
use kassa_model::nesting::{Bounds, Excess};
use kassa_pipeline::extract::pseudo_columns;

use crate::error::MappingError;

#[derive(Debug)]
pub(crate) struct Select {
    /// `SELECT … FROM input`. Each name of an input column is one identifier.
    statement: Statement,
    pub(crate) columns: Vec<Column>,
    /// The input columns in the SQL, without the pseudo columns.
    pub(crate) inputs: Vec<String>,
}

/// One output column of the mapping.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) expr: Expr,
    /// The contract's field.
    pub(crate) name: String,
    pub(crate) span: Span,
}

impl Select {
    pub(crate) fn parse(sql: &str) -> Result<Self, MappingError> {
        check_text(sql)?;
        let statements = Parser::parse_sql(&GenericDialect {}, sql).map_err(|error| syntax(&error.to_string()))?;
        let [mut statement] = <[Statement; 1]>::try_from(statements).map_err(|_| not_a_select())?;
        only_projects(&statement)?;
        let walked: ControlFlow<()> = visit_expressions_mut(&mut statement, |expr| {
            if let Expr::CompoundIdentifier(parts) = expr {
                *expr = Expr::Identifier(input_name(parts));
            }
            ControlFlow::Continue(())
        });
        debug_assert!(walked.is_continue(), "nothing stops the walk");
        let inputs = inputs(&statement)?;
        let columns = items(&statement).iter().map(column).collect::<Result<_, _>>()?;
        Ok(Self { statement, columns, inputs })
    }

    /// The same statement with only one of its columns.
    pub(crate) fn only(&self, nth: usize) -> Statement {
        let mut statement = self.statement.clone();
        if let Statement::Query(query) = &mut statement
            && let SetExpr::Select(select) = query.body.as_mut()
        {
            select.projection = select.projection.drain(..).skip(nth).take(1).collect();
        }
        statement
    }
}

/// Refuses a text that is too long or too deep to be parsed, or for the stack on which its expressions are evaluated.
fn check_text(sql: &str) -> Result<(), MappingError> {
    const BOUNDS: Bounds = Bounds { bytes: 256 << 10, depth: 200, selects: 10 };
    let refused = |excess: Excess| {
        MappingError::new(excess.to_string()).hint("write CASE or IN instead of long chains, or compute it at the source")
    };
    BOUNDS.check_length(sql).map_err(refused)?;
    // What is wrong with a text without tokens is said by the parser.
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap_or_default();
    let counted = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    BOUNDS.check(counted.map(ToString::to_string)).map_err(refused)
}

fn not_a_select() -> MappingError {
    MappingError::new("a mapping is one SELECT … FROM input")
}

/// The parser's message without its final position: `… at Line: 2, Column: 7`.
fn syntax(message: &str) -> MappingError {
    let place = message.rsplit_once(" at Line: ").and_then(|(words, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
        Some((words, line.parse().ok()?, digits.parse().ok()?))
    });
    let (words, line, column) = place.unwrap_or((message, 1, 1));
    let words = words.strip_prefix("sql parser error: ").unwrap_or(words);
    MappingError { message: format!("not SQL: {words}"), line, column, hint: None }
}

fn items(statement: &Statement) -> &[SelectItem] {
    match statement {
        Statement::Query(query) => match query.body.as_ref() {
            SetExpr::Select(select) => &select.projection,
            _ => &[],
        },
        _ => &[],
    }
}

/// Each record must become one row that depends only on that record.
fn only_projects(statement: &Statement) -> Result<(), MappingError> {
    let Statement::Query(query) = statement else { return Err(not_a_select()) };
    let SetExpr::Select(select) = query.body.as_ref() else { return Err(not_a_select()) };
    let only_input = matches!(select.from.as_slice(), [from] if from.joins.is_empty() && from.relation.to_string() == "input");
    if !only_input || query.with.is_some() {
        let from = select.from.first().map_or_else(Span::empty, Spanned::span);
        return Err(reads_input_alone().at(from));
    }
    if let Some(condition) = &select.selection {
        let hint = "every record must be accounted for: give unwanted rows their own movement, or filter at the source";
        return Err(MappingError::new("a mapping has no WHERE").at(condition.span()).hint(hint));
    }
    let plain = select.projection.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if statement.to_string() != format!("SELECT {plain} FROM input") {
        return Err(not_a_select().hint("no DISTINCT, GROUP BY, ORDER BY, LIMIT or similar: each record becomes one row"));
    }
    Ok(())
}

fn reads_input_alone() -> MappingError {
    MappingError::new("a mapping reads only FROM input").hint("lookup('table', key, 'column') reads reference tables")
}

/// `input.total` is the column `total`. Any other dotted name is a path into nested JSON.
fn input_name(parts: &[Ident]) -> Ident {
    let span = Span::union_iter(parts.iter().map(|part| part.span));
    let own = match parts {
        [table, rest @ ..] if table.value == "input" && !rest.is_empty() => rest,
        all => all,
    };
    let path: Vec<&str> = own.iter().map(|part| part.value.as_str()).collect();
    Ident { value: path.join("."), quote_style: Some('"'), span }
}

fn inputs(statement: &Statement) -> Result<Vec<String>, MappingError> {
    let pseudo: BTreeSet<String> = pseudo_columns().iter().map(|field| field.name().clone()).collect();
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    let visited = visit_expressions(statement, |expr| match expr {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
            ControlFlow::Break(reads_input_alone().at(expr.span()))
        }
        Expr::Identifier(ident) => {
            if !pseudo.contains(&ident.value) && seen.insert(ident.value.clone()) {
                names.push(ident.value.clone());
            }
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    });
    match visited {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(names),
    }
}

fn column(item: &SelectItem) -> Result<Column, MappingError> {
    let unnamed = |expr: &Expr| {
        MappingError::new(format!("`{expr}` has no name"))
            .at(expr.span())
            .hint("write `… AS field`, with a field of the contract")
    };
    let (expr, name) = match item {
        SelectItem::ExprWithAlias { expr, alias } => (expr, alias.value.clone()),
        SelectItem::UnnamedExpr(expr @ Expr::Identifier(ident)) => (expr, ident.value.clone()),
        SelectItem::UnnamedExpr(expr) => return Err(unnamed(expr)),
        SelectItem::ExprWithAliases { expr, .. } => return Err(unnamed(expr)),
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
            let hint = "name the columns: unnamed columns are kept in `extra`";
            return Err(MappingError::new("a mapping has no `*`").at(item.span()).hint(hint));
        }
    };
    Ok(Column { expr: expr.clone(), name, span: item.span() })
}
