//! One export: from Redshift's positions to those that the lake accounts for.

mod clean;
mod prepare;

use std::error::Error;
use std::sync::Arc;

use kassa_model::{Partition, Positions, Table};
use xxhash_rust::xxh3::xxh3_128;

use crate::api::{Api, Credentials, Outcome, Ticket};
use crate::error::ExportError;
use crate::held::{self, Held};
use crate::plan::{Plan, alike, manifest};
use crate::port::{DataFile, Lake};
use crate::schema;
use crate::statements::{self, Names};
use crate::target::Target;

/// How often an export restarts after another exporter was faster.
const TURNS: usize = 3;
/// How often a batch is repeated after a temporary failure.
const ATTEMPTS: usize = 3;
/// The maximum number of failed runs of a batch that the Data API still remembers. Skipping each
/// one takes a request.
const REMEMBERED: usize = 200;

/// The result of an export.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The number of loads so far.
    pub generation: i64,
    /// Whether this export loaded anything; otherwise Redshift was up to date.
    pub is_changed: bool,
    /// Added rows by table. `None`: Redshift did not say.
    pub rows: Vec<(Table, Option<u64>)>,
    /// The positions in Redshift.
    pub positions: Positions,
}

/// Loads new rows.
pub struct Exporter<'l> {
    lake: &'l dyn Lake,
    target: Target,
    api: Api,
    /// Unique per run, so that queries of each run are new statements.
    run: String,
}

impl std::fmt::Debug for Exporter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").field("target", &self.target).finish_non_exhaustive()
    }
}

/// The state of Redshift.
#[derive(Debug, Clone)]
struct State {
    generation: i64,
    load: String,
    lake: String,
    /// The last rebuild of the star that the rows are of.
    rebuild: Option<i64>,
    positions: Positions,
}

/// A batch, which runs as one transaction.
struct Batch {
    name: String,
    sqls: Vec<String>,
}

/// The result of one turn.
enum Turn {
    Done(Report),
    /// Another exporter was faster.
    Overtaken,
    /// The star was rebuilt since the last load, and its old rows are deleted.
    Emptied,
}

