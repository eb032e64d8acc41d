//! The star schema as Arrow schemas: one table, one grain. Users' SQL contains the names: a column
//! that is retired from a table stays in its view.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::Contract;

/// A table of the lake under `DWH/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One signed movement of one order line: the ledger from which every revenue figure is a sum.
    FactSales,
    /// One revision of one order.
    FactOrder,
    /// One payment transaction.
    FactPayment,
    /// One behaviour event.
    FactEvent,
    /// One session; derived from `fact_event` and `fact_sales`.
    FactSession,
    /// One stock level of a product at a location.
    FactInventory,
    /// One rate of a currency pair on a day.
    FactFxRate,
    /// One version of a customer, without personal data.
    DimCustomer,
    /// Personal data of a customer, apart and erasable.
    VaultCustomer,
    /// One version of a product.
    DimProduct,
    DimCategory,
    DimAddress,
    DimCity,
    DimCountry,
    DimChannel,
    DimPromotion,
    DimPaymentMethod,
    DimCurrency,
    /// The rate of a currency to the shop's on a day; derived from `fact_fx_rate`.
    DimFxRate,
    /// Generated: one day of the shop's calendar.
    DimDate,
    /// Generated: one minute of a day.
    DimTime,
    /// Dead letters.
    Rejected,
    /// What became of each range of offsets; written last.
    Spans,
}

/// The number of this schema; it rises with every column that is added or retired. A lake's tables
/// state it, so that an older program does not change the columns of a newer one.
pub const SCHEMA: u32 = 3;

/// DECIMAL(18,6).
pub const AMOUNT: DataType = DataType::Decimal128(18, 6);
/// DECIMAL(38,15): an amount times a rate, and sums of these, unrounded.
pub const EXACT: DataType = DataType::Decimal128(38, 15);
/// DECIMAL(18,3).
pub const QUANTITY: DataType = DataType::Decimal128(18, 3);
/// DECIMAL(18,9).
pub const RATE: DataType = DataType::Decimal128(18, 9);

