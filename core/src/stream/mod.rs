//! What a device needs to learn from a live stream, beside the learner: each a small value of its own, without heap.
//!
//! | | | reference |
//! |---|---|---|
//! | [`StandardScaler`], [`MinMaxScaler`] | [`Normalizer`]s: bring each channel to one scale while it is measured | river, scikit-learn |
//! | [`Window`] | the last rows of a sensor, written straight into the network's input | numpy's `sliding_window_view` |
//! | [`Replay`] | a memory of earlier samples ([`Reservoir`], [`ClassBalanced`]), as they are or [`Quantized`] to a quarter | Vitter 1985; Chrysakis and Moens 2020 |
//! | [`PageHinkley`], [`Adwin`] | [`Drift`] detectors on the loss | river |
//! | [`Metrics`] | [`ConfusionMatrix`] and [`RollingAccuracy`], test then train | river, scikit-learn |
//! | [`Mean`], [`Quantile`] | running statistics of a number | river |
//! | [`EarlyStop`] | when the loss has stopped to fall | scikit-learn |
//! | [`Threshold`] | from where on an error is an anomaly | river |
//!
//! Each is [`Persist`](crate::checkpoint::Persist), its random generator too: a checkpoint keeps what it has measured, and it goes on from there
//! bit for bit. Settings are not kept; the program says them again.
//!
//! Nothing here panics. A value that is infinite, NaN or too large is refused with an error and changes nothing. Counters stay at
//! their largest value. All is `f32` and whole numbers, in one order of operations, so that all platforms get the same bits; where
//! an `f32` would lose what a long run adds, a sum has a second `f32` for what was rounded off.
//!
//! ```
//! use backpass::stream::{ClassBalanced, Drift, Metrics, Normalizer, PageHinkley, Replay, StandardScaler, Window};
//! use backpass::{Adam, CrossEntropy, Dense, Flatten, Learner, Memory, Relu, Rng, Signal, Tensor};
//!
//! type Net = (Flatten<48>, Dense<12>, Relu, Dense<2>);
//! type Input = Signal<16, 3>;
//!
//! let mut memory = Memory::<Net, Input, Adam>::new();
//! let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.01));
//! learner.initialize(1);
//! let mut scaler = StandardScaler::<3>::new();
//! let mut window = Window::<16, 3, 8>::new();
//! let mut replay = Replay::<Input, u8, ClassBalanced<2>, 20>::new();
//! let mut metrics = Metrics::<2, 50>::new();
//! let mut drift = PageHinkley::new();
//!
//! // A sensor of three axes: the second class shakes more.
//! let mut noise = Rng::new(2);
//! for step in 0..4000 {
//!     let class = step / 200 % 2;
//!     let strength = if class == 0 { 0.1 } else { 1.0 };
//!     let mut row = [noise.symmetric(strength), noise.symmetric(strength), 9.8 + noise.symmetric(strength)];
//!     scaler.learn(&row)?;
//!     scaler.transform(&mut row)?;
//!     if window.push(&row)? {
//!         // Test ...
//!         let (loss, output) = learner.evaluate_with(|input| window.write(input), &class)?;
//!         metrics.update(class, output.argmax())?;
//!         drift.update(loss)?;
//!         // ... then train, with a remembered sample. The new one is remembered from where it lies: in the network's input.
//!         if let Some(earlier) = replay.choose() {
//!             learner.observe_with(|input| earlier.write(input), &usize::from(earlier.label()))?;
//!         }
//!         let mut remembered = Ok(false);
//!         learner.train_with(
//!             |input| {
//!                 window.write(input);
//!                 remembered = replay.add(input, class as u8);
//!             },
//!             &class,
//!         )?;
//!         remembered?;
//!     }
//! }
//! assert!(metrics.rolling_accuracy() > 0.9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod adwin;
pub mod class_balanced;
mod compensated;
pub mod confusion_matrix;
pub mod drift;
pub mod early_stop;
pub mod error;
pub mod mean;
pub mod metrics;
pub mod min_max_scaler;
pub mod normalizer;
pub mod page_hinkley;
pub mod quantile;
pub mod quantized;
pub mod replay;
pub mod reservoir;
pub mod rolling_accuracy;
pub mod standard_scaler;
#[cfg(test)]
mod tests;
pub mod threshold;
pub mod window;

pub use adwin::Adwin;
pub use class_balanced::{Class, ClassBalanced};
pub use confusion_matrix::ConfusionMatrix;
pub use drift::Drift;
pub use early_stop::EarlyStop;
pub use error::{ClassOutOfRange, ReplayError, SampleError, ValueError};
pub use mean::Mean;
pub use metrics::Metrics;
pub use min_max_scaler::MinMaxScaler;
pub use normalizer::Normalizer;
pub use page_hinkley::{PageHinkley, Side};
pub use quantile::Quantile;
pub use quantized::Quantized;
pub use replay::{Example, Replay, Sampling, Storage, Stored};
pub use reservoir::Reservoir;
pub use rolling_accuracy::RollingAccuracy;
pub use standard_scaler::StandardScaler;
pub use threshold::Threshold;
pub use window::Window;
