//! One function per question.

use kassa_model::{Partition, Table};
use postgres::{Row, Transaction};

use super::{Day, Finding, Kind, Proof, SINK};
use crate::WarehouseError;
use crate::plan::FACTS;

/// The limit of findings of one kind.
const MOST: i64 = 100;

/// Tables with a row for each accepted record; dimensions have other rows too.
const PRIMARY: [(Table, &str); 8] = [
    (Table::FactSales, ""),
    (Table::FactOrder, ""),
    (Table::FactPayment, ""),
    (Table::FactEvent, ""),
    (Table::FactInventory, ""),
    (Table::FactFxRate, ""),
    (Table::DimCustomer, "WHERE NOT is_placeholder"),
    (Table::DimProduct, "WHERE NOT is_placeholder"),
];

fn partition(row: &Row) -> Partition {
    Partition::new(row.get::<_, String>(0), row.get(1))
}

/// Checks that spans are contiguous and end at the position.
pub(super) fn spans(transaction: &mut Transaction<'_>, proof: &mut Proof) -> Result<(), WarehouseError> {
    let sql = "SELECT topic, partition, sum(read)::int8, sum(accepted)::int8, sum(duplicates)::int8, sum(dead_letters)::int8, sum(gap)::int8, max(to_offset)
        FROM kassa.spans GROUP BY topic, partition";
    for row in transaction.query(sql, &[])? {
        let partition = partition(&row);
        let account = proof.accounts.entry(partition.clone()).or_default();
        (account.read, account.accepted, account.duplicates) = (row.get(2), row.get(3), row.get(4));
        (account.dead_letters, account.gap) = (row.get(5), row.get(6));
        let (next, end) = (account.next, row.get::<_, i64>(7));
        if next != end {
            let detail = format!("the position is {next}, the spans end at {end}");
            proof.findings.push(
                Finding::new(Kind::Position, SINK, "positions", detail).of(&partition).between(next.min(end)..next.max(end)),
            );
        }
    }
    let sql = "SELECT topic, partition, before, from_offset FROM (
          SELECT topic, partition, from_offset, lag(to_offset, 1, 0::int8) OVER (PARTITION BY topic, partition ORDER BY from_offset) AS before FROM kassa.spans) s
        WHERE before <> from_offset ORDER BY 1, 2, 4 LIMIT $1";
    for row in transaction.query(sql, &[&MOST])? {
        let (before, from): (i64, i64) = (row.get(2), row.get(3));
        let (kind, detail) = if before < from {
            (Kind::Gap, "no span accounts for these")
        } else {
            (Kind::Overlap, "two spans account for these")
        };
        proof.findings.push(
            Finding::new(kind, SINK, "spans", detail.to_owned()).of(&partition(&row)).between(before.min(from)..before.max(from)),
        );
    }
    Ok(())
}

/// Counts distinct offsets of accepted records, and rows with the same lineage.
pub(super) fn rows(transaction: &mut Transaction<'_>, proof: &mut Proof) -> Result<(), WarehouseError> {
    let of: Vec<String> = PRIMARY
        .iter()
        .map(|(table, filter)| format!("SELECT source_topic, source_partition, source_offset FROM dwh.{} {filter}", table.name()))
        .collect();
    let sql = format!("SELECT source_topic, source_partition, count(*) FROM ({}) o GROUP BY 1, 2", of.join(" UNION "));
    for row in transaction.query(&sql, &[])? {
        proof.accounts.entry(partition(&row)).or_default().accepted_held = row.get(2);
    }
    for row in transaction.query("SELECT topic, partition, sum(records)::int8 FROM kassa.dropped GROUP BY 1, 2", &[])? {
        let account = proof.accounts.entry(partition(&row)).or_default();
        account.accepted_held += row.get::<_, i64>(2);
        account.is_dropped = true;
    }
    for (table, _) in FACTS {
        let name = table.name();
        let sql = format!(
            "SELECT source_topic, source_partition, source_offset, source_index, count(*) FROM dwh.{name} GROUP BY 1, 2, 3, 4 HAVING count(*) > 1 LIMIT $1"
        );
        for row in transaction.query(&sql, &[&MOST])? {
            let (offset, index, count): (i64, i32, i64) = (row.get(2), row.get(3), row.get(4));
            let detail = format!("{count} rows of index {index} of one record");
            proof.findings.push(Finding::new(Kind::Double, SINK, name, detail).of(&partition(&row)).between(offset..offset + 1));
        }
        let count = transaction.query_one(&format!("SELECT count(*) FROM dwh.{name}"), &[])?.get(0);
        proof.rows.insert(name, count);
    }
    Ok(())
}

