//! What a service knows before its sinks are open: the figures and the counts, from the last checkpoint and what the lake holds beyond it.

use std::sync::Arc;

use kassa_analytics::Figures;
use kassa_config::Config;
use kassa_engine::checkpoint::{Manifest, Place, Unusable};
use kassa_engine::memory::is_ahead;
use kassa_engine::{Tally, tally};
use kassa_lake::{LogError, figures, letters};
use kassa_model::Positions;

use crate::wiring::{self, Durable, Lake};

pub struct Started {
    pub place: Arc<Place>,
    /// Of the checkpoint that the stage's memory is to be taken from.
    pub manifest: Option<Manifest>,
    pub figures: Figures,
    pub tally: Tally,
    /// The positions of both, which the lake accounts for.
    pub at: Positions,
}

/// Says that a checkpoint cannot be used, and removes it.
pub fn rebuilding(place: &Place, why: &Unusable) -> std::io::Result<()> {
    tracing::info!(%why, "no usable checkpoint: reading all of the lake");
    place.discard()
}

pub fn started(config: &Config, lake: &Lake, fed: Durable) -> Result<Started, LogError> {
    let store = lake.store.as_ref();
    // Before anything else is read: a replay that comes later makes the next checkpoint unusable.
    let place = Arc::new(wiring::checkpoints(config, letters::replays(store)?));
    let at = figures::accounted(store)?;
    let manifest = if fed.lake { place.manifest() } else { Err(Unusable::Missing) };
    let saved = manifest.and_then(|manifest| {
        let (figures, tally) = (place.figures(&manifest, &config.shop)?, place.tally(&manifest)?);
        if is_ahead(&figures.1, &at) || is_ahead(&tally.1, &at) { Err(Unusable::Ahead) } else { Ok((manifest, figures, tally)) }
    });
    let (manifest, (figures, figures_at), (counted, counted_at)) = match saved {
        Ok((manifest, figures, tally)) => (Some(manifest), figures, tally),
        Err(why) => {
            if fed.lake {
                rebuilding(&place, &why)?;
            }
            (None, (Figures::new(&config.shop), Positions::default()), Default::default())
        }
    };
    let figures = figures::figures_between(store, figures, (&figures_at, &at))?;
    let tally = tally::of_lake(store, (counted, &counted_at), &at, &mut config.shop.calendar())?;
    Ok(Started { place, manifest, figures, tally, at })
}
