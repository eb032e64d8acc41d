use std::ffi::OsString;
use std::fs;

use kassa_model::Format;

use super::*;
use crate::config::{Config, Encoding, LakePlace, Source};
use crate::options::Override;
use crate::{DEFAULT_TOML, keys};

struct Case {
    dir: tempfile::TempDir,
    env: Vec<(OsString, OsString)>,
    overrides: Vec<Override>,
}

fn given(file: impl AsRef<[u8]>) -> Case {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("kassa.toml"), file).unwrap();
    Case { dir, env: Vec::new(), overrides: Vec::new() }
}

impl Case {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, flag: &str, key: &str, value: &str) -> Self {
        self.overrides.push(Override { key: key.into(), value: value.into(), flag: flag.into() });
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn options(&self) -> LoadOptions {
        let working_dir = self.dir.path().to_owned();
        LoadOptions { path: None, working_dir, env: self.env.clone(), overrides: self.overrides.clone() }
    }

    fn load(&self) -> Result<(Config, Origins), Mistakes> {
        Config::load(&self.options())
    }

    fn right(&self) -> (Config, Origins) {
        self.load().unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    fn wrong(&self) -> String {
        let text = self.load().map(|_| ()).unwrap_err().to_string();
        text.replace(&*self.dir.path().to_string_lossy(), "DIR")
    }
}

/// Compares the mistakes line by line, without indents.
#[track_caller]
fn check(case: &Case, want: &str) {
    let trim = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    let got = case.wrong();
    assert_eq!(trim(&got), trim(want), "\n{got}");
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let case = given("");
    let (config, origins) = case.right();
    let data = case.dir.path().join("data");
    assert_eq!(config.data_dir, data);
    assert_eq!((config.log.dir, config.lake.place), (data.join("log"), LakePlace::Folder(data.join("lake"))));
    assert_eq!((config.shop.zone_name.as_str(), config.shop.currency.code()), ("Europe/London", "GBP"));
    assert_eq!((config.log.segment_bytes, config.log.capacity_bytes), (64 << 20, 16 << 30));
    assert_eq!((config.collector.max_body_bytes, config.collector.max_record_bytes), (64 << 20, 1 << 20));
    assert_eq!((config.lake.commit_rows, config.lake.checkpoint_interval, config.lake.zstd_level), (200_000, 50, 1));
    assert_eq!(config.lake.commit_interval.as_millis(), 2000);
    assert_eq!(config.live.push_interval.as_millis(), 50);
    assert_eq!(config.server.stop_within.as_secs(), 20);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    let streams: Vec<String> =
        config.streams.iter().map(|stream| format!("{}={}", stream.name, stream.contract.name())).collect();
    assert_eq!(
        streams.join(" "),
        "customers=customer events=event fx_rates=fx_rate inventory=inventory order_lines=order_line orders=order \
         payments=payment products=product refunds=refund"
    );
    let stream = &config.streams[1];
    assert_eq!((stream.topic.as_str(), stream.format, stream.max_record_bytes), ("events", Format::Json, 1 << 20));
    assert_eq!(stream.dedupe_window.as_secs(), 7 * 86_400);
    assert!(origins.iter().all(|(_, entry)| entry.origin == Origin::Default));
}

#[test]
fn default_toml_as_the_file_changes_nothing() {
    let show = |origins: &Origins| origins.iter().map(|(path, entry)| format!("{path} = {}", entry.value)).collect::<Vec<_>>();
    let case = given(DEFAULT_TOML);
    let with_file = show(&case.right().1);
    fs::write(case.dir.path().join("kassa.toml"), "").unwrap();
    assert_eq!(with_file, show(&case.right().1));
    let fixed = keys::KEYS.iter().filter(|key| !key.path.contains('*') && key.default.is_some());
    for key in fixed {
        assert!(with_file.iter().any(|line| line.starts_with(&format!("{} = ", key.path))), "{} has no default", key.path);
    }
}

#[test]
fn flags_override_environment_overrides_file_overrides_default() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\n[shop]\nname = \"File\"\ncurrency = \"EUR\"\n[lake]\ncommit_rows = 5\n";
    let case = given(file)
        .env("KASSA__SERVER__LISTEN", "127.0.0.1:2")
        .env("KASSA__SHOP__NAME", "Env")
        .env("KASSA__LAKE__COMMIT_ROWS", "6")
        .env("KASSA_TEST_DATA", "not meant for the configuration")
        .flag("--listen", "server.listen", "localhost:3");
    let (config, origins) = case.right();
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!((config.shop.name.as_str(), config.shop.currency.code(), config.lake.commit_rows), ("Env", "EUR", 6));
    let origin = |path: &str| format!("{} from {}", origins.get(path).unwrap().value, origins.get(path).unwrap().origin);
    assert_eq!(origin("server.listen"), "\"localhost:3\" from flag --listen");
    assert_eq!(origin("shop.name"), "\"Env\" from environment variable KASSA__SHOP__NAME");
    assert_eq!(origin("lake.commit_rows"), "6 from environment variable KASSA__LAKE__COMMIT_ROWS");
    assert_eq!(origin("shop.currency"), "\"EUR\" from kassa.toml:5:12");
    assert_eq!(origin("shop.time_zone"), "\"Europe/London\" from default");
}

