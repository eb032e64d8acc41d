use super::*;

fn parse(text: &str) -> Result<Target, WarehouseError> {
    Target::parse(text, None)
}

#[test]
fn takes_a_url_apart() {
    let target =
        parse("postgres://kas%40sa@db.example:6432/the%20shop?sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem").unwrap();
    assert_eq!((target.host.as_str(), target.port), ("db.example", 6432));
    assert_eq!((target.user.as_str(), target.database.as_str()), ("kas@sa", "the shop"));
    let trust = Trust { authority: Some("/ca.pem".into()), client: Some(("/c.pem".into(), "/k.pem".into())) };
    assert_eq!(target.tls, Tls::Verified(trust));
}

#[test]
fn goes_in_the_clear_on_loopback_or_when_told_alone() {
    for clear in
        ["postgres://k@localhost/s", "postgres://k@127.0.0.1/s", "postgres://k@[::1]/s", "postgres://k@far/s?sslmode=disable"]
    {
        assert_eq!(parse(clear).unwrap().tls, Tls::Off, "{clear}");
    }
    for safe in ["postgres://k@far/s", "postgres://k@localhost/s?sslmode=require", "postgres://k@127.0.0.1/s?sslrootcert=/c"] {
        assert!(matches!(parse(safe).unwrap().tls, Tls::Verified(_)), "{safe}");
    }
}

#[test]
fn refuses_with_the_fix() {
    let cases = [
        ("mysql://k@h/s", "must begin with `postgres:`"),
        ("postgres://k:secret@h/s", "set it separately"),
        ("postgres://h/s", "must contain a user and a database"),
        ("postgres://k@h/", "must contain a user and a database"),
        ("postgres://k@h/s?sslmode=prefer", "use verify-full"),
        ("postgres://k@h/s?ssl=1", "there are sslmode"),
        ("postgres://k@h/s?sslcert=/c", "both `sslcert` and `sslkey`"),
        ("postgres://k@h/s?sslmode=disable&sslrootcert=/c", "leave one out"),
        ("postgres://k@h/s?connect_timeout=0", "1 to 3600"),
    ];
    for (url, fix) in cases {
        let error = parse(url).unwrap_err().to_string();
        assert!(error.contains(fix) && !error.contains("secret"), "{url}: {error}");
    }
}

#[test]
fn prints_no_password() {
    let target = Target::parse("postgres://k@h/s", Some(Secret::new("env:PASSWORD", "hunter2"))).unwrap();
    assert!(!format!("{target:?}").contains("hunter2"));
}
