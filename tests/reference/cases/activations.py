"""Every activation alone, in a network, first and last, and behind ReLU and ReLU6; dropout, embedding, reshape, scale, pad."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import ReLU, ReLU6, Sequential
from torch.nn.functional import pad

from harness import SAMPLES, Case, Conv2d, Goal, dense, flatten, mse_loss

Make = Callable[[], nn.Module]


class OverChannels(nn.Module):
    """A layer of PyTorch's whose channels are the second axis, on channels last without a batch axis."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.movedim(-1, 0)[None])[0].movedim(0, -1)


class PReLU(nn.PReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(-1, 0)[None])[0].movedim(0, -1)


def wide() -> torch.Tensor:
    """Samples that reach both ends of every activation."""
    samples = 4 * torch.randn(SAMPLES, 5, 3)
    return torch.where(samples.abs() < 0.5, 0.0, samples)


def activation_cases(name: str, make: Make) -> list[Case]:
    return [
        Case(f"{name}/alone", lambda: Sequential(make()), (5, 3), "mse"),
        Case(f"{name}/wide", lambda: Sequential(make()), (5, 3), "mse", samples=wide),
        # With one element softmax is 1 whatever the network does.
        Case(f"{name}/1-1", lambda: Sequential(dense(1, 1), make()), (1,), "mse", stands_still="softmax" in name),
        Case(f"{name}/5-7-3", lambda: Sequential(dense(5, 7), make(), dense(7, 3)), (5,), "class"),
        Case(f"{name}/behind relu", lambda: Sequential(dense(4, 9), ReLU(), make(), dense(9, 2)), (4,), "class"),
        Case(f"{name}/relu last", lambda: Sequential(dense(3, 6), ReLU(), make()), (3,), "mse"),
    ]


class Large(nn.Module):
    """Scales by 4, so that ReLU6 saturates."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4 * x


class LargeDense(nn.Linear):
    """A dense layer with weights large enough to saturate ReLU6."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():
            self.weight.mul_(12)


def relu6_cases(name: str, make: Make) -> list[Case]:
    """Behind a ReLU6 that is open, closed and saturated."""
    return [Case(f"behind relu6/{name}", lambda: Sequential(LargeDense(3, 9), ReLU6(), make()), (3,), "mse")]


class Dropout(nn.Module):
    """backpass's dropout: SplitMix64 from the seed `seed * 2^32 + stream`, the upper 24 bits of number i for element i."""

    def __init__(self, rate: float, place: int, seed: int = 0) -> None:
        super().__init__()
        self.rate, self.place, self.seed = rate, place, seed
        self.sample = 0

    def mask(self, count: int) -> np.ndarray:
        stream = (self.sample * 0x9E3779B1 + self.place + 1) % 2**32
        state = (self.seed << 32) + stream
        kept = []
        for _ in range(count):
            state = (state + 0x9E3779B97F4A7C15) % 2**64
            z = state
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
            unit = ((z ^ (z >> 31)) >> 40) / 2**24
            kept.append(0.0 if unit < float(np.float32(self.rate)) else 1.0)
        return np.array(kept)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.from_numpy(self.mask(x.numel())).reshape(x.shape)
        return x * mask / (1 - self.rate)


def tokens(vocabulary: int, length: int) -> Callable[[], torch.Tensor]:
    return lambda: torch.randint(vocabulary, (SAMPLES, length)).float()


class Embedding(nn.Embedding):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The indices' own gradient is zero.
        return super().forward(x.long()) + 0 * x[:, None].detach()


def rows(name: str, parameter: torch.Tensor) -> torch.Tensor:
    """An embedding's weight is [token][dimension] on both sides; a dense one is transposed."""
    return parameter.detach() if name.startswith("0.") else parameter.detach().t() if parameter.ndim == 2 else parameter.detach()


class Reshape(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(self.shape)


class Scale(nn.Module):
    def __init__(self, mean: list[float], factor: list[float]) -> None:
        super().__init__()
        self.mean, self.factor = mean, factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - torch.tensor(self.mean)) * torch.tensor(self.factor)


class Pad(nn.Module):
    def __init__(self, value: float, *amounts: tuple[int, int]) -> None:
        super().__init__()
        self.value = value
        self.amounts = [amount for both in reversed(amounts) for amount in both]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return pad(x, (0, 0, *self.amounts), value=self.value)


