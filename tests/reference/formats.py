"""Models of PyTorch and Keras for `tests/formats`, and the check of exported ones in the libraries themselves.

    python tests/reference/formats.py record [NAME ..]          # writes tests/data/formats; needs torch, onnx, onnxscript, keras
    python tests/reference/formats.py source BACKPASS_SIM       # needs a built backpass-sim
    python tests/reference/formats.py check FOLDER              # needs torch, onnx, onnxruntime

`record` writes for each model `<name>.safetensors` (its state_dict), `<name>.onnx` and `<name>_legacy.onnx` (as PyTorch's two exporters
write it), and `<name>.samples.safetensors`: `input` [3] samples as the learner takes them (channels last), `output` what PyTorch computes
in float32; with names, of these models alone. `refused.onnx` and `branches.onnx` are models that cannot be imported. `source` writes the `.rs` files beside them.

`check` takes what the test has exported for each model: `<name>.onnx`, `<name>.safetensors`, `<name>.py` (the module), and
`<name>.samples.safetensors` with the learner's own outputs, and prints the largest differences in ONNX Runtime and PyTorch.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "formats"
SAMPLES = 3
# Rounding alone, in f32 on both sides.
TOLERANCE = 1e-5


class Named(nn.Module):
    """Layers with names of their own, functions between them, a mean instead of a pool."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(2, 4, 3, padding=1)
        self.conv2 = nn.Conv1d(4, 6, 3, stride=2)
        self.fc1 = nn.Linear(6, 5)
        self.fc2 = nn.Linear(5, 2)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x)).mean(dim=2)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


class Steps(nn.Module):
    """A recurrent layer on [batch][step][channel] and a dense one on its last state."""

    def __init__(self, cell, **options):
        super().__init__()
        self.rnn = cell(3, 5, batch_first=True, **options)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class State(Steps):
    """The same with the state that PyTorch gives beside the sequence."""

    def forward(self, x):
        _, state = self.rnn(x)
        state = state[0] if isinstance(state, tuple) else state
        return self.head(state[-1])


class Block(nn.Module):
    """Two convolutions, and what goes past them: the input, or where the shape changes a convolution of 1 x 1."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """A small residual network, as people write it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.block1 = Block(3, 3)
        self.block2 = Block(3, 4, stride=2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = self.block2(self.block1(x))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


def activations():
    layers = [nn.Linear(4, 6)]
    for activation in [nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Softsign, nn.ELU]:
        layers += [activation(), nn.Linear(6, 6)]
    return nn.Sequential(*layers, nn.SELU(), nn.LeakyReLU(0.2), nn.Sigmoid(), nn.Softmax(dim=1))


# The model and the shape of a sample, as PyTorch has it.
MODELS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), (6,)),
    "signal": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 4, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(32, 6), nn.Tanh(), nn.Linear(6, 4)
        ),
        (3, 20),
    ),
    "image": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4, eps=1e-3),
            nn.ReLU6(),
            nn.Conv2d(4, 4, 3, padding=1, groups=4),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
            nn.Softmax(dim=1),
        ),
        (2, 8, 9),
    ),
    "named": (Named, (2, 12)),
    "gru": (lambda: Steps(nn.GRU), (7, 3)),
    "lstm": (lambda: State(nn.LSTM), (7, 3)),
    "rnn": (lambda: Steps(nn.RNN, bias=False), (7, 3)),
    "activations": (activations, (4,)),
    "norm": (lambda: nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 2)), (5,)),
    "residual": (ResNet, (2, 8, 6)),
    "prelu": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.PReLU(3), nn.Flatten(), nn.Linear(18, 4), nn.PReLU(), nn.Linear(4, 2)),
        (2, 8),
    ),
}
# Those whose samples are [step][channel] for PyTorch too.
CHANNELS_LAST = {"gru", "lstm", "rnn"}


def channels_last(x, name=""):
    return x if x.ndim < 3 or name in CHANNELS_LAST else x.movedim(1, -1)


