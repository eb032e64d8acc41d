//! The initial state of a pipeline: the last checkpoint, and the rows that sinks have beyond it.

use anyhow::Context;
use kassa_analytics::Figures;
use kassa_lake::{LogError, Store, figures};
use kassa_model::{Positions, Shop};
use kassa_pipeline::Stage;
use kassa_pipeline::dedupe::{Index, IndexOptions};

use crate::checkpoint::{Desk, Manifest, Place, SavedStage, Unusable};
use crate::memory::{Memory, is_ahead};
use crate::tally::{Tally, of_lake};

/// The state of a pipeline before its sinks are open.
#[derive(Debug)]
pub struct Started {
    /// The manifest of the checkpoint for the stage's memory.
    pub manifest: Option<Manifest>,
    pub figures: Figures,
    pub tally: Tally,
    /// The positions of both, which the lake accounts for.
    pub at: Positions,
}

impl Started {
    /// Figures and counts, from the last checkpoint and the lake's rows beyond it; without `place` from the lake only. A
    /// checkpoint that cannot be used is removed. Rows that are ahead of `now` (µs UTC) do not move the watermark of the figures.
    pub fn of(place: Option<&Place>, store: &dyn Store, shop: &Shop, now: i64) -> Result<Self, LogError> {
        let at = figures::accounted(store)?;
        let saved = |place: &Place| {
            let manifest = place.manifest()?;
            let (figures, tally) = (place.figures(&manifest, shop)?, place.tally(&manifest)?);
            if is_ahead(&figures.1, &at) || is_ahead(&tally.1, &at) {
                Err(Unusable::Ahead)
            } else {
                Ok((manifest, figures, tally))
            }
        };
        let (manifest, (mut figures, figures_at), (counted, counted_at)) = match place.map(saved) {
            Some(Ok((manifest, figures, tally))) => (Some(manifest), figures, tally),
            unusable => {
                if let Some((place, Err(why))) = place.zip(unusable) {
                    discard(place, &why)?;
                }
                (None, (Figures::new(shop), Positions::default()), Default::default())
            }
        };
        figures.set_now(now);
        let figures = figures::figures_between(store, figures, (&figures_at, &at))?;
        let tally = of_lake(store, (counted, &counted_at), &at, &mut shop.calendar())?;
        Ok(Self { manifest, figures, tally, at })
    }
}

/// Logs that a checkpoint cannot be used, and removes it.
fn discard(place: &Place, why: &Unusable) -> std::io::Result<()> {
    tracing::info!(%why, "no usable checkpoint: reading all of the lake");
    place.discard()
}

/// The memory of a stage: that of a checkpoint, or an empty one, completed by `complete`, which returns `None` if the memory is
/// ahead of a sink. `stage` creates a stage with an index.
pub fn memory(
    (place, desk): (&Place, &Desk),
    manifest: Option<Manifest>,
    options: &IndexOptions,
    stage: &dyn Fn(Index) -> anyhow::Result<Stage>,
    complete: &mut dyn FnMut(Memory) -> anyhow::Result<Option<Memory>>,
) -> anyhow::Result<Memory> {
    if let Some(manifest) = manifest {
        desk.begin(Some(manifest.clone()));
        let why = match place.stage(&manifest, options) {
            Ok(SavedStage { index, members, known }) => {
                let mut stage = stage(index)?;
                stage.memory.members = members;
                match complete(Memory { stage, known })? {
                    Some(memory) => return Ok(memory),
                    None => Unusable::Ahead,
                }
            }
            Err(why) => why,
        };
        discard(place, &why)?;
    }
    desk.begin(None);
    let index = Index::new(options).context("could not open the dedupe index")?;
    let mut memory = Memory::none(stage(index)?);
    memory.record();
    complete(memory)?.context("a stage that remembers nothing is ahead of no sink")
}