#[test]
fn a_relative_path_starts_at_the_folder_of_its_origin() {
    let case = given("");
    let shop = case.dir.path().join("shop");
    fs::create_dir(&shop).unwrap();
    fs::write(shop.join("my.toml"), "data_dir = \"../kept/./data\"\n[lake]\nurl = \"file:///srv/lake\"\n").unwrap();
    let mut options =
        LoadOptions { path: Some("shop/my.toml".into()), working_dir: case.dir.path().into(), ..Default::default() };
    let (config, origins) = Config::load(&options).unwrap();
    assert_eq!(config.data_dir, case.dir.path().join("kept/data"));
    assert_eq!(
        (config.log.dir, config.lake.place),
        (case.dir.path().join("kept/data/log"), LakePlace::Folder(PathBuf::from("/srv/lake")))
    );
    assert_eq!(config.file, Some(shop.join("my.toml")));
    assert_eq!(origins.get("data_dir").unwrap().value, format!("\"{}\"", case.dir.path().join("kept/data").display()));
    options.overrides = vec![Override { key: "data_dir".into(), value: "here".into(), flag: "--data-dir".into() }];
    assert_eq!(Config::load(&options).unwrap().0.data_dir, case.dir.path().join("here"));
}

#[test]
fn streams_and_lookups_are_read_with_all_keys() {
    let case = given(
        "[streams.sales]\ntopic = \"online-retail\"\nformat = \"csv\"\nencoding = \"windows-1252\"\ndelimiter = \"\\\\t\"\n\
         contract = \"order_line\"\nmap = \"\"\"\nSELECT a\nFROM input\"\"\"\n\
         [streams.orders]\nmap_file = \"o.sql\"\n[lookups.shops]\nfile = \"s.csv\"\nkey = \"id\"\n",
    )
    .file("o.sql", "SELECT b FROM input")
    .file("s.csv", "id\n1\n")
    .env("KASSA__STREAMS__ORDERS__MAX_RECORD", "2 kb");
    let (config, _) = case.right();
    let [orders, sales] = &config.streams[..] else { panic!("{:?}", config.streams) };
    assert_eq!((orders.contract, orders.topic.as_str(), orders.max_record_bytes), (Contract::Order, "orders", 2000));
    assert_eq!((sales.contract, sales.topic.as_str()), (Contract::OrderLine, "online-retail"));
    assert_eq!((sales.format, sales.encoding, sales.delimiter), (Format::Csv, Encoding::Windows1252, b'\t'));
    let at = |stream: &crate::Stream, line, column| stream.mapping.as_ref().unwrap().origin_at(line, column).to_string();
    assert_eq!((at(sales, 1, 8), at(sales, 2, 6)), ("kassa.toml:8:8".into(), "kassa.toml:9:6".into()));
    assert_eq!(sales.mapping.as_ref().unwrap().sql, "SELECT a\nFROM input");
    assert_eq!(at(orders, 1, 8), format!("{}:1:8", case.dir.path().join("o.sql").display()));
    assert_eq!((config.lookups[0].name.as_str(), config.lookups[0].key.as_str()), ("shops", "id"));
    assert_eq!(config.lookups[0].file, case.dir.path().join("s.csv"));
}

