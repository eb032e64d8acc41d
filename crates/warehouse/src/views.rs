//! The figures' views that follow from the catalogue: sums of the ledger and their ratios, and the view of all figures. `migrate`
//! replaces them when their text changes, so a new figure in the catalogue needs no migration. The views of the other figures are
//! in the numbered migrations.

mod dialect;

use kassa_analytics::{Figure, Unit, catalogue};
use kassa_model::key;
use postgres::Client;

use self::dialect::Postgres;
use crate::WarehouseError;

/// The name that `migrate` returns when it has replaced them.
pub(crate) const NAME: &str = "views of the catalogue";

/// The text of the present views is stored as a comment on the view of all figures, so it is created and dropped with the view.
const HELD: &str = "SELECT obj_description(to_regclass('dwh.figures'), 'pg_class')";

/// The rows of one figure on one basis (`NULL`: the figure has none) by one grouping. Its query is planned alone: PostgreSQL
/// would plan every branch of a view that joined all figures, over all partitions, whichever figure is queried. It runs with the
/// rights of the caller.
const FIGURE: &str = r#"CREATE OR REPLACE FUNCTION dwh.figure(figure_name text, basis_name text, grouping_name text)
RETURNS TABLE (key text, label text, value numeric, unit text)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off AS $fn$
BEGIN
  RETURN QUERY EXECUTE format('SELECT key, label, value, unit FROM dwh.%I WHERE "by" = %L AND basis %s', $1, $3,
    CASE WHEN $2 IS NULL THEN 'IS NULL' ELSE '= ' || quote_literal($2) END);
END $fn$;
"#;

/// Replaces the views if they are not those of this kassa; returns whether it did. The columns stay, so users' views that read
/// them stay too.
pub(crate) fn replace(client: &mut Client) -> Result<bool, WarehouseError> {
    let text = statements();
    let mark = format!("The rows of all figures. Made by kassa, text {:016x}", key::hash("views", &[&text]));
    let held: Option<String> = client.query_one(HELD, &[])?.get(0);
    if held.as_ref() == Some(&mark) {
        return Ok(false);
    }
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&text)?;
    transaction.batch_execute(&format!("COMMENT ON VIEW dwh.figures IS '{mark}'"))?;
    transaction.commit()?;
    Ok(true)
}

fn statements() -> String {
    let views = catalogue().iter().filter_map(view);
    views.chain([FIGURE.to_owned(), figures()]).collect()
}

/// A figure's view, if it follows from the figure's measure.
fn view(figure: &Figure) -> Option<String> {
    let mut branches = Vec::new();
    for basis in figure.bases {
        for by in figure.groupings {
            let rows = figure.rows_in(&Postgres, *basis, *by)?;
            branches.push(format!("SELECT '{}'::text AS basis, \"by\", key, label, value FROM ({rows}) b", basis.name()));
        }
    }
    if branches.is_empty() {
        return None;
    }
    // Money is exact up to here.
    let value = if figure.unit == Unit::Money { "kassa.over(value, 1)" } else { "value::numeric" };
    Some(format!(
        "CREATE OR REPLACE VIEW dwh.{} AS\nSELECT basis, \"by\", key, label, {value} AS value, '{}'::text AS unit FROM (\n{}) f;\n",
        figure.name,
        figure.unit.name(),
        branches.join("\nUNION ALL ")
    ))
}

/// The view of all figures: a list of constants, so that a condition on `figure`, `basis` or `"by"` selects figures before any is
/// planned.
fn figures() -> String {
    let mut questions = Vec::new();
    for figure in catalogue() {
        let bases: Vec<String> = figure.bases.iter().map(|basis| format!("'{}'::text", basis.name())).collect();
        let bases = if bases.is_empty() { vec!["NULL::text".to_owned()] } else { bases };
        for basis in bases {
            let of = |by: &str| format!("('{}'::text, {basis}, '{by}'::text)", figure.name);
            questions.extend(figure.groupings.iter().map(|by| of(by.name())));
        }
    }
    format!(
        "CREATE OR REPLACE VIEW dwh.figures AS\nSELECT q.figure, q.basis, q.\"by\", f.key, f.label, f.value, f.unit\nFROM (VALUES\n{}) q (figure, basis, \"by\")\n\
         CROSS JOIN LATERAL dwh.figure(q.figure, q.basis, q.\"by\") f;\n",
        questions.join(",\n")
    )
}

#[cfg(test)]
mod tests;
