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
    ($($name:literal $path:ty),* $(,)?) => {{
        use workloads::*;
        [$(row::<$path>($name, stringify!($path))),*]
    }};
}

/// The table: whole networks, then layers, losses and optimizers alone.
pub const WORKLOADS: &[Workload] = &rows![
    "W1" W1,
    "W1" in_place::W1,
    "W2" W2,
    "W3" W3,
    "W3" in_place::W3,
    "W4" W4,
    "W4" in_place::W4,
    "ad" AnomalyDetection,
    "ad" in_place::AnomalyDetection,
    "kws" KeywordSpotting,
    "kws" in_place::KeywordSpotting,
    "ic" ImageClassification,
    "ic" in_place::ImageClassification,
    "vww" VisualWakeWords,
    "vww" in_place::VisualWakeWords,
    "dense 64x32" layers::Dense,
    "conv2d 8x8x8x16 3x3" layers::Conv2d,
    "conv2d 8x8x8x16 3x3/2" layers::Conv2dStride2,
    "conv2d 8x8x16x32 1x1" layers::Pointwise,
    "conv1d 64x4x8 5" layers::Conv1d,
    "depthwise2d 8x8x16 3x3" layers::DepthwiseConv2d,
    "depthwise1d 64x8 5" layers::DepthwiseConv1d,
    "rnn 16x4x16" layers::Rnn,
    "gru 16x4x16" layers::Gru,
    "lstm 16x4x16" layers::Lstm,
    "embedding 16x8" layers::Embedding,
    "max pool 8x8x16 2x2" layers::MaxPool,
    "average pool 8x8x16 2x2" layers::AveragePool,
    "global max pool 8x8x16" layers::GlobalMaxPool,
    "global average pool 8x8x16" layers::GlobalAveragePool,
    "layer norm 8x8x16" layers::LayerNorm,
    "rms norm 8x8x16" layers::RmsNorm,
    "group norm 8x8x16 4" layers::GroupNorm,
    "instance norm 8x8x16" layers::InstanceNorm,
    "batch norm 8x8x16" layers::BatchNorm,
    "relu 1024" layers::Relu,
    "relu6 1024" layers::Relu6,
    "leaky relu 1024" layers::LeakyRelu,
    "prelu 8x8x16" layers::PRelu,
    "sigmoid 1024" layers::Sigmoid,
    "tanh 1024" layers::Tanh,
    "elu 1024" layers::Elu,
    "selu 1024" layers::Selu,
    "gelu 1024" layers::Gelu,
    "gelu tanh 1024" layers::GeluTanh,
    "silu 1024" layers::Silu,
    "mish 1024" layers::Mish,
    "hard sigmoid 1024" layers::HardSigmoid,
    "hard swish 1024" layers::HardSwish,
    "softplus 1024" layers::Softplus,
    "softsign 1024" layers::Softsign,
    "softmax 16x10" layers::Softmax,
    "log softmax 16x10" layers::LogSoftmax,
    "dropout 1024" layers::Dropout,
    "pad 8x8x16" layers::Pad,
    "residual 8x8x8 3x3" layers::Residual,
    "residual projection 8x8x8" layers::ResidualProjection,
    "concat 8x8x8 1x1" layers::Concat,
    "scale 8x8x16" layers::Scale,
    "frozen dense 64x32" layers::Frozen,
    "frozen prefix dense 64x32" layers::FrozenPrefix,
    "bias only dense 64x32" layers::BiasOnly,
    "reshape 1024" layers::Reshape,
    "flatten 1024" layers::Flatten,
    "identity 1024" layers::Identity,
    "keep 1024" layers::Keep,
    "cross-entropy 10" losses::CrossEntropy,
    "soft cross-entropy 10" losses::SoftCrossEntropy,
    "negative log-likelihood 10" losses::NegativeLogLikelihood,
    "hinge 10" losses::Hinge,
    "binary cross-entropy 640" losses::BinaryCrossEntropy,
    "mean squared error 640" losses::MeanSquaredError,
    "mean absolute error 640" losses::MeanAbsoluteError,
    "huber 640" losses::Huber,
    "cosine embedding 64" losses::CosineEmbedding,
    "sgd 2410" rules::Sgd,
    "sgd clipped norm 2410" rules::ClipNorm,
    "momentum 2410" rules::Momentum,
    "rmsprop 2410" rules::RmsProp,
    "adagrad 2410" rules::Adagrad,
    "adadelta 2410" rules::Adadelta,
    "adam 2410" rules::Adam,
    "amsgrad 2410" rules::AmsGrad,
    "lion 2410" rules::Lion,
    "lars 2410" rules::Lars,
];

impl Workload {
    /// Whether it is a whole network: one of W1 to W4 or of MLPerf Tiny.
    #[must_use]
    pub fn is_network(&self) -> bool {
        !self.path.contains("::") || self.path.contains("in_place")
    }
}

/// Dense networks of growing width.
pub const WIDER: &[Workload] = &rows![
    "24-24-24" growth::Wide<24>,
    "48-48-48" growth::Wide<48>,
    "96-96-96" growth::Wide<96>,
    "192-192-192" growth::Wide<192>,
    "316-316-316" growth::Wide<316>,
];

/// Dense networks of growing depth.
pub const DEEPER: &[Workload] = &rows![
    "2 layers of 128" growth::Deep2,
    "3 layers of 128" growth::Deep3,
    "5 layers of 128" growth::Deep5,
    "9 layers of 128" growth::Deep9,
    "12 layers of 128" growth::Deep12,
];

/// Networks with more and more dense layers, all of different shapes, by kind of memory.
pub const MORE_LAYERS: &[(&str, &[(u32, Workload)])] = &[("gradients", WITH_GRADIENTS), ("in-place", IN_PLACE)];

const WITH_GRADIENTS: &[(u32, Workload)] = &{
    let [two, four, eight] = rows![
        "2 dense layers" growth::Layers2,
        "4 dense layers" growth::Layers4,
        "8 dense layers" growth::Layers8,
    ];
    [(2, two), (4, four), (8, eight)]
};

const IN_PLACE: &[(u32, Workload)] = &{
    let [two, four, eight] = rows![
        "2 dense layers" growth::in_place::Layers2,
        "4 dense layers" growth::in_place::Layers4,
        "8 dense layers" growth::in_place::Layers8,
    ];
    [(2, two), (4, four), (8, eight)]
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_workload_has_a_name_and_a_kind_of_memory_of_its_own() {
        let names: BTreeSet<_> = WORKLOADS.iter().map(|workload| (workload.name, workload.memory)).collect();
        assert_eq!(names.len(), WORKLOADS.len());
        let networks = |memory: &str| -> Vec<_> {
            WORKLOADS.iter().filter(|w| w.is_network() && w.memory == memory).map(|workload| workload.name).collect()
        };
        assert_eq!(networks("gradients"), ["W1", "W2", "W3", "W4", "ad", "kws", "ic", "vww"]);
        assert_eq!(networks("in-place"), ["W1", "W3", "W4", "ad", "kws", "ic", "vww"]);
    }

    #[test]
    fn growth_spans_a_thousand_to_two_hundred_thousand_weights() {
        let parameters = |rows: &[Workload]| rows.iter().map(|row| row.parameters).collect::<Vec<_>>();
        assert_eq!(parameters(WIDER), [1200, 4704, 18_624, 74_112, 200_344]);
        assert_eq!(parameters(DEEPER), [33_024, 49_536, 82_560, 148_608, 198_144]);
    }
}
