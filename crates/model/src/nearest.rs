//! "Did you mean": finds the nearest valid name.

/// The nearest candidate within an edit distance of a third of its letters (at least 1, at most 3;
/// case-insensitive).
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let within = |candidate: &str| (candidate.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&lower, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= within(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The nearest candidate, however many letters differ; the first of several.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance costs the product of the lengths.
    let lower: String = word.to_lowercase().chars().take(64).collect();
    candidates.into_iter().min_by_key(|candidate| distance(&lower, candidate))
}

fn distance(lower: &str, candidate: &str) -> usize {
    strsim::damerau_levenshtein(lower, &candidate.to_lowercase())
}

/// "did you mean `x`?", or else all valid names.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("valid here: {}", list(candidates)),
    }
}

/// "`a`, `b` and `c`".
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_similar_name_is_suggested() {
        let names = ["listen", "lake", "log", "live", "time_zone", "currency"];
        for (word, want) in [
            ("lsiten", Some("listen")),
            ("Listen", Some("listen")),
            ("timezone", Some("time_zone")),
            ("curency", Some("currency")),
            ("lag", Some("log")),
            ("warehouse", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), want, "{word}");
        }
        assert_eq!(closest("warehouse", ["lake", "storehouse"]), Some("storehouse"));
        assert_eq!(closest("x", ["a", "b"]), Some("a"));
    }
}
