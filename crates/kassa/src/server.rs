//! The service: the engine, and the HTTP server beside it.

mod adapters;
mod anew;
mod chosen;
mod ending;
mod finish;
mod joining;
mod memory;
mod passed;
mod produced;
mod proving;
mod serve;
mod standing;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context;
use arrow_array::RecordBatch;
use kassa_analytics::{Answer, Figures, Query};
use kassa_config::{Config, Source};
use kassa_engine::checkpoint::{Parts, Place, Writer};
use kassa_engine::deriver::Deriver;
use kassa_engine::engine::{Engine, Stopped, Watch};
use kassa_engine::follower::{Followed, Follower};
use kassa_engine::ticks::SystemTicks;
use kassa_engine::tracker::Tracker;
use kassa_engine::{Host, Memory, SinkHandle, Tally, Ticks, threads};
use kassa_lake::{LogError, Store};
use kassa_model::key::Keyring;
use kassa_model::{Code, Counts, Positions, Table};
use kassa_pipeline::{Sink, SinkError};
use kassa_server::{Live, LiveSink};
use kassa_source::log::Log;

use self::adapters::Gate;
pub use self::chosen::Chosen;
use self::ending::{Ending, Left};
use self::joining::{Joined, Joiner, Opened, Opener, Shown};
use self::proving::{Last, Proving};
use self::serve::Http;
use self::standing::Standing;
use crate::away::is_away;
use crate::failure::Failure;
use crate::feed::{self, Feed, LogFeed, LogMarks, Marks};
use crate::schemas::Patience;
use crate::sinks;
use crate::wiring::{self, Lake, Lock};

/// Everything that `kassa run` and `kassa demo` keep going.
///
/// What needs no store (listener, log, dashboard) begins at once. The pipeline joins when everything that it starts from is open
/// (`joining`), and again after a store was away when it was opened again.
pub struct Service {
    config: Config,
    chosen: Chosen,
    /// `None` while the pipeline joins.
    engine: Option<Engine>,
    joiner: Option<Joiner>,
    shown: Shown,
    /// Of every sink that the run has: they last when the engine restarts.
    handles: Vec<SinkHandle>,
    /// The address that it listens on, if it does.
    address: Option<SocketAddr>,
    /// For a run that has the lake.
    deriver: Option<Deriver>,
    /// Once it was opened.
    lake: Option<Lake>,
    /// That of the lake when it was opened first.
    keyring: Option<Keyring>,
    /// Where checkpoints are kept, and what the lake accounted for when it was read first.
    place: Option<Arc<Place>>,
    from: Option<(Tally, Positions)>,
    log: Arc<Log>,
    source: Arc<dyn Marks>,
    ending: Arc<Ending>,
    is_finishing: bool,
    http: Option<Http>,
    proof: Arc<Last>,
    /// Begun with the pipeline, if anybody can see it.
    proving: Option<Proving>,
    /// If other workers may read other partitions.
    follower: Option<Follower>,
    checkpoints: Option<Writer>,
    host: Host,
    _lock: Lock,
}

/// How often the pipeline is begun anew without having worked for [`SOUND`], because a sink had lost its place, before that is the
/// program's error.
const ANEW_MAX: u32 = 10;
const SOUND: Duration = Duration::from_secs(60);
/// How long a start is waited for before the program says where it listens, if nothing is known to be away.
const FIRST: Duration = Duration::from_secs(20);
/// How often the end is looked for while the pipeline joins.
const LOOK: Duration = Duration::from_millis(50);
/// The pause before the pipeline joins again, after a store was away.
const AGAIN: Duration = Duration::from_secs(1);

impl Service {
    pub fn start(config: &Config, http: bool) -> anyhow::Result<Self> {
        Self::start_with(config, http, Chosen::ALL)
    }

