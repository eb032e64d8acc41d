//! The latest events of a running kassa, read by a thread that reconnects when the connection ends.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::shapes::{Live, Pipeline};

/// The pause before a reconnect.
const AGAIN: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(5);
/// The longest line of an event: a pipeline with thousands of partitions has a few MiB.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// The latest of each event. `trouble`: why there are no events now.
#[derive(Debug, Clone, Default)]
pub struct Latest {
    pub url: String,
    pub live: Option<Live>,
    pub pipeline: Option<Pipeline>,
    pub live_json: Value,
    pub pipeline_json: Value,
    pub at: Option<Instant>,
    pub trouble: Option<String>,
}

/// Listens until the program ends.
#[derive(Debug)]
pub struct Listener(Arc<Mutex<Latest>>);

impl Listener {
    pub fn start(url: &str) -> anyhow::Result<Self> {
        let latest = Arc::new(Mutex::new(Latest { url: url.to_owned(), ..Latest::default() }));
        let (kept, address) = (Arc::clone(&latest), format!("{url}/api/v1/live"));
        thread::Builder::new().name("listener".to_owned()).spawn(move || {
            loop {
                let why = listen(&address, &kept).map_or_else(|error| format!("{error:#}"), |()| "the stream ended".to_owned());
                with(&kept, |latest| latest.trouble = Some(why));
                thread::sleep(AGAIN);
            }
        })?;
        Ok(Self(latest))
    }

    pub fn latest(&self) -> Latest {
        with(&self.0, |latest| latest.clone())
    }

    /// Waits until both events have arrived; otherwise returns the reason.
    pub fn whole(&self, longest: Duration) -> Result<Latest, String> {
        let until = Instant::now() + longest;
        loop {
            let latest = self.latest();
            match latest {
                Latest { live: Some(_), pipeline: Some(_), .. } => return Ok(latest),
                Latest { trouble: Some(why), .. } => return Err(why),
                _ if Instant::now() > until => return Err(format!("no figures arrived within {} s", longest.as_secs())),
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

fn with<T>(latest: &Mutex<Latest>, take: impl FnOnce(&mut Latest) -> T) -> T {
    take(&mut latest.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Reads events until the stream ends.
fn listen(address: &str, latest: &Mutex<Latest>) -> anyhow::Result<()> {
    let agent =
        ureq::Agent::config_builder().timeout_connect(Some(CONNECT)).timeout_recv_response(Some(CONNECT)).build().new_agent();
    let answer = agent.get(address).call()?;
    let mut lines = BufReader::new(answer.into_body().into_with_config().limit(u64::MAX).reader());
    let (mut line, mut event) = (String::new(), String::new());
    loop {
        line.clear();
        if std::io::Read::take(&mut lines, LINE_BYTES_MAX).read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(name) = line.strip_prefix("event: ") {
            name.trim_end().clone_into(&mut event);
        } else if let Some(data) = line.strip_prefix("data: ") {
            with(latest, |latest| latest.take(&event, data))?;
        }
    }
}

impl Latest {
    pub fn take(&mut self, event: &str, data: &str) -> anyhow::Result<()> {
        match event {
            "live" => (self.live, self.live_json) = (Some(serde_json::from_str(data)?), serde_json::from_str(data)?),
            "pipeline" => (self.pipeline, self.pipeline_json) = (Some(serde_json::from_str(data)?), serde_json::from_str(data)?),
            // A newer kassa may send more events.
            _ => {}
        }
        (self.at, self.trouble) = (Some(Instant::now()), None);
        Ok(())
    }
}
