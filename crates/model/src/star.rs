//! The star schema: one table, one grain. Each table is declared once, in the files below; Arrow
//! schemas, typed rows, builders, readers and the page of columns follow from that. Users' SQL
//! contains the names: a column that is retired from a table stays in its view.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use self::read::Texts;
use crate::Contract;

pub mod build;
pub mod ddl;
mod declare;
mod derived;
mod facts;
mod fates;
pub mod kind;
mod ledger;
mod masters;
mod members;
pub mod read;
mod shared;

pub use derived::{dim_date, dim_fx_rate, dim_time, fact_session};
pub use facts::{fact_event, fact_fx_rate, fact_inventory};
pub use fates::{rejected, spans};
pub use kind::Column;
pub use ledger::{fact_order, fact_payment, fact_sales};
pub use masters::{dim_customer, dim_product, vault_customer};
pub use members::{
    dim_address, dim_category, dim_channel, dim_city, dim_country, dim_currency, dim_payment_method, dim_promotion,
};
pub use shared::{archive, lineage};

/// The number of this schema; it rises with every column that is added or retired. A lake's tables
/// state it, so that an older program does not change the columns of a newer one.
pub const SCHEMA: u32 = 3;

/// The names of the lineage columns, in order.
pub const LINEAGE: [&str; lineage::COLUMNS.len()] = names(lineage::COLUMNS);

const fn names<const N: usize>(columns: &[Column]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = columns[at].name;
        at += 1;
    }
    names
}

/// A row of a table.
pub trait TableRow {
    const TABLE: Table;
    /// Adds the row to its table's builder.
    fn add_to(&self, rows: &mut RowSet);
}

/// Lists the tables, in the order in which this program numbers them.
macro_rules! tables {
    ($($table:ident: $module:ident,)+) => {
        /// A table of the lake under `DWH/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Table {
            $( #[doc = concat!("See [`", stringify!($module), "`].")] $table, )+
        }

        impl Table {
            pub const ALL: [Table; [$( Table::$table ),+].len()] = [$( Table::$table ),+];

            /// The name in SQL and of the folder under `DWH/`.
            pub fn name(self) -> &'static str {
                match self {
                    $( Table::$table => stringify!($module), )+
                }
            }

            /// The meaning of one row, in one line.
            pub fn meaning(self) -> &'static str {
                match self {
                    $( Table::$table => $module::MEANING.trim(), )+
                }
            }

            /// The table's own columns, in order.
            pub fn own_columns(self) -> &'static [Column] {
                match self {
                    $( Table::$table => $module::COLUMNS, )+
                }
            }

            fn inherited(self) -> &'static [&'static [Column]] {
                match self {
                    $( Table::$table => $module::INHERITED, )+
                }
            }
        }

        /// The rows of a batch under construction, with a builder for each table that has rows.
        #[derive(Debug, Default)]
        pub struct RowSet {
            $( $module: Option<Box<$module::Builder>>, )+
        }

        impl RowSet {
            /// Reserves memory for this many rows of one table.
            pub fn sized(table: Table, rows: usize) -> Self {
                let mut set = Self::default();
                match table {
                    $( Table::$table => set.$module = Some(Box::new($module::Builder::sized(rows))), )+
                }
                set
            }

            #[inline]
            pub fn add(&mut self, row: &impl TableRow) {
                row.add_to(self);
            }

            /// The tables that have rows.
            pub fn finish(self) -> Result<Vec<(Table, RecordBatch)>, ArrowError> {
                let mut tables = Vec::new();
                $(
                    if let Some(builder) = self.$module.filter(|builder| !builder.is_empty()) {
                        tables.push((Table::$table, builder.finish()?));
                    }
                )+
                Ok(tables)
            }
        }

        $(
            impl $module::Builder {
                pub fn finish(self) -> Result<RecordBatch, ArrowError> {
                    RecordBatch::try_new(Table::$table.schema(), self.arrays()?)
                }
            }

            impl TableRow for $module::Row<'_> {
                const TABLE: Table = Table::$table;

                #[inline]
                fn add_to(&self, rows: &mut RowSet) {
                    rows.$module.get_or_insert_with(|| Box::new($module::Builder::sized(0))).push(self);
                }
            }
        )+
    };
}

tables! {
    FactSales: fact_sales,
    FactOrder: fact_order,
    FactPayment: fact_payment,
    FactEvent: fact_event,
    FactSession: fact_session,
    FactInventory: fact_inventory,
    FactFxRate: fact_fx_rate,
    DimCustomer: dim_customer,
    VaultCustomer: vault_customer,
    DimProduct: dim_product,
    DimCategory: dim_category,
    DimAddress: dim_address,
    DimCity: dim_city,
    DimCountry: dim_country,
    DimChannel: dim_channel,
    DimPromotion: dim_promotion,
    DimPaymentMethod: dim_payment_method,
    DimCurrency: dim_currency,
    DimFxRate: dim_fx_rate,
    DimDate: dim_date,
    DimTime: dim_time,
    Rejected: rejected,
    Spans: spans,
}