    pub fn start_with(config: &Config, http: bool, chosen: Chosen) -> anyhow::Result<Self> {
        kassa_server::raise_descriptors();
        // The port first: if it is taken, nothing has been touched.
        let listener = http.then(|| listen(config)).transpose()?;
        let lock = Lock::take(&config.data_dir)?;
        // Mistakes end the start, also while a store is away.
        wiring::streams(config)?;
        let clock = wiring::clock();
        let log = feed::open_log(config, &clock)?;
        let stop = Arc::<AtomicBool>::default();
        let standing = Arc::new(Standing::new(Arc::new(Patience::new(Arc::clone(&stop)))));
        let tracker = Tracker::new((Tally::default(), Positions::default()), config.shop.calendar(), Arc::clone(&clock));
        let shown = Shown {
            live: Arc::new(Live::new(Figures::new(&config.shop), Positions::default()).with_clock(Arc::clone(&clock))),
            tracker: Arc::new(tracker),
            kafka: Arc::default(),
            desk: Arc::default(),
            standing,
            store: Arc::default(),
            gate: http.then(|| Gate::new(config, Arc::clone(&log)).map(Arc::new)).transpose()?,
        };
        let source: Arc<dyn Marks> = match config.source {
            Source::Log => Arc::new(LogMarks::new(config, Arc::clone(&log))),
            Source::Kafka(_) => Arc::clone(&shown.kafka) as Arc<dyn Marks>,
        };
        let live = chosen.live.then_some(sinks::LIVE);
        let handles = joining::names(config, chosen).into_iter().chain(live).map(SinkHandle::new).collect();
        let mut service = Self {
            config: config.clone(),
            chosen,
            engine: None,
            joiner: None,
            shown,
            handles,
            address: listener.as_ref().map(TcpListener::local_addr).transpose()?,
            deriver: None,
            lake: None,
            keyring: None,
            place: None,
            from: None,
            log,
            source,
            ending: Arc::new(Ending::new(stop, config.server.stop_within)),
            is_finishing: false,
            http: None,
            proof: Arc::default(),
            proving: None,
            follower: None,
            checkpoints: None,
            host: threads::host(&clock),
            _lock: lock,
        };
        if let Some(listener) = listener {
            ending::watch(Arc::clone(&service.ending), service.left())?;
            service.serve(listener, &clock)?;
        }
        service.join(Duration::ZERO)?;
        let give_up = Instant::now() + FIRST;
        let (standing, ending, is_served) = (Arc::clone(&service.shown.standing), Arc::clone(&service.ending), http);
        service.joined(&|| is_served && (ending.is_asked() || standing.away().is_some() || Instant::now() >= give_up))?;
        Ok(service)
    }

    /// Begins to open everything that the pipeline starts from.
    fn join(&mut self, pause: Duration) -> anyhow::Result<()> {
        let opener = Opener {
            config: self.config.clone(),
            chosen: self.chosen,
            shown: self.shown.clone(),
            place: self.place.clone(),
            derives: self.deriver.is_none(),
            opened: Opened::default(),
        };
        // Nobody waits for a command as for a service.
        let patience = self.http.is_none().then_some(sinks::PATIENCE);
        self.joiner = Some(Joiner::start(opener, pause, patience)?);
        Ok(())
    }

    /// Waits until the pipeline has joined. `false`: `ended` came first.
    fn joined(&mut self, ended: &dyn Fn() -> bool) -> anyhow::Result<bool> {
        loop {
            let joiner = self.joiner.as_ref().context("the pipeline has stopped")?;
            let Some(outcome) = joiner.wait(LOOK) else {
                if ended() {
                    return Ok(false);
                }
                continue;
            };
            self.joiner = None;
            // The start itself has tried again what is away, for as long as it may.
            match self.assemble(outcome?) {
                Ok(()) => return Ok(true),
                Err(error) => self.join_again(error)?,
            }
        }
    }

    /// Joins again after a failure that passes by itself; else the failure.
    fn join_again(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        if !is_away(&error) || self.is_finishing || self.ending.is_asked() {
            return Err(error);
        }
        tracing::warn!(error = crate::failure::chain(&error), "the pipeline waits for what is away, and begins again");
        self.shown.standing.opens("store");
        self.join(AGAIN)
    }

