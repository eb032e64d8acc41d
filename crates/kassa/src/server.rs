//! The service: the engine, and the HTTP server beside it.

mod adapters;
mod memory;
mod passed;
mod produced;
mod proving;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use arrow_array::RecordBatch;
use kassa_analytics::{Answer, Query};
use kassa_config::{Config, Source};
use kassa_engine::checkpoint::{Desk, Manifest, Parts, Place, Writer};
use kassa_engine::deriver::Deriver;
use kassa_engine::engine::{Engine, Stopped, Watch};
use kassa_engine::follower::{Followed, Follower};
use kassa_engine::memory::is_ahead;
use kassa_engine::recall::{self, Started};
use kassa_engine::ticks::SystemTicks;
use kassa_engine::tracker::Tracker;
use kassa_engine::{Host, Memory, SinkHandle, Tally, Ticks, tally, threads};
use kassa_lake::{LogError, letters};
use kassa_model::{Code, Counts, Positions, Table};
use kassa_pipeline::{Sink, SinkError};
use kassa_query::Pool;
use kassa_server::{App, Limits, Live, LiveSink};
use kassa_source::log::Log;

use self::adapters::{Gate, OrdersOfLake, Overview};
use self::proving::Proving;
use crate::budget::Budget;
use crate::failure::Failure;
use crate::feed::{self, Feed, KafkaFeed, KafkaMarks, LogFeed, LogMarks, Marks};
use crate::sinks;
use crate::wiring::{self, Durable, Lake, Lock};

/// Everything that `kassa run` and `kassa demo` keep going.
pub struct Service {
    config: Config,
    chosen: Chosen,
    /// There is none only while it is begun anew.
    engine: Option<Engine>,
    handles: Vec<SinkHandle>,
    /// Where it listens, if it does.
    address: Option<SocketAddr>,
    /// Of a run that has the lake.
    deriver: Option<Deriver>,
    lake: Lake,
    log: Arc<Log>,
    source: Arc<dyn Marks>,
    kafka: Arc<KafkaMarks>,
    live: Arc<Live>,
    tracker: Arc<Tracker>,
    stop: Arc<AtomicBool>,
    http: Option<JoinHandle<std::io::Result<()>>>,
    closed: Option<tokio::sync::oneshot::Sender<()>>,
    /// Begun with the server: without one nobody would see it.
    proving: Option<Proving>,
    /// Where other workers may read what this one does not.
    follower: Option<Follower>,
    checkpoints: Option<Checkpoints>,
    host: Host,
    _lock: Lock,
}

/// The checkpoints of a process that feeds the lake.
struct Checkpoints {
    place: Arc<Place>,
    desk: Arc<Desk>,
    writer: Writer,
}

/// How often the pipeline is begun anew without having worked for [`SOUND`], because a sink had lost its place, before that is the
/// program's error.
const ANEW_MAX: u32 = 10;
const SOUND: Duration = Duration::from_secs(60);

/// The sinks that a run has.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    pub durable: Durable,
    pub live: bool,
}

impl Chosen {
    pub const ALL: Self = Self { durable: Durable::ALL, live: true };

    /// What keeps the derived tables up to date, of a process that has the lake.
    fn deriver(&self, config: &Config, lake: &Lake) -> anyhow::Result<Option<Deriver>> {
        if !self.durable.lake {
            return Ok(None);
        }
        let warehouse = lake.warehouse.clone().filter(|_| self.durable.warehouse).map(|target| (target, config.shop.clone()));
        let mut derived = lake.derived(config)?;
        let refresh = move || -> anyhow::Result<bool> {
            let changed = derived.refresh()?;
            if let Some((target, shop)) = &warehouse {
                kassa_warehouse::derived::refresh(target, shop)?;
            }
            Ok(changed)
        };
        Ok(Some(Deriver::start(Box::new(refresh), config.lake.commit_interval, ticks())?))
    }

    /// Kafka, if the configuration reads it.
    fn feed(&self, config: &Config, lake: &Lake, marks: &Arc<KafkaMarks>) -> anyhow::Result<Option<KafkaFeed>> {
        feed::kafka_feed(config, lake, |group| self.group(config, group), marks)
    }

    /// The consumer group of a process with these sinks: processes with others read the same records for themselves.
    fn group(&self, config: &Config, group: &str) -> String {
        let Durable { archive, lake, warehouse } = self.durable;
        let has_warehouse = config.warehouse.is_some();
        if archive && lake && self.live && (warehouse || !has_warehouse) {
            return group.to_owned();
        }
        let sinks = [("archive", archive), ("lake", lake), ("warehouse", warehouse && has_warehouse), ("live", self.live)];
        let names: Vec<&str> = sinks.into_iter().filter(|(_, chosen)| *chosen).map(|(name, _)| name).collect();
        format!("{group}.{}", names.join("."))
    }
}