impl Table {
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The table that holds one row (or more) for every accepted record of a contract.
    pub fn primary(contract: Contract) -> Table {
        match contract {
            Contract::Event => Table::FactEvent,
            Contract::Order => Table::FactOrder,
            Contract::OrderLine | Contract::Refund => Table::FactSales,
            Contract::Payment => Table::FactPayment,
            Contract::Customer => Table::DimCustomer,
            Contract::Product => Table::DimProduct,
            Contract::Inventory => Table::FactInventory,
            Contract::FxRate => Table::FactFxRate,
        }
    }

    /// The tables that records of a contract may feed, the primary one first. `Rejected` and
    /// `Spans` are fed by all.
    pub fn fed_by(contract: Contract) -> &'static [Table] {
        use Table::{
            DimAddress, DimCategory, DimChannel, DimCity, DimCountry, DimCurrency, DimCustomer, DimPaymentMethod, DimProduct,
            DimPromotion, FactEvent, FactFxRate, FactInventory, FactOrder, FactPayment, FactSales, VaultCustomer,
        };
        match contract {
            Contract::Event => &[FactEvent, DimCustomer, DimProduct, DimChannel, DimCountry, DimCurrency],
            Contract::Order => &[
                FactOrder,
                FactSales,
                DimCustomer,
                DimProduct,
                DimCategory,
                DimAddress,
                DimCity,
                DimCountry,
                DimChannel,
                DimPromotion,
                DimCurrency,
            ],
            Contract::OrderLine => &[
                FactSales,
                DimCustomer,
                DimProduct,
                DimCategory,
                DimAddress,
                DimCity,
                DimCountry,
                DimChannel,
                DimPromotion,
                DimCurrency,
            ],
            Contract::Refund => &[FactSales, DimCustomer, DimProduct, DimAddress, DimCity, DimCountry, DimChannel, DimCurrency],
            Contract::Payment => &[FactPayment, DimCustomer, DimPaymentMethod, DimChannel, DimCurrency],
            Contract::Customer => &[DimCustomer, VaultCustomer, DimCity, DimCountry],
            Contract::Product => &[DimProduct, DimCategory, DimCurrency],
            Contract::Inventory => &[FactInventory, DimProduct],
            Contract::FxRate => &[FactFxRate, DimCurrency],
        }
    }

    /// Whether rows carry [`LINEAGE`].
    pub fn has_lineage(self) -> bool {
        !self.inherited().is_empty()
    }

    /// Columns that earlier versions wrote and this one does not. Their tables lose them with the
    /// next commit. No later column may use such a name, because old files still have the old
    /// values.
    pub fn retired(self) -> &'static [&'static str] {
        match self {
            Table::FactSales => &[
                "gross_amount_reporting",
                "discount_amount_reporting",
                "tax_amount_reporting",
                "shipping_amount_reporting",
                "net_amount_reporting",
                "fx_rate",
            ],
            Table::FactOrder => &["duty_reporting", "fx_rate"],
            Table::FactPayment => &["amount_reporting", "fx_rate"],
            _ => &[],
        }
    }

    /// Whether its rows are derived from other tables. All of them are replaced when their
    /// definition changes, so a column may get another type.
    pub fn is_derived(self) -> bool {
        matches!(self, Table::FactSession | Table::DimFxRate | Table::DimDate | Table::DimTime)
    }

    /// All columns, in order: the table's own, then the lineage.
    pub fn columns(self) -> impl Iterator<Item = &'static Column> {
        self.own_columns().iter().chain(self.inherited().iter().copied().flatten())
    }

    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<Vec<SchemaRef>> = LazyLock::new(|| Table::ALL.map(|table| schema_of(table.columns())).to_vec());
        let at = Table::ALL.iter().position(|table| *table == self).unwrap_or(0);
        Arc::clone(&SCHEMAS[at])
    }
}

fn schema_of<'c>(columns: impl Iterator<Item = &'c Column>) -> SchemaRef {
    Arc::new(Schema::new(columns.map(Column::field).collect::<Vec<_>>()))
}

/// The schema of the archive's tables, `topics/<topic>/`.
pub fn archive_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(archive::COLUMNS.iter()));
    Arc::clone(&SCHEMA)
}

/// The schema as readers of the table see it: symbols are plain strings.
pub fn stored(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(_, values) => Field::new(field.name(), values.as_ref().clone(), field.is_nullable()),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows as readers of the table see them: symbols are plain strings.
///
/// # Errors
/// A symbol's column holds no texts.
pub fn plain(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = stored(&rows.schema());
    let arrays = schema.fields().iter().zip(rows.columns()).map(|(field, array)| {
        if field.data_type() == array.data_type() {
            return Ok(Arc::clone(array));
        }
        let texts = Texts::of(array).ok_or_else(|| ArrowError::SchemaError(format!("{} holds no texts", field.name())))?;
        Ok(Arc::new((0..rows.num_rows()).map(|row| texts.get(row)).collect::<StringArray>()) as ArrayRef)
    });
    RecordBatch::try_new(Arc::clone(&schema), arrays.collect::<Result<_, ArrowError>>()?)
}

#[cfg(test)]
mod tests;
