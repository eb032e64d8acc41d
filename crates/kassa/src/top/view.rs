//! The layout: one picture for the terminal and for a plain snapshot. A dash is an unknown value,
//! not 0.

use std::time::Duration;

use kassa_model::printable::printable;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table, Widget};

use super::latest::Latest;
use super::shapes::{Live, MemoryPart, Partition, Pipeline, Sink, Tile};

const UNKNOWN: &str = "–";
/// After this silence, the data is marked as old: the pipeline's state arrives once a second.
const OLD: Duration = Duration::from_secs(5);
/// Parts of the memory that are shown; `/metrics` has all.
const MEMORY_PARTS: usize = 6;
/// The width of a plain snapshot.
const PLAIN: u16 = 110;

/// A table: names in its first column, numbers in the others.
struct Section {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The style of each row.
    styles: Vec<Style>,
    widths: Vec<u16>,
}

pub struct View<'h> {
    latest: &'h Latest,
}

impl<'h> View<'h> {
    pub fn of(latest: &'h Latest) -> Self {
        Self { latest }
    }

    fn parts(&self) -> Vec<Section> {
        let mut parts = Vec::new();
        parts.extend(self.latest.live.as_ref().map(today));
        if let Some(pipeline) = &self.latest.pipeline {
            parts.extend([sinks(pipeline), letters(pipeline), memory(pipeline), partitions(pipeline)]);
        }
        parts
    }
}

/// The picture as text, for output without a terminal.
pub fn plain(latest: &Latest) -> String {
    let view = View::of(latest);
    let rows: usize = view.parts().iter().map(|part| part.rows.len() + 2).sum();
    let height = u16::try_from(rows + head(latest).len() + 1).unwrap_or(u16::MAX / PLAIN);
    let mut buffer = Buffer::empty(Rect::new(0, 0, PLAIN, height));
    view.render(buffer.area, &mut buffer);
    let line = |row: u16| -> String { (0..PLAIN).map(|column| buffer[(column, row)].symbol()).collect() };
    // The last line says how to quit, which a snapshot does not need.
    let lines: Vec<String> = (0..height - 1).map(|row| line(row).trim_end().to_owned()).collect();
    lines.join("\n").trim_end().to_owned()
}

impl Widget for View<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let (head, parts) = (head(self.latest), self.parts());
        let lines = u16::try_from(head.len()).unwrap_or(1);
        let mut heights = vec![Constraint::Length(lines)];
        // What does not fit is cut off at the end of the last part, which is the longest.
        heights.extend(parts.iter().map(|part| Constraint::Max(u16::try_from(part.rows.len() + 2).unwrap_or(u16::MAX))));
        heights.extend([Constraint::Fill(1), Constraint::Length(1)]);
        let areas = Layout::vertical(heights).split(area);
        Paragraph::new(head).render(areas[0], buffer);
        for (part, area) in parts.iter().zip(&areas[1..]) {
            part.table().render(*area, buffer);
        }
        if let Some(foot) = areas.last() {
            Paragraph::new("q quits").style(Style::new().add_modifier(Modifier::DIM)).render(*foot, buffer);
        }
    }
}

impl Section {
    fn table(&self) -> Table<'_> {
        let cell = |(at, text): (usize, &str)| {
            let line = Line::from(printable(text).into_owned());
            Cell::from(if at == 0 { line } else { line.right_aligned() })
        };
        let header = self.header.iter().map(String::as_str).enumerate().map(cell);
        let rows = self
            .rows
            .iter()
            .zip(&self.styles)
            .map(|(row, style)| Row::new(row.iter().map(String::as_str).enumerate().map(cell)).style(*style));
        let header = Row::new(header).style(Style::new().add_modifier(Modifier::BOLD)).top_margin(1);
        Table::new(rows, self.widths.iter().map(|width| Constraint::Length(*width))).header(header).column_spacing(2)
    }
}