impl Service {
    pub fn start(config: &Config, http: bool) -> anyhow::Result<Self> {
        Self::start_with(config, http, Chosen::ALL)
    }

    pub fn start_with(config: &Config, http: bool, chosen: Chosen) -> anyhow::Result<Self> {
        // The port first: if it is taken, nothing has been touched.
        let listener = http.then(|| listen(config)).transpose()?;
        let lock = Lock::take(&config.data_dir)?;
        let config = &feed::grown(config)?.unwrap_or_else(|| config.clone());
        let lake = Lake::of(config)?;
        let log = feed::open_log(config, &lake)?;
        // Before anything else is read: a replay that comes later makes the next checkpoint unusable.
        let replays = letters::replays(lake.store.as_ref()).context("could not read the lake")?;
        let place = Arc::new(wiring::checkpoints(config, replays));
        let known = chosen.durable.lake.then_some(place.as_ref());
        let started = Started::of(known, lake.store.as_ref(), &config.shop, lake.clock.now());
        let Started { manifest, figures, tally, at } = started.context("could not read the lake")?;
        let tracker = Tracker::new((tally.clone(), at.clone()), config.shop.calendar(), Arc::clone(&lake.clock));
        let (live, tracker) = (Live::new(figures, at.clone()).with_clock(Arc::clone(&lake.clock)), tracker);
        let (live, tracker) = (Arc::new(live), Arc::new(tracker));
        let kafka = Arc::<KafkaMarks>::default();
        let (feed, source): (Box<dyn Feed>, Arc<dyn Marks>) = match chosen.feed(config, &lake, &kafka)? {
            Some(feed) => (Box::new(feed), Arc::clone(&kafka) as Arc<dyn Marks>),
            None => (Box::new(LogFeed::new(config, Arc::clone(&log))), Arc::new(LogMarks::new(config, Arc::clone(&log)))),
        };
        let deriver = chosen.deriver(config, &lake)?;
        let stop = Arc::new(AtomicBool::new(false));
        let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let host = threads::host(&lake.clock);
        let mut service = Self {
            config: config.clone(),
            chosen,
            engine: None,
            handles: Vec::new(),
            address,
            deriver,
            lake,
            log,
            source,
            kafka,
            live,
            tracker,
            stop,
            http: None,
            closed: None,
            proving: None,
            follower: None,
            checkpoints: None,
            host,
            _lock: lock,
        };
        let desk = Arc::<Desk>::default();
        let sinks = service.sinks()?;
        let memory = service.recalled(&place, &desk, manifest)?;
        service.begin(feed, (sinks, memory), chosen.durable.lake.then(|| Arc::clone(&desk)))?;
        if chosen.durable.lake {
            service.checkpoints = Some(service.checkpoints((place, desk), (tally, at))?);
        }
        if chosen.live && service.is_shared() {
            let (store, interval) = (Arc::clone(&service.lake.store), config.lake.commit_interval);
            let (live, tracker) = (Box::new(LiveFigures(Arc::clone(&service.live))), Arc::clone(&service.tracker));
            service.follower = Some(Follower::start(store, live, tracker, interval, ticks())?);
        }
        if let Some(listener) = listener {
            service.serve(config, listener)?;
        }
        Ok(service)
    }

    /// Starts to write checkpoints. `tally` is what the lake accounts for up to some positions.
    fn checkpoints(&self, (place, desk): (Arc<Place>, Arc<Desk>), tally: (Tally, Positions)) -> anyhow::Result<Checkpoints> {
        let (live, at) = (Arc::clone(&self.live), Arc::clone(&self.live));
        let star = |handle: &&SinkHandle| ["lake", "warehouse"].contains(&handle.name);
        let sinks: Vec<SinkHandle> = self.handles.iter().filter(star).cloned().collect();
        let parts = Parts {
            place: Arc::clone(&place),
            desk: Arc::clone(&desk),
            store: Arc::clone(&self.lake.store),
            figures: Box::new(move || live.snapshot()),
            figures_at: Box::new(move || at.positions()),
            committed: Box::new(move || sinks.iter().map(|sink| sink.state().committed).collect()),
            tally,
            calendar: self.config.shop.calendar(),
            commit_interval: self.config.lake.commit_interval,
        };
        Ok(Checkpoints { place, desk, writer: Writer::start(parts, ticks())? })
    }