#[test]
fn a_stream_reads_several_topics_and_matches_of_a_pattern() {
    let text = "[source]\nurl = \"kafka://localhost:9092\"\nproperties = \"client.rack=a, session.timeout.ms = 6000\"\n\
                [streams.orders]\ntopic = \"orders-eu, orders-us,legacy.*.orders\"\n[streams.events]\ntopic = \"*-events\"\n";
    let config = given(text).right().0;
    let topics = |config: &Config| -> Vec<(String, String)> {
        config.streams.iter().map(|stream| (stream.name.clone(), stream.topic.clone())).collect()
    };
    let orders = |topic: &str| ("orders".to_owned(), topic.to_owned());
    assert_eq!(topics(&config), [orders("orders-eu"), orders("orders-us")]);
    let Source::Kafka(kafka) = &config.source else { panic!("{:?}", config.source) };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(kafka.properties, [pair("client.rack", "a"), pair("session.timeout.ms", "6000")]);
    let known = ["orders-us", "legacy.shop.orders", "legacy.shop.orders.old", "web-events", "events", "orders"];
    let config = config.with_topics(known);
    let events = ("events".to_owned(), "web-events".to_owned());
    assert_eq!(topics(&config), [orders("orders-eu"), orders("orders-us"), orders("legacy.shop.orders"), events.clone()]);
    assert_eq!(topics(&config.with_topics(known)).len(), 4, "each topic once");
}

#[test]
fn invalid_topics_are_reported() {
    check_short("[streams.orders]\ntopic = \"orders, or ders\"\n", &["C013 2:9: `streams.orders.topic` cannot be \"or ders\""]);
    check_short(
        "[streams.orders]\ntopic = \"orders-*\"\n",
        &[
            "C019 2:9: `streams.orders.topic` is a pattern, \"orders-*\", but the collector's log has only the topics that streams name",
        ],
    );
    check_short(
        "[source]\nurl = \"kafka://localhost:9092\"\nproperties = \"client.rack\"\n",
        &["C005 3:14: `source.properties` takes pairs, but its part 1 is not one"],
    );
}

#[test]
fn every_format_is_read_and_csv_has_columns() {
    let (config, _) = given(
        "[streams.orders]\nformat = \"avro\"\n[streams.payments]\nformat = \"debezium-json\"\n\
         [streams.order_lines]\nformat = \"csv\"\ndelimiter = \";\"\ncolumns = \"order_id; line_id;quantity\"\n",
    )
    .right();
    let [lines, orders, payments] = &config.streams[..] else { panic!("{:?}", config.streams) };
    assert_eq!([lines.format, orders.format, payments.format], [Format::Csv, Format::Avro, Format::Debezium]);
    assert_eq!((lines.columns.join("|").as_str(), orders.columns.len()), ("order_id|line_id|quantity", 0));
    for (columns, fault) in
        [("a,,b", "a column has no name"), ("a,b,a", "`a` occurs twice"), ("a,\\\"b\\\"", "names have no quotes here")]
    {
        check(
            &given(format!("[streams.orders]\nformat = \"csv\"\ncolumns = \"{columns}\"\n")),
            &format!(
                "error[C013]: `streams.orders.columns` is not a header: {fault}
         --> kassa.toml:3:11
         = write the names like a header line, separated by the stream's `delimiter`
         = see docs/errors/C013.md
         1 mistake in the configuration"
            ),
        );
    }
}

#[test]
fn a_mapping_in_one_line_begins_after_its_quote() {
    let (config, _) = given("[streams.orders]\nmap = 'SELECT a FROM input'\n").right();
    assert_eq!(config.streams[0].mapping.as_ref().unwrap().origin_at(1, 8).to_string(), "kassa.toml:2:15");
}

#[test]
fn windows_line_ends_are_accepted() {
    let text = "[streams.orders]\r\nmap = \"\"\"\r\nSELECT a FROM input\"\"\"\r\n[server]\r\nlisten = '127.0.0.1:7'\r\n";
    let (config, origins) = given(text).right();
    assert_eq!(config.streams[0].mapping.as_ref().unwrap().origin.to_string(), "kassa.toml:3:1");
    assert_eq!(origins.get("server.listen").unwrap().origin.to_string(), "kassa.toml:5:10");
    check(
        &given("[server]\r\nlsten = 3\r\n"),
        "error[C003]: unknown key `lsten` in [server]
         --> kassa.toml:2:1
         = did you mean `listen`?
         = see docs/errors/C003.md
         1 mistake in the configuration",
    );
}

#[test]
fn a_file_that_is_not_utf_8_is_reported_with_its_position() {
    let mut latin: Vec<u8> = b"[shop]\nname = \"Caf".to_vec();
    latin.extend([0xE9, b'"', b'\n']);
    check(
        &given(latin),
        "error[C002]: the file is not UTF-8
         --> kassa.toml:2:12
         = TOML is always UTF-8; save the file in that encoding (your editor may call it Unicode)
         = see docs/errors/C002.md
         1 mistake in the configuration",
    );
}