impl<'l> Exporter<'l> {
    /// `run` is unique per run. `credentials` returns the currently valid ones.
    pub fn new(
        lake: &'l dyn Lake,
        target: Target,
        run: &str,
        credentials: impl Fn() -> Result<Credentials, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Result<Self, ExportError> {
        let api = Api::new(&target, Arc::new(credentials))?;
        Ok(Self { lake, target, api, run: run.to_owned() })
    }

    /// Brings Redshift up to date with the lake. Repeating it changes nothing.
    pub fn export(&self) -> Result<Report, ExportError> {
        self.prepare()?;
        for turn in 0..TURNS {
            match self.turn(turn)? {
                Turn::Done(report) => {
                    self.clean(report.generation);
                    return Ok(report);
                }
                Turn::Emptied => tracing::info!("the star was rebuilt: its old rows are deleted, and it is loaded again"),
                Turn::Overtaken => tracing::info!("another exporter has moved Redshift on: beginning anew"),
            }
        }
        Err(ExportError::Fenced(TURNS))
    }

    fn turn(&self, turn: usize) -> Result<Turn, ExportError> {
        let state = self.state(&format!("begin {turn}"))?;
        let extent = self.lake.extent()?;
        self.belongs(&state, &extent.positions)?;
        if state.generation > 0 && state.rebuild != extent.rebuild {
            return self.empty(state.generation, extent.rebuild);
        }
        let held = Held::read(self.lake, &self.target.folder, state.generation, &state.load)?;
        let plan = Plan::new(state.generation, &state.positions, &extent, &held);
        if plan.is_empty() {
            let positions = state.positions;
            return Ok(Turn::Done(Report { generation: state.generation, positions, ..Report::default() }));
        }
        let names = Names::new(&self.target, plan.generation, &plan.id);
        let folder = held::folder(&self.target.folder, plan.generation, &plan.id);
        let staged = self.stage(&plan, &names, &folder);
        if let Err(ExportError::Statement { .. }) = &staged
            && self.state(&format!("staged {turn}"))?.generation != plan.generation
        {
            return Ok(Turn::Overtaken);
        }
        staged?;
        held.after(&extent).write(self.lake, &folder)?;
        let (batch, inserts) = apply(&plan, &names);
        let Some(rows) = self.apply(&plan, &batch)? else { return Ok(Turn::Overtaken) };
        let of = |at: usize| rows.get(at).and_then(|rows| u64::try_from(*rows).ok());
        Ok(Turn::Done(Report {
            generation: plan.generation + 1,
            is_changed: true,
            rows: inserts.into_iter().map(|(table, at)| (table, of(at))).collect(),
            positions: extent.positions,
        }))
    }

    /// Deletes the rows of a star that was rebuilt. Its new rows would be mixed with them, because a
    /// row is known by its record's position. This transaction and the load that follows have too
    /// many statements for one batch.
    fn empty(&self, generation: i64, rebuild: Option<i64>) -> Result<Turn, ExportError> {
        let plan = Plan::of_nothing(generation, rebuild);
        let names = Names::new(&self.target, generation, &plan.id);
        let mut batch = names.begin(generation, &plan.id, rebuild);
        batch.extend(names.empty());
        Ok(self.apply(&plan, &batch)?.map_or(Turn::Overtaken, |_| Turn::Emptied))
    }

    /// Refuses a lake that has less than Redshift, or another lake: its rows would be mixed with
    /// the existing ones.
    fn belongs(&self, state: &State, lake: &Positions) -> Result<(), ExportError> {
        let refused = |what: String, fix: &str| Err(ExportError::Refused { what, fix: fix.to_owned() });
        if state.lake != self.target.lake {
            let what = format!(
                "the schema {} of Redshift holds the lake at {}, not {}",
                self.target.schema, state.lake, self.target.lake
            );
            return refused(what, "give this lake a schema of its own: `redshift.schema`");
        }
        let behind = state.positions.iter().find(|(partition, held)| lake.next(partition) < *held);
        if let Some((Partition { topic, number }, held)) = behind {
            let has = lake.next(&Partition::new(topic.clone(), *number));
            let what = format!("Redshift holds {topic}/{number} up to {held}, and the lake only up to {has}");
            let fix = "the lake was restored or made anew: let it catch up, or drop the schemas in Redshift and export it from the start";
            return refused(what, fix);
        }
        Ok(())
    }

    /// The state of Redshift at one moment.
    fn state(&self, when: &str) -> Result<State, ExportError> {
        let token = self.token("state", &format!("{} {when}", self.run), 0);
        let rows = self.api.query("state", &statements::state(&self.target), &token)?;
        let number = |cell: &Option<String>| cell.as_deref().and_then(|text| text.parse::<i64>().ok());
        let mut state: Option<State> = None;
        for row in &rows {
            let [generation, load, lake, rebuild, topic, partition, next] = row.as_slice() else { continue };
            let state = state.get_or_insert_with(|| State {
                generation: number(generation).unwrap_or_default(),
                load: load.clone().unwrap_or_default(),
                lake: lake.clone().unwrap_or_default(),
                rebuild: number(rebuild),
                positions: Positions::default(),
            });
            if let (Some(topic), Some(partition), Some(next)) = (topic, number(partition), number(next)) {
                state.positions.set(Partition::new(topic.as_str(), partition), next);
            }
        }
        state.ok_or_else(|| ExportError::Refused {
            what: format!("{}.state has no row", self.target.own_schema()),
            fix: "somebody has emptied it: drop both schemas and export from the start".to_owned(),
        })
    }

    /// Copies all files into staging tables, in parallel with one batch per table.
    fn stage(&self, plan: &Plan, names: &Names, folder: &str) -> Result<(), ExportError> {
        let role = &self.target.iam_role;
        let mut batches = Vec::new();
        for load in &plan.loads {
            let mut copies = Vec::new();
            for (nth, (columns, files)) in alike(self.lake, load, folder)?.into_iter().enumerate() {
                let path = format!("{folder}/{}-{nth}.manifest", load.table.name());
                self.lake.put(&path, &manifest(self.lake, files.iter())?)?;
                copies.push((self.lake.url(&path), columns));
            }
            let rows = load.files.iter().map(|file| file.rows).sum();
            let sqls = names.stage(load.table, &copies, rows, role);
            batches.push(Batch { name: format!("staging {}", load.table.name()), sqls });
        }
        let csv = plan.positions_csv();
        let file = DataFile { path: format!("{folder}/positions.csv"), bytes: csv.len() as u64, rows: 0 };
        self.lake.put(&file.path, csv.as_bytes())?;
        let path = format!("{folder}/positions.manifest");
        self.lake.put(&path, &manifest(self.lake, [&file].into_iter())?)?;
        let rows = i64::try_from(plan.positions.len()).unwrap_or(i64::MAX);
        let sqls = names.stage_positions(&self.lake.url(&path), rows, role);
        batches.push(Batch { name: "staging positions".to_owned(), sqls });
        let first = |batch: &Batch| self.api.submit(&batch.name, &batch.sqls, &self.token(&batch.name, &plan.id, 0));
        let tickets = batches.iter().map(first).collect::<Result<Vec<_>, _>>()?;
        for (batch, ticket) in batches.iter().zip(tickets) {
            self.finish(batch, &plan.id, ticket)?;
        }
        Ok(())
    }

    /// Waits for a batch that may run twice: each run begins by recreating its table.
    fn finish(&self, batch: &Batch, load: &str, first: Ticket) -> Result<Vec<i64>, ExportError> {
        let (mut ticket, mut failed) = (first, 0);
        for attempt in 1..=REMEMBERED {
            match self.api.wait(&ticket)? {
                Outcome::Finished(rows) => return Ok(rows),
                Outcome::Failed { is_old: true, .. } => {}
                Outcome::Failed { why, .. } => {
                    failed += 1;
                    if failed >= ATTEMPTS || !passes(&why) {
                        return Err(ExportError::Statement { name: batch.name.clone(), why });
                    }
                }
                Outcome::Lost(why) => {
                    failed += 1;
                    if failed >= ATTEMPTS {
                        return Err(ExportError::Statement { name: batch.name.clone(), why });
                    }
                }
            }
            ticket = self.api.submit(&batch.name, &batch.sqls, &self.token(&batch.name, load, attempt))?;
        }
        Err(ExportError::Statement { name: batch.name.clone(), why: format!("it has failed {REMEMBERED} times today") })
    }

    /// Runs the transaction that applies the load. If the outcome is unknown, it reads the state.
    /// `None`: another load was faster.
    fn apply(&self, plan: &Plan, sqls: &[String]) -> Result<Option<Vec<i64>>, ExportError> {
        const NAME: &str = "loading";
        let (mut attempt, mut failed) = (0, 0);
        for asked in 0..REMEMBERED {
            let submitted = self.api.submit(NAME, sqls, &self.token(NAME, &plan.id, attempt));
            let outcome = submitted.and_then(|ticket| self.api.wait(&ticket));
            if let Ok(Outcome::Finished(rows)) = outcome {
                return Ok(Some(rows));
            }
            let held = self.state(&format!("settle {} {asked}", plan.id))?;
            if held.generation == plan.generation + 1 && held.load == plan.id {
                return Ok(Some(Vec::new()));
            }
            if held.generation != plan.generation {
                return Ok(None);
            }
            let (may_pass, why) = match outcome? {
                Outcome::Failed { why, is_old: false } => (passes(&why), why),
                Outcome::Lost(why) => (true, why),
                // Skips a failure of an earlier run.
                Outcome::Failed { .. } | Outcome::Finished(_) => {
                    attempt += 1;
                    continue;
                }
            };
            failed += 1;
            if failed >= ATTEMPTS || !may_pass {
                return Err(ExportError::Statement { name: NAME.to_owned(), why });
            }
            tracing::info!(why, "the load was not applied: trying again");
            // The first attempt may still be running unseen. The second of the two finds another
            // generation and fails.
            attempt += 1;
        }
        Err(ExportError::Statement { name: NAME.to_owned(), why: format!("it has failed {REMEMBERED} times today") })
    }

    /// Runs a batch that may run twice.
    fn run(&self, name: &str, sqls: Vec<String>, of: &str) -> Result<(), ExportError> {
        let batch = Batch { name: name.to_owned(), sqls };
        let ticket = self.api.submit(&batch.name, &batch.sqls, &self.token(name, of, 0))?;
        self.finish(&batch, of, ticket).map(|_| ())
    }

    /// The token of a request: the same for the same work.
    fn token(&self, name: &str, of: &str, attempt: usize) -> String {
        let words = format!("{}\n{:?}\n{}\n{name}\n{of}\n{attempt}", self.target.lake, self.target.place, self.target.schema);
        format!("kassa-{:032x}", xxh3_128(words.as_bytes()))
    }
}

/// Whether the same statement may succeed the next time.
fn passes(why: &str) -> bool {
    let why = why.to_lowercase();
    // The last two are caused by another exporter that creates the same objects.
    const WORDS: [&str; 10] = [
        "serializ",
        "deadlock",
        "1023",
        "internal error",
        "connection",
        "terminat",
        "concurrent",
        "slow down",
        "already exists",
        "pg_",
    ];
    WORDS.iter().any(|word| why.contains(word))
}

/// The statements of the transaction, and the index of the statement that adds each table's rows.
fn apply(plan: &Plan, names: &Names) -> (Vec<String>, Vec<(Table, usize)>) {
    let mut batch = names.begin(plan.generation, &plan.id, plan.rebuild);
    let mut inserts = Vec::new();
    for load in &plan.loads {
        match schema::origin(load.table) {
            Some(origin) => batch.push(names.add(load.table, origin)),
            None => batch.extend(names.replace(load.table)),
        }
        inserts.push((load.table, batch.len() - 1));
    }
    batch.extend(names.move_positions());
    (batch, inserts)
}
