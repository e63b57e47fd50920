"""What each ONNX operator is in backpass: `OPERATORS[operator](case)` gives the runs of a case, or raises NotApplicable.

A run is one call of a runner of tests/onnx and the tensors that it reads. Everything that the layers leave to their caller is
done here, and nothing else:

* Layout: channels last, weights input-major. An axis that an operator works on is moved to the end.
* Each sample of a batch by itself. Parameters are one set for all samples or one a sample, as `MatMul` on batches needs.
* Parameters are spread to the shape of the layer's own, and `alpha` and `beta` of Gemm are multiplied into them.
* A sequence that is read from its end is turned round, and so are the states of its steps; two directions are two layers.
* Padding of a maximum, and of a mean that counts it, is the layer `Pad` before it.

`OTHERS` are the operators that no layer, loss or optimizer of backpass is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np


class Reason(StrEnum):
    """Why a case is not run. There are no others."""

    THREE_D = "3-D: signals and images have one and two axes"
    INTEGER = "integer type: numbers are f32"
    NOT_A_TENSOR = "a sequence or an optional value, not a tensor"
    EMPTY = "a tensor without elements"
    BROADCASTING = "broadcasting: the two terms of a residual sum have one shape"
    CLIP = "clips to other bounds than 0 and 6"
    PAD_MODE = "integer type, and pads with something else than a constant"
    NEGATIVE_INDEX = "negative index: tokens are numbered from 0"
    MASK = "random mask of another generator"
    BATCH_STATISTICS = "normalises by the statistics of the batch: samples come one by one, and the running ones normalise (what they become is compared)"
    PEEPHOLES = "peepholes: gates do not see the cells"
    POOL_DILATION = "dilated pool"


class NotApplicable(Exception):
    """Why a case does not count as run, and what of it is compared all the same."""

    def __init__(self, reason: Reason, runs: "list[Run] | None" = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.runs = runs or []


@dataclass(frozen=True)
class Case:
    """A test of one node, its optional inputs and outputs under their names in the operator's definition."""

    name: str
    operator: str
    attributes: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """`method` of the runner, called with the case's name and `arguments`."""

    method: str
    arguments: list[str]
    tensors: dict[str, np.ndarray]
    # What tells several runs of one case apart.
    part: str = ""
    # Outputs of the case that the layer does not return.
    unreturned: list[str] = field(default_factory=list)


Runs = Run | list[Run]


def shape_of(x: np.ndarray, axes: int = 0) -> str:
    """The Rust type of a tensor without its first `axes`."""
    match x.shape[axes:]:
        case ():
            return "f32"
        case (n,):
            return f"[f32; {n}]"
        case (t, c):
            return f"Signal<{t}, {c}>"
        case (h, w, c):
            return f"Image<{h}, {w}, {c}>"
        case (n, *_):
            return f"[{shape_of(x, axes + 1)}; {n}]"


def number(value: float) -> str:
    """The shortest Rust literal of an f32."""
    if np.isneginf(value):
        return "f32::NEG_INFINITY"
    plain = np.format_float_positional(np.float32(value), unique=True, trim="0")
    scientific = np.format_float_scientific(np.float32(value), unique=True, trim="-", exp_digits=1)
    return min(plain, scientific, key=len)


def type_of(name: str, parameters: list[Any], defaults: list[Any]) -> str:
    """A layer's type without the parameters that are its defaults at the end."""
    while parameters[-1] == defaults[len(parameters) - 1]:
        parameters = parameters[:-1]
    return f"{name}::<{', '.join(map(str, parameters))}>"


def channels_last(x: np.ndarray) -> np.ndarray:
    """[batch][channel][positions] -> [batch][positions][channel]."""
    return np.moveaxis(x, 1, -1)


def layer(
    layer: str,
    x: np.ndarray,
    y: np.ndarray,
    parameters: dict[str, np.ndarray] | None = None,
    *,
    method: str = "layer",
    part: str = "",
    unreturned: list[str] | None = None,
    **more: np.ndarray,
) -> Run:
    """A layer on a batch of samples [batch][sample]."""
    assert x.dtype == np.float32 and y.dtype == np.float32 and len(x) == len(y)
    tensors = {"x": x, "y": y, **(parameters or {}), **more}
    return Run(f"{method}::<{shape_of(x, 1)}>", [layer], tensors, part, unreturned or [])


