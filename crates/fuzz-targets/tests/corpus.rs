//! The committed corpora, and some thousand changes to them: what fuzzing has found stays fixed.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use kassa_fuzz_targets::{TARGETS, Target};

/// Changed inputs of each target.
const CHANGES: usize = 200;
const SEED: u64 = 20_260_112;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// The inputs of a target by name, so that each run has the same order.
fn corpus(target: Target) -> Vec<Vec<u8>> {
    let dir = folder().join(target.name);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", dir.display());
    paths.iter().map(|path| fs::read(path).expect("an input")).collect()
}

/// Splitmix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit.max(1)).expect("a limit")).expect("below it")
    }
}

fn changed(inputs: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = inputs[rng.below(inputs.len())].clone();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        let byte = u8::try_from(rng.below(256)).expect("a byte");
        match rng.below(5) {
            0 if at < bytes.len() => bytes[at] ^= byte,
            1 => bytes.insert(at, byte),
            2 => bytes.truncate(at.max(1)),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {
                let other = &inputs[rng.below(inputs.len())];
                let from = rng.below(other.len() + 1);
                bytes.splice(at.., other[from..].iter().copied());
            }
        }
    }
    bytes
}

fn check(target: Target, input: &[u8]) {
    let done = catch_unwind(|| (target.run)(input));
    assert!(done.is_ok(), "{} fails on \"{}\"", target.name, input.escape_ascii());
}

#[test]
fn no_input_of_the_corpora_and_no_change_to_one_breaks_a_law() {
    for target in TARGETS {
        let (inputs, mut rng) = (corpus(*target), Rng(SEED));
        check(*target, b"");
        inputs.iter().for_each(|input| check(*target, input));
        for _ in 0..CHANGES {
            check(*target, &changed(&inputs, &mut rng));
        }
    }
}

#[test]
fn every_corpus_belongs_to_a_target() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("corpora")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    let mut targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort();
    targets.sort_unstable();
    assert_eq!(names, targets);
}