/// Checks that no row comes from a record at or beyond its partition's position.
pub(super) fn beyond(transaction: &mut Transaction<'_>, proof: &mut Proof) -> Result<(), WarehouseError> {
    for (table, _) in PRIMARY {
        let name = table.name();
        let sql = format!(
            "SELECT f.source_topic, f.source_partition, min(f.source_offset), max(f.source_offset), count(*)
             FROM dwh.{name} f LEFT JOIN kassa.positions p ON p.topic = f.source_topic AND p.partition = f.source_partition
             WHERE f.source_offset >= coalesce(p.next, 0) GROUP BY 1, 2 LIMIT $1"
        );
        for row in transaction.query(&sql, &[&MOST])? {
            let (first, last, count): (i64, i64, i64) = (row.get(2), row.get(3), row.get(4));
            let detail = format!("{count} rows of records beyond the position");
            proof.findings.push(Finding::new(Kind::Extra, SINK, name, detail).of(&partition(&row)).between(first..last + 1));
        }
    }
    Ok(())
}

pub(super) fn letters(transaction: &mut Transaction<'_>, proof: &mut Proof) -> Result<(), WarehouseError> {
    let sql = "SELECT topic, partition, count(*), count(replayed_at) FROM kassa.dead_letters GROUP BY 1, 2";
    for row in transaction.query(sql, &[])? {
        let account = proof.accounts.entry(partition(&row)).or_default();
        (account.letters_held, account.letters_replayed) = (row.get(2), row.get(3));
    }
    Ok(())
}

/// Checks that no money key occurs twice, in any partition.
pub(super) fn doubles(transaction: &mut Transaction<'_>, proof: &mut Proof) -> Result<(), WarehouseError> {
    let keys = [
        ("fact_sales", "order_key::text, line_id"),
        ("fact_order", "order_key::text, revision::text"),
        ("fact_payment", "payment_id, kind, store_id"),
    ];
    for (table, key) in keys {
        let sql = format!(
            "SELECT concat_ws('/', {key}), count(*) FROM dwh.{table} GROUP BY {} HAVING count(*) > 1 ORDER BY 1 LIMIT $1",
            key.replace("::text", "")
        );
        for row in transaction.query(&sql, &[&MOST])? {
            let (key, count): (String, i64) = (row.get(0), row.get(1));
            proof.findings.push(Finding::new(Kind::Double, SINK, table, format!("{count} rows have the key {key}")));
        }
    }
    Ok(())
}

const SUMS: &str =
    "count(*)::int8, (sum(quantity) * 1000)::text, (sum(gross_amount) * 1000000)::text, (sum(discount_amount) * 1000000)::text,
    (sum(tax_amount) * 1000000)::text, (sum(shipping_amount) * 1000000)::text, (sum(net_amount) * 1000000)::text";

fn day(row: &Row) -> Result<(i32, Day), WarehouseError> {
    let units = |at: usize| -> Result<i128, WarehouseError> {
        let text: String = row.try_get(at)?;
        let whole = text.split('.').next().unwrap_or_default();
        whole.parse().map_err(|_| WarehouseError::Corrupt(format!("{text} is not a sum").into()))
    };
    let day = Day {
        lines: row.get(1),
        quantity: units(2)?,
        gross: units(3)?,
        discount: units(4)?,
        tax: units(5)?,
        shipping: units(6)?,
        net: units(7)?,
    };
    Ok((row.get(0), day))
}

