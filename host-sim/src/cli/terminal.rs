//! The terminal of a live view: taken, and left as it was.

use std::error::Error;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use ratatui::backend::Backend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Frame};

/// From one picture to the next.
const FRAME: Duration = Duration::from_millis(40);

/// A key of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Ctrl-C: ends the program.
    Interrupt,
    /// Ends the view.
    End,
}

/// A terminal that a view has taken. Leaves it as it was when it is dropped, or when the program is ended from outside.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    drawn: Option<Instant>,
}

impl Screen {
    /// Takes the terminal, if somebody can see it.
    pub(crate) fn open() -> Result<Option<Self>, Box<dyn Error>> {
        // A terminal that only prints.
        let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() || is_dumb {
            return Ok(None);
        }
        // Ctrl-C comes as a key. Other ends would leave the terminal without an echo.
        let ended = ctrlc::try_set_handler(|| {
            ratatui::restore();
            std::process::exit(143);
        });
        ended.or_else(|error| match error {
            ctrlc::Error::MultipleHandlers => Ok(()),
            error => Err(error),
        })?;
        let mut terminal = ratatui::try_init().map_err(|error| format!("no live view: {error}; use --no-live"))?;
        // Not every terminal has an empty second screen. `Terminal::clear` would wait for the cursor's place, which not all tell.
        let _ = terminal.backend_mut().clear();
        Ok(Some(Self { terminal, drawn: None }))
    }

    /// Draws a picture, if it is time for the next one, and says which key was pressed. A terminal that is gone ends the view.
    pub(crate) fn show(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Option<Key> {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < FRAME) {
            return None;
        }
        self.drawn = Some(Instant::now());
        let is_drawn = self.terminal.draw(draw).is_ok();
        pressed().or_else(|| (!is_drawn).then_some(Key::End))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
        let _ = self.terminal.show_cursor();
    }
}

/// The key that was pressed, if one was.
fn pressed() -> Option<Key> {
    while event::poll(Duration::ZERO).is_ok_and(|is_there| is_there) {
        match event::read() {
            Ok(Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. })) => match code {
                KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => return Some(Key::Interrupt),
                KeyCode::Char('q') | KeyCode::Esc => return Some(Key::End),
                _ => {}
            },
            Ok(_) => {}
            // The terminal is gone, and would say for ever that there is something to read.
            Err(_) => return Some(Key::End),
        }
    }
    None
}
