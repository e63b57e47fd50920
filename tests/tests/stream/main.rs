//! The parts of the live stream against river, scikit-learn and numpy, as `reference/stream.py` wrote their values, and on real data.

mod continual;
mod drift;
mod harness;
mod metrics;
mod quantile;
mod scaler;
