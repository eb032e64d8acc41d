//! The export to Redshift by the whole program: from a lake in a bucket of a real S3 server, into the stand-in for the Data API.

use std::process::Output;

use kassa_stack::data_api::{DataApi, Fault};
use kassa_stack::postgres::Postgres;
use kassa_stack::s3::S3Server;
use serde_json::Value;

use crate::harness::{KASSA, Shop, said};
use crate::{others_read, s3};

struct World {
    shop: Shop,
    api: DataApi,
    postgres: Postgres,
    server: S3Server,
}

impl World {
    fn new(config: &str) -> Self {
        let (server, postgres) = (s3::server(), Postgres::start().expect("PostgreSQL"));
        let buckets = server.folder_of("");
        let api = DataApi::start(&postgres.url("postgres", "postgres"), &buckets).expect("a Data API");
        let redshift = format!(
            "[redshift]\nworkgroup = \"shop\"\niam_role = \"arn:aws:iam::123456789012:role/copy\"\nregion = \"eu-west-2\"\nendpoint = \"{}\"\n",
            api.endpoint()
        );
        let shop = s3::shop(&server, &format!("{config}\n{redshift}"));
        Self { shop, api, postgres, server }
    }

    fn export(&self) -> Value {
        self.shop.json(&["job", "run", "redshift"])
    }

    fn sql(&self, sql: &str) -> String {
        self.postgres.sql("postgres", sql).expect("an answer").trim().to_owned()
    }

    /// As many rows of the same records in each table, and the same money.
    #[track_caller]
    fn is_equal(&self) {
        let lineage =
            ["fact_sales", "fact_order", "fact_payment", "fact_event", "dim_customer", "dim_product", "dim_city", "dim_currency"];
        let of = |schema: &str| {
            let facts = lineage.map(|table| {
                format!("SELECT '{table}' AS t, count(*) AS n, coalesce(sum(source_offset + source_index), 0) AS o FROM {schema}{table}")
            });
            let others = ["fact_session", "dim_fx_rate", "dim_date", "dim_time", "spans"]
                .map(|table| format!("SELECT '{table}' AS t, count(*) AS n, 0 AS o FROM {schema}{table}"));
            format!("{} ORDER BY t", facts.into_iter().chain(others).collect::<Vec<_>>().join(" UNION ALL "))
        };
        let lake = self.shop.json(&["sql", &of("")]);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let lake: Vec<String> =
            lake.as_array().expect("rows").iter().map(|row| ["t", "n", "o"].map(|name| text(&row[name])).join("|")).collect();
        assert_eq!(self.sql(&of("dwh.")).lines().collect::<Vec<_>>(), lake);
        let money = "SELECT sum(net_amount_reporting) AS net, sum(tax_amount) AS tax, sum(quantity) AS pieces FROM";
        let held = self.shop.json(&["sql", &format!("{money} fact_sales_reporting")]);
        let held = ["net", "tax", "pieces"].map(|name| text(&held[0][name])).join("|");
        assert_eq!(self.sql(&format!("{money} dwh.fact_sales_reporting")), held);
    }
}

const CONFIG: &str =
    "[shop]\nname = \"Export\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n[lake]\ncompact_after_files = 2\n";

