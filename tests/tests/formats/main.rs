//! Models in and out: files of PyTorch's exporters, of safetensors and of Keras, recorded by `reference/formats.py`, against what PyTorch
//! and Keras compute; the way back, in the real libraries where they are there; and files that cannot be.

mod damage;
mod generated;
mod harness;
mod libraries;
mod recorded;
mod refused;
