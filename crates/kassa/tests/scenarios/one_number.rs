//! One number everywhere: each figure of the catalogue, on every basis and by every grouping that it has, is the same by the command line, the HTTP
//! API, SQL and the page in a browser, once they have seen the same records; and where records are written by hand, it is the one worked out by hand.

mod crafted;
pub(crate) mod ledger;
mod ways;

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use self::crafted::{Crafted, Expected};
use self::ways::{Question, Rows, Shown, by_cli, by_page, by_sql, questions, rows, text};
use crate::harness::{KASSA, Server, Shop, plain, test_data};
use crate::others_read::rounded;

/// What the API answers to every question, after the command line and SQL have answered the same. `sampled` leaves the command line one grouping
/// for each figure and basis.
fn agree(shop: &Shop, server: &Server, sampled: bool) -> BTreeMap<Question, Value> {
    let catalogue = shop.json(&["figures"]);
    assert_eq!(catalogue, server.get("/api/v1/figures"));
    let questions = questions(&catalogue);
    assert!(questions.len() > 200, "{} questions", questions.len());
    let views = by_sql(shop, &questions);
    let mut answers = BTreeMap::new();
    let by_command: Vec<&Question> = questions
        .iter()
        .enumerate()
        .filter(|(nth, question)| !sampled || nth % 7 == 0 || question.by == "total")
        .map(|(_, one)| one)
        .collect();
    for (question, answer) in by_command.iter().zip(by_cli(shop, &by_command)) {
        assert_eq!(answer, question.by_api(server), "{question:?}: command line, API");
    }
    for question in &questions {
        let api = question.by_api(server);
        assert_eq!(views[question], rows(&api), "{question:?}: SQL, API");
        answers.insert(question.clone(), api);
    }
    explained(shop, &catalogue, &answers);
    ledger::agrees(shop, &answers);
    answers
}

/// A value of SQL as an answer shows it: sums of money are exact there.
fn shown(value: &str) -> String {
    if value.is_empty() { String::new() } else { rounded(value) }
}

/// The query that the catalogue gives for each figure comes to its value.
fn explained(shop: &Shop, catalogue: &Value, answers: &BTreeMap<Question, Value>) {
    for entry in catalogue.as_array().expect("a catalogue") {
        let (basis, by) = (text(&entry["bases"][0]), text(&entry["groupings"][0]));
        let answer = rows(&answers[&Question { figure: text(&entry["name"]), by, basis }]);
        let found = shop.json(&["sql", &text(&entry["sql"])]);
        let found: Rows = found
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| (row["key"].as_str().unwrap_or("total").to_owned(), shown(&text(&row["value"]))))
            .collect();
        let answer: Rows = answer.into_iter().map(|(key, value)| (key, plain(&value))).collect();
        assert_eq!(found, answer, "{}: {}", entry["name"], entry["sql"]);
    }
}

/// The view of the page Sales that shows a question's rows as a table.
fn sales(question: &Question, span: [&str; 2]) -> String {
    let Question { figure, by, basis } = question;
    format!("#/sales?figure={figure}&by={by}&basis={basis}&shape=table&from={}&to={}", span[0], span[1])
}

/// Opens the page for each of `asked` over `span` and holds it against the API: the table, the total above it, and the figures below.
fn page_agrees(server: &Server, asked: &[Question], span: [&str; 2]) {
    let views: Vec<String> = asked.iter().map(|question| sales(question, span)).collect();
    let more = format!("&from={}&to={}", span[0], span[1]);
    for (question, shown) in asked.iter().zip(by_page(server, &views)) {
        let expected = rows(&question.by_api_of(server, &more));
        let expected: Rows = expected.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        assert_eq!(shown.rows(&question.figure, &question.by), expected, "{}", shown.view);
        for name in shown.figures.keys().filter(|name| name.ends_with("/total/total")) {
            let figure = name.split('/').next().unwrap_or_default().to_owned();
            let total = Question { figure, by: "total".to_owned(), basis: question.basis.clone() };
            let total = rows(&total.by_api_of(server, &more));
            assert_eq!(shown.value(name), total["total"], "{} {name}", shown.view);
        }
    }
}

/// The page Live on either basis, and the counts of Data, against the API and the spans.
fn front_page_agrees(shop: &Shop, server: &Server) {
    let views = ["#/live", "#/live?basis=order", "#/data"].map(str::to_owned);
    let shown = by_page(server, &views);
    for (basis, shown) in ["movement", "order"].into_iter().zip(&shown) {
        live_agrees(server, basis, shown);
    }
    let spans = shop.json(&["sql", "SELECT sum(read) AS read, sum(accepted) AS accepted, sum(duplicates) AS duplicates, sum(dead_letters) AS dead_letters FROM spans"]);
    for (name, column) in
        [("read", "read"), ("accepted", "accepted"), ("duplicates", "duplicates"), ("dead letters", "dead_letters")]
    {
        assert_eq!(shown[2].counts[name], [text(&spans[0][column])], "Data: {name}");
    }
}

