//! Compares the synthetic shop's truth, value by value, with kassa's answers.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::harness::{Server, Shop, plain};
use crate::servers::Servers;

/// Values of the truth that are not figures: parts of `total_sales` and of `payments`.
const PARTS: [&str; 4] = ["tax", "shipping", "payments_captured", "payments_refunded"];

/// A value of the truth.
#[derive(Debug)]
struct Claim {
    figure: String,
    /// None: all days.
    day: Option<String>,
    /// Empty: the figure's own.
    basis: &'static str,
    /// The row of the answer, where it has several: a funnel's step.
    key: Option<String>,
    value: String,
}

#[derive(Debug)]
pub(super) struct Claims(Vec<Claim>);

/// The rows of all figures' views: (figure, basis, grouping, key) → value.
pub(super) type Views = BTreeMap<[String; 4], String>;

fn text(value: &Value) -> String {
    plain(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

impl Claims {
    pub(super) fn of(truth: &Value) -> Self {
        let mut all = Vec::new();
        let object = |value: &Value| -> Map<String, Value> { value.as_object().expect("an object").clone() };
        add(&mut all, &object(&truth["figures"]), None, "");
        for (part, basis) in [("by_day", "movement"), ("by_order_day", "order")] {
            for (day, figures) in object(&truth[part]) {
                add(&mut all, &object(&figures), Some(&day), basis);
            }
        }
        assert!(all.len() > 60, "{} claims", all.len());
        Self(all)
    }

    /// Compares each value with the HTTP API's answer from the live figures; returns their number.
    pub(super) fn by_api(&self, server: &Server) -> usize {
        for claim in &self.0 {
            let Claim { figure, day, basis, key, value } = claim;
            let days = day.as_ref().map_or(String::new(), |day| format!("&from={day}&to={day}"));
            let answer = server.get(&format!("/api/v1/figures/{figure}?basis={basis}{days}"));
            let rows = answer["rows"].as_array().expect("rows");
            let row = rows.iter().find(|row| key.as_ref().is_none_or(|key| row["key"] == **key));
            assert_eq!(row.map(|row| text(&row["value"])).as_ref(), Some(value), "{claim:?} by the API: {answer}");
        }
        self.0.len()
    }

    /// Compares the tiles that are pushed to the dashboard, for their day; returns their number.
    pub(super) fn live(&self, server: &Server) -> usize {
        let pushed = server.pushed("live");
        let today = pushed["shop"]["today"].as_str().expect("a day");
        let mut compared = 0;
        for tile in pushed["tiles"].as_array().expect("tiles") {
            let of_today = |claim: &&Claim| {
                claim.day.as_deref() == Some(today)
                    && claim.basis == "movement"
                    && claim.figure == tile["figure"]
                    && claim.key.is_none()
            };
            if let Some(claim) = self.0.iter().find(of_today) {
                assert_eq!(text(&tile["value"]), claim.value, "{claim:?} on the dashboard");
                compared += 1;
            }
        }
        assert!(compared >= 4, "{pushed}");
        compared
    }

    /// Compares each value that the views have; returns their number.
    pub(super) fn by_views(&self, views: &Views, place: &str) -> usize {
        let mut compared = 0;
        for claim in &self.0 {
            let (by, key) = match (&claim.day, &claim.key) {
                (None, None) => ("total", "total"),
                (None, Some(step)) => ("step", step.as_str()),
                (Some(day), None) => ("day", day.as_str()),
                // A step of a day is only in the API.
                (Some(_), Some(_)) => continue,
            };
            let bases = if claim.basis.is_empty() { vec!["movement", "order", ""] } else { vec![claim.basis, "order", ""] };
            // A figure by day, such as a ratio of sessions, may be only in the API; some have one basis, whichever is requested.
            let grouped = |basis: &&&str| {
                views.keys().any(|[figure, held, grouping, _]| *figure == claim.figure && held == **basis && grouping == by)
            };
            if let Some(basis) = bases.iter().find(grouped) {
                let held = views.get(&[&claim.figure, *basis, by, key].map(str::to_owned));
                // A day on which nothing moved has no row.
                assert_eq!(held.map_or("0", String::as_str), claim.value, "{claim:?} in the {place}");
                compared += 1;
            }
        }
        assert!(compared * 10 > self.0.len() * 7, "{compared} of {} values are in the {place}'s views", self.0.len());
        compared
    }
}

/// The claims that figures make, of one day on a basis where these are given.
fn add(all: &mut Vec<Claim>, figures: &Map<String, Value>, day: Option<&str>, basis: &'static str) {
    for (figure, value) in figures.iter().filter(|(name, _)| !PARTS.contains(&name.as_str())) {
        let claim = |key: Option<String>, value: &Value| Claim {
            figure: figure.clone(),
            day: day.map(str::to_owned),
            basis,
            key,
            value: text(value),
        };
        match value {
            Value::Object(steps) => all.extend(steps.iter().map(|(step, value)| claim(Some(step.clone()), value))),
            value => all.push(claim(None, value)),
        }
    }
}

fn names(shop: &Shop) -> Vec<String> {
    let catalogue = shop.json(&["figures"]);
    catalogue.as_array().expect("a catalogue").iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect()
}

/// The lake's views, in one statement.
pub(super) fn lake(shop: &Shop) -> Views {
    let view = |name: &String| {
        format!(r#"SELECT '{name}' AS figure, basis, "by", key, value FROM {name} WHERE "by" IN ('total', 'day', 'step')"#)
    };
    let statement = names(shop).iter().map(view).collect::<Vec<_>>().join(" UNION ALL ");
    let rows = shop.json(&["sql", &statement]);
    let cells = rows.as_array().expect("rows").iter();
    cells.map(|row| (["figure", "basis", "by", "key"].map(|name| cell(&row[name])), plain(&cell(&row["value"])))).collect()
}

fn cell(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The same rows of PostgreSQL's.
pub(super) fn warehouse(servers: &Servers) -> Views {
    let rows = servers.psql("SELECT figure, basis, by, key, value FROM dwh.figures WHERE by IN ('total', 'day', 'step')");
    let mut views = Views::new();
    for row in rows {
        let [figure, basis, by, key, value]: [String; 5] = row.try_into().expect("five columns");
        views.insert([figure, basis, by, key], plain(&value));
    }
    views
}