#[test]
fn a_missing_file_is_a_mistake_only_if_it_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = LoadOptions { working_dir: dir.path().into(), ..Default::default() };
    assert_eq!(Config::load(&options).unwrap().0.data_dir, dir.path().join("data"));
    options.path = Some("gone.toml".into());
    options.env = vec![("KASSA__SHOP__NAEM".into(), "x".into()), ("KASSA__STREAMS__SALES__FORMAT".into(), "csv".into())];
    let mistakes = Config::load(&options).map(|_| ()).unwrap_err();
    let reported: Vec<String> = mistakes.0.iter().map(|mistake| format!("{} {}", mistake.code, mistake.origin)).collect();
    assert_eq!(reported, ["C004 environment variable KASSA__SHOP__NAEM", "C001 gone.toml:1:1"]);
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let case = given(
        "dta_dir = \"x\"
listen = \"127.0.0.1:9\"
[shop]
time_zone = \"London\"
currency = \"gbp\"
[serverr]
[server]
lsiten = \"127.0.0.1:8080\"
listen = \"0.0.0.0:8080\"
[streams.sales]
format = \"json\"
delimiter = \";\"
dedupe_window = \"7\"
[lake]
url = \"s3a://bucket/x\"
commit_rows = \"7\"
",
    )
    .env("KASSA__SERVER__LISTN", "x")
    .flag("--set", "server.lisen", "3");
    check(
        &case,
        "error[C004]: unknown variable KASSA__SERVER__LISTN
         --> environment variable KASSA__SERVER__LISTN
         = did you mean `KASSA__SERVER__LISTEN`?
         = see docs/errors/C004.md

         error[C003]: unknown key `lisen` in [server]
         --> flag --set
         = did you mean `listen`?
         = see docs/errors/C003.md

         error[C003]: unknown key `dta_dir` before the first section
         --> kassa.toml:1:1
         = did you mean `data_dir`?
         = see docs/errors/C003.md

         error[C003]: unknown key `listen` before the first section
         --> kassa.toml:2:1
         = `listen` is a key of `server`
         = see docs/errors/C003.md

         error[C008]: `shop.time_zone` is not a time zone: \"London\"
         --> kassa.toml:4:13
         = did you mean `Europe/London`?
         = see docs/errors/C008.md

         error[C009]: `shop.currency` is not a currency: \"gbp\"
         --> kassa.toml:5:12
         = did you mean `GBP`?
         = see docs/errors/C009.md

         error[C003]: unknown section [serverr]
         --> kassa.toml:6:2
         = did you mean `server`?
         = see docs/errors/C003.md

         error[C003]: unknown key `lsiten` in [server]
         --> kassa.toml:8:1
         = did you mean `listen`?
         = see docs/errors/C003.md

         error[C012]: `server.listen` is not a loopback address of this machine: \"0.0.0.0:8080\"
         --> kassa.toml:9:10
         = anybody who can reach kassa can read and write everything: it has no users or tokens yet
         = write `127.0.0.1:8080`; from another machine, use a tunnel: `ssh -L 8080:127.0.0.1:8080 HOST`
         = see docs/errors/C012.md

         error[C014]: the stream `sales` has no contract
         --> kassa.toml:10:10
         = a contract is the type of its records: `event`, `order`, `order_line`, `payment`, `refund`, `customer`, `product`, `inventory` and `fx_rate`
         = write for example `contract = \"order_line\"` in [streams.sales]
         = see docs/errors/C014.md

         error[C019]: `streams.sales.delimiter` has no effect: the stream's format is not csv
         --> kassa.toml:12:13
         = remove it, or write `format = \"csv\"`
         = see docs/errors/C019.md

         error[C007]: `streams.sales.dedupe_window` is not a duration: \"7\"
         --> kassa.toml:13:17
         = a duration is numbers with ms, s, m, h or d, for example `7d`
         = see docs/errors/C007.md

         error[C010]: `lake.url` is not a supported lake: \"s3a://bucket/x\"
         --> kassa.toml:15:7
         = did you mean `s3://bucket/x`?
         = see docs/errors/C010.md

         error[C005]: `lake.commit_rows` must be a number, not text
         --> kassa.toml:16:15
         = write it without quotes: `commit_rows = 7`
         = see docs/errors/C005.md

         14 mistakes in the configuration",
    );
}