    /// The memory of the last checkpoint, or none, completed by what the sinks hold.
    fn recalled(&self, place: &Place, desk: &Desk, manifest: Option<Manifest>) -> anyhow::Result<Memory> {
        let (lake, config, fed) = (&self.lake, &self.config, self.chosen.durable);
        let options = wiring::index_options(config, Some(&wiring::index_dir(config)))?;
        let stage = |index| lake.stage_of(config, index);
        recall::memory((place, desk), manifest, &options, &stage, &mut |memory| lake.complete(fed, memory))
    }

    /// Opens the sinks. They come first: opening the warehouse migrates its schema, and the memory is completed by what the sinks hold.
    fn sinks(&self) -> anyhow::Result<Vec<Box<dyn Sink>>> {
        let mut sinks = self.lake.sinks(&self.config, self.chosen.durable)?;
        if self.chosen.live {
            sinks.push(Box::new(LiveSink(Arc::clone(&self.live))) as Box<dyn Sink>);
        }
        Ok(sinks)
    }

    /// Starts an engine.
    fn begin(
        &mut self,
        feed: Box<dyn Feed>,
        (sinks, memory): (Vec<Box<dyn Sink>>, Memory),
        desk: Option<Arc<Desk>>,
    ) -> anyhow::Result<()> {
        let (config, chosen) = (&self.config, self.chosen);
        let observed = Arc::clone(&self.tracker);
        let observer = Box::new(move |batch: &kassa_pipeline::Batch| observed.observe(batch));
        let watch = Watch { fed: chosen.durable, shown: &self.handles, observer, desk };
        let lake = (&self.lake.store, &self.lake.contracts);
        let sinks = sinks.into_iter().map(|sink| sinks::cadence(config, sink)).collect();
        let engine = Engine::start(&self.host, lake, feed, sinks, memory, watch)?;
        self.handles = engine.handles();
        self.engine = Some(engine);
        Ok(())
    }

    /// Has the engine work until `work` is done. It is begun anew when partitions have moved or a sink has lost its place: all then
    /// go on from what their stores hold.
    fn engine(&mut self, work: impl Fn(&mut Engine) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let mut lost = 0;
        loop {
            let Some(engine) = &mut self.engine else { anyhow::bail!("the pipeline has stopped") };
            let started = Instant::now();
            let outcome = work(engine);
            if matches!(outcome, Ok(true)) {
                return Ok(());
            }
            lost = if started.elapsed() > SOUND { 0 } else { lost };
            let Some(engine) = self.engine.take() else { continue };
            let Stopped { mut feed, memory, outcome: stopped, .. } = engine.stop();
            if let Err(error) = outcome.map(|_| ()).and(stopped) {
                lost += 1;
                if !self.has_lost_its_place(&error) || lost > ANEW_MAX {
                    return Err(error);
                }
                tracing::warn!(error = crate::failure::chain(&error), "beginning anew from what the sinks hold");
                feed.reset()?;
            }
            let grown = feed::grown(&self.config)?;
            let has_grown = grown.is_some();
            if let Some(grown) = grown {
                // One member leaves the group before the other comes.
                drop(feed);
                feed = self.grow(grown)?;
            }
            if self.is_shared() {
                let store = self.lake.store.as_ref();
                let accounted = kassa_lake::figures::accounted(store).context("could not read the lake")?;
                self.recount(accounted)?;
            }
            let sinks = self.sinks()?;
            let memory = self.resumed(memory.filter(|_| !has_grown))?;
            let desk = self.checkpoints.as_ref().map(|checkpoints| Arc::clone(&checkpoints.desk));
            self.begin(feed, (sinks, memory), desk)?;
        }
    }

    /// The memory of a stage that goes on: what it knows already, or else that of the last checkpoint.
    fn resumed(&self, kept: Option<Memory>) -> anyhow::Result<Memory> {
        if let Some(memory) = kept.map(|memory| self.lake.complete(self.chosen.durable, memory)).transpose()?.flatten() {
            return Ok(memory);
        }
        match &self.checkpoints {
            Some(Checkpoints { place, desk, .. }) => self.recalled(place, desk, place.manifest().ok()),
            None => self.lake.stage(&self.config, self.chosen.durable, &wiring::index_dir(&self.config)),
        }
    }

    /// Counts again from what the lake holds, beyond the last checkpoint: what was counted beyond the lake may come from another process now.
    fn recount(&self, accounted: Positions) -> anyhow::Result<()> {
        let place = self.checkpoints.as_ref().map(|checkpoints| &checkpoints.place);
        let saved = place.and_then(|place| place.tally(&place.manifest().ok()?).ok());
        let (tally, from) = saved.filter(|(_, at)| !is_ahead(at, &accounted)).unwrap_or_default();
        let (store, mut calendar) = (self.lake.store.as_ref(), self.config.shop.calendar());
        let tally = tally::of_lake(store, (tally, &from), &accounted, &mut calendar);
        self.tracker.begin(tally.context("could not read the lake")?, accounted);
        Ok(())
    }

