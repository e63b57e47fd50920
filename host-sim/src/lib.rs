//! The host twin of backpass: it trains the network that a board trains, on the same samples in the same order, and gets
//! the same bits; then it shows how it went.
//!
//! A network and data of your own go through the same [`Simulation`]:
//!
//! ```
//! use backpass::{CrossEntropy, Dense, Momentum, Relu, Tensor};
//! use backpass_sim::{Dataset, Plan, Simulation};
//!
//! // Is a point inside the circle?
//! let point = |i: i32| [(i % 20) as f32 / 10.0 - 0.95, (i / 20) as f32 / 10.0 - 0.95];
//! let samples = (0..400).map(point).map(|[x, y]| ([x, y], usize::from(x * x + y * y < 0.6))).collect();
//!
//! let network: (Dense<16>, Relu, Dense<2>) = Default::default();
//! let plan = Plan { epochs: 60, batch: 4, seed: 1 };
//! let mut simulation = Simulation::new(network, CrossEntropy, Momentum::new(0.05, 0.9), plan);
//! let outcome = simulation.run(&Dataset::split(samples, 0));
//! assert!(outcome.test_accuracy() > 0.9, "{}", outcome.test_accuracy());
//! assert_eq!(simulation.learner().predict(&[0.1, 0.0]).argmax(), 1);
//! # let directory = tempfile::tempdir().unwrap();
//! outcome.report("Inside the circle").write(directory.path())?; // report.html and learning-curve.png
//! # Ok::<(), backpass_sim::report::ReportError>(())
//! ```

pub mod bench;
pub mod board;
pub mod budget;
pub mod data;
pub mod devices;
pub mod diagnose;
pub mod explain;
pub mod flash;
pub mod formats;
pub mod link;
pub mod log;
pub mod monitor;
pub mod network;
pub mod project;
pub mod reliability;
pub mod report;
pub mod simulation;
pub mod sweep;
pub mod terminal;
pub mod world;

pub use backpass_app::mlperf_tiny;
pub use backpass_app::session::Plan;
pub use data::{DataError, Dataset};
pub use simulation::{Outcome, Simulation};