/// Compares codes, positions and messages of a file's mistakes.
#[track_caller]
fn check_short(file: &str, want: &[&str]) {
    let case = given(file).file("empty.sql", "").file("in.csv", "a\n");
    let mistakes = case.load().map(|_| ()).unwrap_err();
    let dir = case.dir.path().to_string_lossy().into_owned();
    let reported: Vec<String> =
        mistakes.0.iter().map(|mistake| format!("{} {}: {}", mistake.code, mistake.origin, mistake.what)).collect();
    let reported: Vec<String> = reported.iter().map(|line| line.replace(&dir, "DIR").replace("kassa.toml:", "")).collect();
    assert_eq!(reported, want, "{mistakes}");
}

#[test]
fn a_mistake_about_two_keys_is_at_the_given_key() {
    check_short(
        "[streams.a]\ntopic = \"x\"\ncontract = \"order\"\n[streams.b]\ntopic = \"x\"\ncontract = \"order\"\n",
        &["C018 5:9: the streams `a` and `b` read the same topic: \"x\""],
    );
    check_short(
        "[log]\ncapacity = \"100MiB\"\n",
        &[
            "C020 2:12: `log.capacity` and `log.segment_bytes` contradict each other: the log's capacity is less than two segments",
        ],
    );
    check_short(
        "[collector]\nmax_body = \"64KiB\"\n",
        &[
            "C020 2:12: `collector.max_record` and `collector.max_body` contradict each other: a record may be larger than the body that contains it",
        ],
    );
    check_short(
        "[lake]\nurl = \"file:log/lake\"\n",
        &["C021 2:7: the lake (DIR/data/log/lake) and the log (DIR/data/log) contain each other"],
    );
    check_short("[lake]\nurl = \"file:.\"\n", &["C021 2:7: `lake.url` is the data folder itself or above it: DIR/data"]);
    check_short(
        "[streams.orders]\nmap = \"SELECT 1\"\nmap_file = \"o.sql\"\n",
        &["C015 3:12: the stream `orders` has both `map` and `map_file`"],
    );
}

#[test]
fn files_in_the_configuration_are_checked() {
    check_short("data_dir = \"kassa.toml\"\n", &["C023 1:12: `data_dir` is not a folder: DIR/kassa.toml"]);
    check_short(
        "[streams.orders]\nmap_file = \"empty.sql\"\n",
        &["C016 2:12: `streams.orders.map_file` cannot be read: the file is empty"],
    );
    check_short(
        "[lookups.a]\nfile = \".\"\nkey = \"id\"\n[lookups.b]\nfile = \"in.csv\"\n[lookups.c]\nfile = \"gone.csv\"\nkey = \"id\"\n",
        &[
            "C016 2:8: `lookups.a.file` cannot be read: it is a folder",
            "C022 4:10: the lookup `b` has no `key`",
            "C016 7:8: `lookups.c.file` cannot be read: No such file or directory (os error 2)",
        ],
    );
}

#[test]
fn a_wrong_form_is_reported_with_its_position() {
    check_short(
        "streams = 3\n[server.listen]\nx = 1\n",
        &["C005 1:11: `streams` is a section, not a value", "C005 2:1: `server.listen` cannot be a section"],
    );
    check_short(
        "[streams]\nx = 3\n[streams.Order-Lines]\n[streams.a__b]\n",
        &[
            "C005 2:5: `streams.x` is a section, not a value",
            "C013 3:10: `Order-Lines` cannot name one of [streams]",
            "C013 4:10: `a__b` cannot name one of [streams]",
        ],
    );
    check_short(
        "[shop]\nname = 3\ncurrency = true\ntime_zone = \"\"\n",
        &[
            "C005 2:8: `shop.name` must be text, not a number",
            "C005 3:12: `shop.currency` cannot be a boolean",
            "C008 4:13: `shop.time_zone` is not a time zone: \"\"",
        ],
    );
}

#[test]
fn nothing_is_guessed_after_a_syntax_error() {
    check_short(
        "[server]\nlisten = 127.0.0.1:8080\n[shop]\nnmae = 1\n",
        &["C002 2:15: not TOML: invalid float, expected nothing"],
    );
    check_short(
        "[shop]\nnmae = 1\n[streams.sales]\nformat = csv\ncontract = \"order\"\n",
        &["C003 2:1: unknown key `nmae` in [shop]", "C002 4:10: not TOML: string values must be quoted, expected literal string"],
    );
    check_short("[shop]\nname = \"a\"\n[shop]\n", &["C002 3:2: not TOML: duplicate key"]);
}

