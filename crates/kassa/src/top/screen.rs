//! The terminal: taken over, drawn, and always restored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::latest::Listener;
use super::view::View;

/// The redraw interval: new data is shown within this time, and ages advance.
const FRAME: Duration = Duration::from_millis(250);

/// Shows the events until `q`, Ctrl-C or SIGTERM. A panic restores the terminal before it is
/// reported.
pub fn watch(listener: &Listener) -> anyhow::Result<()> {
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.spawn(async move {
        crate::server::interrupted().await;
        told.store(true, Ordering::Release);
    });
    let mut terminal = ratatui::try_init()?;
    let watched = draw(&mut terminal, listener, &ended);
    ratatui::try_restore()?;
    runtime.shutdown_background();
    watched
}

fn draw(terminal: &mut DefaultTerminal, listener: &Listener, ended: &AtomicBool) -> anyhow::Result<()> {
    while !ended.load(Ordering::Acquire) {
        let latest = listener.latest();
        terminal.draw(|frame| frame.render_widget(View::of(&latest), frame.area()))?;
        if event::poll(FRAME)? && is_end(&event::read()?) {
            break;
        }
    }
    Ok(())
}

fn is_end(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let is_ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press && (is_ctrl_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}