    /// Starts the engine, and the first time what works beside it.
    fn assemble(&mut self, joined: Joined) -> anyhow::Result<()> {
        let Joined { config, lake, place, from, mut sinks, feed, memory, deriver } = joined;
        self.refuse_other_keys(&lake)?;
        self.keyring = self.keyring.or(Some(lake.keyring(&config)?));
        self.deriver = self.deriver.take().or(deriver);
        (self.config, self.lake, self.place) = (config, Some(lake), place);
        match from {
            Some(from) => self.from = Some(from),
            None => self.recount()?,
        }
        let feed: Box<dyn Feed> = match feed {
            Some(feed) => Box::new(feed),
            None => Box::new(LogFeed::new(&self.config, Arc::clone(&self.log))),
        };
        sinks.extend(self.live_sink());
        self.begin(feed, (sinks, memory))?;
        self.begin_beside()?;
        self.shown.standing.joined();
        Ok(())
    }

    /// Checkpoints, the follower and the proof.
    fn begin_beside(&mut self) -> anyhow::Result<()> {
        let interval = self.config.lake.commit_interval;
        let store = Arc::clone(&self.opened_lake()?.store);
        if self.chosen.durable.lake
            && self.checkpoints.is_none()
            && let Some((place, from)) = self.place.clone().zip(self.from.take())
        {
            self.checkpoints = Some(self.checkpoints(place, store.clone(), from)?);
        }
        if self.chosen.live && self.is_shared() && self.follower.is_none() {
            let (live, tracker) = (Box::new(LiveFigures(Arc::clone(&self.shown.live))), Arc::clone(&self.shown.tracker));
            self.follower = Some(Follower::start(store, live, tracker, interval, ticks())?);
        }
        if self.http.is_some() && self.proving.is_none() {
            self.proving = Some(Proving::start(self.config.clone(), Arc::clone(&self.proof))?);
        }
        Ok(())
    }

    /// Starts to write checkpoints. `tally` is what the lake accounts for up to some positions.
    fn checkpoints(&self, place: Arc<Place>, store: Arc<dyn Store>, tally: (Tally, Positions)) -> anyhow::Result<Writer> {
        let (live, at) = (Arc::clone(&self.shown.live), Arc::clone(&self.shown.live));
        let sinks: Vec<SinkHandle> = self.handles.iter().filter(|handle| sinks::has_star(handle.name)).cloned().collect();
        let parts = Parts {
            place,
            desk: Arc::clone(&self.shown.desk),
            store,
            figures: Box::new(move || live.snapshot()),
            figures_at: Box::new(move || at.positions()),
            committed: Box::new(move || sinks.iter().map(|sink| sink.state().committed).collect()),
            tally,
            calendar: self.config.shop.calendar(),
            commit_interval: self.config.lake.commit_interval,
        };
        Ok(Writer::start(parts, ticks())?)
    }

    fn opened_lake(&self) -> anyhow::Result<&Lake> {
        self.lake.as_ref().context("the lake is not open")
    }

    fn live_sink(&self) -> Option<Box<dyn Sink>> {
        self.chosen.live.then(|| Box::new(LiveSink(Arc::clone(&self.shown.live))) as Box<dyn Sink>)
    }

    /// Starts an engine.
    fn begin(&mut self, feed: Box<dyn Feed>, (sinks, memory): (Vec<Box<dyn Sink>>, Memory)) -> anyhow::Result<()> {
        let (config, chosen, lake) = (&self.config, self.chosen, self.opened_lake()?);
        let observed = Arc::clone(&self.shown.tracker);
        let observer = Box::new(move |batch: &kassa_pipeline::Batch| observed.observe(batch));
        let desk = chosen.durable.lake.then(|| Arc::clone(&self.shown.desk));
        let watch = Watch { fed: chosen.durable, shown: &self.handles, observer, desk };
        let lake = (&lake.store, &lake.contracts);
        let sinks = sinks.into_iter().map(|sink| sinks::cadence(config, sink)).collect();
        self.engine = Some(Engine::start(&self.host, lake, feed, sinks, memory, watch)?);
        Ok(())
    }

