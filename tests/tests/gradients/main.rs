//! Every gradient against central differences of an independent model in f64, for random values in many shapes: one module an
//! area.

mod activations;
mod any;
mod basic;
mod compositions;
mod conv;
mod harness;
mod layers;
mod loss;
mod norm;
mod pool;
mod recurrent;
mod structure;
