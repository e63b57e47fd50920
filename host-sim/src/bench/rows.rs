//! The list of what is measured.

use std::time::Duration;

use backpass_app::workloads;

use super::host::{Timing, time};

/// A workload, as the host knows it.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Its name in the table.
    pub name: &'static str,
    /// `gradients` or `in-place`.
    pub memory: &'static str,
    /// The type in `backpass_app::workloads` that an image is made of.
    pub path: &'static str,
    /// Bytes of RAM that training takes.
    pub ram_bytes: usize,
    /// Parameters.
    pub parameters: usize,
    /// Samples of a step.
    pub batch: u32,
    /// Times steps on this computer.
    pub time: fn(Duration) -> Timing,
}

const fn row<W: workloads::Workload>(name: &'static str, path: &'static str) -> Workload {
    Workload {
        name,
        memory: W::MEMORY,
        path,
        ram_bytes: W::TRAINING_RAM,
        parameters: W::PARAMETERS,
        batch: W::BATCH,
        time: time::<W>,
    }
}

/// `rows!("W1" W1)` is `[row::<workloads::W1>("W1", "W1")]`: the image is told the type's path.
macro_rules! rows {
    ($($name:literal $path:path),* $(,)?) => {{
        use workloads::*;
        [$(row::<$path>($name, stringify!($path))),*]
    }};
}

/// The table.
pub const WORKLOADS: &[Workload] = &rows![
    "W1" W1,
    "W2" W2,
    "W3" W3,
    "W4" W4,
    "ad" AnomalyDetection,
    "kws" KeywordSpotting,
    "ic" ImageClassification,
    "vww" VisualWakeWords,
    "dense 64x32" layers::Dense,
    "tanh 1024" layers::Tanh,
];
