//! What an application is given by its sensor.

use std::cell::Cell;
use std::rc::Rc;

use backpass_app::device::{Sensor, SensorError};
use backpass_app::scene;

use super::BoardParts;

/// A sensor, and the last row that it gave.
#[derive(Debug)]
pub(super) struct Noted<S> {
    sensor: S,
    last: Last,
}

/// The last row of a sensor; `None` if it could not be read.
pub(super) type Last = Rc<Cell<Option<[f32; scene::CHANNELS]>>>;

/// The same parts, with a note of what the sensor gives.
pub(super) fn noted<S>(parts: BoardParts<S>) -> (BoardParts<Noted<S>>, Last) {
    let last = Last::default();
    let BoardParts { sensor, button_a, button_b, display, clock, delay } = parts;
    let sensor = Noted { sensor, last: last.clone() };
    (BoardParts { sensor, button_a, button_b, display, clock, delay }, last)
}

impl<S: Sensor<C>, const C: usize> Sensor<C> for Noted<S> {
    fn start(&mut self) -> Result<(), SensorError> {
        self.last.set(None);
        self.sensor.start()
    }

    fn read(&mut self) -> Result<[f32; C], SensorError> {
        self.last.set(None);
        let row = self.sensor.read()?;
        let mut given = [0.0; scene::CHANNELS];
        given.iter_mut().zip(row).for_each(|(place, value)| *place = value);
        self.last.set(Some(given));
        Ok(row)
    }
}