fn head(latest: &Latest) -> Vec<Line<'static>> {
    let shop = latest.live.as_ref().map_or_else(String::new, |live| format!("   {}", live.shop.name));
    let as_of = latest.pipeline.as_ref().map_or_else(String::new, |pipeline| format!("   {}", whole_second(&pipeline.as_of)));
    let mut lines = vec![Line::from(vec![
        Span::from("kassa top").style(Modifier::BOLD),
        Span::from(printable(&format!("   {}{shop}{as_of}", latest.url)).into_owned()),
    ])];
    let silent = latest.at.map(|at| at.elapsed()).filter(|silence| *silence > OLD);
    let trouble = match (&latest.trouble, silent) {
        (Some(why), _) => Some(format!("no connection: {why}; the data is old")),
        (None, Some(silence)) => Some(format!("silent for {} s; the data is old", silence.as_secs())),
        (None, None) if latest.pipeline.is_none() => Some("waiting for the first figures".to_owned()),
        (None, None) => None,
    };
    lines.extend(trouble.map(|words| Line::from(printable(&words).into_owned()).style(Style::new().fg(Color::Red))));
    if let Some(pipeline) = &latest.pipeline {
        lines.extend(summary(pipeline));
    }
    lines
}

fn summary(pipeline: &Pipeline) -> [Line<'static>; 2] {
    let records = &pipeline.records;
    let [read, accepted, duplicates, dead] =
        [records.read, records.accepted, records.duplicates, records.dead_letters].map(count);
    let (rate, memory) = (count(pipeline.rate_per_s), pipeline.memory_bytes.map_or_else(|| UNKNOWN.to_owned(), mebibytes));
    let proof = match &pipeline.proof {
        None => Span::from("not proven yet"),
        Some(proof) if proof.ok => Span::from(format!("proven {}", printable(&whole_second(&proof.at)))).style(Color::Green),
        Some(proof) => {
            Span::from(format!("{} findings {}: see kassa prove", proof.findings.len(), printable(&whole_second(&proof.at))))
                .style(Color::Red)
        }
    };
    [
        Line::from(format!(
            "{rate} records/s   {read} read = {accepted} accepted + {duplicates} duplicates + {dead} dead letters"
        )),
        Line::from(vec![Span::from(format!("memory {memory}   ")), proof]),
    ]
}

fn header<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn today(live: &Live) -> Section {
    let money = |tile: &Tile, value: &Option<String>| match (value, tile.unit.as_str()) {
        (None, _) => UNKNOWN.to_owned(),
        (Some(value), "money") => format!("{value} {}", live.shop.currency),
        (Some(value), _) => value.clone(),
    };
    let row = |tile: &Tile| vec![tile.figure.clone(), money(tile, &tile.value), money(tile, &tile.yesterday)];
    let rows: Vec<_> = live.tiles.iter().map(row).collect();
    let day = live.shop.today.as_deref().unwrap_or(UNKNOWN);
    Section {
        header: header([&format!("TODAY {day}"), "NOW", "YESTERDAY"]),
        styles: vec![Style::new(); rows.len()],
        rows,
        widths: vec![20, 22, 22],
    }
}

fn sinks(pipeline: &Pipeline) -> Section {
    let row = |sink: &Sink| {
        vec![
            sink.name.clone(),
            sink.state.clone(),
            count(sink.behind_records),
            sink.behind_ms.map_or_else(|| UNKNOWN.to_owned(), |ms| duration(ms.saturating_mul(1_000))),
            sink.committed_at.as_deref().map_or_else(|| UNKNOWN.to_owned(), |at| whole_second(at).to_owned()),
            sink.commit_us.map_or_else(|| UNKNOWN.to_owned(), duration),
            sink.commit_us_max.map_or_else(|| UNKNOWN.to_owned(), duration),
        ]
    };
    let style = |sink: &Sink| match sink.state.as_str() {
        "stopped" => Style::new().fg(Color::Red),
        "behind" => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    };
    Section {
        header: header(["SINK", "STATE", "BEHIND", "BY", "LAST COMMIT", "TOOK", "SLOWEST"]),
        rows: pipeline.sinks.iter().map(row).collect(),
        styles: pipeline.sinks.iter().map(style).collect(),
        widths: vec![10, 8, 12, 9, 20, 9, 9],
    }
}

