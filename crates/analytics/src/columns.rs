//! The columns of a batch: the model's reader.

pub use kassa_model::star::read::ReadError as ApplyError;
pub(crate) use kassa_model::star::read::{Columns, Decimals, Texts};