/// Compares the ledger's sums by day with the stored sums.
pub(super) fn days(transaction: &mut Transaction<'_>, proof: &mut Proof) -> Result<(), WarehouseError> {
    for row in transaction.query(&format!("SELECT movement_date_key, {SUMS} FROM dwh.fact_sales GROUP BY 1"), &[])? {
        let (key, sums) = day(&row)?;
        proof.days.insert(key, sums);
    }
    let kept =
        format!("SELECT movement_date_key, {} FROM dwh.agg_sales_daily GROUP BY 1", SUMS.replace("count(*)", "sum(lines)"));
    for row in transaction.query(&kept, &[])? {
        let (key, kept) = day(&row)?;
        let held = proof.days.get(&key).copied().unwrap_or_default();
        if kept == held {
            continue;
        }
        let sql = "SELECT EXISTS (SELECT FROM kassa.dropped WHERE table_name = 'fact_sales' AND $1 >= from_day AND $1 < to_day)";
        let is_dropped: bool = transaction.query_one(sql, &[&key])?.get(0);
        if !is_dropped {
            let detail = format!("day {key}: kept {kept:?}, the ledger has {held:?}");
            proof.findings.push(Finding::new(Kind::Miscount, SINK, "agg_sales_daily", detail));
        }
    }
    Ok(())
}

/// Compares the current state with the facts.
pub(super) fn current(transaction: &mut Transaction<'_>, proof: &mut Proof) -> Result<(), WarehouseError> {
    let missing = [
        (
            "orders",
            "SELECT count(DISTINCT f.order_key) FROM dwh.fact_order f LEFT JOIN ods.orders o ON o.order_key = f.order_key AND NOT o.is_placeholder AND o.revision >= f.revision WHERE o.order_key IS NULL",
        ),
        (
            "order_details",
            "SELECT count(*) FROM dwh.fact_sales f LEFT JOIN ods.order_details o ON o.order_key = f.order_key AND o.line_id = f.line_id AND o.net_amount = f.net_amount WHERE o.order_key IS NULL",
        ),
        (
            "payments",
            "SELECT count(*) FROM dwh.fact_payment f LEFT JOIN ods.payments o ON o.payment_id = f.payment_id AND o.kind = f.kind AND o.store_id = f.store_id AND o.amount = f.amount WHERE o.payment_id IS NULL",
        ),
    ];
    for (table, sql) in missing {
        let count: i64 = transaction.query_one(sql, &[])?.get(0);
        if count > 0 {
            proof.findings.push(Finding::new(
                Kind::Missing,
                SINK,
                table,
                format!("{count} rows of the facts have no counterpart in ods.{table}"),
            ));
        }
    }
    let orphans =
        "SELECT count(*) FROM ods.order_details d WHERE NOT EXISTS (SELECT FROM ods.orders o WHERE o.order_key = d.order_key)";
    let orphans: i64 = transaction.query_one(orphans, &[])?.get(0);
    if orphans > 0 {
        proof.findings.push(Finding::new(
            Kind::Missing,
            SINK,
            "orders",
            format!("{orphans} lines in ods.order_details have no order"),
        ));
    }
    Ok(())
}

/// Checks that the row counts match the spans.
pub(super) fn compare(proof: &mut Proof) {
    for (partition, account) in &proof.accounts {
        let accepted = account.accepted + account.letters_replayed;
        // A record with rows on several days was counted once in each dropped partition.
        let is_miscounted = if account.is_dropped { account.accepted_held < accepted } else { account.accepted_held != accepted };
        if is_miscounted {
            let kind = if account.accepted_held < accepted { Kind::Missing } else { Kind::Extra };
            let detail = format!("{accepted} records were accepted, rows of {} are there", account.accepted_held);
            proof.findings.push(Finding::new(kind, SINK, "facts", detail).of(partition));
        }
        if account.letters_held != account.dead_letters {
            let detail = format!("{} records were set aside, {} are there", account.dead_letters, account.letters_held);
            proof.findings.push(Finding::new(Kind::Miscount, SINK, "dead_letters", detail).of(partition));
        }
    }
}
