//! Another engine after partitions have moved or a sink has lost its place: all go on from what their stores hold.

use std::sync::Arc;

use anyhow::Context;
use kassa_config::Config;
use kassa_engine::memory::is_ahead;
use kassa_engine::{Memory, tally};
use kassa_model::Code;

use super::Service;
use crate::failure::Failure;
use crate::feed::{self, Feed};
use crate::sinks;
use crate::wiring::{self, Lake};

impl Service {
    pub(super) fn begin_anew(&mut self, mut feed: Box<dyn Feed>, memory: Option<Memory>) -> anyhow::Result<()> {
        feed.reset()?;
        self.go_on(feed, memory)
    }

    /// Another engine, from what the sinks hold.
    pub(super) fn go_on(&mut self, mut feed: Box<dyn Feed>, memory: Option<Memory>) -> anyhow::Result<()> {
        let grown = feed::grown(&self.config)?;
        let has_grown = grown.is_some();
        if let Some(grown) = grown {
            // One member leaves the group before the other comes.
            drop(feed);
            feed = self.grow(grown)?;
        }
        self.recount()?;
        let (lake, fed) = (self.opened_lake()?, self.chosen.durable);
        lake.begin(&self.config, fed)?;
        self.refuse_other_keys(lake)?;
        let opened = sinks::fed_by(&self.config, fed).map(|sink| sink.open(lake, &self.config));
        let mut sinks = opened.filter_map(Result::transpose).collect::<anyhow::Result<Vec<_>>>()?;
        sinks.extend(self.live_sink());
        let memory = self.resumed(memory.filter(|_| !has_grown))?;
        self.begin(feed, (sinks, memory))
    }

    /// Refuses a lake whose rows were made again with another secret: all that this process remembers is of the old rows.
    pub(super) fn refuse_other_keys(&self, lake: &Lake) -> anyhow::Result<()> {
        let Some(keyring) = &self.keyring else { return Ok(()) };
        if lake.keyring(&self.config)?.agrees(keyring) {
            return Ok(());
        }
        let what = "the star was rebuilt with a secret key while this process wrote to it";
        Err(Failure::new(Code::Rebuilding, what).hint("start `kassa run` again").into())
    }

    /// The memory of a stage that goes on: what it knows already, or else that of the last checkpoint.
    fn resumed(&self, kept: Option<Memory>) -> anyhow::Result<Memory> {
        let (lake, config, fed) = (self.opened_lake()?, &self.config, self.chosen.durable);
        if let Some(memory) = kept.map(|memory| lake.complete(fed, memory)).transpose()?.flatten() {
            return Ok(memory);
        }
        match self.place.as_ref().filter(|_| self.checkpoints.is_some()) {
            Some(place) => lake.recalled((config, fed), (place.as_ref(), self.shown.desk.as_ref()), place.manifest().ok()),
            None => lake.stage(config, fed, &wiring::index_dir(config)),
        }
    }

    /// Where several workers share a topic: counts again from what the lake holds, beyond the last checkpoint. What was counted beyond
    /// the lake may come from another process now.
    pub(super) fn recount(&self) -> anyhow::Result<()> {
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
}