#[test]
fn the_environment_changes_streams_but_adds_none() {
    let case =
        given("[streams.orders]\n").env("KASSA__STREAMS__ORDER__FORMAT", "csv").env("KASSA__STREAMS__ORDERS__FORMT", "csv");
    let reported = case.wrong();
    assert!(reported.contains("unknown variable KASSA__STREAMS__ORDER__FORMAT"), "{reported}");
    assert_eq!(reported.matches("did you mean `KASSA__STREAMS__ORDERS__FORMAT`?").count(), 2, "{reported}");
}

#[test]
fn mistakes_are_json_too() {
    let mistakes = given("[server]\nlsten = 3\n").env("KASSA__X", "1").load().map(|_| ()).unwrap_err();
    assert_eq!(
        serde_json::to_value(&mistakes).unwrap(),
        serde_json::json!([
            {"code": "C004", "message": "unknown variable KASSA__X", "file": null, "line": null, "column": null,
             "variable": "KASSA__X", "flag": null, "page": "docs/errors/C004.md",
             "help": ["a variable is KASSA__SECTION__KEY, for example KASSA__SERVER__LISTEN; `kassa config show` lists all keys"]},
            {"code": "C003", "message": "unknown key `lsten` in [server]", "file": "kassa.toml", "line": 2, "column": 1,
             "variable": null, "flag": null, "help": ["did you mean `listen`?"], "page": "docs/errors/C003.md"},
        ])
    );
}

const BUCKET: &str =
    "[lake]\nurl = \"s3://shop-lake/a/b/\"\n[lake.s3]\nendpoint = \"http://127.0.0.1:9000/\"\npath_style = true\n";

#[test]
fn a_bucket_has_a_server_and_keys_by_reference() {
    let keys = "access_key_id = \"env:S3_ID\"\nsecret_access_key = \"file:s3.key\"\n";
    let case = given(format!("{BUCKET}{keys}")).file("s3.key", "wJalrXUtnFEMI\n").env("S3_ID", "AKIAEXAMPLE");
    let (config, origins) = case.right();
    let LakePlace::S3(s3) = &config.lake.place else { panic!("{:?}", config.lake.place) };
    assert_eq!((s3.bucket.as_str(), s3.prefix.as_str(), s3.path_style), ("shop-lake", "a/b", true));
    assert_eq!((s3.endpoint.as_deref(), s3.region.as_deref()), (Some("http://127.0.0.1:9000"), None));
    let held = s3.keys.as_ref().unwrap();
    assert_eq!((held.access_key_id.expose(), held.secret_access_key.expose()), ("AKIAEXAMPLE", "wJalrXUtnFEMI"));
    assert_eq!(config.lake.place.to_string(), "s3://shop-lake/a/b");
    assert_eq!(origins.get("lake.s3.secret_access_key").unwrap().value, "\"file:s3.key\"");
    let shown = format!("{config:?} {origins:?}");
    assert!(!shown.contains("wJalr") && !shown.contains("AKIA"), "{shown}");
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    for value in ["\"wJalrXUtnFEMI\"", "12345678", "\"env:\"", "{ a = \"wJalrXUtnFEMI\" }", "[\"wJalrXUtnFEMI\"]"] {
        let case =
            given(format!("{BUCKET}access_key_id = \"env:S3_ID\"\nsecret_access_key = {value}\n")).env("S3_ID", "AKIAEXAMPLE");
        let reported = case.wrong();
        assert!(reported.contains("error[C025]: `lake.s3.secret_access_key` is not a reference to a secret"), "{reported}");
        assert!(!reported.contains("wJalr") && !reported.contains("12345678"), "{reported}");
    }
}

