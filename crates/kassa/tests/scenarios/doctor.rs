//! `kassa doctor`: every possible problem, created on a real server, is reported with its fix.

mod kafka;
mod machine;
mod registry;
mod s3;
mod warehouse;

use serde_json::Value;

use crate::harness::Shop;

/// The doctor's report and exit code.
struct Diagnosis {
    checks: Vec<Value>,
    code: Option<i32>,
}

fn diagnose(shop: &Shop) -> Diagnosis {
    diagnose_with(shop, &[])
}

fn diagnose_with(shop: &Shop, env: &[(&str, &str)]) -> Diagnosis {
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
    Diagnosis { checks, code: output.status.code() }
}

impl Diagnosis {
    /// Checks that there is a check of this system with this verdict, finding and fix.
    #[track_caller]
    fn reports(&self, (verdict, system): (&str, &str), found: &str, mend: &str) -> &Self {
        let has = |check: &&Value, key: &str, text: &str| check[key].as_str().unwrap_or_default().contains(text);
        let of = self.checks.iter().filter(|check| check["system"] == system).collect::<Vec<_>>();
        let reported =
            of.iter().any(|check| check["verdict"] == verdict && has(check, "found", found) && has(check, "mend", mend));
        assert!(reported, "no {verdict} of {system} says {found:?} and {mend:?}: {of:#?}");
        self
    }

    /// Checks that all checks of this system are ok.
    #[track_caller]
    fn is_well(&self, system: &str) -> &Self {
        let bad: Vec<_> = self.checks.iter().filter(|check| check["system"] == system && check["verdict"] != "ok").collect();
        assert!(bad.is_empty() && self.checks.iter().any(|check| check["system"] == system), "{bad:#?}");
        self
    }
}