def whole(layer_: str, x: np.ndarray, y: np.ndarray, parameters: dict[str, np.ndarray] | None = None, **more: Any) -> Run:
    """A layer on one sample, whatever its axes are."""
    return layer(layer_, x[None], y[None], parameters, **more)


# Linear layers.


def bias_of(case: Case, name: str) -> tuple[dict[str, np.ndarray], str]:
    """The bias, if there is one, and its type."""
    bias = case.inputs.get(name)
    return ({}, "NoBias") if bias is None else ({"bias": bias}, "Bias")


@dataclass(frozen=True)
class Axis:
    """A window that moves along one axis."""

    input: int
    output: int
    size: int
    stride: int
    dilation: int
    # What the attributes say: padding before and behind, and whether they name it.
    before: int
    behind: int
    named: bool

    @property
    def needed(self) -> int:
        """How many elements the windows reach over."""
        return (self.output - 1) * self.stride + (self.size - 1) * self.dilation + 1

    @property
    def missing(self) -> int:
        """How many of them lie behind the input."""
        return max(self.needed - self.input - self.before, 0)

    @property
    def is_padded(self) -> bool:
        return self.before > 0 or self.missing > 0


def axes_of(case: Case, x: np.ndarray, y: np.ndarray) -> list[Axis]:
    """The windows of a convolution or a pool on [batch][channel][positions]."""
    attributes = case.attributes
    sizes = attributes["kernel_shape"]
    rank = len(sizes)
    if rank > 2:
        raise NotApplicable(Reason.THREE_D)
    pads = attributes.get("pads", [0] * 2 * rank)
    strides, dilations = (attributes.get(name, [1] * rank) for name in ["strides", "dilations"])
    axes = []
    for i in range(rank):
        axis = Axis(x.shape[2 + i], y.shape[2 + i], sizes[i], strides[i], dilations[i], pads[i], pads[rank + i], True)
        total = max(axis.needed - axis.input, 0)
        match attributes.get("auto_pad", "NOTSET"):
            case "NOTSET":
                named = any(pads)
                before, behind = axis.before, axis.behind
            case "VALID":
                named, before, behind = False, 0, 0
            case "SAME_UPPER":
                # What the layers of backpass pad by themselves.
                named, before, behind = False, total // 2, total - total // 2
            case "SAME_LOWER":
                named, before, behind = True, total - total // 2, total // 2
            case other:
                raise ValueError(f"{case.name}: {other}")
        axes.append(Axis(*[getattr(axis, f) for f in ["input", "output", "size", "stride", "dilation"]], before, behind, named))
    return axes


def conv(case: Case) -> Runs:
    x, w, y = case.inputs["X"], case.inputs["W"], case.outputs["Y"]
    assert case.attributes["group"] == 1
    rows, columns = axes_of(case, x, y)
    bias, choice = bias_of(case, "B")
    y = channels_last(y)
    conv2d = type_of(
        "Conv2d",
        [shape_of(y, 1), rows.size, rows.stride, choice, columns.size, columns.stride, rows.dilation, columns.dilation],
        [None, None, 1, "Bias", rows.size, rows.stride, 1, rows.dilation],
    )
    padding = f".padding({rows.before}, {columns.before})" if rows.named else ""
    weight = {"weight": w.transpose(2, 3, 1, 0)}
    return layer(f"{conv2d}::new(){padding}", channels_last(x), y, weight | bias)


def gemm(case: Case) -> Runs:
    a, b = case.inputs["A"], case.inputs["B"]
    attributes = case.attributes
    x, weight = a.T if attributes["transA"] else a, b.T if attributes["transB"] else b
    weight = np.float32(attributes["alpha"]) * weight
    bias, choice = bias_of(case, "C")
    if bias:
        rows = np.broadcast_to(np.float32(attributes["beta"]) * bias["bias"], case.outputs["Y"].shape)
        # One for all rows, or one a row.
        bias = {"bias": rows[0] if np.atleast_2d(bias["bias"]).shape[0] == 1 else rows}
    return layer(dense(weight, choice), x, case.outputs["Y"], {"weight": weight} | bias)