fn live_agrees(server: &Server, basis: &str, shown: &Shown) {
    let to_date = |figure: &str, by: &str, more: &str| {
        rows(&Question { figure: figure.to_owned(), by: by.to_owned(), basis: basis.to_owned() }.by_api_of(server, more))
    };
    let days = to_date("active_customers", "day", "");
    let last = to_date("net_sales", "day", "").into_keys().chain(days.into_keys()).max().expect("a day");
    let today = format!("&from={last}&to={last}");
    for tile in ["net_sales", "orders", "aov", "units", "active_customers", "conversion"] {
        assert_eq!(shown.value(&format!("{tile}/total/total")), to_date(tile, "total", &today)["total"], "{basis} {tile}");
    }
    let all = |figure: &str, by: &str| to_date(figure, by, &today);
    if !all("funnel", "step").values().all(|sessions| sessions == "0") {
        assert_eq!(shown.rows("funnel", "step"), all("funnel", "step"), "{basis} funnel");
    }
    assert_eq!(shown.rows("net_sales", "country"), all("net_sales", "country"), "{basis} by country");
    let [categories, products] = ["category", "product"].map(|by| all("net_sales", by));
    let mut kinds = shown.rows("net_sales", "category");
    let other = if categories.len() > kinds.len() { kinds.remove("Other") } else { None };
    assert!(
        !kinds.is_empty() && kinds.iter().all(|(key, value)| categories.get(key) == Some(value)),
        "{basis} {kinds:?} {categories:?}"
    );
    let left: Vec<&str> =
        categories.iter().filter(|(key, _)| !kinds.contains_key(*key)).map(|(_, value)| value.as_str()).collect();
    assert_eq!(other.is_some(), !left.is_empty(), "{basis} Other");
    if let Some(other) = other {
        // Each category is rounded by itself, their sum once.
        let most = i128::try_from(left.len() + 1).expect("few");
        let sum: i128 = left.into_iter().map(ledger::units).sum();
        assert!((sum - ledger::units(&other)).abs() * 2 <= most, "{basis} Other: {other}, not {sum}");
    }
    let top = shown.rows("net_sales", "product");
    assert!(!top.is_empty() && top.iter().all(|(key, value)| products.get(key) == Some(value)), "{basis} {top:?}");
    let (units, rates) = (all("units", "product"), to_date("return_rate", "product", ""));
    for key in top.keys() {
        assert_eq!(shown.value(&format!("units/product/{key}")), units[key], "{basis} units of {key}");
        assert_eq!(shown.value(&format!("return_rate/product/{key}")), rates[key], "{basis} return rate of {key}");
    }
}

