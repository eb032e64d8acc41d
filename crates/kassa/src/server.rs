//! The service: the engine, and the HTTP server beside it.

mod adapters;
mod chosen;
mod ending;
mod joining;
mod memory;
mod passed;
mod produced;
mod proving;
mod standing;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use arrow_array::RecordBatch;
use kassa_analytics::{Answer, Figures, Query};
use kassa_config::{Config, Source};
use kassa_engine::checkpoint::{Parts, Place, Writer};
use kassa_engine::deriver::Deriver;
use kassa_engine::engine::{Engine, Stopped, Watch};
use kassa_engine::follower::{Followed, Follower};
use kassa_engine::memory::is_ahead;
use kassa_engine::recall;
use kassa_engine::ticks::SystemTicks;
use kassa_engine::tracker::Tracker;
use kassa_engine::{Host, Memory, SinkHandle, Tally, Ticks, tally, threads};
use kassa_lake::{LogError, Store};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Code, Counts, Positions, Table};
use kassa_pipeline::{Sink, SinkError};
use kassa_query::Pool;
use kassa_server::{App, Collector, Limits, Live, LiveSink};
use kassa_source::log::Log;

use self::adapters::{Gate, OrdersOfLake, Overview};
pub use self::chosen::Chosen;
use self::ending::{Ending, Left};
use self::joining::{Joined, Joiner, Opened, Opener, Shown};
use self::proving::{Last, Proving};
use self::standing::Standing;
use crate::away::is_away;
use crate::budget::Budget;
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
    /// Where it listens, if it does.
    address: Option<SocketAddr>,
    /// Of a run that has the lake.
    deriver: Option<Deriver>,
    /// Once it was opened.
    lake: Option<Lake>,
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
    /// Where other workers may read what this one does not.
    follower: Option<Follower>,
    checkpoints: Option<Writer>,
    host: Host,
    _lock: Lock,
}