def dense(weight: np.ndarray, choice: str) -> str:
    return f"Dense::<{weight.shape[-1]}{', NoBias' if choice == 'NoBias' else ''}>::new()"


def matmul(case: Case) -> Runs:
    """Each row of each matrix on the left is a sample of the layer whose weight is the matrix on its right."""
    a, b, y = case.inputs["A"], case.inputs["B"], case.outputs["Y"]
    a, b = a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, batch + a.shape[-2:])
    weight = np.broadcast_to(b[..., None, :, :], a.shape[:-1] + b.shape[-2:]) if batch else b
    x = a.reshape(-1, a.shape[-1])
    if batch:
        weight = weight.reshape(-1, *b.shape[-2:])
    return layer(dense(weight, "NoBias"), x, y.reshape(len(x), -1), {"weight": weight})


# Pools.


def pool(case: Case, name: str, fill: float | None) -> Run:
    """A pool, behind a `Pad` with `fill`; None if it pads by itself."""
    x, y = case.inputs["X"], case.outputs["Y"]
    axes = axes_of(case, x, y)
    if any(axis.dilation != 1 for axis in axes):
        raise NotApplicable(Reason.POOL_DILATION)
    x, y = channels_last(x), channels_last(y)
    sizes = [size for axis in axes for size in (axis.size, axis.stride)]
    network = f"{type_of(name, [shape_of(y, 1), *sizes], [None, None, axes[0].size, *sizes])}::new()"
    before = ", ".join(str(axis.before) for axis in axes) + (", 0" if len(axes) == 1 else "")
    if fill is None:
        network += f".padding({before})" if any(axis.named for axis in axes) else ""
    elif any(axis.is_padded for axis in axes):
        # Zeros that a window has beyond the padding are not counted.
        assert np.isneginf(fill) or all(axis.missing <= axis.behind for axis in axes), case.name
        padded = np.empty((1, *(axis.before + axis.input + axis.missing for axis in axes), x.shape[-1]))
        network = f"(Pad::<{shape_of(padded, 1)}>::new({number(fill)}).before({before}), {network})"
    return layer(network, x, y)


def max_pool(case: Case) -> Runs:
    run = pool(case, "MaxPool", -np.inf)
    indices = case.outputs.get("Indices")
    if indices is None:
        return run
    # Positions among channels and pixels -> among pixels and channels.
    _, channels, height, width = case.inputs["X"].shape
    channel, pixel = np.divmod(indices, height * width)
    if case.attributes["storage_order"]:
        column, row = np.divmod(pixel, height)
        pixel = row * width + column
    tensors = run.tensors | {"indices": channels_last(pixel * channels + channel)}
    return Run(run.method.replace("layer", "max_pool"), run.arguments, tensors)


def average_pool(case: Case) -> Runs:
    return pool(case, "AveragePool", 0.0 if case.attributes["count_include_pad"] else None)


def global_pool(name: str) -> Callable[[Case], Runs]:
    def run(case: Case) -> Runs:
        y = case.outputs["Y"]
        return layer(name, channels_last(case.inputs["X"]), y.reshape(y.shape[:2]))

    return run


# Normalisations.


def epsilon(case: Case) -> str:
    return f"epsilon: {number(case.attributes['epsilon'])}"


def normalised_together(case: Case, x: np.ndarray) -> np.ndarray:
    """The axes from `axis` on as one, those before it as positions."""
    axis = case.attributes["axis"] % x.ndim
    x = x.reshape(-1, int(np.prod(x.shape[axis:])))
    return x if axis > 0 else x[0]


def layer_norm(case: Case) -> Runs:
    x, y = (normalised_together(case, values) for values in [case.inputs["X"], case.outputs["Y"]])
    parameters = {"weight": case.inputs["Scale"], "bias": case.inputs["B"]}
    unreturned = [output for output in ["Mean", "InvStdDev"] if output in case.outputs]
    return whole(f"LayerNorm {{ {epsilon(case)} }}", x, y, parameters, unreturned=unreturned)


def rms_norm(case: Case) -> Runs:
    x, y = (normalised_together(case, values) for values in [case.inputs["X"], case.outputs["Y"]])
    return whole(f"RmsNorm {{ {epsilon(case)} }}", x, y, {"weight": case.inputs["scale"]})


