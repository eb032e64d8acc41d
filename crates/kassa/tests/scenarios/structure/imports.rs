//! The import graph of a crate: which of its files use which others.
//!
//! A file is one node. A file that imports from its own parent module adds no edge: it is a part of that module. `pub use` is
//! followed to the file that defines the name. Test modules are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// `delta::table` as `["delta", "table"]`; the crate's root is empty.
type Module = Vec<String>;
type Graph = BTreeMap<Module, BTreeMap<Module, String>>;

#[derive(Default)]
struct File {
    /// Absolute paths that it names.
    named: Vec<Module>,
    /// Its `pub use`: the new name and where it leads.
    renamed: BTreeMap<String, Module>,
}

/// Files that import each other, and the imports between them, as `a → b (path)`.
pub(super) struct Circle {
    pub(super) files: BTreeSet<String>,
    pub(super) imports: Vec<String>,
}

/// The circles of the crate whose source is in this folder.
pub(super) fn circles(source: &Path) -> Vec<Circle> {
    let graph = graph(&files(source));
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = graph.keys().map(|from| (from, reachable(&graph, from))).collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for from in graph.keys() {
        let members: BTreeSet<&Module> =
            reached[from].iter().copied().filter(|to| reached.get(to).is_some_and(|back| back.contains(from))).collect();
        if members.is_empty() || !seen.insert(members.clone()) {
            continue;
        }
        let mut imports = Vec::new();
        for from in &members {
            let inside = graph[*from].iter().filter(|(to, _)| members.contains(to));
            imports.extend(inside.map(|(to, path)| format!("{} → {} ({path})", from.join("::"), to.join("::"))));
        }
        circles.push(Circle { files: members.iter().map(|module| module.join("::")).collect(), imports });
    }
    circles
}

fn reachable<'g>(graph: &'g Graph, from: &Module) -> BTreeSet<&'g Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = graph[from].keys().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(graph.get(module).into_iter().flat_map(BTreeMap::keys));
        }
    }
    reached
}

fn graph(files: &BTreeMap<Module, File>) -> Graph {
    let edges = |(from, file): (&Module, &File)| {
        let targets = file.named.iter().filter_map(|path| Some((target(files, path, 0)?, path.join("::"))));
        let others = targets.filter(|(to, _)| !from.starts_with(to));
        (from.clone(), others.collect())
    };
    files.iter().map(edges).collect()
}

/// The file that defines what a path names.
fn target(files: &BTreeMap<Module, File>, path: &[String], followed: usize) -> Option<Module> {
    let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let (module, rest) = path.split_at(length);
    let renamed = rest.first().and_then(|name| files[module].renamed.get(name)).filter(|_| followed < 8);
    match renamed {
        Some(to) => target(files, &[to.as_slice(), &rest[1..]].concat(), followed + 1),
        None => Some(module.to_vec()),
    }
}

fn files(source: &Path) -> BTreeMap<Module, File> {
    let mut texts = BTreeMap::new();
    collect(source, &mut Vec::new(), &mut texts);
    let modules: BTreeSet<Module> = texts.keys().cloned().collect();
    texts.iter().map(|(module, text)| (module.clone(), read(module, text, &modules))).collect()
}

fn collect(folder: &Path, module: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        if matches!(name.as_str(), "tests" | "testing") || (module.is_empty() && name == "bin") {
            continue;
        }
        let is_root = matches!(name.as_str(), "lib" | "main");
        module.extend((!is_root).then_some(name));
        if path.is_dir() {
            collect(&path, module, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.insert(module.clone(), fs::read_to_string(&path).expect("a file"));
        }
        if !is_root {
            module.pop();
        }
    }
}

/// The paths that a file names, made absolute.
fn read(module: &Module, text: &str, modules: &BTreeSet<Module>) -> File {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let tokens = tokens(code);
    let mut file = File::default();
    let mut at = 0;
    while at < tokens.len() {
        let is_public = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
        let mut paths = Vec::new();
        let is_use = tokens[at] == "use";
        if is_use {
            at = tree(&tokens, at + 1, &[], &mut paths);
        } else if is_name(&tokens[at]) {
            at = name(&tokens, at, &mut paths);
        } else {
            at += 1;
        }
        for (path, new) in paths {
            let Some(path) = absolute(module, &path, modules) else { continue };
            if is_use && is_public {
                file.renamed.insert(new, path.clone());
            }
            file.named.push(path);
        }
    }
    file
}

