//! A real shop's year over Kafka: its lines as they stand in the files, each keyed by its invoice.

use std::path::Path;

use kassa_kafka::Outgoing;

use crate::harness::{Shop, root, test_data};
use crate::online_retail::{TOTALS, files, totals};
use crate::servers::Servers;

/// The example's stream, without the parts for files: a record's position distinguishes equal lines.
fn config() -> String {
    let example = std::fs::read_to_string(root().join("examples/online-retail.toml")).expect("an example");
    let placed = example.replace(
        "concat(_file_id, '-', CAST(_row AS VARCHAR))",
        "concat(CAST(_partition AS VARCHAR), '-', CAST(_row AS VARCHAR))",
    );
    assert_ne!(placed, example);
    let columns = "columns = \"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\"";
    placed.replace("format = \"csv\"\n", &format!("format = \"csv\"\n{columns}\n"))
}

/// Sends every line of the files but their headers; how many there were.
fn produce(servers: &Servers, files: &[impl AsRef<Path>]) -> u64 {
    let producer = servers.producer();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a file");
        for line in text.lines().skip(1) {
            let invoice = line.split(',').next().expect("an invoice");
            let record =
                Outgoing { topic: "sales", key: Some(invoice.as_bytes()), value: Some(line.as_bytes()), ..Outgoing::default() };
            producer.send(&record).expect("sent");
        }
    }
    producer.flush(std::time::Duration::from_secs(120)).expect("delivered");
    producer.delivered()
}

/// The totals of the year by PostgreSQL's rows.
fn totals_of_warehouse(shop: &Shop) -> [String; 6] {
    ["net_sales", "gross_sales", "returns", "adjustments", "orders", "units"].map(|name| {
        let answer = shop.json(&["figures", name, "--from", "warehouse"]);
        answer["rows"][0]["value"].as_str().unwrap_or_default().to_owned()
    })
}

#[test]
fn a_years_lines_keyed_by_invoice_over_four_partitions_come_to_its_totals_in_lake_and_postgresql() {
    let Some(set) = test_data("uci-online-retail") else { return };
    let servers = Servers::start();
    servers.create_topics(["sales"], 4);
    let shop = servers.shop_in_folder(&config());
    assert_eq!(produce(&servers, &files(&set, shop.dir.path())), 541_909);
    shop.ok(&["run", "--until-caught-up"]);
    assert_eq!(totals(&shop), TOTALS.map(str::to_owned));
    assert_eq!(totals_of_warehouse(&shop), TOTALS.map(str::to_owned));
    assert_eq!(shop.figure_by("net_sales", "month").len(), 13);
    let spans = shop.json(&["sql", "SELECT count(DISTINCT partition) AS partitions, sum(accepted) AS accepted FROM spans"]);
    assert_eq!((spans[0]["partitions"].as_str(), spans[0]["accepted"].as_str()), (Some("4"), Some("541909")));
    assert_eq!(servers.psql("SELECT count(*), sum(net_amount) FROM dwh.sales_flat"), [["541909", "9747747.934000"]]);
    shop.ok(&["prove"]);
}
