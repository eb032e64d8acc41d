//! What a running kassa pushes: the latest of each event, by a thread that connects again when it is cut off.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::shapes::{Live, Pipeline};

/// The pause before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(5);
/// An event's line may be so long: a pipeline of thousands of partitions has a few MiB.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// The latest of each event. `trouble`: why nothing is heard now.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    pub url: String,
    pub live: Option<Live>,
    pub pipeline: Option<Pipeline>,
    pub live_json: Value,
    pub pipeline_json: Value,
    pub at: Option<Instant>,
    pub trouble: Option<String>,
}

/// Listens for as long as the program runs.
#[derive(Debug)]
pub struct Listener(Arc<Mutex<Heard>>);

impl Listener {
    pub fn start(url: &str) -> anyhow::Result<Self> {
        let heard = Arc::new(Mutex::new(Heard { url: url.to_owned(), ..Heard::default() }));
        let (kept, address) = (Arc::clone(&heard), format!("{url}/api/v1/live"));
        thread::Builder::new().name("listener".to_owned()).spawn(move || {
            loop {
                let why = listen(&address, &kept).map_or_else(|error| format!("{error:#}"), |()| "it has ended".to_owned());
                with(&kept, |heard| heard.trouble = Some(why));
                thread::sleep(AGAIN);
            }
        })?;
        Ok(Self(heard))
    }

    pub fn latest(&self) -> Heard {
        with(&self.0, |heard| heard.clone())
    }

    /// Waits until both events have come; else why they have not.
    pub fn whole(&self, longest: Duration) -> Result<Heard, String> {
        let until = Instant::now() + longest;
        loop {
            let heard = self.latest();
            match heard {
                Heard { live: Some(_), pipeline: Some(_), .. } => return Ok(heard),
                Heard { trouble: Some(why), .. } => return Err(why),
                _ if Instant::now() > until => return Err(format!("no figures came within {} s", longest.as_secs())),
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

fn with<T>(heard: &Mutex<Heard>, take: impl FnOnce(&mut Heard) -> T) -> T {
    take(&mut heard.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Takes events until the stream ends.
fn listen(address: &str, heard: &Mutex<Heard>) -> anyhow::Result<()> {
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
            with(heard, |heard| heard.take(&event, data))?;
        }
    }
}

impl Heard {
    pub fn take(&mut self, event: &str, data: &str) -> anyhow::Result<()> {
        match event {
            "live" => (self.live, self.live_json) = (Some(serde_json::from_str(data)?), serde_json::from_str(data)?),
            "pipeline" => (self.pipeline, self.pipeline_json) = (Some(serde_json::from_str(data)?), serde_json::from_str(data)?),
            // A newer kassa may tell more.
            _ => {}
        }
        (self.at, self.trouble) = (Some(Instant::now()), None);
        Ok(())
    }
}