/// The thread of the server. It closes once `close` is dropped, and `closed` is dropped when it has.
struct Http {
    thread: JoinHandle<std::io::Result<()>>,
    close: tokio::sync::oneshot::Sender<()>,
    closed: Receiver<()>,
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
        // The port first: if it is taken, nothing has been touched.
        let listener = http.then(|| listen(config)).transpose()?;
        let lock = Lock::take(&config.data_dir)?;
        // Mistakes end the start, also while a store is away.
        wiring::streams(config)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log = feed::open_log(config, &clock)?;
        let stop = Arc::<AtomicBool>::default();
        let standing = Arc::new(Standing::new(Arc::new(Patience::new(Arc::clone(&stop)))));
        let tracker = Tracker::new((Tally::default(), Positions::default()), config.shop.calendar(), Arc::clone(&clock));
        let shown = Shown {
            live: Arc::new(Live::new(Figures::new(&config.shop), Positions::default())),
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
            match outcome.and_then(|joined| self.assemble(joined)) {
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
        let star = |handle: &&SinkHandle| ["lake", "warehouse"].contains(&handle.name);
        let sinks: Vec<SinkHandle> = self.handles.iter().filter(star).cloned().collect();
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

    fn begin_anew(&mut self, mut feed: Box<dyn Feed>, memory: Option<Memory>) -> anyhow::Result<()> {
        feed.reset()?;
        self.go_on(feed, memory)
    }

    /// Another engine, from what the sinks hold.
    fn go_on(&mut self, mut feed: Box<dyn Feed>, memory: Option<Memory>) -> anyhow::Result<()> {
        let grown = feed::grown(&self.config)?;
        let has_grown = grown.is_some();
        if let Some(grown) = grown {
            // One member leaves the group before the other comes.
            drop(feed);
            feed = self.grow(grown)?;
        }
        self.recount()?;
        let (lake, fed) = (self.opened_lake()?, self.chosen.durable);
        lake.may_feed(fed)?;
        let opened = sinks::fed_by(&self.config, fed).map(|sink| sink.open(lake, &self.config));
        let mut sinks = opened.filter_map(Result::transpose).collect::<anyhow::Result<Vec<_>>>()?;
        sinks.extend(self.live_sink());
        let memory = self.resumed(memory.filter(|_| !has_grown))?;
        self.begin(feed, (sinks, memory))
    }

    /// The memory of a stage that goes on: what it knows already, or else that of the last checkpoint.
    fn resumed(&self, kept: Option<Memory>) -> anyhow::Result<Memory> {
        let (lake, config, fed) = (self.opened_lake()?, &self.config, self.chosen.durable);
        if let Some(memory) = kept.map(|memory| lake.complete(fed, memory)).transpose()?.flatten() {
            return Ok(memory);
        }
        match self.place.as_ref().filter(|_| self.checkpoints.is_some()) {
            Some(place) => {
                let options = wiring::index_options(config, Some(&wiring::index_dir(config)))?;
                let stage = |index| lake.stage_of(config, index);
                let (places, manifest) = ((place.as_ref(), self.shown.desk.as_ref()), place.manifest().ok());
                recall::memory(places, manifest, &options, &stage, &mut |memory| lake.complete(fed, memory))
            }
            None => lake.stage(config, fed, &wiring::index_dir(config)),
        }
    }

    /// Where several workers share a topic: counts again from what the lake holds, beyond the last checkpoint. What was counted beyond
    /// the lake may come from another process now.
    fn recount(&self) -> anyhow::Result<()> {
        if !self.is_shared() {
            return Ok(());
        }
        let store = self.opened_lake()?.store.as_ref();
        let accounted = kassa_lake::figures::accounted(store).context("could not read the lake")?;
        let place = self.place.as_ref().filter(|_| self.checkpoints.is_some());
        let saved = place.and_then(|place| place.tally(&place.manifest().ok()?).ok());
        let (tally, from) = saved.filter(|(_, at)| !is_ahead(at, &accounted)).unwrap_or_default();
        let tally = tally::of_lake(store, (tally, &from), &accounted, &mut self.config.shop.calendar());
        self.shown.tracker.begin(tally.context("could not read the lake")?, accounted);
        Ok(())
    }

    /// Goes on with more topics.
    fn grow(&mut self, grown: Config) -> anyhow::Result<Box<dyn Feed>> {
        let topics: Vec<&str> = grown.streams.iter().map(|stream| stream.topic.as_str()).collect();
        tracing::info!(?topics, "reading more topics, which match the patterns of streams");
        let mut lake = Lake::of(&grown)?;
        lake.patience = Some(Arc::clone(&self.shown.standing.patience));
        let feed = self.chosen.feed(&grown, &lake, &self.shown.kafka)?;
        if let Some(deriver) = self.deriver.take() {
            deriver.finish()?;
            self.deriver = self.chosen.deriver(&grown, &lake)?;
        }
        (self.lake, self.config) = (Some(lake), grown);
        Ok(Box::new(feed.context("only Kafka has patterns of topics")?))
    }

    /// Whether other processes may read partitions of the same topics.
    fn is_shared(&self) -> bool {
        matches!(self.config.source, Source::Kafka(_))
    }

    /// Whether a sink found its store less far than it had left it; or further, where partitions move between processes.
    fn has_lost_its_place(&self, error: &anyhow::Error) -> bool {
        error.chain().any(|cause| match cause.downcast_ref() {
            Some(SinkError::Rewound(_)) => true,
            Some(SinkError::Fenced(_)) => self.is_shared(),
            _ => false,
        })
    }

    fn serve(&mut self, listener: TcpListener, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
        let config = &self.config;
        let budget = Budget::of(config);
        let pool = Pool::new(budget.query);
        let holders = memory::Holders {
            live: Arc::clone(&self.shown.live),
            desk: self.chosen.durable.lake.then(|| Arc::clone(&self.shown.desk)),
            sinks: self.handles.clone(),
            log: Arc::clone(&self.log),
            queries: pool.clone(),
        };
        let memory = memory::Memory::new(budget, holders);
        let app = App {
            shop: config.shop.clone(),
            live: Arc::clone(&self.shown.live),
            collector: self.shown.gate.clone().map(|gate| gate as Arc<dyn Collector>),
            status: Arc::new(Overview::new(
                config,
                self.handles.clone(),
                Arc::clone(&self.source),
                Arc::clone(&self.shown.tracker),
                Arc::clone(clock),
                (Arc::clone(&self.proof), Arc::clone(&self.shown.standing), memory),
            )),
            orders: Arc::new(OrdersOfLake::new(config, Arc::clone(&self.shown.store), pool)),
            clock: Arc::clone(clock),
            limits: Limits {
                max_body_bytes: config.collector.max_body_bytes,
                max_record_bytes: config.collector.max_record_bytes,
                max_records: config.collector.max_records,
            },
            push_interval: config.live.push_interval,
        };
        let (close, asked) = tokio::sync::oneshot::channel::<()>();
        let (ends, closed) = channel::<()>();
        let serve = move || -> std::io::Result<()> {
            let _ends = ends;
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("http").enable_all().build()?;
            // The service closes the server; a sender that is gone says so too.
            let shutdown = async move { asked.await.unwrap_or_default() };
            runtime.block_on(kassa_server::serve(listener, app, shutdown))
        };
        let thread = thread::Builder::new().name("server".to_owned()).spawn(serve)?;
        self.http = Some(Http { thread, close, closed });
        Ok(())
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

    /// Works until `ended` says so or the program is told to stop.
    pub fn work_until(&mut self, ended: impl Fn() -> bool) -> anyhow::Result<()> {
        let ending = Arc::clone(&self.ending);
        let ended = || ending.is_asked() || ended();
        self.engine(&ended, |engine| engine.work(&ended))
    }

    /// Reads to the end of the source; everything is committed then.
    pub fn catch_up(&mut self) -> anyhow::Result<()> {
        self.engine(&|| false, Engine::catch_up)
    }

    /// Takes no more requests, commits what is left within the time for it, and stops.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.is_finishing = true;
        drop(self.proving.take());
        drop(self.follower.take());
        let is_served = self.http.is_some();
        self.close_server()?;
        let left = self.left();
        let ended = if self.engine.is_some() { self.commit_rest() } else { self.unstarted() };
        if is_served {
            eprintln!("stopped: {}", left.words());
        }
        ended
    }

    /// Waits for the requests at work, but no longer than a quarter of the time: what the log takes later, the next start reads.
    fn close_server(&mut self) -> anyhow::Result<()> {
        let Some(Http { thread, close, closed }) = self.http.take() else { return Ok(()) };
        drop(close);
        if matches!(closed.recv_timeout(self.ending.quarters(1)), Err(RecvTimeoutError::Timeout)) {
            tracing::warn!("the server has not closed in time");
            return Ok(());
        }
        thread.join().map_err(|_| anyhow::anyhow!("the server panicked"))?.context("the server failed")
    }

    fn commit_rest(mut self) -> anyhow::Result<()> {
        let patience = self.ending.quarters(2);
        let until = Instant::now() + patience;
        self.engine(&|| true, |engine| {
            engine.hurry(patience);
            engine.catch_up_until(&|| Instant::now() >= until)
        })?;
        if let Some(engine) = self.engine.take() {
            let Stopped { memory, read, outcome, .. } = engine.stop();
            outcome?;
            if let Some((checkpoints, mut memory)) = self.checkpoints.take().zip(memory) {
                checkpoints.finish((&mut memory.stage, &memory.known, &read))?;
            }
        }
        self.deriver.map_or(Ok(()), Deriver::finish)
    }

    /// The pipeline has not started. That is a failure if something is away.
    fn unstarted(self) -> anyhow::Result<()> {
        let Some(away) = self.shown.standing.away() else { return Ok(()) };
        let failure = Failure::new(Code::StoreUnreachable, format!("stopped before the pipeline could start: {away}"));
        Err(failure.hint("nothing that was accepted is lost: the next start reads the collector's log").into())
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

/// Ctrl-C, or a polite request to end.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