def channels_first(x):
    return x if x.ndim < 3 else x.movedim(-1, 1)


def randomise(model):
    """Statistics that were measured, and biases that count."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        if isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.1, 0.4)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)


def record(names):
    DATA.mkdir(parents=True, exist_ok=True)
    for seed, (name, (make, shape)) in enumerate(MODELS.items()):
        if names and name not in names:
            continue
        torch.manual_seed(seed)
        model = make()
        randomise(model)
        model.eval()
        x = torch.randn(SAMPLES, *shape)
        with torch.no_grad():
            y = model(x)
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, DATA / f"{name}.safetensors")
        # The newer exporter writes a plain recurrent layer step by step.
        for exporter in ["", "_legacy"] if name != "rnn" else ["_legacy"]:
            path = DATA / f"{name}{exporter}.onnx"
            options = {"external_data": False, "verbose": False} if exporter == "" else {}
            torch.onnx.export(model, (x[:1],), path, dynamo=exporter == "", **options)
            strip(path)
        x = channels_last(x, name).contiguous()
        save_file({"input": x, "output": y}, DATA / f"{name}.samples.safetensors")
    if not names or "keras" in names:
        keras()
    if not names or "refused" in names:
        refused()


def refused():
    """Models with several problems each, which must all be told."""
    from onnx import TensorProto, helper, numpy_helper, save

    def model(nodes, arrays, shape, path):
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        graph = helper.make_graph(nodes, "refused", [value("x", shape)], [value("y", None)], initializers)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        save(made, DATA / path)

    node = helper.make_node
    model(
        [
            node("Gemm", ["x", "w"], ["a"], name="first", alpha=2.0),
            node("Elu", ["a"], ["b"], name="second", alpha=3.0),
            node("Einsum", ["b"], ["c"], name="third", equation="ij->ij"),
            node("GRU", ["c", "v", "v"], ["y"], name="fourth", hidden_size=1, direction="reverse"),
        ],
        {"w": np.zeros((4, 2), np.float32), "v": np.zeros((1, 3, 1), np.float32), "z": np.zeros(3, np.int8)},
        ["n", 4],
        "refused.onnx",
    )
    model(
        [
            node("Gemm", ["x", "w"], ["a"], name="inner"),
            node("Relu", ["a"], ["b"], name="gate"),
            node("Gemm", ["b", "w"], ["c"], name="outer"),
            node("Mul", ["c", "a"], ["y"], name="product"),
        ],
        {"w": np.eye(4, dtype=np.float32)},
        ["n", 4],
        "branches.onnx",
    )


RESIDUAL = (
    "2x8x6 conv2d(3,3,padding=1) relu "
    "residual(conv2d(3,3,padding=1,bias=no) batchnorm relu conv2d(3,3,padding=1,bias=no) batchnorm) relu "
    "residual(conv2d(4,3,2,padding=1,bias=no) batchnorm relu conv2d(4,3,padding=1,bias=no) batchnorm "
    "| conv2d(4,1,2,bias=no) batchnorm) relu globalaveragepool dense(3)"
)
RESIDUAL_NAMES = (
    "conv,block1.conv1,block1.bn1,block1.conv2,block1.bn2,"
    "block2.conv1,block2.bn1,block2.conv2,block2.bn2,block2.shortcut.0,block2.shortcut.1,fc"
)
# What the Rust tests include: a model, and the line of those that are read from safetensors.
SOURCES = {
    "residual_batch_norm": ["residual.safetensors", "--network", RESIDUAL, "--names", RESIDUAL_NAMES],
    "image_batch_norm": [
        "image.safetensors",
        "--network",
        "2x8x9 conv2d(4,3x2,2,padding=1,bias=no) batchnorm(0.001) relu6 depthwise(3,padding=1) relu averagepool(2) dense(3) softmax",
    ],
    "keras": [
        "keras.safetensors",
        "--layout",
        "keras",
        "--network",
        "3x10 conv1d(4,3) relu gru(5,sequence) lstm(4,sequence) dense(6) tanh batchnorm(0.001) dense(2)",
    ],
}


def source(program):
    models = {name: [f"{name}.onnx" if name != "rnn" else "rnn_legacy.onnx"] for name in MODELS}
    for name, arguments in (models | SOURCES).items():
        command = [program, "import", *arguments, "--to", "rust", "-o", f"{name}.rs"]
        subprocess.run(command, cwd=DATA, check=True)


def strip(path):
    """Without the exporter's notes, which name files of this computer."""
    import onnx

    model = onnx.load(path)
    del model.graph.value_info[:], model.metadata_props[:], model.graph.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.initializer, *model.graph.input, *model.graph.output]:
        value.doc_string = ""
        del value.metadata_props[:]
    onnx.save(model, path)