    /// Goes on with more topics.
    fn grow(&mut self, grown: Config) -> anyhow::Result<Box<dyn Feed>> {
        let topics: Vec<&str> = grown.streams.iter().map(|stream| stream.topic.as_str()).collect();
        tracing::info!(?topics, "reading more topics, which match the patterns of streams");
        (self.lake, self.config) = (Lake::of(&grown)?, grown);
        if let Some(deriver) = self.deriver.take() {
            deriver.finish()?;
            self.deriver = self.chosen.deriver(&self.config, &self.lake)?;
        }
        let feed = self.chosen.feed(&self.config, &self.lake, &self.kafka)?;
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

    fn serve(&mut self, config: &Config, listener: TcpListener) -> anyhow::Result<()> {
        let proving = Proving::start(config.clone())?;
        let desk = self.checkpoints.as_ref().map(|checkpoints| Arc::clone(&checkpoints.desk));
        let budget = Budget::of(config);
        let pool = Pool::new(budget.query);
        let holders = memory::Holders {
            live: Arc::clone(&self.live),
            desk,
            sinks: self.handles.clone(),
            log: Arc::clone(&self.log),
            queries: pool.clone(),
        };
        let memory = memory::Memory::new(budget, holders);
        let app = App {
            shop: config.shop.clone(),
            live: Arc::clone(&self.live),
            collector: Some(Arc::new(Gate::new(config, &self.lake, Arc::clone(&self.log))?)),
            status: Arc::new(Overview::new(
                config,
                self.handles.clone(),
                Arc::clone(&self.source),
                Arc::clone(&self.tracker),
                &self.lake,
                (proving.last(), memory),
            )),
            orders: Arc::new(OrdersOfLake::new(config, &self.lake, pool)),
            clock: Arc::clone(&self.lake.clock),
            limits: Limits {
                max_body_bytes: config.collector.max_body_bytes,
                max_record_bytes: config.collector.max_record_bytes,
                max_records: config.collector.max_records,
            },
            push_interval: config.live.push_interval,
        };
        let (closed, close) = tokio::sync::oneshot::channel::<()>();
        let stop = Arc::clone(&self.stop);
        let serve = move || -> std::io::Result<()> {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("http").enable_all().build()?;
            runtime.block_on(async move {
                tokio::spawn(async move {
                    interrupted().await;
                    stop.store(true, Ordering::Release);
                });
                // The engine closes the server once it has stopped; a sender that is gone says so too.
                let shutdown = async move { close.await.unwrap_or_default() };
                kassa_server::serve(listener, app, shutdown).await
            })
        };
        self.http = Some(thread::Builder::new().name("server".to_owned()).spawn(serve)?);
        self.closed = Some(closed);
        self.proving = Some(proving);
        Ok(())
    }

    /// The URL of what it serves: with the port that it got, where any free one was asked for.
    pub fn url(&self) -> String {
        self.address.map_or_else(String::new, |address| format!("http://{address}"))
    }

    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    pub fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    pub fn counts(&self) -> Counts {
        self.tracker.counts()
    }

    /// A live figure.
    pub fn live(&self, query: &Query) -> anyhow::Result<Answer> {
        Ok(self.live.answer(query)?.0)
    }

    /// Works until `ended` says so or the program is told to stop.
    pub fn work_until(&mut self, ended: impl Fn() -> bool) -> anyhow::Result<()> {
        let stop = Arc::clone(&self.stop);
        self.engine(|engine| engine.work(&|| stop.load(Ordering::Acquire) || ended()))
    }

    /// Reads to the end of the source; everything is committed then.
    pub fn catch_up(&mut self) -> anyhow::Result<()> {
        self.engine(Engine::catch_up)
    }

    /// Takes no more requests, commits what is left, and stops.
    pub fn finish(mut self) -> anyhow::Result<()> {
        drop(self.proving.take());
        drop(self.follower.take());
        drop(self.closed.take());
        if let Some(http) = self.http.take() {
            http.join().map_err(|_| anyhow::anyhow!("the server panicked"))?.context("the server failed")?;
        }
        self.engine(|engine| {
            engine.hurry();
            engine.catch_up()
        })?;
        if let Some(engine) = self.engine.take() {
            let Stopped { memory, read, outcome, .. } = engine.stop();
            outcome?;
            if let Some((checkpoints, mut memory)) = self.checkpoints.take().zip(memory) {
                checkpoints.writer.finish((&mut memory.stage, &memory.known, &read))?;
            }
        }
        self.deriver.map_or(Ok(()), Deriver::finish)
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
