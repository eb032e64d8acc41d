//! What one query may use: memory, room for spilled rows, and a text that the planner's stack can hold.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Plain;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use kassa_lake::Store;
use kassa_model::Cause;
use kassa_model::nesting::Bounds;

use crate::error::SqlError;

/// The text of a query. The thread that plans it and those that run it need a stack of [`STACK_BYTES`] for the deepest one.
const BOUNDS: Bounds = Bounds { bytes: 64 << 10, depth: 1_000, selects: 100 };

/// The stack of each thread that runs queries of users.
pub const STACK_BYTES: usize = 64 << 20;

/// Bytes of spilled rows on disk, of a query that says nothing else.
const SPILL_BYTES: u64 = 8 << 30;

/// The memory of queries that run at the same time. What exceeds their share spills to files; a query that can neither have memory nor spill
/// is refused ("Resources exhausted").
#[derive(Debug, Clone)]
pub struct Pool(pub(crate) Arc<dyn MemoryPool>);

impl Pool {
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(FairSpillPool::new(bytes)))
    }

    /// Bytes that running queries have reserved.
    pub fn reserved(&self) -> usize {
        self.0.reserved()
    }
}

/// Where a query runs. The pool knows what joins, sorts and groups hold, but not what a function makes: who runs a stranger's SQL must also
/// watch the memory of the process.
#[derive(Debug, Clone)]
pub struct Room {
    pub pool: Pool,
    /// The folder for spilled rows; the system's temporary folder if it is not writable.
    pub spill: PathBuf,
    /// Bytes on disk, beyond which the query is refused.
    pub spill_bytes: u64,
}

impl Room {
    pub(crate) fn of(pool: &Pool, store: &dyn Store) -> Self {
        Self { pool: pool.clone(), spill: store.scratch(), spill_bytes: SPILL_BYTES }
    }

    pub(crate) fn runtime(&self) -> Result<Arc<RuntimeEnv>, SqlError> {
        let bounded =
            || RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&self.pool.0)).with_max_temp_directory_size(self.spill_bytes);
        Ok(bounded().with_temp_file_path(&self.spill).build_arc().or_else(|_| bounded().build_arc())?)
    }
}

/// Refuses a text that is too long or too deep to be parsed.
pub(crate) fn check_text(sql: &str) -> Result<(), SqlError> {
    let refused = |excess| SqlError::Nesting(Cause::of(excess));
    BOUNDS.check_length(sql).map_err(refused)?;
    // What is wrong with a text without tokens is said by the parser.
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap_or_default();
    let counted = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    BOUNDS.check(counted.map(ToString::to_string)).map_err(refused)
}

/// Refuses whatever may do more than read.
pub(crate) fn check_reads(statement: &Statement) -> Result<(), SqlError> {
    let is_read = match statement {
        Statement::Explain(explain) => return check_reads(&explain.statement),
        Statement::Statement(plain) => matches!(
            plain.as_ref(),
            Plain::Query(_)
                | Plain::ExplainTable { .. }
                | Plain::ShowTables { .. }
                | Plain::ShowColumns { .. }
                | Plain::ShowVariable { .. }
                | Plain::ShowCreate { .. }
                | Plain::ShowFunctions { .. }
        ),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    };
    if is_read {
        return Ok(());
    }
    let words = statement.to_string();
    let first = words.split_whitespace().next().unwrap_or_default();
    Err(SqlError::Refused(format!("`{first}` is not a query: kassa sql only reads").into()))
}
