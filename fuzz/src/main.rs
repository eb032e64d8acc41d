//! One decoder under libFuzzer: the target that KASSA_FUZZ_TARGET names.
#![no_main]

use std::sync::OnceLock;

use kassa_fuzz_targets::{TARGETS, Target, target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::var("KASSA_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("KASSA_FUZZ_TARGET is \"{name}\"; targets: {}", names.join(" "));
        std::process::exit(2)
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| { (TARGET.get_or_init(chosen).run)(data) });
