//! What real boards have in common: how the applications learn there, the loop that never ends, and the log.

use core::ops::Range;

use crate::{anomaly, gesture};

/// Classes of gestures.
pub const CLASSES: usize = 4;

/// Gestures on a core with an FPU.
pub const GESTURE: gesture::Settings =
    gesture::Settings { updates: 1, replayed: 7, learning_rate: 0.008, ..gesture::Settings::at_rate(25) };
/// Gestures on a Cortex-M0+ of 125 MHz, whose floats are soft: rows come slowly enough that a window is learned from before the next row.
pub const GESTURE_M0: gesture::Settings = gesture::Settings {
    updates: 1,
    replayed: 4,
    rehearsals: 40,
    learning_rate: 0.008,
    ..gesture::Settings::at_rate(4)
};
/// Anomalies on a core with an FPU; three minutes are normal.
pub const ANOMALY: anomaly::Settings =
    anomaly::Settings { updates: 1, replayed: 5, ..anomaly::Settings::at_rate(25, 180) };
/// Anomalies on a Cortex-M0+ of 125 MHz.
pub const ANOMALY_M0: anomaly::Settings =
    anomaly::Settings { updates: 1, replayed: 1, ..anomaly::Settings::at_rate(3, 180) };

/// A board, ready for an application.
#[derive(Debug)]
pub struct Board<P, L, F, A> {
    /// What an application works with: [`Parts`](crate::device::Parts).
    pub parts: P,
    /// Opens the serial line, at [`BAUD`](crate::stream::BAUD).
    pub line: L,
    /// Where it keeps what was learned.
    pub flash: F,
    /// The place of the checkpoints in it.
    pub checkpoints: Range<u32>,
    /// To be called at every step, for a watchdog.
    pub alive: A,
}

#[cfg(feature = "defmt")]
pub use run::{run_anomaly, run_gesture, run_stream, tell_stream};

#[cfg(feature = "defmt")]
mod run {
    use core::ops::Range;

    use backpass::checkpoint::Store;
    use backpass::stream::Storage;
    use defmt::{Display2Format, Format, Formatter, error, info, warn};
    use embedded_hal::delay::DelayNs;
    use embedded_hal::digital::InputPin;
    use embedded_io::{Read, ReadReady, Write};
    use embedded_storage::nor_flash::NorFlash;

    use super::{Board, CLASSES};
    use crate::device::{Clock, Display, Face, Parts, Sensor, Sign};
    use crate::stream::{self, FRAME, Frames};
    use crate::{anomaly, gesture};

    /// A board with all of its parts.
    type Complete<S, A, B, D, T, W, L, F, K> = Board<Parts<S, A, B, D, T, W>, L, F, K>;

    /// How long all LEDs are lit at switch-on, in microseconds.
    const HELLO: u32 = 500_000;

    /// Lights all LEDs for a moment, and opens the checkpoints.
    fn begin<S, A, B, D: Display, C, W: DelayNs, F: NorFlash>(
        parts: &mut Parts<S, A, B, D, C, W>,
        flash: F,
        checkpoints: Range<u32>,
    ) -> Store<F> {
        let all = Face { sign: Sign::Watching { error: 2.0, alarm: true }, fault: true };
        parts.display.show(&all, &mut parts.delay, HELLO);
        parts.display.show(&Face::default(), &mut parts.delay, 0);
        match Store::new(flash, checkpoints) {
            Ok(store) => store,
            // Tests of the images compare the range with the flash.
            Err(_) => defmt::panic!("the checkpoints' range does not fit the flash"),
        }
    }

