//! Access to the columns of a batch, by the model's reader.

pub use kassa_model::star::read::ReadError as ApplyError;
pub(crate) use kassa_model::star::read::{Columns, Decimals, Texts};