    /// Has the engine work until `work` is done, or until `ended` while the pipeline joins. It is begun anew when partitions have moved
    /// or a sink has lost its place: all then go on from what their stores hold. It joins again when a store is away.
    fn engine(&mut self, ended: &dyn Fn() -> bool, work: impl Fn(&mut Engine) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let mut lost = 0;
        loop {
            if self.engine.is_none() && !self.joined(ended)? {
                return Ok(());
            }
            let Some(engine) = &mut self.engine else { anyhow::bail!("the pipeline has stopped") };
            let started = Instant::now();
            let outcome = work(engine);
            if matches!(outcome, Ok(true)) {
                return Ok(());
            }
            lost = if started.elapsed() > SOUND { 0 } else { lost };
            let Some(engine) = self.engine.take() else { continue };
            let Stopped { feed, memory, outcome: stopped, .. } = engine.stop();
            let begun = match outcome.map(|_| ()).and(stopped) {
                Ok(()) => self.go_on(feed, memory),
                Err(error) => {
                    lost += 1;
                    let may_repeat = self.http.is_some() || lost <= ANEW_MAX;
                    if self.has_lost_its_place(&error) && lost <= ANEW_MAX {
                        tracing::warn!(error = crate::failure::chain(&error), "beginning anew from what the sinks hold");
                        self.begin_anew(feed, memory)
                    } else if may_repeat {
                        Err(error)
                    } else {
                        return Err(error);
                    }
                }
            };
            if let Err(error) = begun {
                self.join_again(error)?;
            }
        }
    }

    /// Whether other processes may read partitions of the same topics.
    fn is_shared(&self) -> bool {
        matches!(self.config.source, Source::Kafka(_))
    }

    /// Whether a sink found its store at earlier positions than it had committed; or at other ones, if partitions move between
    /// processes.
    fn has_lost_its_place(&self, error: &anyhow::Error) -> bool {
        error.chain().any(|cause| match cause.downcast_ref() {
            Some(SinkError::Rewound(_)) => true,
            Some(SinkError::Fenced(_)) => self.is_shared(),
            _ => false,
        })
    }

    /// The URL of what it serves: with the port that it got, where any free one was asked for.
    pub fn url(&self) -> String {
        self.address.map_or_else(String::new, |address| format!("http://{address}"))
    }

    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(self.ending.stop())
    }

    pub fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Once it was opened.
    pub fn lake(&self) -> Option<&Lake> {
        self.lake.as_ref()
    }

    pub fn counts(&self) -> Counts {
        self.shown.tracker.counts()
    }

    /// A live figure.
    pub fn live(&self, query: &Query) -> anyhow::Result<Answer> {
        Ok(self.shown.live.answer(query)?.0)
    }

    fn left(&self) -> Left {
        Left {
            sinks: self.handles.clone(),
            source: Arc::clone(&self.source),
            tracker: Arc::clone(&self.shown.tracker),
            standing: Arc::clone(&self.shown.standing),
            is_log: !self.is_shared(),
        }
    }

    /// Works until `ended` returns true or the program is stopped.
    pub fn work_until(&mut self, ended: impl Fn() -> bool) -> anyhow::Result<()> {
        let (ending, log) = (Arc::clone(&self.ending), Arc::clone(&self.log));
        let ended = || ending.is_asked() || ended() || log.stopped().is_some();
        self.engine(&ended, |engine| engine.work(&ended))?;
        // A log that cannot go on is read back by the next start: the supervisor must start the program again.
        log.stopped().map_or(Ok(()), |stopped| Err(stopped.into()))
    }

    /// Reads to the end of the source and commits everything.
    pub fn catch_up(&mut self) -> anyhow::Result<()> {
        self.engine(&|| false, Engine::catch_up)
    }
}

fn ticks() -> Arc<dyn Ticks> {
    Arc::new(SystemTicks::default())
}

/// The live figures, to which the follower adds.
#[derive(Debug)]
struct LiveFigures(Arc<Live>);

impl Followed for LiveFigures {
    fn positions(&self) -> Positions {
        self.0.positions()
    }

    fn follow(&self, rows: &[(Table, RecordBatch)], between: (&Positions, &Positions)) -> Result<bool, LogError> {
        self.0.follow(rows, between).map_err(LogError::corrupt)
    }
}

fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.server.listen;
    TcpListener::bind(address).map_err(|error| {
        let failure = Failure::new(Code::PortInUse, format!("could not listen on {address}: {error}"));
        failure.hint("give another address with --listen, or set server.listen").into()
    })
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