ACTIVATIONS: dict[str, Make] = {
    "relu6": ReLU6,
    "elu": nn.ELU,
    "elu 0.5": lambda: nn.ELU(0.5),
    "selu": nn.SELU,
    "hard sigmoid": nn.Hardsigmoid,
    "softplus": nn.Softplus,
    "softplus 3": lambda: nn.Softplus(3),
    "softsign": nn.Softsign,
    "silu": nn.SiLU,
    "hard swish": nn.Hardswish,
    "gelu": nn.GELU,
    "gelu tanh": lambda: nn.GELU("tanh"),
    "mish": nn.Mish,
    "softmax": lambda: nn.Softmax(-1),
    "log softmax": lambda: nn.LogSoftmax(-1),
}

# First layers behind which ReLU6 must be told apart from its ends.
BEHIND: dict[str, Make] = {
    "dense": lambda: dense(9, 2),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "silu": nn.SiLU,
    "relu": ReLU,
    "softmax": lambda: nn.Softmax(-1),
    "conv": lambda: Sequential(Reshape(3, 3, 1), Conv2d(1, 2, 2)),
}

CASES = [
    *[case for name, make in ACTIVATIONS.items() for case in activation_cases(name, make)],
    *[case for name, make in BEHIND.items() for case in relu6_cases(name, make)],
    Case("prelu/1", lambda: Sequential(PReLU(1)), (1,), "mse"),
    Case("prelu/5", lambda: Sequential(dense(3, 5), PReLU(5), dense(5, 2)), (3,), "class"),
    Case("prelu/signal 4x3", lambda: Sequential(PReLU(3)), (4, 3), "mse"),
    Case("prelu/image 2x3x4", lambda: Sequential(nn.Tanh(), PReLU(4)), (2, 3, 4), "mse"),
    Case("prelu/shared 5", lambda: Sequential(dense(3, 5), PReLU(1), dense(5, 2)), (3,), "class"),
    Case("prelu/shared 2x3x2", lambda: Sequential(PReLU(1)), (2, 3, 2), "mse"),
    Case("embedding/5x3", lambda: Sequential(Embedding(5, 3)), (4,), "mse", samples=tokens(5, 4), layout=rows),
    Case("embedding/1x1", lambda: Sequential(Embedding(1, 1)), (1,), "mse", samples=tokens(1, 1), layout=rows),
    Case(
        "embedding/network",
        lambda: Sequential(Embedding(9, 2), flatten(), dense(6, 3)),
        (3,),
        "class",
        samples=tokens(9, 3),
        layout=rows,
    ),
    Case("reshape/6 to 2x3x1", lambda: Sequential(Reshape(2, 3, 1), nn.Tanh()), (6,), "mse"),
    Case("reshape/2x3 to 3x2", lambda: Sequential(ReLU(), Reshape(3, 2), nn.Tanh()), (2, 3), "mse"),
    Case("reshape/network", lambda: Sequential(dense(3, 4), Reshape(2, 2, 1), Conv2d(1, 2, 2), flatten()), (3,), "class"),
    Case("scale/3", lambda: Sequential(Scale([1, 2, 3], [0.5, 2, 0.25]), dense(3, 2)), (3,), "class"),
    Case("scale/signal 4x2", lambda: Sequential(Scale([1, -2], [0.5, 4]), nn.Tanh()), (4, 2), "mse"),
    Case("scale/image 2x2x1", lambda: Sequential(Scale([0.25], [2])), (2, 2, 1), "mse"),
    Case("pad/signal 3x2", lambda: Sequential(Pad(0.5, (1, 2))), (3, 2), "mse"),
    Case("pad/image 2x3x2", lambda: Sequential(Pad(0, (1, 1), (0, 1)), Conv2d(2, 1, 2)), (2, 3, 2), "mse"),
    Case("pad/before 2x3x1", lambda: Sequential(ReLU(), Pad(-1, (2, 0), (0, 3))), (2, 3, 1), "mse"),
]


def more() -> dict[str, torch.Tensor]:
    """Dropout of one sample with the mask that backpass draws: input, output for gradient ones, for some rates and seeds."""
    torch.manual_seed(1)
    tensors = {}
    for name, rate, place, seed, sample in [("a", 0.5, 0, 0, 0), ("b", 0.2, 3, 0, 7), ("c", 0.9, 1, 5, 123456)]:
        dropout = Dropout(rate, place, seed)
        dropout.sample = sample
        x = torch.randn(7, 3).double()
        x[0, 0] = 0
        x.requires_grad_()
        y = dropout(x)
        (y * y).sum().backward()
        tensors[f"dropout/{name}/input"] = x.detach().float()
        tensors[f"dropout/{name}/output"] = y.detach().float()
        tensors[f"dropout/{name}/input_grad"] = x.grad.float()
    return tensors