#[test]
fn mistakes_in_bucket_settings_are_at_the_given_key() {
    check_short(
        &format!("{BUCKET}access_key_id = \"env:NOT_SET\"\n"),
        &[
            "C022 6:17: `lake.s3.access_key_id` is given without `lake.s3.secret_access_key`",
            "C025 6:17: `lake.s3.access_key_id` refers to a missing secret: the environment variable NOT_SET is missing, empty \
             or not text",
        ],
    );
    check_short(
        "[lake]\nurl = \"s3://shop-lake\"\n[lake.s3]\nendpoint = \"http://s3.example.com\"\n",
        &["C010 4:12: `lake.s3.endpoint` is neither `https://` nor on this machine"],
    );
    for endpoint in ["http://127.0.0.1:9000", "https://[::1]:9000", "https://10.0.0.7"] {
        check_short(
            &format!("[lake]\nurl = \"s3://shop-lake\"\n[lake.s3]\nendpoint = \"{endpoint}\"\n"),
            &["C020 4:12: `lake.s3.endpoint` is an IP address, which cannot have the bucket's name before it"],
        );
    }
    given("[lake]\nurl = \"s3://shop-lake\"\n[lake.s3]\nendpoint = \"http://localhost:9000\"\n").right();
    check_short(
        "[lake.s3]\nregion = \"eu-west-1\"\n",
        &["C019 2:10: `lake.s3.region` has no effect: the lake is a local folder"],
    );
    check_short("[lake.s3]\nregio = \"x\"\n", &["C003 2:1: unknown key `regio` in [lake.s3]"]);
    check_short("[lake]\ns3 = 1\n", &["C005 2:6: `lake.s3` is a section, not a value"]);
    let open = "[lake]\nurl = \"s3://shop-lake\"\n[lake.s3]\nendpoint = \"http://s3.example.com\"\nallow_http = true\n";
    given(open).right();
    given("[lake]\nurl = \"s3://shop-lake\"\n").env("KASSA__LAKE__S3__PATH_STYLE", "true").right();
}

const EXPORTED: &str = "[lake]\nurl = \"s3://shop-lake/a\"\n[redshift]\n";

#[test]
fn redshift_is_a_workgroup_or_a_cluster_with_defaults() {
    assert_eq!(given("").right().0.redshift, None);
    let role = "iam_role = \"arn:aws:iam::123456789012:role/copy\"\n";
    let config = given(format!("{EXPORTED}workgroup = \"shop\"\n{role}")).right().0;
    let redshift = config.redshift.expect("it is given");
    assert_eq!(redshift.place, crate::RedshiftPlace::Workgroup("shop".to_owned()));
    assert_eq!((redshift.database.as_str(), redshift.schema.as_str(), redshift.folder.as_str()), ("dev", "dwh", "redshift"));
    let cluster =
        format!("{EXPORTED}cluster = \"dwh\"\ndb_user = \"kassa\"\niam_role = \"default\"\nfolder = \"/exports/redshift/\"\n");
    let redshift = given(cluster).right().0.redshift.expect("it is given");
    assert_eq!(redshift.place, crate::RedshiftPlace::Cluster { id: "dwh".to_owned(), db_user: Some("kassa".to_owned()) });
    assert_eq!(redshift.folder, "exports/redshift");
}

#[test]
fn mistakes_in_redshift_settings_are_at_the_given_key() {
    check_short(
        "[redshift]\nworkgroup = \"shop\"\ndb_user = \"me\"\nschema = \"Dwh\"\nfolder = \"DWH/x\"\nendpoint = \"http://redshift.example.com\"\n",
        &[
            "C020 2:13: Redshift copies from S3, but the lake is a local folder",
            "C022 2:13: Redshift needs `redshift.iam_role`",
            "C019 3:11: `redshift.db_user` has no effect: the user of a workgroup comes from the caller's identity",
            "C013 4:10: `redshift.schema` cannot be \"Dwh\"",
            "C013 5:10: `redshift.folder` cannot be \"DWH/x\"",
            "C010 6:12: `redshift.endpoint` is neither `https://` nor on this machine",
        ],
    );
    check_short(
        "[redshift]\ndatabase = \"shop\"\n",
        &["C019 2:12: `redshift.database` has no effect: neither `redshift.workgroup` nor `redshift.cluster` is given"],
    );
    check_short(
        &format!("{EXPORTED}workgroup = \"a\"\ncluster = \"b\"\n"),
        &[
            "C020 5:11: `redshift.cluster` and `redshift.workgroup` contradict each other: both a workgroup and a cluster are given",
        ],
    );
}

const PLANTED: &str = "CANARY-9b1c";

