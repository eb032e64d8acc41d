//! Runs the built program in folders of its own.

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const KASSA: &str = env!("CARGO_BIN_EXE_kassa");

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// The folder of real data sets. `None` where it is missing and may be: the test then says loudly that it was left out.
pub(crate) fn test_data(set: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("KASSA_TEST_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from).join(set);
    if dir.is_dir() {
        return Some(dir.canonicalize().expect("a folder"));
    }
    let words = format!("{} is not there; CONTRIBUTING.md says where the data sets come from", dir.display());
    assert!(std::env::var_os("CI").is_none(), "{words}");
    eprintln!("LEFT OUT: {words}");
    None
}

/// Numbers from a seed, so that a failing run can be had again.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A folder with a configuration, and the program in it.
pub(crate) struct Shop {
    pub(crate) dir: TempDir,
    pub(crate) config: PathBuf,
}

impl Shop {
    /// The configuration's text may say `{root}` for the repository; its `data_dir` is `data` beside it.
    pub(crate) fn new(config: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let file = dir.path().join("kassa.toml");
        let body: String = config.lines().filter(|line| !line.starts_with("data_dir")).collect::<Vec<_>>().join("\n");
        std::fs::write(&file, format!("data_dir = \"data\"\n{body}\n")).expect("written");
        Self { config: file, dir }
    }

    pub(crate) fn of_example(name: &str, replacements: &[(&str, &str)]) -> Self {
        let mut text = std::fs::read_to_string(root().join("examples").join(name)).expect("an example");
        for (from, to) in replacements {
            text = text.replace(from, to);
        }
        Self::new(&text)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(KASSA);
        command.args(args).arg("-c").arg(&self.config).current_dir(self.dir.path()).env("NO_COLOR", "1");
        command
    }

    /// Runs to the end, whatever that is.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("started")
    }

    /// Runs and expects success; stdout.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kassa {args:?} exited {:?}\n{words}", output.status.code());
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--format", "json"]].concat())).expect("JSON")
    }

    /// The one value of a figure's total.
    pub(crate) fn figure(&self, name: &str) -> String {
        let answer = self.json(&["figures", name]);
        answer["rows"][0]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Key → value of a grouped figure.
    pub(crate) fn figure_by(&self, name: &str, by: &str) -> std::collections::BTreeMap<String, String> {
        let answer = self.json(&["figures", name, "--by", by]);
        let rows = answer["rows"].as_array().expect("rows");
        rows.iter()
            .map(|row| (row["key"].as_str().unwrap_or_default().to_owned(), row["value"].as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    /// Starts `kassa run` on a free port and waits until it listens.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same, with another data folder.
    pub(crate) fn serve_in(&self, data: &Path) -> Server {
        self.serve_as(&["--data-dir", data.to_str().expect("UTF-8")], &[])
    }

    pub(crate) fn serve_with(&self, env: &[(&str, &str)]) -> Server {
        self.serve_as(&[], env)
    }

    fn serve_as(&self, flags: &[&str], env: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["run", "--listen", "127.0.0.1:0"]);
        command.args(flags).envs(env.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let mut words = BufReader::new(child.stderr.take().expect("piped"));
        let (mut said, mut address) = (String::new(), String::new());
        // It says where it listens; one that dies before says nothing more.
        while address.is_empty() && words.read_line(&mut said).expect("stderr") > 0 {
            let url = said.lines().find_map(|line| line.trim().strip_prefix("collector  http://"));
            address = url.and_then(|url| url.split('/').next()).unwrap_or_default().to_owned();
        }
        Server { child, address, said, words }
    }
}

/// A running `kassa run`; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Empty where it died before it listened.
    pub(crate) address: String,
    said: String,
    words: BufReader<ChildStderr>,
}

/// Longer than anything takes, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks at something that must come.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for something that must come, and says what did not.
#[track_caller]
pub(crate) fn until(what: &str, mut come: impl FnMut() -> bool) {
    until_ok(what, || come().then_some(()).ok_or("not yet"));
}

/// The same for a value; the error says what there is instead.
#[track_caller]
pub(crate) fn until_ok<T, E: Debug>(what: &str, mut come: impl FnMut() -> Result<T, E>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match come() {
            Ok(value) => return value,
            Err(instead) => assert!(Instant::now() < give_up, "it never came: {what}; {instead:?}"),
        }
        std::thread::sleep(PAUSE);
    }
}

impl Server {
    /// All its output, after its end.
    pub(crate) fn words(&mut self) -> String {
        self.words.read_to_string(&mut self.said).expect("stderr");
        std::mem::take(&mut self.said)
    }

    /// Waits until its output contains this.
    pub(crate) fn until_said(&mut self, wanted: &str) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process");
        let (heard, hears) = channel::<()>();
        // One that never says it is ended, and then its words end too.
        let watch = std::thread::spawn(move || {
            if hears.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                kill_process(pid, Signal::KILL).expect("killed");
            }
        });
        while !self.said.contains(wanted) {
            let more = self.words.read_line(&mut self.said).expect("stderr");
            assert!(more > 0, "it ended and never said {wanted:?}: {}", self.said);
        }
        drop(heard);
        watch.join().expect("a thread");
    }

    /// Looks at what it says of itself until that is as wanted.
    pub(crate) fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let pipeline = self.get("/api/v1/pipeline");
            if wanted(&pipeline) {
                return pipeline;
            }
            assert!(Instant::now() < give_up, "it never came to that: {pipeline}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until every sink has committed all that was answered.
    pub(crate) fn until_committed(&self) {
        self.until(|pipeline| {
            let partitions = pipeline["partitions"].as_array().expect("partitions");
            let at = |partition: &Value, name: &str| partition[name].as_str().map_or(0, |text| text.parse().unwrap_or(-1_i64));
            partitions
                .iter()
                .all(|partition| ["archive", "lake", "live"].iter().all(|sink| at(partition, sink) == at(partition, "log_end")))
        });
    }

    /// The answer of `/readyz`.
    pub(crate) fn said_of_ready(&self) -> String {
        http(&self.address, "GET", "/readyz", b"").map_or(String::new(), |(_, body)| String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) fn until_ready(&self, wanted: impl Fn(bool) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !wanted(http(&self.address, "GET", "/readyz", b"").is_some_and(|(status, _)| status == 200)) {
            assert!(Instant::now() < give_up, "it never came to that: {}", self.said_of_ready());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = http(&self.address, "GET", path, b"").expect("an answer");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// The next event that is pushed to the dashboard: `live` or `pipeline`.
    pub(crate) fn pushed(&self, event: &str) -> Value {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(stream, "GET /api/v1/live HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).expect("asked");
        let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
        lines.find(|line| *line == format!("event: {event}")).expect("an event");
        let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("its data");
        serde_json::from_str(&data).expect("JSON")
    }

    pub(crate) fn post(&self, stream: &str, body: &[u8]) -> Option<(u16, Value)> {
        let (status, body) = http(&self.address, "POST", &format!("/v1/{stream}"), body)?;
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// Sends SIGTERM, and waits.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        let status = self.child.wait().expect("ended");
        assert!(status.success(), "kassa run ended with {status}");
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().unwrap_or_default();
            self.child.wait().map(|_| ()).unwrap_or_default();
        }
    }
}

/// Equal as decimals, whatever zeros they end in.
pub(crate) fn plain(decimal: &str) -> String {
    let cut = if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal };
    if cut == "-0" { "0".to_owned() } else { cut.to_owned() }
}

/// The stderr of a command.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One request on a connection of its own. `None` if the other side was not there or went away.
pub(crate) fn http(address: &str, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    // An early refusal closes the way in: the answer may still be read.
    stream.write_all(body).unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_default();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let body = answer[end + 4..].to_vec();
    Some((status, if chunked { unchunk(&body) } else { body }))
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&body[..end]).ok().and_then(|hex| usize::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[(end + 4 + size).min(body.len())..];
    }
    whole
}