/// `crate::`, `self::` and `super::` paths, and those that begin with a child module; others belong to other crates.
fn absolute(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let mut base = module.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "self" | "super" => {
            while let Some(step @ ("self" | "super")) = rest.first().map(String::as_str) {
                if step == "super" {
                    base.pop();
                }
                rest = &rest[1..];
            }
        }
        child => {
            let is_child = modules.contains(&[module.as_slice(), &[child.to_owned()]].concat());
            is_child.then_some(())?;
        }
    }
    Some([base.as_slice(), rest].concat())
}

/// A path outside of `use`: its end.
fn name(tokens: &[String], mut at: usize, paths: &mut Vec<(Module, String)>) -> usize {
    let mut path = vec![tokens[at].clone()];
    while tokens.get(at + 1).is_some_and(|token| token == "::") && tokens.get(at + 2).is_some_and(|token| is_name(token)) {
        path.push(tokens[at + 2].clone());
        at += 2;
    }
    if path.len() > 1 {
        paths.push((path, String::new()));
    }
    at + 1
}

/// One branch of a `use` tree: its end.
fn tree(tokens: &[String], mut at: usize, prefix: &[String], paths: &mut Vec<(Module, String)>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("::") => at += 1,
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = tree(tokens, at, &path, paths).max(at + 1);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            Some("as") => {
                paths.push((path, tokens.get(at + 1).cloned().unwrap_or_default()));
                return at + 2;
            }
            Some("self") if !path.is_empty() => at += 1,
            Some(token) if is_name(token) || token == "*" => {
                path.push(token.to_owned());
                at += 1;
            }
            _ => {
                let last = path.last().cloned().unwrap_or_default();
                paths.push((path, last));
                return at;
            }
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Names, `::` and single signs; without comments and literals.
fn tokens(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if let Some(comment) = rest.strip_prefix("//") {
            comment.find('\n').map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
            end
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// The length of a literal in quotes at the start; a lifetime is none.
fn literal(rest: &str) -> Option<usize> {
    let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r');
    if let Some(raw) = raw.filter(|raw| raw.trim_start_matches('#').starts_with('"')) {
        let opening = &raw[..raw.find('"')?];
        let start = rest.len() - raw.len() + opening.len() + 1;
        let end = rest[start..].find(&format!("\"{opening}"))?;
        return Some(start + end + 1 + opening.len());
    }
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            letter if letter == quote => return Some(at + 1),
            // One letter at most: what goes on is a lifetime.
            _ if quote == '\'' && !rest[at + letter.len_utf8()..].starts_with('\'') && !rest.starts_with("'\\") => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn circles_are_found_through_re_exports_and_not_to_parents() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use crate::b::{self, Thing as Renamed};\n");
    // A string, a lifetime, a comment and a char that look like imports or quotes.
    write("a.rs", "// use crate::c::X;\nuse crate::Renamed;\nfn f<'a>(x: &'a str) -> char { \"use crate::c::Y;\"; '\"' }\n");
    write("a/child.rs", "use super::Parent;\n");
    write("b.rs", "use std::fmt;\n\nstruct Thing;\nfn g() { crate::a::child::run(); }\n");
    write("c.rs", "use crate::{a::f, b::{Thing, fmt}};\n\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n");
    assert!(circles(folder.path()).is_empty(), "b uses a child of a only");
    write("a.rs", "mod child;\nuse self::child::run;\nuse crate::Renamed;\n");
    write("a/child.rs", "use super::Parent;\nuse crate::b::Thing;\n");
    let found = circles(folder.path());
    let files: Vec<Vec<&str>> = found.iter().map(|circle| circle.files.iter().map(String::as_str).collect()).collect();
    assert_eq!(files, [["a::child", "b"]]);
    assert_eq!(found[0].imports, ["a::child → b (b::Thing)", "b → a::child (a::child::run)"]);
}