/// A secret in a value that is not a reference: refused by the key's name, and repeated nowhere.
#[test]
fn a_secret_that_is_written_into_a_setting_is_refused_by_name_and_not_repeated() {
    let kafka = |properties: &str| format!("[source]\nurl = \"kafka://one:9092\"\nproperties = \"{properties}\"\n");
    let cases = [
        (kafka("sasl.password=CANARY-9b1c"), "source.properties"),
        (kafka("client.rack=a, ssl.key.password=CANARY-9b1c"), "ssl.key.password"),
        (kafka("ssl.keystore.password = CANARY-9b1c"), "ssl.keystore.password"),
        (kafka("ssl.key.pem=CANARY-9b1c"), "ssl.key.pem"),
        (kafka("sasl.oauthbearer.client.secret=CANARY-9b1c"), "sasl.oauthbearer.client.secret"),
        (kafka("sasl.oauthbearer.config=principal=CANARY-9b1c"), "sasl.oauthbearer.config"),
        (kafka("sasl.jaas.config=Module required password='CANARY-9b1c';"), "sasl.jaas.config"),
        (kafka("login=Module required password='CANARY-9b1c';"), "login"),
        (kafka("http.proxy=http://me:CANARY-9b1c@proxy"), "http.proxy"),
        (kafka("a.b=c, CANARY-9b1c"), "part 2"),
        (kafka("ssl.key.password=env:"), "ssl.key.password"),
        ("[source]\nurl = \"kafka://me:CANARY-9b1c@one:9092\"\n".to_owned(), "source.url"),
        ("[source]\nurl = \"kafka://CANARY-9b1c@one:9092\"\n".to_owned(), "source.url"),
        ("[source]\nurl = \"https://me:CANARY-9b1c@one\"\n".to_owned(), "source.url"),
        ("[lake]\nurl = \"s3://id:CANARY-9b1c@shop-lake/a\"\n".to_owned(), "lake.url"),
        ("[lake]\nurl = \"s3://CANARY-9b1c@shop-lake/a\"\n".to_owned(), "lake.url"),
        (
            "[lake]\nurl = \"s3://shop-lake\"\n[lake.s3]\nendpoint = \"https://host?token=CANARY-9b1c\"\n".to_owned(),
            "lake.s3.endpoint",
        ),
        ("[warehouse]\nurl = \"postgres://u:CANARY-9b1c@db/x\"\n".to_owned(), "warehouse.url"),
        ("[warehouse]\nurl = \"postgres://u@db/x?password=CANARY-9b1c\"\n".to_owned(), "warehouse.url"),
        ("[warehouse]\nurl = \"postgres://u@db/x?sslpassword=CANARY-9b1c\"\n".to_owned(), "warehouse.url"),
        ("[warehouse]\nurl = \"postgres://u@db/x\"\npassword = \"CANARY-9b1c\"\n".to_owned(), "warehouse.password"),
        ("[registry]\nurl = \"http://u:CANARY-9b1c@127.0.0.1:9\"\n".to_owned(), "registry.url"),
        ("[registry]\nurl = \"http://127.0.0.1:9\"\ntoken = \"CANARY-9b1c\"\n".to_owned(), "registry.token"),
        (
            "[lake]\nurl = \"s3://shop-lake\"\n[redshift]\nworkgroup = \"a\"\niam_role = \"default\"\nsecret_arn = \"CANARY-9b1c\"\n"
                .to_owned(),
            "redshift.secret_arn",
        ),
        ("[server]\nlisten = \"http://u:CANARY-9b1c@127.0.0.1:80\"\n".to_owned(), "server.listen"),
        ("[shop]\nname = \"https://u:CANARY-9b1c@host\"\n".to_owned(), "shop.name"),
    ];
    for (text, named) in cases {
        let case = given(&text);
        let (config, origins, mistakes) = Config::draft(&case.options());
        let reported = format!("{mistakes} {} {config:?} {origins:?}", serde_json::to_string(&mistakes).unwrap());
        assert!(!mistakes.0.is_empty() && reported.contains(named), "{text}: {reported}");
        assert!(!reported.contains(PLANTED), "{text}: {reported}");
    }
}

#[test]
fn a_property_takes_a_secret_by_reference() {
    let text = "[source]\nurl = \"kafka://one:9092\"\nproperties = \"client.rack=a, ssl.key.password=env:KEY_PASSWORD\"\n";
    let (config, origins) = given(text).env("KEY_PASSWORD", PLANTED).right();
    let Source::Kafka(kafka) = &config.source else { panic!("{:?}", config.source) };
    assert_eq!(kafka.properties, [("client.rack".to_owned(), "a".to_owned())]);
    let [(name, secret)] = &kafka.secret_properties[..] else { panic!("{:?}", kafka.secret_properties) };
    assert_eq!((name.as_str(), secret.expose()), ("ssl.key.password", PLANTED));
    let shown = format!("{config:?} {origins:?} {}", serde_json::to_string(&origins).unwrap());
    assert!(!shown.contains(PLANTED) && shown.contains("env:KEY_PASSWORD"), "{shown}");
}