#[test]
fn redshift_holds_what_the_lake_holds_however_often_it_is_exported() {
    // Nothing is merged before the job runs.
    let world = World::new(&CONFIG.replace("compact_after_files = 2", "compact_after_files = 32"));
    let shop = &world.shop;
    let made = shop.dir.path().join("made");
    let simulated =
        std::process::Command::new(KASSA).args(["simulate", "--records", "6000", "--per-day", "500", "--to"]).arg(&made).status();
    assert!(simulated.expect("simulate").success());
    let replay = |stream: &str| {
        let file = made.join(format!("{stream}.ndjson"));
        shop.ok(&["replay", "--stream", stream, file.to_str().expect("UTF-8")]);
    };
    let (first, rest) = others_read::STREAMS.split_at(6);
    first.iter().for_each(|stream| replay(stream));
    let report = world.export();
    assert_eq!((&report["changed"], &report["detail"]["load"]), (&true.into(), &"1".into()), "{report}");
    world.is_equal();
    let again = world.export();
    assert_eq!((&again["changed"], &again["detail"]["load"]), (&false.into(), &"1".into()), "{again}");
    rest.iter().for_each(|stream| replay(stream));
    // A reply is lost in the middle of it, and the API has enough for a while.
    let lost = world.api.on("BatchExecuteStatement", "kassa: loading", (1, 1), Fault::LoseReply);
    let busy = world.api.on("DescribeStatement", "", (2, 2), Fault::Throttle);
    let more = world.export();
    assert_eq!((lost.fired(), busy.fired(), &more["detail"]["load"]), (1, 2, &"2".into()), "{more}");
    assert_eq!(more["detail"]["rows"]["fact_order"], Value::Null, "{more}");
    world.is_equal();
    let net = others_read::decimal(&Value::from(shop.figure("net_sales")));
    assert_eq!(
        others_read::decimal(&Value::from(
            world.sql("SELECT sum(net_amount_reporting) FROM dwh.fact_sales_reporting WHERE NOT is_test")
        )),
        net
    );
    let mut compact = shop.command(&["job", "run", "compact", "--date", "2026-03-28", "--format", "json"]);
    let compacted = compact.env("KASSA__LAKE__COMPACT_AFTER_FILES", "2").output().expect("started");
    let compacted: Value = serde_json::from_slice(&compacted.stdout).expect("JSON");
    assert_eq!(compacted["changed"], true, "{compacted}");
    let after = world.export();
    world.is_equal();
    assert_eq!(after["detail"]["positions"], more["detail"]["positions"]);
    // Of what was put beside the lake there is only what the last load remembers.
    let folder = world.server.folder_of("shop-lake").join("kassa/redshift");
    let left: Vec<String> = files_below(&folder);
    assert!(left.iter().all(|name| name == "held.json") && left.len() == 1, "{left:?}");
}

fn files_below(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let of = |path: std::path::PathBuf| {
        if path.is_dir() { files_below(&path) } else { vec![path.file_name().unwrap_or_default().to_string_lossy().into_owned()] }
    };
    entries.flat_map(of).collect()
}

fn till(price: &str) -> String {
    format!(
        "{CONFIG}[streams.till]\ncontract = \"order_line\"\nmap = \"\"\"\nSELECT id AS order_id, '1' AS line_id, '2026-03-28T10:15:00Z' AS occurred_at, \
         1 AS quantity, {price} AS unit_price, 'GBP' AS currency FROM input\n\"\"\"\n"
    )
}