/// µs, UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A text of few distinct values: a dictionary in memory, a plain string to those who read the
/// table.
pub fn symbol() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn req(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn opt(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

fn key(name: &str) -> Field {
    req(name, DataType::Int64)
}

fn text(name: &str) -> Field {
    opt(name, DataType::Utf8)
}

/// The lineage that each row of a fact or dimension carries, last in its table.
fn lineage() -> Vec<Field> {
    vec![
        req("source_topic", symbol()),
        req("source_partition", DataType::Int64),
        req("source_offset", DataType::Int64),
        req("source_index", DataType::Int32),
        req("event_id", DataType::Utf8),
        opt("source", symbol()),
        req("store_id", symbol()),
        // Hash of the decoded fields without the envelope: tells a repeat from a conflict.
        req("content_hash", DataType::Int64),
        req("ingested_at", timestamp()),
    ]
}

/// The names of the lineage columns, in order.
pub const LINEAGE: [&str; 9] = [
    "source_topic",
    "source_partition",
    "source_offset",
    "source_index",
    "event_id",
    "source",
    "store_id",
    "content_hash",
    "ingested_at",
];

impl Table {
    pub const ALL: [Table; 23] = [
        Table::FactSales,
        Table::FactOrder,
        Table::FactPayment,
        Table::FactEvent,
        Table::FactSession,
        Table::FactInventory,
        Table::FactFxRate,
        Table::DimCustomer,
        Table::VaultCustomer,
        Table::DimProduct,
        Table::DimCategory,
        Table::DimAddress,
        Table::DimCity,
        Table::DimCountry,
        Table::DimChannel,
        Table::DimPromotion,
        Table::DimPaymentMethod,
        Table::DimCurrency,
        Table::DimFxRate,
        Table::DimDate,
        Table::DimTime,
        Table::Rejected,
        Table::Spans,
    ];

    /// The name in SQL and of the folder under `DWH/`.
    pub fn name(self) -> &'static str {
        match self {
            Table::FactSales => "fact_sales",
            Table::FactOrder => "fact_order",
            Table::FactPayment => "fact_payment",
            Table::FactEvent => "fact_event",
            Table::FactSession => "fact_session",
            Table::FactInventory => "fact_inventory",
            Table::FactFxRate => "fact_fx_rate",
            Table::DimCustomer => "dim_customer",
            Table::VaultCustomer => "vault_customer",
            Table::DimProduct => "dim_product",
            Table::DimCategory => "dim_category",
            Table::DimAddress => "dim_address",
            Table::DimCity => "dim_city",
            Table::DimCountry => "dim_country",
            Table::DimChannel => "dim_channel",
            Table::DimPromotion => "dim_promotion",
            Table::DimPaymentMethod => "dim_payment_method",
            Table::DimCurrency => "dim_currency",
            Table::DimFxRate => "dim_fx_rate",
            Table::DimDate => "dim_date",
            Table::DimTime => "dim_time",
            Table::Rejected => "rejected",
            Table::Spans => "spans",
        }
    }

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
        !matches!(self, Table::FactSession | Table::DimFxRate | Table::DimDate | Table::DimTime | Table::Rejected | Table::Spans)
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

    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<Vec<SchemaRef>> =
            LazyLock::new(|| Table::ALL.map(|table| Arc::new(table.build_schema())).to_vec());
        let at = Table::ALL.iter().position(|table| *table == self).unwrap_or(0);
        Arc::clone(&SCHEMAS[at])
    }

    fn build_schema(self) -> Schema {
        let mut fields = self.own_fields();
        if self.has_lineage() {
            fields.extend(lineage());
        }
        Schema::new(fields)
    }

    #[rustfmt::skip]
    fn own_fields(self) -> Vec<Field> {
        match self {
            Table::FactSales => vec![
                req("order_id", DataType::Utf8), req("line_id", DataType::Utf8), req("movement", symbol()), key("order_key"),
                req("order_date_key", DataType::Int32), req("movement_date_key", DataType::Int32),
                req("ordered_at", timestamp()), req("moved_at", timestamp()),
                key("customer_key"), key("product_key"), key("channel_key"), key("promotion_key"), key("ship_address_key"), key("ship_country_key"),
                req("currency", symbol()), req("quantity", QUANTITY), opt("unit_price", AMOUNT),
                req("gross_amount", AMOUNT), req("discount_amount", AMOUNT), req("tax_amount", AMOUNT), req("shipping_amount", AMOUNT),
                req("net_amount", AMOUNT),
                req("is_test", DataType::Boolean), req("is_gift_card", DataType::Boolean), req("is_future", DataType::Boolean),
                text("session_id"), text("extra"), opt("list_price", AMOUNT),
            ],
            Table::FactOrder => vec![
                req("order_id", DataType::Utf8), key("order_key"), req("revision", DataType::Int64), req("order_date_key", DataType::Int32),
                opt("status", symbol()), opt("financial_status", symbol()), opt("fulfilment_status", symbol()),
                req("occurred_at", timestamp()), req("placed_at", timestamp()), opt("processed_at", timestamp()), opt("paid_at", timestamp()),
                opt("cancelled_at", timestamp()), opt("closed_at", timestamp()), text("cancel_reason"),
                key("customer_key"), key("channel_key"), key("promotion_key"), key("billing_address_key"), key("ship_address_key"),
                key("ship_country_key"), opt("currency", symbol()), opt("shop_currency", symbol()), opt("tax_included", DataType::Boolean),
                opt("subtotal", AMOUNT), opt("discount", AMOUNT), opt("tax", AMOUNT), opt("shipping", AMOUNT), opt("duty", AMOUNT),
                opt("tip", AMOUNT), opt("gift_card", AMOUNT), opt("total", AMOUNT),
                text("coupons"), text("attribution"),
                req("is_test", DataType::Boolean), req("is_future", DataType::Boolean), req("lines_differ", DataType::Boolean),
                text("session_id"), text("extra"),
            ],
            Table::FactPayment => vec![
                req("payment_id", DataType::Utf8), req("order_id", DataType::Utf8), key("order_key"), req("kind", symbol()), text("parent_id"),
                opt("status", symbol()), opt("gateway", symbol()), key("payment_method_key"), key("customer_key"), key("channel_key"),
                req("payment_date_key", DataType::Int32), req("occurred_at", timestamp()), req("amount", AMOUNT), req("currency", symbol()),
                opt("instalments", DataType::Int64), opt("sequence", DataType::Int64),
                req("is_test", DataType::Boolean), req("is_future", DataType::Boolean), text("extra"),
            ],
            Table::FactEvent => vec![
                req("type", symbol()), opt("custom_type", symbol()), req("event_date_key", DataType::Int32), req("occurred_at", timestamp()),
                key("customer_key"), key("person_key"), key("session_key"), text("session_id"), text("anonymous_id"), key("product_key"),
                key("channel_key"), key("country_key"), opt("quantity", QUANTITY), opt("price", AMOUNT), opt("currency", symbol()),
                text("url"), text("referrer"), opt("utm_source", symbol()), opt("utm_medium", symbol()), opt("utm_campaign", symbol()),
                opt("utm_term", symbol()), opt("utm_content", symbol()), opt("device", symbol()), text("search_query"), text("list_id"),
                opt("position", DataType::Int64), text("cart_id"), text("checkout_id"), text("order_id"), key("order_key"),
                req("is_test", DataType::Boolean), req("is_bot", DataType::Boolean), req("is_future", DataType::Boolean), text("extra"),
            ],
            Table::FactSession => vec![
                key("session_key"), text("session_id"), key("person_key"), key("customer_key"), req("session_date_key", DataType::Int32),
                req("started_at", timestamp()), req("ended_at", timestamp()), text("entry_url"), text("exit_url"),
                req("events", DataType::Int64), req("viewed", DataType::Boolean), req("added", DataType::Boolean),
                req("checkout", DataType::Boolean), req("paid", DataType::Boolean), req("converted", DataType::Boolean),
                req("abandoned", DataType::Boolean), req("revenue_reporting", EXACT),
            ],
            Table::FactInventory => vec![
                key("product_key"), req("location", symbol()), req("inventory_date_key", DataType::Int32), req("occurred_at", timestamp()),
                req("level", QUANTITY), text("extra"),
            ],
            Table::FactFxRate => vec![
                req("base", symbol()), req("quote", symbol()), req("rate_date_key", DataType::Int32), req("rate", RATE),
                req("occurred_at", timestamp()),
            ],
            Table::DimCustomer => vec![
                key("customer_key"), req("customer_id", DataType::Utf8), opt("segment", symbol()), opt("consent", symbol()), key("home_city_key"),
                req("valid_from", timestamp()), req("is_placeholder", DataType::Boolean), text("extra"),
            ],
            Table::VaultCustomer => vec![
                key("customer_key"), text("name"), text("email"), text("phone"), text("street"), text("postcode"), req("valid_from", timestamp()),
            ],
            Table::DimProduct => vec![
                key("product_key"), req("product_id", DataType::Utf8), text("variant_id"), text("sku"), text("name"), opt("brand", symbol()),
                key("category_key"), opt("price", AMOUNT), opt("cost", AMOUNT), opt("currency", symbol()), opt("status", symbol()),
                req("valid_from", timestamp()), req("is_placeholder", DataType::Boolean), text("extra"),
            ],
            Table::DimCategory => vec![
                key("category_key"), req("name", DataType::Utf8), req("level", DataType::Int32), key("parent_key"), req("path", DataType::Utf8),
            ],
            Table::DimAddress => vec![key("address_key"), text("postcode"), key("city_key")],
            Table::DimCity => vec![key("city_key"), req("name", DataType::Utf8), text("region"), key("country_key")],
            Table::DimCountry => vec![key("country_key"), req("code", DataType::Utf8), req("name", DataType::Utf8)],
            Table::DimChannel => vec![key("channel_key"), req("name", DataType::Utf8)],
            Table::DimPromotion => vec![key("promotion_key"), req("code", DataType::Utf8)],
            Table::DimPaymentMethod => vec![key("payment_method_key"), req("name", DataType::Utf8)],
            Table::DimCurrency => vec![key("currency_key"), req("code", DataType::Utf8), req("minor_digits", DataType::Int32)],
            Table::DimFxRate => vec![
                req("currency", symbol()), req("date_key", DataType::Int32), req("rate", RATE), req("derivation", symbol()), opt("via", symbol()),
                req("rate_date_key", DataType::Int32),
            ],
            Table::DimDate => vec![
                req("date_key", DataType::Int32), req("date", DataType::Date32), req("year", DataType::Int32), req("quarter", DataType::Int32),
                req("month", DataType::Int32), req("day", DataType::Int32), req("iso_year", DataType::Int32), req("iso_week", DataType::Int32),
                req("weekday", DataType::Int32), req("weekday_name", DataType::Utf8), req("month_name", DataType::Utf8),
                req("starts_at", timestamp()), req("hours", DataType::Int32), text("holiday"),
            ],
            Table::DimTime => vec![
                req("time_key", DataType::Int32), req("hour", DataType::Int32), req("minute", DataType::Int32), req("quarter_hour", DataType::Int32),
            ],
            Table::Rejected => vec![
                req("topic", symbol()), req("partition", DataType::Int64), req("offset", DataType::Int64), req("source_index", DataType::Int32),
                opt("timestamp", timestamp()), opt("key", DataType::Binary), text("headers"), opt("schema_id", DataType::Int32),
                opt("value", DataType::Binary), req("stream", symbol()), req("contract", symbol()), req("reason", symbol()),
                text("field"), text("detail"), req("rejected_at", timestamp()), opt("replayed_at", timestamp()),
            ],
            Table::Spans => vec![
                req("topic", symbol()), req("partition", DataType::Int64), req("from_offset", DataType::Int64), req("to_offset", DataType::Int64),
                req("read", DataType::Int64), req("accepted", DataType::Int64), req("duplicates", DataType::Int64),
                req("dead_letters", DataType::Int64), req("gap", DataType::Int64), req("committed_at", timestamp()),
            ],
        }
    }
}

/// The schema of the archive's tables, `topics/<topic>/`.
pub fn archive_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            req("ingest_date", DataType::Date32),
            req("partition", DataType::Int64),
            req("offset", DataType::Int64),
            opt("timestamp", timestamp()),
            req("ingested_at", timestamp()),
            opt("key", DataType::Binary),
            opt("headers", symbol()),
            opt("schema_id", DataType::Int32),
            opt("value", DataType::Binary),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// The schema as those see it who read the table: symbols are plain strings.
pub fn stored(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(_, values) => Field::new(field.name(), values.as_ref().clone(), field.is_nullable()),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
