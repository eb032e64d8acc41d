//! The terminal: taken over, drawn, and given back as it was, whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::heard::Listener;
use super::view::View;

/// It is drawn anew this often: what comes is shown within that, and ages go on.
const FRAME: Duration = Duration::from_millis(250);

/// Shows what is heard until `q`, Ctrl-C or a polite request to end. A panic gives the terminal back before it is told.
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
        let heard = listener.latest();
        terminal.draw(|frame| frame.render_widget(View::of(&heard), frame.area()))?;
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