#[test]
fn what_was_set_aside_and_mended_comes_to_redshift_too_once() {
    let world = World::new(&till("price"));
    let shop = &world.shop;
    let lines: Vec<String> =
        (0..9).map(|id| format!(r#"{{"id":"r{id}","price":"{}"}}"#, if id % 3 == 1 { "1,25" } else { "2.50" })).collect();
    let file = shop.dir.path().join("till.ndjson");
    std::fs::write(&file, lines.join("\n")).expect("written");
    shop.ok(&["replay", "--stream", "till", file.to_str().expect("UTF-8")]);
    world.export();
    assert_eq!(world.sql("SELECT count(*), sum(net_amount) FROM dwh.fact_sales"), "6|15.000000");
    let config = std::fs::read_to_string(&shop.config).expect("a configuration");
    std::fs::write(&shop.config, config.replace("price AS", "replace(price, ',', '.') AS")).expect("written");
    shop.ok(&["dead-letters", "replay"]);
    for _ in 0..2 {
        world.export();
        assert_eq!(world.sql("SELECT count(*), sum(net_amount) FROM dwh.fact_sales"), "9|18.750000");
    }
}

#[test]
fn a_rebuilt_star_replaces_the_rows_in_redshift() {
    let world = World::new(&till("price"));
    let shop = &world.shop;
    let lines: Vec<String> = (0..6).map(|id| format!(r#"{{"id":"r{id}","price":"2.50"}}"#)).collect();
    let file = shop.dir.path().join("till.ndjson");
    std::fs::write(&file, lines.join("\n")).expect("written");
    shop.ok(&["replay", "--stream", "till", file.to_str().expect("UTF-8")]);
    let held = || world.sql("SELECT count(*), sum(net_amount) FROM dwh.fact_sales");
    world.export();
    assert_eq!(held(), "6|15.000000");
    let config = std::fs::read_to_string(&shop.config).expect("a configuration");
    std::fs::write(&shop.config, config.replace("price AS", "CAST(price AS DECIMAL(18, 2)) + 1.00 AS")).expect("written");
    let mut interrupted = shop.command(&["rebuild", "--apply"]);
    let output = interrupted.env("KASSA_CRASH_POINT", "rebuild.after_table:3").output().expect("started");
    assert!(said(&output).contains("crash point rebuild."), "{}", said(&output));
    let words = said(&shop.run(&["job", "run", "redshift"]));
    assert!(words.contains("error[K027]") && held() == "6|15.000000", "{words}");
    shop.ok(&["rebuild", "--apply"]);
    assert_eq!(world.export()["changed"], true);
    assert_eq!(held(), "6|21.000000");
    world.is_equal();
    assert_eq!(world.export()["changed"], false);
}

#[test]
fn what_is_wrong_with_a_job_or_with_redshift_is_said_with_its_fix() {
    let world = World::new("[streams.orders]\n");
    let shop = &world.shop;
    let jobs = shop_free(&["job", "list", "--format", "json"]);
    let jobs: Value = serde_json::from_slice(&jobs.stdout).expect("JSON");
    let names: Vec<&str> = jobs.as_array().expect("jobs").iter().filter_map(|job| job["job"].as_str()).collect();
    assert_eq!(names, ["derive", "compact", "redshift"]);
    let unknown = shop.run(&["job", "run", "redshfit"]);
    assert!(said(&unknown).contains("did you mean `redshift`?") && unknown.status.code() == Some(2), "{}", said(&unknown));
    let day = shop.run(&["job", "run", "derive", "--date", "2026-02-30"]);
    assert!(said(&day).contains("`--date` is not a day: 2026-02-30"), "{}", said(&day));
    let denied = world.api.on("BatchExecuteStatement", "", (1, 1), Fault::Deny);
    let refused = shop.run(&["job", "run", "redshift"]);
    let words = said(&refused);
    assert!(words.contains("error[K021]") && words.contains("AccessDeniedException") && denied.fired() == 1, "{words}");
    let broken = world.api.on("BatchExecuteStatement", "kassa: making the schema", (1, 1), Fault::FailAt(3));
    let failed = shop.run(&["job", "run", "redshift"]);
    let words = said(&failed);
    assert!(
        words.contains("error[K025]") && words.contains("making the schema failed in Redshift") && broken.fired() == 1,
        "{words}"
    );
    let without = Shop::new("[streams.orders]\n[redshift]\nworkgroup = \"shop\"\n");
    let mistakes = said(&without.run(&["check"]));
    for word in ["the lake is a local folder", "Redshift needs `redshift.iam_role`"] {
        assert!(mistakes.contains(word), "{mistakes}");
    }
    let none = Shop::new("[streams.orders]\n");
    let words = said(&none.run(&["job", "run", "redshift"]));
    assert!(words.contains("the configuration has no Redshift"), "{words}");
}

/// A command without a configuration.
fn shop_free(args: &[&str]) -> Output {
    std::process::Command::new(KASSA).args(args).output().expect("started")
}
