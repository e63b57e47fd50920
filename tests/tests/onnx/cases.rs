//! Every case of ONNX's that is run, and why the others are not. Written by `reference/onnx_cases.py`; not to be edited.

use backpass::{
    Adagrad, Adam, AveragePool, BatchNorm, Bias, Conv2d, Dense, Dropout, Elu, Embedding, Flatten, Gelu, GeluTanh,
    GlobalAveragePool, GlobalMaxPool, GroupNorm, Gru, HardSigmoid, HardSwish, Identity, Image, InstanceNorm, Last,
    LayerNorm, LeakyRelu, Linear, LogSoftmax, Lstm, MaxPool, Mish, Momentum, NoBias, PRelu, Pad, PerChannel, Relu,
    ResetBefore, Reshape, RmsNorm, Rnn, Selu, Sequence, Sigmoid, Signal, Silu, Softmax, Softplus, Softsign, Tanh,
};

use crate::harness::Run;
use crate::losses::Reduction;

/// The cases of each operator.
pub(crate) const OPERATORS: &[fn(&mut Run<'_>)] = &[
    adagrad,
    adam,
    add,
    average_pool,
    batch_normalization,
    clip,
    concat,
    conv,
    dropout,
    elu,
    flatten,
    gru,
    gather,
    gelu,
    gemm,
    global_average_pool,
    global_max_pool,
    group_normalization,
    hard_sigmoid,
    hard_swish,
    identity,
    instance_normalization,
    lstm,
    layer_normalization,
    leaky_relu,
    log_softmax,
    mat_mul,
    max_pool,
    mish,
    momentum,
    negative_log_likelihood_loss,
    prelu,
    pad,
    rmsnormalization,
    rnn,
    relu,
    reshape,
    selu,
    sigmoid,
    softmax,
    softmax_cross_entropy_loss,
    softplus,
    softsign,
    squeeze,
    swish,
    tanh,
    unsqueeze,
];

/// The cases that are not run: why, and which.
pub(crate) const NOT_APPLICABLE: &[(&str, &[&str])] = &[
    (
        "3-D: signals and images have one and two axes",
        &[
            "test_averagepool_3d_default",
            "test_averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False",
            "test_averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True",
            "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False",
            "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
            "test_averagepool_3d_dilations_small",
            "test_maxpool_3d_default",
            "test_maxpool_3d_dilations",
            "test_maxpool_3d_dilations_use_ref_impl",
            "test_maxpool_3d_dilations_use_ref_impl_large",
        ],
    ),
    ("a sequence or an optional value, not a tensor", &["test_identity_opt", "test_identity_sequence"]),
    ("a tensor without elements", &["test_reshape_allowzero_reordered"]),
    ("broadcasting: the two terms of a residual sum have one shape", &["test_add_bcast"]),
    (
        "clips to other bounds than 0 and 6",
        &[
            "test_clip",
            "test_clip_default_max",
            "test_clip_example",
            "test_clip_inbounds",
            "test_clip_min_greater_than_max",
            "test_clip_outbounds",
            "test_clip_splitbounds",
        ],
    ),
    ("dilated pool", &["test_averagepool_2d_dilations", "test_maxpool_2d_dilations"]),
    (
        "integer type, and pads with something else than a constant",
        &["test_edge_pad", "test_reflect_pad", "test_wrap_pad"],
    ),
    (
        "integer type: numbers are f32",
        &[
            "test_add_int16",
            "test_add_int8",
            "test_add_uint16",
            "test_add_uint32",
            "test_add_uint64",
            "test_add_uint8",
            "test_clip_default_int8_inbounds",
            "test_clip_default_int8_max",
            "test_clip_default_int8_min",
            "test_maxpool_2d_uint8",
        ],
    ),
    ("negative index: tokens are numbered from 0", &["test_gather_negative_indices"]),
    (
        "normalises by the statistics of the batch: samples come one by one, and the running ones normalise (what they become is compared)",
        &["test_batchnorm_epsilon_training_mode", "test_batchnorm_example_training_mode"],
    ),
    ("peepholes: gates do not see the cells", &["test_lstm_with_peepholes"]),
    (
        "random mask of another generator",
        &[
            "test_training_dropout",
            "test_training_dropout_default",
            "test_training_dropout_default_mask",
            "test_training_dropout_mask",
        ],
    ),
];

/// Outputs that a layer does not return, and in how many of the cases that are run.
pub(crate) const NOT_RETURNED: &[(&str, usize)] =
    &[("Dropout: mask", 3), ("LSTM: Y_c", 2), ("LayerNormalization: InvStdDev", 19), ("LayerNormalization: Mean", 19)];

fn adagrad(run: &mut Run<'_>) {
    run.optimizer::<Linear<[f32; 1], [f32; 0]>>(
        "test_adagrad",
        Adagrad { learning_rate_decay: 0.1, epsilon: 1e-5, l2: 1e-3, ..Adagrad::new(0.1) },
    );
    run.optimizer::<Linear<[f32; 1], [f32; 2]>>(
        "test_adagrad_multiple",
        Adagrad { learning_rate_decay: 0.1, epsilon: 1e-5, l2: 1e-3, ..Adagrad::new(0.1) },
    );
}

fn adam(run: &mut Run<'_>) {
    run.adam::<Linear<[f32; 2], [f32; 0]>>(
        "test_adam",
        Adam { beta1: 0.95, beta2: 0.1, epsilon: 1e-7, l2: 1e-3, ..Adam::new(0.1) },
    );
    run.adam::<Linear<[f32; 1], [f32; 2]>>(
        "test_adam_multiple",
        Adam { beta1: 0.95, beta2: 0.85, epsilon: 0.01, l2: 1e-3, ..Adam::new(0.1) },
    );
}

fn add(run: &mut Run<'_>) {
    run.residual::<Image<3, 4, 5>>("test_add");
}

fn average_pool(run: &mut Run<'_>) {
    run.layer::<Signal<32, 3>>("test_averagepool_1d_default", AveragePool::<Signal<31, 3>, 2, 1>::new());
    run.layer::<Image<4, 4, 1>>("test_averagepool_2d_ceil", AveragePool::<Image<2, 2, 1>, 3, 2>::new());
    run.layer::<Image<2, 2, 3>>(
        "test_averagepool_2d_ceil_last_window_starts_on_pad",
        (Pad::<Image<3, 3, 3>>::new(0.0).before(1, 1), AveragePool::<Image<1, 1, 3>, 3>::new()),
    );
    run.layer::<Image<32, 32, 3>>("test_averagepool_2d_default", AveragePool::<Image<31, 31, 3>, 2, 1>::new());
    run.layer::<Image<28, 28, 3>>(
        "test_averagepool_2d_pads",
        AveragePool::<Image<30, 30, 3>, 3, 1>::new().padding(2, 2),
    );
    run.layer::<Image<28, 28, 3>>(
        "test_averagepool_2d_pads_count_include_pad",
        (Pad::<Image<32, 32, 3>>::new(0.0).before(2, 2), AveragePool::<Image<30, 30, 3>, 3, 1>::new()),
    );
    run.layer::<Image<5, 5, 1>>(
        "test_averagepool_2d_precomputed_pads",
        AveragePool::<Image<5, 5, 1>, 5, 1>::new().padding(2, 2),
    );
    run.layer::<Image<5, 5, 1>>(
        "test_averagepool_2d_precomputed_pads_count_include_pad",
        (Pad::<Image<9, 9, 1>>::new(0.0).before(2, 2), AveragePool::<Image<5, 5, 1>, 5, 1>::new()),
    );
    run.layer::<Image<5, 5, 1>>(
        "test_averagepool_2d_precomputed_same_upper",
        AveragePool::<Image<3, 3, 1>, 3, 2>::new(),
    );
    run.layer::<Image<5, 5, 1>>("test_averagepool_2d_precomputed_strides", AveragePool::<Image<2, 2, 1>, 2>::new());
    run.layer::<Image<32, 32, 3>>(
        "test_averagepool_2d_same_lower",
        AveragePool::<Image<32, 32, 3>, 2, 1>::new().padding(1, 1),
    );
    run.layer::<Image<32, 32, 3>>("test_averagepool_2d_same_upper", AveragePool::<Image<32, 32, 3>, 2, 1>::new());
    run.layer::<Image<32, 32, 3>>("test_averagepool_2d_strides", AveragePool::<Image<10, 10, 3>, 5, 3>::new());
}

fn batch_normalization(run: &mut Run<'_>) {
    run.layer::<Image<4, 5, 3>>("test_batchnorm_epsilon", BatchNorm { epsilon: 0.01, ..BatchNorm::new() });
    run.running_statistics::<Image<4, 5, 3>>(
        "test_batchnorm_epsilon_training_mode",
        BatchNorm { epsilon: 0.01, ..BatchNorm::new() },
    );
    run.layer::<Image<4, 5, 3>>("test_batchnorm_example", BatchNorm { epsilon: 1e-5, ..BatchNorm::new() });
    run.running_statistics::<Image<4, 5, 3>>(
        "test_batchnorm_example_training_mode",
        BatchNorm { epsilon: 1e-5, ..BatchNorm::new() },
    );
}

fn clip(run: &mut Run<'_>) {
    run.layer::<[f32; 3]>("test_clip_default_inbounds", Identity);
    run.layer::<Image<3, 4, 5>>("test_clip_default_min", Relu);
}

fn concat(run: &mut Run<'_>) {
    run.concat::<[f32; 4], [f32; 2], [f32; 2]>("test_concat_1d_axis_0");
    run.concat::<[f32; 4], [f32; 2], [f32; 2]>("test_concat_1d_axis_negative_1");
    run.concat::<Signal<2, 4>, Signal<2, 2>, Signal<2, 2>>("test_concat_2d_axis_0");
    run.concat::<Signal<2, 4>, Signal<2, 2>, Signal<2, 2>>("test_concat_2d_axis_1");
    run.concat::<Signal<2, 4>, Signal<2, 2>, Signal<2, 2>>("test_concat_2d_axis_negative_1");
    run.concat::<Signal<2, 4>, Signal<2, 2>, Signal<2, 2>>("test_concat_2d_axis_negative_2");
    run.concat::<Image<2, 2, 4>, Image<2, 2, 2>, Image<2, 2, 2>>("test_concat_3d_axis_0");
    run.concat::<Image<2, 2, 4>, Image<2, 2, 2>, Image<2, 2, 2>>("test_concat_3d_axis_1");
    run.concat::<Image<2, 2, 4>, Image<2, 2, 2>, Image<2, 2, 2>>("test_concat_3d_axis_2");
    run.concat::<Image<2, 2, 4>, Image<2, 2, 2>, Image<2, 2, 2>>("test_concat_3d_axis_negative_1");
    run.concat::<Image<2, 2, 4>, Image<2, 2, 2>, Image<2, 2, 2>>("test_concat_3d_axis_negative_2");
    run.concat::<Image<2, 2, 4>, Image<2, 2, 2>, Image<2, 2, 2>>("test_concat_3d_axis_negative_3");
}

fn conv(run: &mut Run<'_>) {
    run.layer::<Image<5, 5, 1>>(
        "test_basic_conv_with_padding",
        Conv2d::<Image<5, 5, 1>, 3, 1, NoBias>::new().padding(1, 1),
    );
    run.layer::<Image<5, 5, 1>>("test_basic_conv_without_padding", Conv2d::<Image<3, 3, 1>, 3, 1, NoBias>::new());
    run.layer::<Image<5, 5, 1>>(
        "test_conv_with_autopad_same",
        Conv2d::<Image<3, 3, 1>, 3, 2, NoBias>::new().padding(1, 1),
    );
    run.layer::<Image<7, 5, 1>>(
        "test_conv_with_strides_and_asymmetric_padding",
        Conv2d::<Image<4, 2, 1>, 3, 2, NoBias>::new().padding(1, 0),
    );
    run.layer::<Image<7, 5, 1>>("test_conv_with_strides_no_padding", Conv2d::<Image<3, 2, 1>, 3, 2, NoBias>::new());
    run.layer::<Image<7, 5, 1>>(
        "test_conv_with_strides_padding",
        Conv2d::<Image<4, 3, 1>, 3, 2, NoBias>::new().padding(1, 1),
    );
}

fn dropout(run: &mut Run<'_>) {
    run.predicting::<Image<3, 4, 5>>("test_dropout_default", Dropout::new(0.5));
    run.predicting::<Image<3, 4, 5>>("test_dropout_default_mask", Dropout::new(0.5));
    run.predicting::<Image<3, 4, 5>>("test_dropout_default_mask_ratio", Dropout::new(0.1));
    run.predicting::<[f32; 3]>("test_dropout_default_old", Dropout::new(0.5));
    run.predicting::<Image<3, 4, 5>>("test_dropout_default_ratio", Dropout::new(0.1));
    run.predicting::<Image<3, 4, 5>>("test_dropout_random_old", Dropout::new(0.2));
    run.layer::<Image<3, 4, 5>>("test_training_dropout_zero_ratio", Dropout::new(0.0));
    run.layer::<Image<3, 4, 5>>("test_training_dropout_zero_ratio_mask", Dropout::new(0.0));
}

fn elu(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_elu", Elu { alpha: 2.0 });
    run.layer::<Image<3, 4, 5>>("test_elu_default", Elu { alpha: 1.0 });
    run.layer::<[f32; 3]>("test_elu_example", Elu { alpha: 2.0 });
}

fn flatten(run: &mut Run<'_>) {
    run.layer::<[Image<3, 4, 5>; 2]>("test_flatten_axis0", Flatten::<120>);
    run.layer::<Image<3, 4, 5>>("test_flatten_axis1", Flatten::<60>);
    run.layer::<Signal<4, 5>>("test_flatten_axis2", Flatten::<20>);
    run.layer::<[f32; 5]>("test_flatten_axis3", Flatten::<5>);
    run.layer::<Image<4, 3, 2>>("test_flatten_default_axis", Flatten::<24>);
    run.layer::<[f32; 5]>("test_flatten_negative_axis1", Flatten::<5>);
    run.layer::<Signal<4, 5>>("test_flatten_negative_axis2", Flatten::<20>);
    run.layer::<Image<3, 4, 5>>("test_flatten_negative_axis3", Flatten::<60>);
    run.layer::<[Image<3, 4, 5>; 2]>("test_flatten_negative_axis4", Flatten::<120>);
}

fn gru(run: &mut Run<'_>) {
    run.layer::<Signal<1, 2>>("test_gru_batchwise/forward-Y", Gru::<6, Sequence, NoBias, ResetBefore>::new());
    run.layer::<Signal<1, 2>>("test_gru_batchwise/forward-Y_h", Gru::<6, Last, NoBias, ResetBefore>::new());
    run.layer::<Signal<3, 2>>("test_gru_bidirectional/forward-Y", Gru::<5, Sequence, NoBias, ResetBefore>::new());
    run.layer::<Signal<3, 2>>("test_gru_bidirectional/forward-Y_h", Gru::<5, Last, NoBias, ResetBefore>::new());
    run.layer::<Signal<3, 2>>("test_gru_bidirectional/reverse-Y", Gru::<5, Sequence, NoBias, ResetBefore>::new());
    run.layer::<Signal<3, 2>>("test_gru_bidirectional/reverse-Y_h", Gru::<5, Last, NoBias, ResetBefore>::new());
    run.layer::<Signal<1, 2>>("test_gru_defaults/forward-Y_h", Gru::<5, Last, NoBias, ResetBefore>::new());
    run.layer::<Signal<3, 2>>("test_gru_reverse/reverse-Y", Gru::<5, Sequence, NoBias, ResetBefore>::new());
    run.layer::<Signal<3, 2>>("test_gru_reverse/reverse-Y_h", Gru::<5, Last, NoBias, ResetBefore>::new());
    run.layer::<Signal<2, 3>>("test_gru_seq_length/forward-Y_h", Gru::<5, Last, Bias, ResetBefore>::new());
    run.layer::<Signal<1, 3>>("test_gru_with_initial_bias/forward-Y_h", Gru::<3, Last, Bias, ResetBefore>::new());
}

fn gather(run: &mut Run<'_>) {
    run.layer::<[f32; 3]>("test_gather_0", Embedding::<5, 24>);
    run.layer::<[f32; 3]>("test_gather_1", Embedding::<4, 30>);
    run.layer::<[f32; 2]>("test_gather_2d_indices", Embedding::<3, 3>);
}

fn gelu(run: &mut Run<'_>) {
    run.layer::<[f32; 3]>("test_gelu_default_1", Gelu);
    run.layer::<Image<3, 4, 5>>("test_gelu_default_2", Gelu);
    run.layer::<[f32; 3]>("test_gelu_tanh_1", GeluTanh);
    run.layer::<Image<3, 4, 5>>("test_gelu_tanh_2", GeluTanh);
}

fn gemm(run: &mut Run<'_>) {
    run.layer::<[f32; 4]>("test_gemm_all_attributes", Dense::<5>::new());
    run.layer::<[f32; 5]>("test_gemm_alpha", Dense::<4>::new());
    run.layer::<[f32; 7]>("test_gemm_beta", Dense::<4>::new());
    run.layer::<[f32; 6]>("test_gemm_default_matrix_bias", Dense::<4>::new());
    run.layer::<[f32; 10]>("test_gemm_default_no_bias", Dense::<3, NoBias>::new());
    run.layer::<[f32; 3]>("test_gemm_default_scalar_bias", Dense::<4>::new());
    run.layer::<[f32; 7]>("test_gemm_default_single_elem_vector_bias", Dense::<3>::new());
    run.layer::<[f32; 7]>("test_gemm_default_vector_bias", Dense::<4>::new());
    run.layer::<[f32; 5]>("test_gemm_default_zero_bias", Dense::<4>::new());
    run.layer::<[f32; 6]>("test_gemm_transposeA", Dense::<4>::new());
    run.layer::<[f32; 6]>("test_gemm_transposeB", Dense::<4>::new());
}

fn global_average_pool(run: &mut Run<'_>) {
    run.layer::<Image<5, 5, 3>>("test_globalaveragepool", GlobalAveragePool);
    run.layer::<Image<3, 3, 1>>("test_globalaveragepool_precomputed", GlobalAveragePool);
}

fn global_max_pool(run: &mut Run<'_>) {
    run.layer::<Image<5, 5, 3>>("test_globalmaxpool", GlobalMaxPool);
    run.layer::<Image<3, 3, 1>>("test_globalmaxpool_precomputed", GlobalMaxPool);
}

fn group_normalization(run: &mut Run<'_>) {
    run.layer::<Image<2, 2, 4>>("test_group_normalization_epsilon", GroupNorm::<2> { epsilon: 0.01 });
    run.layer::<Image<2, 2, 4>>("test_group_normalization_example", GroupNorm::<2> { epsilon: 1e-5 });
}

fn hard_sigmoid(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_hardsigmoid", HardSigmoid { slope: 0.5, offset: 0.6 });
    run.layer::<Image<3, 4, 5>>("test_hardsigmoid_default", HardSigmoid { slope: 0.2, offset: 0.5 });
    run.layer::<[f32; 3]>("test_hardsigmoid_example", HardSigmoid { slope: 0.5, offset: 0.6 });
}

fn hard_swish(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_hardswish", HardSwish);
}

fn identity(run: &mut Run<'_>) {
    run.layer::<[Image<1, 2, 2>; 1]>("test_identity", Identity);
}

fn instance_normalization(run: &mut Run<'_>) {
    run.layer::<Image<4, 5, 3>>("test_instancenorm_epsilon", InstanceNorm { epsilon: 0.01 });
    run.layer::<Image<1, 3, 2>>("test_instancenorm_example", InstanceNorm { epsilon: 1e-5 });
}

fn lstm(run: &mut Run<'_>) {
    run.layer::<Signal<1, 2>>("test_lstm_batchwise/forward-Y", Lstm::<7, Sequence, NoBias>::new());
    run.layer::<Signal<1, 2>>("test_lstm_batchwise/forward-Y_h", Lstm::<7, Last, NoBias>::new());
    run.layer::<Signal<3, 2>>("test_lstm_bidirectional/forward-Y_h", Lstm::<3, Last, NoBias>::new());
    run.layer::<Signal<3, 2>>("test_lstm_bidirectional/reverse-Y_h", Lstm::<3, Last, NoBias>::new());
    run.layer::<Signal<1, 2>>("test_lstm_defaults/forward-Y_h", Lstm::<3, Last, NoBias>::new());
    run.layer::<Signal<3, 2>>("test_lstm_reverse/reverse-Y_h", Lstm::<3, Last, NoBias>::new());
    run.layer::<Signal<1, 3>>("test_lstm_with_initial_bias/forward-Y_h", Lstm::<4>::new());
}

fn layer_normalization(run: &mut Run<'_>) {
    run.layer::<[f32; 12]>("test_layer_normalization_2d_axis0", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<3, 4>>("test_layer_normalization_2d_axis1", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<3, 4>>("test_layer_normalization_2d_axis_negative_1", LayerNorm { epsilon: 1e-5 });
    run.layer::<[f32; 12]>("test_layer_normalization_2d_axis_negative_2", LayerNorm { epsilon: 1e-5 });
    run.layer::<[f32; 30]>("test_layer_normalization_3d_axis0_epsilon", LayerNorm { epsilon: 0.1 });
    run.layer::<Signal<2, 15>>("test_layer_normalization_3d_axis1_epsilon", LayerNorm { epsilon: 0.1 });
    run.layer::<Signal<6, 5>>("test_layer_normalization_3d_axis2_epsilon", LayerNorm { epsilon: 0.1 });
    run.layer::<Signal<6, 5>>("test_layer_normalization_3d_axis_negative_1_epsilon", LayerNorm { epsilon: 0.1 });
    run.layer::<Signal<2, 15>>("test_layer_normalization_3d_axis_negative_2_epsilon", LayerNorm { epsilon: 0.1 });
    run.layer::<[f32; 30]>("test_layer_normalization_3d_axis_negative_3_epsilon", LayerNorm { epsilon: 0.1 });
    run.layer::<[f32; 120]>("test_layer_normalization_4d_axis0", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<2, 60>>("test_layer_normalization_4d_axis1", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<6, 20>>("test_layer_normalization_4d_axis2", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<24, 5>>("test_layer_normalization_4d_axis3", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<24, 5>>("test_layer_normalization_4d_axis_negative_1", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<6, 20>>("test_layer_normalization_4d_axis_negative_2", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<2, 60>>("test_layer_normalization_4d_axis_negative_3", LayerNorm { epsilon: 1e-5 });
    run.layer::<[f32; 120]>("test_layer_normalization_4d_axis_negative_4", LayerNorm { epsilon: 1e-5 });
    run.layer::<Signal<24, 5>>("test_layer_normalization_default_axis", LayerNorm { epsilon: 1e-5 });
}

fn leaky_relu(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_leakyrelu", LeakyRelu { slope: 0.1 });
    run.layer::<Image<3, 4, 5>>("test_leakyrelu_default", LeakyRelu { slope: 0.01 });
    run.layer::<[f32; 3]>("test_leakyrelu_example", LeakyRelu { slope: 0.1 });
}

fn log_softmax(run: &mut Run<'_>) {
    run.layer::<Image<4, 5, 3>>("test_logsoftmax_axis_0", LogSoftmax);
    run.layer::<Image<3, 5, 4>>("test_logsoftmax_axis_1", LogSoftmax);
    run.layer::<Image<3, 4, 5>>("test_logsoftmax_axis_2", LogSoftmax);
    run.layer::<Image<3, 4, 5>>("test_logsoftmax_default_axis", LogSoftmax);
    run.layer::<Signal<1, 3>>("test_logsoftmax_example_1", LogSoftmax);
    run.layer::<Signal<2, 4>>("test_logsoftmax_large_number", LogSoftmax);
    run.layer::<Image<3, 4, 5>>("test_logsoftmax_negative_axis", LogSoftmax);
}

fn mat_mul(run: &mut Run<'_>) {
    run.layer::<[f32; 3]>("test_matmul_1d_1d", Dense::<1, NoBias>::new());
    run.layer::<[f32; 4]>("test_matmul_1d_3d", Dense::<1, NoBias>::new());
    run.layer::<[f32; 4]>("test_matmul_2d", Dense::<3, NoBias>::new());
    run.layer::<[f32; 4]>("test_matmul_3d", Dense::<3, NoBias>::new());
    run.layer::<[f32; 4]>("test_matmul_4d", Dense::<3, NoBias>::new());
    run.layer::<[f32; 3]>("test_matmul_4d_1d", Dense::<1, NoBias>::new());
    run.layer::<[f32; 4]>("test_matmul_bcast", Dense::<2, NoBias>::new());
}

fn max_pool(run: &mut Run<'_>) {
    run.layer::<Signal<32, 3>>("test_maxpool_1d_default", MaxPool::<Signal<31, 3>, 2, 1>::new());
    run.layer::<Image<4, 4, 1>>(
        "test_maxpool_2d_ceil",
        (Pad::<Image<5, 5, 1>>::new(f32::NEG_INFINITY).before(0, 0), MaxPool::<Image<2, 2, 1>, 3, 2>::new()),
    );
    run.layer::<Image<2, 2, 1>>(
        "test_maxpool_2d_ceil_output_size_reduce_by_one",
        MaxPool::<Image<1, 1, 1>, 1, 2>::new(),
    );
    run.layer::<Image<32, 32, 3>>("test_maxpool_2d_default", MaxPool::<Image<31, 31, 3>, 2, 1>::new());
    run.layer::<Image<28, 28, 3>>(
        "test_maxpool_2d_pads",
        (Pad::<Image<32, 32, 3>>::new(f32::NEG_INFINITY).before(2, 2), MaxPool::<Image<30, 30, 3>, 3, 1>::new()),
    );
    run.layer::<Image<5, 5, 1>>(
        "test_maxpool_2d_precomputed_pads",
        (Pad::<Image<9, 9, 1>>::new(f32::NEG_INFINITY).before(2, 2), MaxPool::<Image<5, 5, 1>, 5, 1>::new()),
    );
    run.layer::<Image<5, 5, 1>>(
        "test_maxpool_2d_precomputed_same_upper",
        (Pad::<Image<7, 7, 1>>::new(f32::NEG_INFINITY).before(1, 1), MaxPool::<Image<3, 3, 1>, 3, 2>::new()),
    );
    run.layer::<Image<5, 5, 1>>("test_maxpool_2d_precomputed_strides", MaxPool::<Image<2, 2, 1>, 2>::new());
    run.layer::<Image<32, 32, 3>>(
        "test_maxpool_2d_same_lower",
        (Pad::<Image<33, 33, 3>>::new(f32::NEG_INFINITY).before(1, 1), MaxPool::<Image<32, 32, 3>, 2, 1>::new()),
    );
    run.layer::<Image<32, 32, 3>>(
        "test_maxpool_2d_same_upper",
        (Pad::<Image<33, 33, 3>>::new(f32::NEG_INFINITY).before(0, 0), MaxPool::<Image<32, 32, 3>, 2, 1>::new()),
    );
    run.layer::<Image<32, 32, 3>>("test_maxpool_2d_strides", MaxPool::<Image<10, 10, 3>, 5, 3>::new());
    run.max_pool::<Image<5, 5, 1>>(
        "test_maxpool_with_argmax_2d_precomputed_pads",
        (Pad::<Image<9, 9, 1>>::new(f32::NEG_INFINITY).before(2, 2), MaxPool::<Image<5, 5, 1>, 5, 1>::new()),
    );
    run.max_pool::<Image<5, 5, 1>>(
        "test_maxpool_with_argmax_2d_precomputed_strides",
        MaxPool::<Image<2, 2, 1>, 2>::new(),
    );
}

fn mish(run: &mut Run<'_>) {
    run.layer::<[f32; 10000]>("test_mish", Mish);
}

fn momentum(run: &mut Run<'_>) {
    run.optimizer::<Linear<[f32; 2], [f32; 0]>>(
        "test_momentum",
        Momentum { dampening: 0.9, l2: 1e-3, ..Momentum::new(0.1, 0.95) },
    );
    run.optimizer::<Linear<[f32; 1], [f32; 2]>>(
        "test_momentum_multiple",
        Momentum { dampening: 0.14999998, l2: 1e-3, ..Momentum::new(0.1, 0.95) },
    );
    run.optimizer::<Linear<[f32; 2], [f32; 0]>>(
        "test_nesterov_momentum",
        Momentum { dampening: 0.0, l2: 0.01, ..Momentum::new(0.1, 0.95).nesterov() },
    );
}

fn negative_log_likelihood_loss(run: &mut Run<'_>) {
    run.negative_log_likelihood::<5>("test_nllloss_NC", Reduction::None, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1", Reduction::Mean, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1_ii", Reduction::Mean, Some(1));
    run.negative_log_likelihood::<5>("test_nllloss_NCd1_mean_weight_negative_ii", Reduction::Mean, Some(-1));
    run.negative_log_likelihood::<5>("test_nllloss_NCd1_weight", Reduction::Mean, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1_weight_ii", Reduction::Mean, Some(1));
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2", Reduction::None, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2_no_weight_reduction_mean_ii", Reduction::Mean, Some(1));
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2_reduction_mean", Reduction::Mean, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2_reduction_sum", Reduction::Sum, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2_with_weight", Reduction::None, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2_with_weight_reduction_mean", Reduction::Mean, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2_with_weight_reduction_sum", Reduction::Sum, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2_with_weight_reduction_sum_ii", Reduction::Sum, Some(0));
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2d3_none_no_weight_negative_ii", Reduction::None, Some(-5));
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2d3_sum_weight_high_ii", Reduction::Sum, Some(10));
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2d3d4d5_mean_weight", Reduction::Mean, None);
    run.negative_log_likelihood::<5>("test_nllloss_NCd1d2d3d4d5_none_no_weight", Reduction::None, None);
}

fn prelu(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_prelu_broadcast", PRelu::<PerChannel>::new());
    run.layer::<[f32; 60]>("test_prelu_example", PRelu::<PerChannel>::new());
}

fn pad(run: &mut Run<'_>) {
    run.layer::<Image<4, 5, 3>>("test_constant_pad", Pad::<Image<7, 12, 3>>::new(1.2).before(1, 3));
    run.layer::<Image<4, 5, 3>>("test_constant_pad_axes", Pad::<Image<4, 12, 3>>::new(1.2).before(0, 3));
    run.layer::<Image<4, 5, 3>>("test_constant_pad_negative_axes", Pad::<Image<4, 12, 3>>::new(1.2).before(0, 3));
}

fn rmsnormalization(run: &mut Run<'_>) {
    run.layer::<[f32; 12]>("test_rms_normalization_2d_axis0", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<3, 4>>("test_rms_normalization_2d_axis1", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<3, 4>>("test_rms_normalization_2d_axis_negative_1", RmsNorm { epsilon: 1e-5 });
    run.layer::<[f32; 12]>("test_rms_normalization_2d_axis_negative_2", RmsNorm { epsilon: 1e-5 });
    run.layer::<[f32; 30]>("test_rms_normalization_3d_axis0_epsilon", RmsNorm { epsilon: 0.1 });
    run.layer::<Signal<2, 15>>("test_rms_normalization_3d_axis1_epsilon", RmsNorm { epsilon: 0.1 });
    run.layer::<Signal<6, 5>>("test_rms_normalization_3d_axis2_epsilon", RmsNorm { epsilon: 0.1 });
    run.layer::<Signal<6, 5>>("test_rms_normalization_3d_axis_negative_1_epsilon", RmsNorm { epsilon: 0.1 });
    run.layer::<Signal<2, 15>>("test_rms_normalization_3d_axis_negative_2_epsilon", RmsNorm { epsilon: 0.1 });
    run.layer::<[f32; 30]>("test_rms_normalization_3d_axis_negative_3_epsilon", RmsNorm { epsilon: 0.1 });
    run.layer::<[f32; 120]>("test_rms_normalization_4d_axis0", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<2, 60>>("test_rms_normalization_4d_axis1", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<6, 20>>("test_rms_normalization_4d_axis2", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<24, 5>>("test_rms_normalization_4d_axis3", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<24, 5>>("test_rms_normalization_4d_axis_negative_1", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<6, 20>>("test_rms_normalization_4d_axis_negative_2", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<2, 60>>("test_rms_normalization_4d_axis_negative_3", RmsNorm { epsilon: 1e-5 });
    run.layer::<[f32; 120]>("test_rms_normalization_4d_axis_negative_4", RmsNorm { epsilon: 1e-5 });
    run.layer::<Signal<24, 5>>("test_rms_normalization_default_axis", RmsNorm { epsilon: 1e-5 });
}

fn rnn(run: &mut Run<'_>) {
    run.layer::<Signal<2, 3>>("test_rnn_seq_length/forward-Y_h", Rnn::<5>::new());
    run.layer::<Signal<1, 2>>("test_simple_rnn_batchwise/forward-Y", Rnn::<4, Sequence, NoBias>::new());
    run.layer::<Signal<1, 2>>("test_simple_rnn_batchwise/forward-Y_h", Rnn::<4, Last, NoBias>::new());
    run.layer::<Signal<3, 2>>("test_simple_rnn_bidirectional/forward-Y_h", Rnn::<4, Last, NoBias>::new());
    run.layer::<Signal<3, 2>>("test_simple_rnn_bidirectional/reverse-Y_h", Rnn::<4, Last, NoBias>::new());
    run.layer::<Signal<1, 2>>("test_simple_rnn_defaults/forward-Y_h", Rnn::<4, Last, NoBias>::new());
    run.layer::<Signal<3, 2>>("test_simple_rnn_reverse/reverse-Y_h", Rnn::<4, Last, NoBias>::new());
    run.layer::<Signal<1, 3>>("test_simple_rnn_with_initial_bias/forward-Y_h", Rnn::<5>::new());
}

fn relu(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_relu", Relu);
}

fn reshape(run: &mut Run<'_>) {
    run.layer::<Image<2, 3, 4>>("test_reshape_extended_dims", Reshape::<[Image<3, 2, 2>; 2]>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_negative_dim", Reshape::<Image<2, 6, 2>>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_negative_extended_dims", Reshape::<[Image<2, 3, 4>; 1]>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_one_dim", Reshape::<[f32; 24]>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_reduced_dims", Reshape::<Signal<2, 12>>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_reordered_all_dims", Reshape::<Image<4, 2, 3>>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_reordered_last_dims", Reshape::<Image<2, 4, 3>>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_zero_and_negative_dim", Reshape::<[Image<3, 1, 4>; 2]>::new());
    run.layer::<Image<2, 3, 4>>("test_reshape_zero_dim", Reshape::<[Image<3, 4, 1>; 2]>::new());
}

fn selu(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_selu", Selu { scale: 3.0, alpha: 2.0 });
    run.layer::<Image<3, 4, 5>>("test_selu_default", Selu { scale: 1.050701, alpha: 1.6732632 });
    run.layer::<[f32; 3]>("test_selu_example", Selu { scale: 3.0, alpha: 2.0 });
}

fn sigmoid(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_sigmoid", Sigmoid);
    run.layer::<[f32; 3]>("test_sigmoid_example", Sigmoid);
}

fn softmax(run: &mut Run<'_>) {
    run.layer::<Image<4, 5, 3>>("test_softmax_axis_0", Softmax);
    run.layer::<Image<3, 5, 4>>("test_softmax_axis_1", Softmax);
    run.layer::<Image<3, 4, 5>>("test_softmax_axis_2", Softmax);
    run.layer::<Image<3, 4, 5>>("test_softmax_default_axis", Softmax);
    run.layer::<Signal<1, 3>>("test_softmax_example", Softmax);
    run.layer::<Signal<2, 4>>("test_softmax_large_number", Softmax);
    run.layer::<Image<3, 4, 5>>("test_softmax_negative_axis", Softmax);
}

fn softmax_cross_entropy_loss(run: &mut Run<'_>) {
    run.cross_entropy::<5>("test_sce_NCd1_mean_weight_negative_ii", Reduction::Mean, Some(-1));
    run.cross_entropy::<5>("test_sce_NCd1_mean_weight_negative_ii_log_prob", Reduction::Mean, Some(-1));
    run.cross_entropy::<5>("test_sce_NCd1d2d3_none_no_weight_negative_ii", Reduction::None, Some(-5));
    run.cross_entropy::<5>("test_sce_NCd1d2d3_none_no_weight_negative_ii_log_prob", Reduction::None, Some(-5));
    run.cross_entropy::<5>("test_sce_NCd1d2d3_sum_weight_high_ii", Reduction::Sum, Some(10));
    run.cross_entropy::<5>("test_sce_NCd1d2d3_sum_weight_high_ii_log_prob", Reduction::Sum, Some(10));
    run.cross_entropy::<5>("test_sce_NCd1d2d3d4d5_mean_weight", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_NCd1d2d3d4d5_mean_weight_log_prob", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_NCd1d2d3d4d5_none_no_weight", Reduction::None, None);
    run.cross_entropy::<5>("test_sce_NCd1d2d3d4d5_none_no_weight_log_prob", Reduction::None, None);
    run.cross_entropy::<5>("test_sce_mean", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_mean_3d", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_mean_3d_log_prob", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_mean_log_prob", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_mean_no_weight_ii", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_no_weight_ii_3d", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_no_weight_ii_3d_log_prob", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_no_weight_ii_4d", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_no_weight_ii_4d_log_prob", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_no_weight_ii_log_prob", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_weight", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_mean_weight_ii", Reduction::Mean, Some(0));
    run.cross_entropy::<5>("test_sce_mean_weight_ii_3d", Reduction::Mean, Some(1));
    run.cross_entropy::<5>("test_sce_mean_weight_ii_3d_log_prob", Reduction::Mean, Some(1));
    run.cross_entropy::<5>("test_sce_mean_weight_ii_4d", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_weight_ii_4d_log_prob", Reduction::Mean, Some(2));
    run.cross_entropy::<5>("test_sce_mean_weight_ii_log_prob", Reduction::Mean, Some(0));
    run.cross_entropy::<5>("test_sce_mean_weight_log_prob", Reduction::Mean, None);
    run.cross_entropy::<5>("test_sce_none", Reduction::None, None);
    run.cross_entropy::<5>("test_sce_none_log_prob", Reduction::None, None);
    run.cross_entropy::<5>("test_sce_none_weights", Reduction::None, None);
    run.cross_entropy::<5>("test_sce_none_weights_log_prob", Reduction::None, None);
    run.cross_entropy::<5>("test_sce_sum", Reduction::Sum, None);
    run.cross_entropy::<5>("test_sce_sum_log_prob", Reduction::Sum, None);
}

fn softplus(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_softplus", Softplus::new());
    run.layer::<[f32; 3]>("test_softplus_example", Softplus::new());
}

fn softsign(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_softsign", Softsign);
    run.layer::<[f32; 3]>("test_softsign_example", Softsign);
}

fn squeeze(run: &mut Run<'_>) {
    run.layer::<[Image<3, 4, 5>; 1]>("test_squeeze", Reshape::<Image<3, 4, 5>>::new());
    run.layer::<[Image<3, 1, 5>; 1]>("test_squeeze_negative_axes", Reshape::<Image<1, 3, 5>>::new());
}

fn swish(run: &mut Run<'_>) {
    run.layer::<[f32; 3]>("test_swish", Silu);
}

fn tanh(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_tanh", Tanh);
    run.layer::<[f32; 3]>("test_tanh_example", Tanh);
}

fn unsqueeze(run: &mut Run<'_>) {
    run.layer::<Image<3, 4, 5>>("test_unsqueeze_axis_0", Reshape::<[Image<3, 4, 5>; 1]>::new());
    run.layer::<Image<3, 4, 5>>("test_unsqueeze_axis_1", Reshape::<[Image<1, 4, 5>; 3]>::new());
    run.layer::<Image<3, 4, 5>>("test_unsqueeze_axis_2", Reshape::<[Image<4, 1, 5>; 3]>::new());
    run.layer::<[Image<3, 1, 5>; 1]>("test_unsqueeze_negative_axes", Reshape::<[[Image<1, 1, 5>; 3]; 1]>::new());
    run.layer::<Image<3, 4, 5>>("test_unsqueeze_three_axes", Reshape::<[[[Image<5, 1, 1>; 1]; 4]; 3]>::new());
    run.layer::<Image<3, 4, 5>>("test_unsqueeze_two_axes", Reshape::<[[Image<4, 5, 1>; 1]; 3]>::new());
    run.layer::<Image<3, 4, 5>>("test_unsqueeze_unsorted_axes", Reshape::<[[[Image<5, 1, 1>; 1]; 4]; 3]>::new());
}
