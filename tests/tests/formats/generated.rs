//! What `backpass-sim import --to rust` has written; a test holds it against what it writes now.

#![allow(unreachable_pub, dead_code, reason = "files for a user's own program")]

#[rustfmt::skip]
#[path = "../../data/formats/activations.rs"]
pub(crate) mod activations;
#[rustfmt::skip]
#[path = "../../data/formats/gru.rs"]
pub(crate) mod gru;
#[rustfmt::skip]
#[path = "../../data/formats/image.rs"]
pub(crate) mod image;
#[rustfmt::skip]
#[path = "../../data/formats/image_batch_norm.rs"]
pub(crate) mod image_batch_norm;
#[rustfmt::skip]
#[path = "../../data/formats/keras.rs"]
pub(crate) mod keras;
#[rustfmt::skip]
#[path = "../../data/formats/lstm.rs"]
pub(crate) mod lstm;
#[rustfmt::skip]
#[path = "../../data/formats/mlp.rs"]
pub(crate) mod mlp;
#[rustfmt::skip]
#[path = "../../data/formats/named.rs"]
pub(crate) mod named;
#[rustfmt::skip]
#[path = "../../data/formats/norm.rs"]
pub(crate) mod norm;
#[rustfmt::skip]
#[path = "../../data/formats/prelu.rs"]
pub(crate) mod prelu;
#[rustfmt::skip]
#[path = "../../data/formats/residual.rs"]
pub(crate) mod residual;
#[rustfmt::skip]
#[path = "../../data/formats/residual_batch_norm.rs"]
pub(crate) mod residual_batch_norm;
#[rustfmt::skip]
#[path = "../../data/formats/rnn.rs"]
pub(crate) mod rnn;
#[rustfmt::skip]
#[path = "../../data/formats/signal.rs"]
pub(crate) mod signal;