/// The orders behind each bar of net sales come to the bar; those of a range to all of its days.
fn orders_agree(server: &Server, answers: &BTreeMap<Question, Value>) {
    // Each order is rounded by itself, the bar once.
    let comes_to = |query: &str, bar: i128, bars: usize, what: &str| {
        let orders = server.get(&format!("/api/v1/orders?limit=1000&{query}"));
        assert_eq!(orders["truncated"], false, "{query}");
        let nets: Vec<i128> = orders["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .filter_map(|order| order["net"].as_str())
            .map(ledger::units)
            .collect();
        let (sum, most) = (nets.iter().sum::<i128>(), i128::try_from(nets.len() + bars).expect("few"));
        assert!((sum - bar).abs() * 2 <= most, "{what}: {sum}, not {bar}");
    };
    for (Question { by, basis, .. }, answer) in answers.iter().filter(|(question, _)| question.figure == "net_sales") {
        let bars = rows(answer);
        // The basis decides of which days a row is, and of no member.
        let behind = by == "day" || (basis == "movement" && ["category", "product", "country"].contains(&by.as_str()));
        for (key, net) in bars.iter().filter(|_| behind) {
            comes_to(&format!("basis={basis}&{by}={key}"), ledger::units(net), 1, &format!("{by} {key} on {basis}"));
        }
        if by == "day" {
            let (first, last) = (bars.keys().nth(1).expect("days"), bars.keys().next_back().expect("days"));
            let net: i128 = bars.values().skip(1).map(|net| ledger::units(net)).sum();
            comes_to(&format!("basis={basis}&from={first}&to={last}"), net, bars.len(), &format!("{first} to {last} on {basis}"));
        }
    }
}

/// Rows as `key=value`, in the order of the answer.
fn written(answer: &Value) -> String {
    let rows = answer["rows"].as_array().expect("rows").iter();
    rows.map(|row| format!("{}={}", text(&row["key"]), row["value"].as_str().unwrap_or("null"))).collect::<Vec<_>>().join(" ")
}

/// Where an answer is not the one worked out by hand.
fn difference(answers: &BTreeMap<Question, Value>, (figure, by, basis, expected): Expected) -> Option<String> {
    let question = Question { figure: figure.to_owned(), by: by.to_owned(), basis: basis.to_owned() };
    let found = written(&answers[&question]);
    (found != expected).then(|| format!("{figure} by {by} on {basis}:\n  {found}\n  by hand: {expected}"))
}

fn by_hand(shop: &Crafted) {
    let kept = Shop::new(&shop.config());
    let server = kept.serve();
    shop.post(&server);
    server.until_committed();
    let answers = agree(&kept, &server, false);
    let differences: Vec<String> = shop.expected.iter().filter_map(|expected| difference(&answers, *expected)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    front_page_agrees(&kept, &server);
    let (short, long): (Vec<_>, Vec<_>) = answers.keys().cloned().partition(|question| question.by.ends_with("hour"));
    for span in shop.spans {
        page_agrees(&server, &short, *span);
    }
    page_agrees(&server, &long, [shop.spans[0][0], shop.spans[shop.spans.len() - 1][1]]);
    orders_agree(&server, &answers);
    server.stop();
    kept.ok(&["prove"]);
    // A new start reads back the same state that was folded record by record.
    let again = kept.serve();
    for (question, answer) in &answers {
        assert_eq!(question.by_api(&again), *answer, "{question:?} after a restart");
    }
    again.stop();
}

#[test]
fn around_both_changes_of_londons_clock_every_figure_is_the_one_worked_out_by_hand_and_the_same_everywhere() {
    by_hand(&crafted::london());
}

#[test]
fn around_midnight_in_kolkata_every_figure_is_the_one_worked_out_by_hand_and_the_same_everywhere() {
    by_hand(&crafted::kolkata());
}

/// One grouping of each figure on each basis, each grouping somewhere.
fn some(answers: &BTreeMap<Question, Value>) -> Vec<Question> {
    let mut of_figure: BTreeMap<(&str, &str), Vec<&Question>> = BTreeMap::new();
    for question in answers.keys().filter(|question| !question.by.ends_with("hour")) {
        of_figure.entry((&question.figure, &question.basis)).or_default().push(question);
    }
    of_figure.into_values().enumerate().map(|(nth, all)| all[nth % all.len()].clone()).collect()
}

#[test]
fn the_synthetic_shops_figures_are_its_truth_and_the_same_everywhere() {
    let shop = Shop::new("[shop]\nname = \"Harbour & Pine\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n");
    let server = shop.serve();
    let to = format!("http://{}", server.address);
    let output =
        Command::new(KASSA).args(["simulate", "--records", "30000", "--per-day", "5000", "--to", &to]).output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let truth: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    server.until_committed();
    let answers = agree(&shop, &server, false);
    for name in
        ["net_sales", "gross_sales", "discounts", "returns", "adjustments", "tax_collected", "total_sales", "units", "orders"]
    {
        let basis = if name == "orders" { "order" } else { "movement" };
        let question = Question { figure: name.to_owned(), by: "total".to_owned(), basis: basis.to_owned() };
        let value = &truth["figures"][if name == "tax_collected" { "tax" } else { name }];
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(plain(&rows(&answers[&question])["total"]), plain(&value), "{name}");
    }
    front_page_agrees(&shop, &server);
    page_agrees(&server, &some(&answers), ["2025-01-06", "2025-01-12"]);
    server.stop();
    shop.ok(&["prove"]);
}

#[test]
fn a_real_shops_year_is_the_same_everywhere_and_its_last_month_on_the_page() {
    let Some(set) = test_data("uci-online-retail") else { return };
    let shop = Shop::of_example("online-retail.toml", &[]);
    let files = crate::online_retail::files(&set, shop.dir.path());
    let paths: Vec<&str> = files.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    shop.json(&[&["replay", "--stream", "sales"], paths.as_slice()].concat());
    let server = shop.serve();
    let answers = agree(&shop, &server, true);
    let total = |figure: &str| {
        let basis = if figure == "orders" { "order" } else { "movement" };
        rows(&answers[&Question { figure: figure.to_owned(), by: "total".to_owned(), basis: basis.to_owned() }])["total"].clone()
    };
    assert_eq!(["net_sales", "orders", "units"].map(total), ["9747747.934", "19959", "5176450"].map(str::to_owned));
    front_page_agrees(&shop, &server);
    let asked: Vec<Question> =
        some(&answers).into_iter().filter(|question| !["customer", "product"].contains(&question.by.as_str())).collect();
    page_agrees(&server, &asked, ["2011-11-09", "2011-12-09"]);
    server.stop();
}