def group_norm(case: Case) -> Runs:
    parameters = {"weight": case.inputs["scale"], "bias": case.inputs["bias"]}
    norm = f"GroupNorm::<{case.attributes['num_groups']}> {{ {epsilon(case)} }}"
    return layer(norm, channels_last(case.inputs["X"]), channels_last(case.outputs["Y"]), parameters)


def instance_norm(case: Case) -> Runs:
    parameters = {"weight": case.inputs["scale"], "bias": case.inputs["B"]}
    norm = f"InstanceNorm {{ {epsilon(case)} }}"
    return layer(norm, channels_last(case.inputs["input"]), channels_last(case.outputs["output"]), parameters)


def batch_norm(case: Case) -> Runs:
    inputs = case.inputs
    names = {"weight": "scale", "bias": "B", "running_mean": "input_mean", "running_var": "input_var"}
    parameters = {ours: inputs[theirs] for ours, theirs in names.items()}
    norm = f"BatchNorm {{ {epsilon(case)}, ..BatchNorm::new() }}"
    x = channels_last(inputs["X"])
    if case.attributes["training_mode"]:
        assert case.attributes["momentum"] == np.float32(0.9)
        after = {f"after/{name}": case.outputs[name] for name in ["running_mean", "running_var"]}
        run = Run(f"running_statistics::<{shape_of(x, 1)}>", [norm], {"x": x, **parameters, **after})
        raise NotApplicable(Reason.BATCH_STATISTICS, [run])
    return layer(norm, x, channels_last(case.outputs["Y"]), parameters)


# Activations.


def activation(layer: str, input: str = "X", output: str = "Y", **settings: str) -> Callable[[Case], Runs]:
    """An activation on tensors of any shape: its settings and the attributes that they are."""

    def run(case: Case) -> Runs:
        fields = ", ".join(f"{ours}: {number(case.attributes[theirs])}" for ours, theirs in settings.items())
        network = f"{layer} {{ {fields} }}" if fields else layer
        return whole(network, case.inputs[input], case.outputs[output])

    return run


def gelu(case: Case) -> Runs:
    name = "GeluTanh" if case.attributes["approximate"] == "tanh" else "Gelu"
    return whole(name, case.inputs["X"], case.outputs["Y"])


def swish(case: Case) -> Runs:
    assert case.attributes["alpha"] == 1, case.name
    return whole("Silu", case.inputs["X"], case.outputs["Y"])


def prelu(case: Case) -> Runs:
    """One slope a channel; where every element has its own, every element is a channel."""
    x, slope, y = case.inputs["X"], case.inputs["slope"], case.outputs["Y"]
    if slope.ndim > 1:
        x, y = x.reshape(-1), y.reshape(-1)
    return whole("PRelu::<PerChannel>::new()", x, y, {"weight": slope})


def clip(case: Case) -> Runs:
    bounds = case.inputs.get("min"), case.inputs.get("max")
    networks = {(None, None): "Identity", (0, None): "Relu", (0, 6): "Relu6"}
    network = networks.get(bounds)
    if network is None:
        raise NotApplicable(Reason.CLIP)
    return whole(network, case.inputs["input"], case.outputs["output"])


def over_axis(name: str) -> Callable[[Case], Runs]:
    def run(case: Case) -> Runs:
        axis = case.attributes["axis"]
        x, y = (np.moveaxis(values, axis, -1) for values in [case.inputs["input"], case.outputs["output"]])
        return whole(name, x, y)

    return run


def dropout(case: Case) -> Runs:
    """Without a mask where it only predicts; with the rate 0 where it learns."""
    rate = case.inputs.get("ratio", case.attributes.get("ratio", 0.5))
    training = bool(case.inputs.get("training_mode", False))
    if training and rate > 0:
        raise NotApplicable(Reason.MASK)
    x, y = case.inputs["data"], case.outputs["output"]
    unreturned = ["mask"] if "mask" in case.outputs else []
    method = "layer" if training else "predicting"
    return whole(f"Dropout::new({number(rate)})", x, y, method=method, unreturned=unreturned)


# Shapes.