fn letters(pipeline: &Pipeline) -> Section {
    let letters = &pipeline.dead_letters;
    let mut rows = vec![
        vec!["total".to_owned(), String::new(), count(letters.total)],
        vec!["today".to_owned(), String::new(), count(letters.today)],
    ];
    rows.extend(letters.by_reason.iter().map(|of| vec![of.reason.clone(), of.stream.clone(), count(Some(of.count))]));
    Section {
        header: header(["DEAD LETTERS", "STREAM", "COUNT"]),
        styles: vec![Style::new(); rows.len()],
        rows,
        widths: vec![24, 20, 12],
    }
}

/// The largest parts of the memory.
fn memory(pipeline: &Pipeline) -> Section {
    let text = |bytes: Option<i64>| bytes.map_or_else(|| UNKNOWN.to_owned(), mebibytes);
    let row = |part: &&MemoryPart| vec![part.part.clone(), text(part.bytes), text(part.limit_bytes)];
    let mut parts: Vec<&MemoryPart> = pipeline.memory.iter().collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
    parts.truncate(MEMORY_PARTS);
    Section {
        header: header(["MEMORY", "NOW", "LIMIT"]),
        styles: vec![Style::new(); parts.len()],
        rows: parts.iter().map(row).collect(),
        widths: vec![24, 12, 12],
    }
}

/// How far each sink is behind in each partition, the furthest behind first.
fn partitions(pipeline: &Pipeline) -> Section {
    let mut partitions: Vec<&Partition> = pipeline.partitions.iter().collect();
    let most = |partition: &Partition| sinks_of(partition).into_iter().filter_map(|at| behind(partition, at)).max();
    partitions.sort_by_key(|partition| std::cmp::Reverse(most(partition)));
    let row = |partition: &&Partition| {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        let name = format!("{}/{}", partition.topic, partition.partition);
        let mut row = vec![name, text(&partition.log_start), text(&partition.log_end)];
        row.extend(sinks_of(partition).map(|at| count(behind(partition, at))));
        row
    };
    let rows: Vec<_> = partitions.iter().map(row).collect();
    let header = header(["PARTITION", "START", "END", "ARCHIVE LAG", "LAKE LAG", "WAREH. LAG", "LIVE LAG"]);
    Section { header, styles: vec![Style::new(); rows.len()], rows, widths: vec![26, 12, 12, 11, 11, 11, 11] }
}

fn sinks_of(partition: &Partition) -> [&Option<String>; 4] {
    [&partition.archive, &partition.lake, &partition.warehouse, &partition.live]
}

/// The offsets up to the end; `None` if one of both is unknown.
fn behind(partition: &Partition, at: &Option<String>) -> Option<i64> {
    let number = |text: &Option<String>| text.as_ref()?.parse::<i64>().ok();
    Some((number(&partition.log_end)? - number(at)?).max(0))
}

/// With commas between thousands.
fn count(number: Option<i64>) -> String {
    let Some(number) = number else { return UNKNOWN.to_owned() };
    let digits = number.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{}{}", if number < 0 { "-" } else { "" }, groups.join(","))
}

fn duration(micros: i64) -> String {
    match micros {
        ..=0 => "0 s".to_owned(),
        1..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
        _ => format!("{} min", micros / 60_000_000),
    }
}

fn mebibytes(bytes: i64) -> String {
    format!("{} MiB", count(Some(bytes >> 20)))
}

/// `2026-01-12T09:30:00.123456Z` → `2026-01-12T09:30:00Z`.
fn whole_second(at: &str) -> String {
    at.split_once('.').map_or_else(|| at.to_owned(), |(second, _)| format!("{second}Z"))
}
