//! The servers of a configuration other than the lake's: Kafka, the schema registry, PostgreSQL.

use kassa_model::secret::is_secret_name;
use kassa_model::{Code, Secret};

use crate::config::{Kafka, Login, Registry, Sasl, Source, Tls, Warehouse};
use crate::keys;
use crate::properties::pairs;
use crate::reader::Reader;
use crate::value::SourceUrl;

pub(crate) fn source(reader: &mut Reader) -> (Source, String) {
    // Read all keys, so that all values and mistakes are reported for every source.
    let url = reader.source_url("source.url");
    let given = Given {
        group: reader.text("source.group").unwrap_or_default(),
        security: reader.text("source.security").unwrap_or_default(),
        mechanism: reader.text("source.mechanism").unwrap_or_default(),
    };
    match url {
        Some(SourceUrl::Kafka(brokers)) => (Source::Kafka(Box::new(kafka(reader, brokers, given))), "log".to_owned()),
        Some(SourceUrl::Log(folder)) => {
            has_no_effect(
                reader,
                "source",
                "source.url",
                "the source is the collector's log",
                "a broker, for example `kafka://HOST:9092`",
            );
            (Source::Log, folder)
        }
        None => (Source::Log, String::new()),
    }
}

/// Keys with a default.
struct Given {
    group: String,
    security: String,
    mechanism: String,
}

fn kafka(reader: &mut Reader, brokers: String, given: Given) -> Kafka {
    let Given { group, security, mechanism } = given;
    let tls = tls(reader, security.ends_with("tls"));
    let sasl = sasl(reader, mechanism, security.starts_with("sasl"));
    let (properties, secret_properties) = properties(reader);
    Kafka { brokers, group, instance: reader.text("source.instance"), properties, secret_properties, tls, sasl }
}

type Pairs<T> = Vec<(String, T)>;

/// The pairs, and those whose values are references to secrets.
fn properties(reader: &mut Reader) -> (Pairs<String>, Pairs<Secret>) {
    const KEY: &str = "source.properties";
    let text = reader.text(KEY).unwrap_or_default();
    let (mut plain, mut secret) = (Vec::new(), Vec::new());
    for (name, value) in pairs(&text).flatten() {
        if is_secret_name(name) {
            secret.extend(reader.referred(KEY, value.to_owned()).map(|held| (name.to_owned(), held)));
        } else {
            plain.push((name.to_owned(), value.to_owned()));
        }
    }
    (plain, secret)
}

fn tls(reader: &mut Reader, wanted: bool) -> Option<Tls> {
    let [ca, certificate, key] = ["ca", "certificate", "key"].map(|word| reader.text_file(&format!("source.{word}")));
    if !wanted {
        without_effect(reader, &["ca", "certificate", "key"], "tls");
        return None;
    }
    if certificate.is_some() != key.is_some() {
        let given = if certificate.is_some() { "source.certificate" } else { "source.key" };
        let what = "`source.certificate` and `source.key` belong together".to_owned();
        reader.report(given, Code::MissingKey, what, &["give both, or neither if the brokers do not require a certificate"]);
    }
    Some(Tls { ca, client: certificate.zip(key) })
}

fn sasl(reader: &mut Reader, mechanism: String, wanted: bool) -> Option<Sasl> {
    let (user, password) = (reader.text("source.user"), reader.secret("source.password"));
    if !wanted {
        without_effect(reader, &["mechanism", "user", "password"], "sasl-tls");
        return None;
    }
    for word in ["user", "password"] {
        if reader.given(&format!("source.{word}")).is_none() {
            let what = format!("SASL needs `source.{word}`");
            reader.report("source.security", Code::MissingKey, what, &["give `user` and `password = \"env:NAME\"` in [source]"]);
        }
    }
    Some(Sasl { mechanism, user: user?, password: password? })
}

fn without_effect(reader: &mut Reader, words: &[&str], security: &str) {
    let given = words.iter().map(|word| format!("source.{word}")).find(|key| reader.is_changed(key));
    if let Some(key) = given {
        let what = format!("`{key}` has no effect with this `source.security`");
        reader.report(&key, Code::NoEffect, what, &[&format!("remove it, or write `security = \"{security}\"`")]);
    }
}

/// Records keys that have no effect because another key is missing.
pub(crate) fn has_no_effect(reader: &mut Reader, section: &str, but: &str, because: &str, instead: &str) {
    let keys = keys::of_section(section).map(|(word, _)| format!("{section}.{word}"));
    let given = keys.filter(|key| key != but).find(|key| reader.is_changed(key));
    if let Some(key) = given {
        let what = format!("`{key}` has no effect: {because}");
        reader.report(&key, Code::NoEffect, what, &[&format!("remove it, or give {instead} as `{but}`")]);
    }
}

pub(crate) fn registry(reader: &mut Reader) -> Option<Registry> {
    let Some(url) = reader.text("registry.url") else {
        has_no_effect(reader, "registry", "registry.url", "there is no registry", "its URL");
        return None;
    };
    let (user, password) = (reader.text("registry.user"), reader.secret("registry.password"));
    let token: Option<Secret> = reader.secret("registry.token");
    if reader.given("registry.user").is_some() != reader.given("registry.password").is_some() {
        let given = if user.is_some() { "registry.user" } else { "registry.password" };
        let what = "`registry.user` and `registry.password` belong together".to_owned();
        reader.report(given, Code::MissingKey, what, &["give both, or only `token`"]);
    }
    let basic = user.zip(password).map(|(user, password)| Login::Basic { user, password });
    Some(Registry { url, login: token.map(Login::Bearer).or(basic), ca: reader.text_file("registry.ca") })
}

pub(crate) fn warehouse(reader: &mut Reader) -> Option<Warehouse> {
    let commit_interval = reader.duration("warehouse.commit_interval");
    let Some(url) = reader.text("warehouse.url") else {
        has_no_effect(reader, "warehouse", "warehouse.url", "there is no warehouse", "its URL");
        return None;
    };
    let password = reader.secret("warehouse.password");
    let retention = reader.given("warehouse.retention").is_some().then(|| reader.duration("warehouse.retention"));
    Some(Warehouse { url, password, commit_interval, retention })
}
