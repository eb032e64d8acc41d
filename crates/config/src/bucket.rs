//! The lake's location: a folder, or a prefix of a bucket with its server.

use std::net::IpAddr;
use std::path::Path;

use kassa_model::Code;

use crate::config::{LakePlace, S3, S3Keys};
use crate::keys;
use crate::reader::{Reader, absolute};
use crate::value::LakeUrl;

pub(crate) fn place(reader: &mut Reader, data_dir: &Path) -> LakePlace {
    let url = reader.lake_url("lake.url");
    let s3 = s3(reader);
    match url {
        Some(LakeUrl::Bucket { bucket, prefix }) => LakePlace::S3(Box::new(S3 { bucket, prefix, ..s3 })),
        Some(LakeUrl::Folder(folder)) => {
            has_no_effect(reader);
            LakePlace::Folder(absolute(data_dir, &folder))
        }
        None => LakePlace::Folder(Path::new("").to_owned()),
    }
}

fn s3(reader: &mut Reader) -> S3 {
    let (endpoint, region) = (reader.text("lake.s3.endpoint"), reader.text("lake.s3.region"));
    let (path_style, allow_http) = (reader.switch("lake.s3.path_style"), reader.switch("lake.s3.allow_http"));
    if !allow_http && endpoint.as_deref().is_some_and(is_open_to_others) {
        let what = "`lake.s3.endpoint` is neither `https://` nor on this machine".to_owned();
        let help = [
            "anybody on the network could read the shop's data: write `https://`",
            "or, if the network is your own, `allow_http = true` in [lake.s3]",
        ];
        reader.report("lake.s3.endpoint", Code::BadUrl, what, &help);
    }
    if !path_style && endpoint.as_deref().is_some_and(|endpoint| host(endpoint).parse::<IpAddr>().is_ok()) {
        let what = "`lake.s3.endpoint` is an IP address, which cannot have the bucket's name before it".to_owned();
        reader.report("lake.s3.endpoint", Code::Contradiction, what, &["write `path_style = true` in [lake.s3]"]);
    }
    let keys = keys(reader);
    S3 { bucket: String::new(), prefix: String::new(), endpoint, region, path_style, allow_http, keys }
}

/// Both keys or neither; one of them alone is a mistake.
fn keys(reader: &mut Reader) -> Option<S3Keys> {
    let [id, key, token] = ["access_key_id", "secret_access_key", "session_token"].map(|word| format!("lake.s3.{word}"));
    let missing = [(&id, &key), (&key, &id), (&token, &id)];
    let missing = missing.into_iter().find(|(given, other)| reader.given(given).is_some() && reader.given(other).is_none());
    if let Some((given, other)) = missing {
        let (given, what) = (given.clone(), format!("`{given}` is given without `{other}`"));
        let help = ["both belong together; without both, kassa uses the keys of the environment"];
        reader.report(&given, Code::MissingKey, what, &help);
    }
    let (access_key_id, secret_access_key, session_token) = (reader.secret(&id), reader.secret(&key), reader.secret(&token));
    Some(S3Keys { access_key_id: access_key_id?, secret_access_key: secret_access_key?, session_token })
}

/// Whether traffic to this URL is readable on the network.
pub(crate) fn is_open_to_others(endpoint: &str) -> bool {
    let host = host(endpoint);
    endpoint.starts_with("http://") && host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The name or address in a server's URL.
fn host(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => rest.split(':').next(),
    };
    host.unwrap_or_default()
}

fn has_no_effect(reader: &mut Reader) {
    let given = keys::of_section("lake.s3").map(|(word, _)| format!("lake.s3.{word}")).find(|key| reader.is_changed(key));
    if let Some(key) = given {
        let what = format!("`{key}` has no effect: the lake is a local folder");
        reader.report(&key, Code::NoEffect, what, &["remove [lake.s3], or write `url = \"s3://BUCKET/PREFIX\"` in [lake]"]);
    }
}