def keras():
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.utils.set_random_seed(9)
    model = keras.Sequential(
        [
            keras.Input((10, 3)),
            keras.layers.Conv1D(4, 3, activation="relu", bias_initializer="normal"),
            keras.layers.GRU(5, return_sequences=True, bias_initializer="normal"),
            keras.layers.LSTM(4, return_sequences=True),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="tanh", bias_initializer="normal"),
            keras.layers.BatchNormalization(moving_mean_initializer="normal", gamma_initializer="normal"),
            keras.layers.Dense(2),
        ]
    )
    x = np.random.default_rng(9).standard_normal((SAMPLES, 10, 3), dtype=np.float32)
    y = torch.as_tensor(np.array(keras.ops.convert_to_numpy(model(x, training=False))))
    weights = {}
    for index, layer in enumerate(model.layers):
        for weight in layer.weights:
            value = torch.as_tensor(np.array(keras.ops.convert_to_numpy(weight.value)))
            if value.dtype == torch.float32:
                weights[f"layer_{index}/{weight.path.split('/', 1)[1]}"] = value.contiguous()
    save_file(weights, DATA / "keras.safetensors")
    save_file({"input": torch.as_tensor(x), "output": y.contiguous()}, DATA / "keras.samples.safetensors")


def check(folder):
    import onnx
    import onnxruntime

    print(f"PyTorch {torch.__version__}, ONNX {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}")
    worst = {"ONNX Runtime": 0.0, "PyTorch": 0.0}
    paths = sorted(Path(folder).glob("*.onnx"))
    assert paths, f"nothing to check in {folder}"
    for path in paths:
        samples = load_file(path.with_suffix(".samples.safetensors"))
        x = channels_first(samples["input"]).contiguous()
        expected = samples["output"]
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        # All samples at once: the batch is left open.
        (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        scope = {}
        exec(path.with_suffix(".py").read_text(), scope)
        model = scope["model"]
        state = load_file(path.with_suffix(".safetensors"))
        # The count of batches is PyTorch's own.
        counts = {k: v for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}
        model.load_state_dict(state | counts, strict=True)
        with torch.no_grad():
            z = model.eval()(x)
        line = f"{path.stem:20}"
        for library, values in {"ONNX Runtime": torch.as_tensor(y), "PyTorch": z}.items():
            values = channels_last(values)
            assert values.shape == expected.shape, f"{path.stem}: {values.shape} instead of {expected.shape}"
            difference = (values - expected).abs().max().item()
            worst[library] = max(worst[library], difference)
            line += f"  {library} {difference:.1e}"
        print(line)
    print("largest:", ", ".join(f"{library} {difference:.1e}" for library, difference in worst.items()))
    assert max(worst.values()) <= TOLERANCE, f"more than {TOLERANCE}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(sys.argv[2:])
    elif len(sys.argv) == 3 and sys.argv[1] == "source":
        source(Path(sys.argv[2]).resolve())
    elif len(sys.argv) == 3 and sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        sys.exit(__doc__)
