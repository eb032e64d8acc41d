//! A named input with a contract.

use std::sync::Arc;

use kassa_model::{Contract, Format};

use crate::csv::Dialect;
use crate::decode::Layout;
use crate::ports::Mapper;

/// A named input with a contract.
#[derive(Debug)]
pub struct Stream {
    pub name: Arc<str>,
    pub contract: Contract,
    pub format: Format,
    pub mapper: Option<Box<dyn Mapper>>,
    /// A larger record is a dead letter.
    pub record_bytes_max: usize,
    /// How CSV records without a header are written.
    pub(crate) columns: Option<Dialect>,
    pub(crate) layout: Layout,
}

impl Stream {
    pub fn new(name: &str, contract: Contract, format: Format, mapper: Option<Box<dyn Mapper>>, record_bytes_max: usize) -> Self {
        let layout = Layout::new(contract);
        Self { name: name.into(), contract, format, mapper, record_bytes_max, columns: None, layout }
    }

    /// States how CSV records are written that come without a header.
    #[must_use]
    pub fn with_columns(self, columns: Dialect) -> Self {
        Self { columns: Some(columns), ..self }
    }
}