    /// Parts of the RAM to learn in, and their bytes, as [`Memory`](backpass::Memory) tells its own.
    struct Ram<'p>(&'p [(&'static str, usize)]);

    impl Format for Ram<'_> {
        fn format(&self, f: Formatter<'_>) {
            defmt::write!(f, "RAM {{ ");
            self.0.iter().for_each(|(part, bytes)| defmt::write!(f, "{=str}: {=usize}, ", part, bytes));
            defmt::write!(f, "}}");
        }
    }

    /// Learns gestures for ever.
    pub fn run_gesture<const C: usize, Q, S, A, B, D, T, W, L, F, K>(
        ram: &'static mut gesture::Ram<C, CLASSES, Q>,
        settings: gesture::Settings,
        board: Complete<S, A, B, D, T, W, L, F, K>,
    ) -> !
    where
        Q: Storage<gesture::Input<C>>,
        S: Sensor<C>,
        A: InputPin,
        B: InputPin,
        D: Display,
        T: Clock,
        W: DelayNs,
        F: NorFlash,
        K: FnMut(),
    {
        info!("backpass gesture: {} channels, {} classes, {}", C, CLASSES, settings);
        info!("{}", Ram(&gesture::Ram::<C, CLASSES, Q>::PARTS));
        let Board { mut parts, flash, checkpoints, mut alive, .. } = board;
        let mut store = begin(&mut parts, flash, checkpoints);
        let mut application = gesture::Gesture::new(ram, settings);
        application.start(&mut store, &mut tell_gesture);
        loop {
            alive();
            application.step(&mut parts, &mut store, &mut tell_gesture);
        }
    }

    /// Watches for anomalies for ever.
    pub fn run_anomaly<const C: usize, Q, S, A, B, D, T, W, L, F, K>(
        ram: &'static mut anomaly::Ram<C, Q>,
        settings: anomaly::Settings,
        board: Complete<S, A, B, D, T, W, L, F, K>,
    ) -> !
    where
        Q: Storage<anomaly::Input<C>>,
        S: Sensor<C>,
        A: InputPin,
        B: InputPin,
        D: Display,
        T: Clock,
        W: DelayNs,
        F: NorFlash,
        K: FnMut(),
    {
        info!("backpass anomaly: {} channels, {}", C, settings);
        info!("{}", Ram(&anomaly::Ram::<C, Q>::PARTS));
        let Board { mut parts, flash, checkpoints, mut alive, .. } = board;
        let mut store = begin(&mut parts, flash, checkpoints);
        let mut application = anomaly::Anomaly::new(ram, settings);
        application.start(&mut store, &mut tell_anomaly);
        loop {
            alive();
            application.step(&mut parts, &mut store, &mut tell_anomaly);
        }
    }

    /// Learns from what comes over the serial line, for ever. Its LEDs are dark: a matrix that is shown takes time, in which bytes would be
    /// missed.
    pub fn run_stream<S, A, B, D, T, W, O, L, F, K>(
        ram: &'static mut stream::Ram,
        frames: &'static mut Frames<FRAME>,
        board: Complete<S, A, B, D, T, W, O, F, K>,
    ) -> !
    where
        D: Display,
        W: DelayNs,
        O: FnOnce() -> L,
        L: Read + ReadReady + Write,
        F: NorFlash,
        K: FnMut(),
    {
        info!("backpass stream: {} baud", stream::BAUD);
        info!("{}", ram);
        let Board { mut parts, line, flash, checkpoints, mut alive } = board;
        let mut store = begin(&mut parts, flash, checkpoints);
        let mut server = stream::example(ram, frames);
        server.start(&mut store, &mut tell_stream);
        let mut line = line();
        info!("ready");
        loop {
            alive();
            server.step(&mut line, &mut store, &mut tell_stream);
        }
    }

    /// Classes count from 1, as the LEDs do.
    fn tell_gesture(event: gesture::Event) {
        use gesture::Event;
        match event {
            Event::Resumed { windows } => info!("goes on after {} windows", windows),
            Event::Fresh => info!("nothing was saved: starts afresh. Hold button A and move: that is class 1"),
            Event::NotResumed(error) => warn!("starts afresh: {}", Display2Format(&error)),
            Event::Chosen { class } => info!("class {}", u16::from(class) + 1),
            Event::LessonBegins { class } => info!("learns class {}", u16::from(class) + 1),
            Event::Learned { class, predicted, loss } => {
                info!("class {} taken for {}, loss {}", u16::from(class) + 1, u16::from(predicted) + 1, loss);
            }
            Event::LessonEnds { class, windows } => {
                info!("learned from {} windows of class {}", windows, u16::from(class) + 1);
            }
            Event::Saved { bytes } => info!("saved {} bytes", bytes),
            Event::NotSaved(error) => error!("not saved: {}", Display2Format(&error)),
            Event::Predicted { class, confidence } => {
                info!("class {}, {} %", u16::from(class) + 1, 100.0 * confidence);
            }
            Event::Fault(fault) => warn!("{}", Display2Format(&fault)),
            Event::SensorBack { missed } => info!("the sensor answers again; {} rows are missing", missed),
            Event::WindowRefused(_) | Event::UpdateRefused(_) => warn!("{}", event),
        }
    }

    fn tell_anomaly(event: anomaly::Event) {
        use anomaly::Event;
        match event {
            Event::Resumed { threshold } => info!("watches on, threshold {}", threshold),
            Event::NotResumed(error) => warn!("{}", Display2Format(&error)),
            Event::LearningBegins => info!("learns what is normal"),
            Event::Learned { error } => info!("learned, error {}", error),
            Event::LearningEnds { threshold } => info!("watches, threshold {}", threshold),
            Event::Saved { bytes } => info!("saved {} bytes", bytes),
            Event::NotSaved(error) => error!("not saved: {}", Display2Format(&error)),
            Event::Watched { error, alarm: false } => info!("error {}", error),
            Event::Watched { error, alarm: true } => info!("error {}, alarm", error),
            Event::AlarmBegins => warn!("alarm"),
            Event::AlarmEnds => info!("the alarm ends"),
            Event::Drift => warn!("what is normal has changed for good"),
            Event::Fault(fault) => warn!("{}", Display2Format(&fault)),
            Event::SensorBack { missed } => info!("the sensor answers again; {} rows are missing", missed),
            Event::WindowRefused(_) | Event::UpdateRefused(_) => warn!("{}", event),
        }
    }

    /// What the host asks for without changing anything is not told: the host has the answer.
    pub fn tell_stream(event: stream::Event) {
        use stream::{Event, Response};
        match event {
            Event::Resumed { observed } => info!("goes on after {} samples", observed),
            Event::Fresh => info!("nothing was saved: starts afresh"),
            Event::NotResumed(error) => warn!("starts afresh: {}", Display2Format(&error)),
            Event::Learned { class, predicted, loss } => {
                info!("class {} taken for {}, loss {}", class, predicted, loss);
            }
            Event::Answered(Response::Trained { .. } | Response::Predicted { .. } | Response::Evaluated { .. }) => {}
            Event::Answered(Response::Refused(refusal)) => warn!("refused: {}", Display2Format(&refusal)),
            Event::Answered(response) => info!("{}", response),
            Event::Line(error) => warn!("the line: {}", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether parts are all of a size, but for what aligns them.
    fn add_up(parts: &[(&str, usize)], size: usize) {
        let sum = parts.iter().map(|(_, bytes)| bytes).sum::<usize>();
        assert!(sum <= size && size < sum + 16, "{parts:?} of {size}");
    }

    #[test]
    fn the_parts_of_the_ram_add_up() {
        type Gesture = gesture::Ram<6, CLASSES, gesture::Window6>;
        type Anomaly = anomaly::Ram<3, anomaly::Window3>;
        add_up(&Gesture::PARTS, size_of::<Gesture>());
        add_up(&Anomaly::PARTS, size_of::<Anomaly>());
    }
}