def flatten(case: Case) -> Runs:
    x, y = case.inputs["input"], case.outputs["output"]
    x = x.reshape(*y.shape[:1], *x.shape[case.attributes["axis"] :]) if len(y) > 1 else x[None]
    return layer(f"Flatten::<{y.shape[1]}>", x, y)


def reshape(case: Case, input: str = "data", output: str = "reshaped") -> Runs:
    x, y = case.inputs[input], case.outputs[output]
    if x.size == 0:
        raise NotApplicable(Reason.EMPTY)
    return whole(f"Reshape::<{shape_of(y)}>::new()", x, y)


def pad(case: Case) -> Runs:
    x, y, pads = case.inputs["data"], case.outputs["output"], case.inputs["pads"]
    if case.attributes["mode"] != "constant":
        raise NotApplicable(Reason.PAD_MODE)
    before = np.zeros(x.ndim, dtype=int)
    before[case.inputs.get("axes", range(x.ndim))] = pads[: len(pads) // 2]
    assert x.shape[:2] == y.shape[:2], case.name
    x, y = channels_last(x), channels_last(y)
    value = number(case.inputs.get("constant_value", 0.0))
    return layer(f"Pad::<{shape_of(y, 1)}>::new({value}).before({before[2]}, {before[3]})", x, y)


def concat(case: Case) -> Runs:
    axis = case.attributes["axis"]
    first, second, y = (np.moveaxis(x, axis, -1) for x in [*case.inputs["inputs"], case.outputs["concat_result"]])
    types = ", ".join(map(shape_of, [y, first, second]))
    return Run(f"concat::<{types}>", [], {"first": first, "second": second, "y": y})


def add(case: Case) -> Runs:
    x, branch, y = case.inputs["A"], case.inputs["B"], case.outputs["C"]
    if x.shape != branch.shape:
        raise NotApplicable(Reason.BROADCASTING)
    return Run(f"residual::<{shape_of(x)}>", [], {"x": x, "branch": branch, "y": y})


def gather(case: Case) -> Runs:
    data, indices, y = case.inputs["data"], case.inputs["indices"], case.outputs["output"]
    if (indices < 0).any():
        raise NotApplicable(Reason.NEGATIVE_INDEX)
    axis = case.attributes["axis"]
    weight = np.moveaxis(data, axis, 0).reshape(data.shape[axis], -1)
    y = np.moveaxis(y, range(axis, axis + indices.ndim), range(indices.ndim)).reshape(indices.size, -1)
    embedding = f"Embedding::<{weight.shape[0]}, {weight.shape[1]}>"
    return whole(embedding, indices.reshape(-1).astype(np.float32), y, {"weight": weight})


# Recurrent layers.


@dataclass(frozen=True)
class Recurrence:
    """A recurrent operator: its layer, and which of ONNX's gates each of its gates is."""

    layer: str
    gates: list[int]
    more: str = ""


RNN = Recurrence("Rnn", [0])
# z, r, n -> r, z, n; i, o, f, g -> i, f, g, o.
GRU = Recurrence("Gru", [1, 0, 2], "ResetBefore")
LSTM = Recurrence("Lstm", [0, 2, 3, 1])


def recurrent(kind: Recurrence) -> Callable[[Case], Runs]:
    """A layer a direction, and for each output: the hidden states of all steps, Y, and that of the last, Y_h."""

    def run(case: Case) -> Runs:
        inputs, outputs, attributes = case.inputs, case.outputs, case.attributes
        if "P" in inputs:
            raise NotApplicable(Reason.PEEPHOLES)
        assert not {"sequence_lens", "initial_h", "initial_c"} & inputs.keys(), case.name
        assert not attributes.get("linear_before_reset"), case.name
        directions = {"bidirectional": ["forward", "reverse"]}.get(attributes["direction"], [attributes["direction"]])
        batch_first = attributes["layout"] == 1
        # [batch][time][channel]
        x = inputs["X"] if batch_first else inputs["X"].swapaxes(0, 1)
        runs = []
        for d, direction in enumerate(directions):
            turned = np.s_[:, ::-1] if direction == "reverse" else np.s_[:]
            parameters, choice = recurrent_parameters(kind, case, d)
            for output in outputs.keys() & {"Y", "Y_h"}:
                if output == "Y":
                    # [batch][time][unit], in the order of the layer's steps
                    y = outputs["Y"][:, :, d] if batch_first else outputs["Y"][:, d].swapaxes(0, 1)
                    y, returned = y[turned], "Sequence"
                else:
                    y, returned = outputs["Y_h"][:, d] if batch_first else outputs["Y_h"][d], "Last"
                generics = [y.shape[-1], returned, choice, *([kind.more] if kind.more else [])]
                network = f"{type_of(kind.layer, generics, [None, 'Last', 'Bias', None])}::new()"
                part = f"{direction}-{output}"
                unreturned = ["Y_c"] if "Y_c" in outputs and d == 0 else []
                runs.append(layer(network, x[turned], y, parameters, part=part, unreturned=unreturned))
        return sorted(runs, key=lambda run: run.part)

    return run


def recurrent_parameters(kind: Recurrence, case: Case, direction: int) -> tuple[dict[str, np.ndarray], str]:
    """Weights [in][gate][unit] and the sum of the two biases [gate][unit], for one direction."""
    gates = len(kind.gates)

    def ours(weight: np.ndarray) -> np.ndarray:
        return weight.reshape(gates, -1, weight.shape[-1])[kind.gates].transpose(2, 0, 1)

    parameters = {"weight_ih": ours(case.inputs["W"][direction]), "weight_hh": ours(case.inputs["R"][direction])}
    if "B" not in case.inputs:
        return parameters, "NoBias"
    both = case.inputs["B"][direction].reshape(2, gates, -1).sum(axis=0)
    return parameters | {"bias": both[kind.gates]}, "Bias"


# Losses.


def class_loss(method: str, scores: str, labels: str, weights: str, output: str) -> Callable[[Case], Runs]:
    """Each position of each sample is a sample."""

    def run(case: Case) -> Runs:
        x = channels_last(case.inputs[scores])
        tensors = {"x": x, "classes": case.inputs[labels], "y": case.outputs[output]}
        if weights in case.inputs:
            tensors["weights"] = case.inputs[weights]
        log_prob = case.outputs.get("log_prob")
        if log_prob is not None:
            tensors["log_prob"] = channels_last(log_prob)
        reduction = f"Reduction::{case.attributes['reduction'].capitalize()}"
        ignored = case.attributes.get("ignore_index")
        return Run(f"{method}::<{x.shape[-1]}>", [reduction, "None" if ignored is None else f"Some({ignored})"], tensors)

    return run


# Optimizers.


def settings(layer: str, fields: dict[str, float], others: str) -> str:
    given = ", ".join(f"{name}: {number(value)}" for name, value in fields.items())
    return f"{layer} {{ {given}, ..{others} }}"


def optimizer(moments: int, method: str, rule: Callable[[dict[str, Any], float], str]) -> Callable[[Case], Runs]:
    """One step, the first, of one or two tensors, which are the weight and the bias of a layer."""

    def run(case: Case) -> Runs:
        assert case.inputs["T"] == 0 and not case.attributes.get("norm_coefficient_post"), case.name
        given, found = case.inputs["inputs"], case.outputs["outputs"]
        count = len(given) // (2 + moments)
        names = ["weight", "bias"][:count]
        tensors = {}
        for role, values in [("before", given), ("after", found)]:
            # Of the weights, the gradients before the step, and the moments, one for each tensor.
            kinds = ["weights", *(["gradients"] if role == "before" else []), *(f"moments{i}" for i in range(moments))]
            for i, kind in enumerate(kinds):
                for name, value in zip(names, values[i * count :], strict=False):
                    tensors[f"{role}/{kind}/{name}"] = value
        types = ", ".join(shape_of(value) for value in [*given[:count], np.empty(0)][:2])
        return Run(f"{method}::<Linear<{types}>>", [rule(case.attributes, case.inputs["R"])], tensors)

    return run


def adagrad(attributes: dict[str, Any], rate: float) -> str:
    fields = {"learning_rate_decay": "decay_factor", "epsilon": "epsilon", "l2": "norm_coefficient"}
    values = {ours: attributes[theirs] for ours, theirs in fields.items()}
    return settings("Adagrad", values, f"Adagrad::new({number(rate)})")


def adam(attributes: dict[str, Any], rate: float) -> str:
    fields = {"beta1": "alpha", "beta2": "beta", "epsilon": "epsilon", "l2": "norm_coefficient"}
    values = {ours: attributes[theirs] for ours, theirs in fields.items()}
    return settings("Adam", values, f"Adam::new({number(rate)})")


def momentum(attributes: dict[str, Any], rate: float) -> str:
    """`beta`, one minus the dampening, has no part in the first step."""
    values = {"dampening": 1 - np.float32(attributes["beta"]), "l2": attributes["norm_coefficient"]}
    rule = f"Momentum::new({number(rate)}, {number(attributes['alpha'])})"
    return settings("Momentum", values, rule + {"standard": "", "nesterov": ".nesterov()"}[attributes["mode"]])


OPERATORS: dict[str, Callable[[Case], Runs]] = {
    "Adagrad": optimizer(1, "optimizer", adagrad),
    "Adam": optimizer(2, "adam", adam),
    "Add": add,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "Dropout": dropout,
    "Elu": activation("Elu", alpha="alpha"),
    "Flatten": flatten,
    "GRU": recurrent(GRU),
    "Gather": gather,
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool("GlobalAveragePool"),
    "GlobalMaxPool": global_pool("GlobalMaxPool"),
    "GroupNormalization": group_norm,
    "HardSigmoid": activation("HardSigmoid", slope="alpha", offset="beta"),
    "HardSwish": activation("HardSwish"),
    "Identity": activation("Identity", "input", "output"),
    "InstanceNormalization": instance_norm,
    "LSTM": recurrent(LSTM),
    "LayerNormalization": layer_norm,
    "LeakyRelu": activation("LeakyRelu", slope="alpha"),
    "LogSoftmax": over_axis("LogSoftmax"),
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mish": activation("Mish"),
    "Momentum": optimizer(1, "optimizer", momentum),
    "NegativeLogLikelihoodLoss": class_loss("negative_log_likelihood", "input", "target", "weight", "loss"),
    "PRelu": prelu,
    "Pad": pad,
    "RMSNormalization": rms_norm,
    "RNN": recurrent(RNN),
    "Relu": activation("Relu"),
    "Reshape": reshape,
    "Selu": activation("Selu", scale="gamma", alpha="alpha"),
    "Sigmoid": activation("Sigmoid"),
    "Softmax": over_axis("Softmax"),
    "SoftmaxCrossEntropyLoss": class_loss("cross_entropy", "scores", "labels", "weights", "output"),
    "Softplus": activation("Softplus::new()"),
    "Softsign": activation("Softsign", "input", "output"),
    "Squeeze": lambda case: reshape(case, "data", "squeezed"),
    "Swish": swish,
    "Tanh": activation("Tanh", "input", "output"),
    "Unsqueeze": lambda case: reshape(case, "data", "expanded"),
}

OTHERS = frozenset(
    """
    Abs Acos Acosh AffineGrid And ArgMax ArgMin ArrayFeatureExtractor Asin Asinh Atan Atanh Attention Bernoulli
    Binarizer BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike
    CausalConvWithState Ceil Celu CenterCropPad Col2Im Compress Constant ConstantOfShape ConvInteger ConvTranspose
    Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div DynamicQuantizeLinear Einsum Equal
    Erf Exp Expand EyeLike FlexAttention Floor GatherElements GatherND Greater GreaterOrEqual GridSample
    HammingWindow HannWindow Hardmax If ImageDecoder IsInf IsNaN LRN LabelEncoder Less LessOrEqual LinearAttention
    Log Loop LpNormalization LpPool MatMulInteger Max MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min
    Mod Mul Neg NonMaxSuppression NonZero Not OneHot OptionalGetElement OptionalHasElement Or Pow QLinearConv
    QLinearMatMul QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Resize ReverseSequence RoiAlign
    RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND SequenceInsert SequenceMap Shape Shrink Sign
    Sin Sinh Size Slice SpaceToDepth Split SplitToSequence Sqrt StringConcat StringNormalizer StringSplit Sub Sum
    SwiGLU Tan TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose TreeEnsemble Trilu Unique Upsample
    Where Xor
    """.split()
)
