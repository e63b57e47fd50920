//! Every gradient against central differences of an independent model in f64, for random values in many shapes: one module an
//! area.

mod basic;
mod conv;
mod harness;
mod recurrent;
