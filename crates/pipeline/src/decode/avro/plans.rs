//! The plans by schema id: each schema is fetched and compiled once.

use std::sync::Arc;

use hashbrown::HashMap;
use kassa_model::{Contract, DeadLetter, Reason, Records};

use super::{Plan, Schema, frame};
use crate::decode::Layout;
use crate::ports::{Schemas, SchemasError};

/// Limit of cached plans. A stream has a few schemas; beyond the limit the cache is cleared.
const PLANS_MAX: usize = 1_000;

/// The result for a schema id: a plan, or the reason why its records are dead letters.
type Held = Result<Arc<Plan>, DeadLetter>;

/// Compiled schemas, and the registry that they come from.
#[derive(Debug, Default)]
pub struct Plans {
    schemas: Option<Box<dyn Schemas>>,
    held: HashMap<(Contract, i32), Held>,
}

impl Plans {
    pub fn new(schemas: Box<dyn Schemas>) -> Self {
        Self { schemas: Some(schemas), held: HashMap::new() }
    }

    /// The plans for the schemas of these records.
    pub(crate) fn known(&mut self, layout: &Layout, records: &Records) -> Result<Known, SchemasError> {
        let mut known = Known::default();
        let mut last = None;
        for index in 0..records.len() {
            let Ok((id, _)) = frame(records.value(index)) else { continue };
            if last == Some(id) || known.0.contains_key(&id) {
                continue;
            }
            last = Some(id);
            known.0.insert(id, self.of(layout, id)?);
        }
        Ok(known)
    }

    /// The plan for the schema of one value. `None`: it has not been fetched from the registry yet.
    pub(crate) fn held(&self, contract: Contract, value: &[u8]) -> Option<Known> {
        let Ok((id, _)) = frame(value) else { return Some(Known::default()) };
        let held = self.held.get(&(contract, id))?;
        Some(Known(HashMap::from_iter([(id, held.clone())])))
    }

    fn of(&mut self, layout: &Layout, id: i32) -> Result<Held, SchemasError> {
        if let Some(held) = self.held.get(&(layout.contract, id)) {
            return Ok(held.clone());
        }
        let unknown = || DeadLetter::new(Reason::UnknownSchema, "", format!("the registry has no schema {id}"));
        if id < 0 {
            return Ok(Err(unknown()));
        }
        let Some(schemas) = &mut self.schemas else {
            return Err(SchemasError { id, why: "no registry is configured".into() });
        };
        // It may be registered later: fetch it again for the next run.
        let Some(text) = schemas.schema(id)? else { return Ok(Err(unknown())) };
        let plan = Schema::parse(&text).and_then(|schema| Plan::new(schema, layout));
        let held = plan.map(Arc::new).map_err(|error| DeadLetter::new(Reason::BadSchema, "", format!("schema {id}: {error}")));
        if self.held.len() >= PLANS_MAX {
            self.held.clear();
        }
        self.held.insert((layout.contract, id), held.clone());
        Ok(held)
    }
}

/// The plans of one run of records.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<i32, Held>);

impl Known {
    /// The plan of a frame, and its datum.
    pub(crate) fn plan<'k, 'b>(&'k self, bytes: &'b [u8]) -> Result<(&'k Plan, &'b [u8]), DeadLetter> {
        let (id, datum) = frame(bytes)?;
        match self.0.get(&id) {
            Some(Ok(plan)) => Ok((plan, datum)),
            Some(Err(letter)) => Err(letter.clone()),
            None => Err(DeadLetter::new(Reason::UnknownSchema, "", format!("the registry has no schema {id}"))),
        }
    }
}
