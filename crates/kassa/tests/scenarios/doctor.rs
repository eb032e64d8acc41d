//! `kassa doctor`: each thing that can be wrong with a server, made wrong on a real one, is told, with its fix.

mod kafka;
mod machine;
mod registry;
mod s3;
mod warehouse;

use serde_json::Value;

use crate::harness::Shop;

/// What the doctor said, and how it ended.
struct Told {
    checks: Vec<Value>,
    code: Option<i32>,
}

fn told(shop: &Shop) -> Told {
    told_with(shop, &[])
}

fn told_with(shop: &Shop, env: &[(&str, &str)]) -> Told {
    let output = shop.command(&["doctor", "--format", "json"]).envs(env.iter().copied()).output().expect("started");
    let words = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"));
    let checks = report["checks"].as_array().expect("checks").clone();
    let is_wrong = checks.iter().any(|check| check["verdict"] == "wrong");
    assert_eq!((report["ok"].as_bool(), output.status.success()), (Some(!is_wrong), !is_wrong), "{report:#}");
    assert!(!report.to_string().contains("-secret"), "a secret is shown: {report:#}");
    for check in &checks {
        assert!(check["verdict"] == "ok" || check["why"].is_string() || check["mend"].is_string(), "no help: {check:#}");
    }
    Told { checks, code: output.status.code() }
}

impl Told {
    /// There is a check of this system with this verdict that says `found`, and how to mend it.
    #[track_caller]
    fn says(&self, (verdict, system): (&str, &str), found: &str, mend: &str) -> &Self {
        let has = |check: &&Value, key: &str, text: &str| check[key].as_str().unwrap_or_default().contains(text);
        let of = self.checks.iter().filter(|check| check["system"] == system).collect::<Vec<_>>();
        let said = of.iter().any(|check| check["verdict"] == verdict && has(check, "found", found) && has(check, "mend", mend));
        assert!(said, "no {verdict} of {system} says {found:?} and {mend:?}: {of:#?}");
        self
    }

    /// All checks of this system are well.
    #[track_caller]
    fn is_well(&self, system: &str) -> &Self {
        let bad: Vec<_> = self.checks.iter().filter(|check| check["system"] == system && check["verdict"] != "ok").collect();
        assert!(bad.is_empty() && self.checks.iter().any(|check| check["system"] == system), "{bad:#?}");
        self
    }
}
