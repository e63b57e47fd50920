//! The stream application: recordings go to a board window by window over a serial line, to be learned from and then to be recognised.

use backpass::Rng;
use backpass::stream::{Normalizer, StandardScaler};
use backpass_app::gesture::HOP;
use backpass_app::stream::{CHANNELS, Counters, Input, ROWS};

use crate::link::{Client, Line, LinkError};
use crate::world::gesture::Scenario;
use crate::world::recordings::Recording;

/// A sample for the board and its class.
pub type Sample = (Input, u32);

/// The windows of a scenario, brought to mean 0 and variance 1 in each channel by what is taught.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    /// To be learned.
    pub training: Vec<Sample>,
    /// To be recognised.
    pub test: Vec<Sample>,
}

impl Windows {
    /// Cuts the recordings of a scenario into windows.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let mut scaler = StandardScaler::<CHANNELS>::new();
        for row in scenario.lessons.iter().flat_map(|recording| &recording.rows) {
            // A row that cannot be learned from is one that the board will refuse.
            let _ = scaler.learn(row);
        }
        let cut = |recordings: &[Recording]| {
            let windows = recordings.iter().flat_map(|recording| {
                recording.rows.windows(ROWS).step_by(HOP).map(|rows| {
                    let mut window: Input = [[0.0; CHANNELS]; ROWS];
                    window.iter_mut().zip(rows).for_each(|(place, row)| *place = *row);
                    let _ = scaler.transform(&mut window);
                    (window, recording.class as u32)
                })
            });
            windows.collect()
        };
        Self { training: cut(&scenario.lessons), test: cut(&scenario.tests) }
    }
}

/// After a window.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'w> {
    /// Windows sent so far.
    pub sent: usize,
    /// Windows to be sent.
    pub of: usize,
    /// The window.
    pub window: &'w Input,
    /// Its class.
    pub class: u32,
    /// What the board took it for.
    pub predicted: u32,
    /// Whether it was learned from.
    pub learned: bool,
}

/// How it went.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// For each window learned from: whether it was recognised before, and the loss.
    pub learned: Vec<(bool, f32)>,
    /// Test windows of class (row) taken for class (column).
    pub confusion: Vec<Vec<u32>>,
    /// CRC-32 of the board's parameters at the end.
    pub parameters_crc32: u32,
    /// The board's counters.
    pub counters: Counters,
    /// Requests that had to be sent again.
    pub repeated: u64,
    /// Bytes of the checkpoint.
    pub checkpoint_bytes: u32,
}

impl Outcome {
    /// The share of test windows taken for what they are, 0 to 1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right: u32 = self.confusion.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum();
        f64::from(right) / f64::from(self.windows().max(1))
    }

    /// The number of test windows.
    #[must_use]
    pub fn windows(&self) -> u32 {
        self.confusion.iter().flatten().sum()
    }
}

/// Lets a board learn the training windows `passes` times, each time in another order that `seed` draws, then recognise the test windows, and
/// save what it has learned. The board begins afresh with weights of the same seed.
///
/// # Errors
/// [`LinkError`].
pub fn run<L: Line>(
    client: &mut Client<L>,
    windows: &Windows,
    classes: usize,
    passes: u32,
    seed: u64,
    watch: &mut dyn FnMut(&Moment<'_>),
) -> Result<Outcome, LinkError> {
    client.reset(seed)?;
    let mut rng = Rng::new(seed);
    let mut order: Vec<usize> = (0..windows.training.len()).collect();
    let of = windows.training.len() * passes as usize + windows.test.len();
    let (mut sent, mut learned) = (0, Vec::new());
    let mut tell = |(window, class): &Sample, predicted, learned| {
        sent += 1;
        watch(&Moment { sent, of, window, class: *class, predicted, learned });
    };
    for _ in 0..passes {
        rng.shuffle(&mut order);
        for sample in order.iter().filter_map(|index| windows.training.get(*index)) {
            let trained = client.train(sample.0.as_flattened(), sample.1)?;
            learned.push((trained.class == sample.1, trained.loss));
            tell(sample, trained.class, true);
        }
    }
    // A board has outputs for more classes than there are.
    let mut confusion = vec![vec![0; classes.max(backpass_app::stream::CLASSES)]; classes];
    for sample in &windows.test {
        let (class, _) = client.evaluate(sample.0.as_flattened(), sample.1)?;
        if let Some(count) = confusion.get_mut(sample.1 as usize).and_then(|row| row.get_mut(class as usize)) {
            *count += 1;
        }
        tell(sample, class, false);
    }
    if confusion.iter().all(|row| row[classes..].iter().all(|count| *count == 0)) {
        confusion.iter_mut().for_each(|row| row.truncate(classes));
    }
    let checkpoint_bytes = client.save()?;
    let (parameters_crc32, counters) = client.status()?;
    Ok(Outcome { learned, confusion, parameters_crc32, counters, repeated: client.repeated(), checkpoint_bytes })
}
