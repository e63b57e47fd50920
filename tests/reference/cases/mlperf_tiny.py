"""One training step of the four MLPerf Tiny networks, batch normalisation folded.

The networks are too large to keep whole. Both sides draw the same parameters and the same sample from SplitMix64 (`draw`): each
parameter in the order of the network, uniform within the bound that the file gives for it; then the sample, within 1. Of
every gradient and every parameter after the step the file holds some elements, evenly spaced, and the sums over all of values,
magnitudes and squares.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import ReLU, Sequential
from torch.nn.functional import cross_entropy, mse_loss

from cases.activations import Dropout
from cases.conv import depthwise, same
from harness import Conv2d, dense, ours, state_of

CASES: list = []
LEARNING_RATE = 0.01
# At most about so many elements of a tensor are kept.
KEPT = 128


class Residual(Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


class ResidualProjection(nn.Module):
    def __init__(self, branch: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.add_module("0", branch)
        self.add_module("1", projection)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch, projection = self.children()
        return branch(x) + projection(x)


class GlobalAveragePool(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(0, -2).mean(0)


def strided(convolution: nn.Module) -> nn.Module:
    """A 3x3 kernel with stride 2 on an even size, padded as Keras does: behind only."""
    return same(convolution, (0, 1), (0, 1))


def separable(inputs: int, outputs: int, stride: int = 1) -> Sequential:
    first = depthwise(inputs, (3, 3), padding=1) if stride == 1 else strided(depthwise(inputs, (3, 3), stride=2))
    return Sequential(first, ReLU(), Conv2d(inputs, outputs, 1), ReLU())


def autoencoder() -> Sequential:
    def chain(*sizes: int) -> list[nn.Module]:
        return [layer for pair in zip(sizes, sizes[1:]) for layer in (dense(*pair), ReLU())]

    return Sequential(
        Sequential(*chain(640, 128, 128, 128, 128, 8)),
        Sequential(*chain(8, 128, 128, 128, 128), dense(128, 640)),
    )


def ds_cnn() -> Sequential:
    first = same(Conv2d(1, 64, (10, 4), stride=(2, 2)), (4, 5), (1, 1))
    blocks = [separable(64, 64) for _ in range(4)]
    return Sequential(
        first, ReLU(), Dropout(0.2, 2), *blocks, Dropout(0.4, 7), GlobalAveragePool(), dense(64, 12)
    )  # fmt: skip


def resnet8() -> Sequential:
    def wider(inputs: int, outputs: int) -> ResidualProjection:
        branch = Sequential(
            strided(Conv2d(inputs, outputs, 3, stride=2)), ReLU(), Conv2d(outputs, outputs, 3, padding=1)
        )
        return ResidualProjection(branch, Conv2d(inputs, outputs, 1, stride=2))

    return Sequential(
        Conv2d(3, 16, 3, padding=1), ReLU(),
        Residual(Conv2d(16, 16, 3, padding=1), ReLU(), Conv2d(16, 16, 3, padding=1)), ReLU(),
        wider(16, 32), ReLU(), wider(32, 64), ReLU(), GlobalAveragePool(), dense(64, 10),
    )  # fmt: skip


def mobilenet() -> Sequential:
    return Sequential(
        strided(Conv2d(3, 8, 3, stride=2)), ReLU(), separable(8, 16), separable(16, 32, 2), separable(32, 32),
        separable(32, 64, 2), separable(64, 64), separable(64, 128, 2),
        Sequential(*[separable(128, 128) for _ in range(5)]), separable(128, 256, 2), separable(256, 256),
        Sequential(GlobalAveragePool(), dense(256, 2)),
    )  # fmt: skip


def draw(seed: int, bounds: list[tuple[tuple[int, ...], float]]) -> list[np.ndarray]:
    """Tensors of these shapes, one after another from one stream, each uniform within its bound."""
    count = sum(int(np.prod(shape)) for shape, _ in bounds)
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    units = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**24)
    tensors, start = [], 0
    for shape, bound in bounds:
        size = int(np.prod(shape))
        values = (np.float32(2) * units[start : start + size] - np.float32(1)) * np.float32(bound)
        tensors.append(values.reshape(shape))
        start += size
    return tensors


def theirs(parameter: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """A tensor in the layout of backpass in that of PyTorch."""
    order = {2: (1, 0), 3: (2, 1, 0), 4: (3, 2, 0, 1)}.get(parameter.ndim)
    return values.permute(order) if order else values


def digest(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.detach().flatten()
    some = flat[:: max(1, flat.numel() // KEPT)]
    return torch.cat([torch.stack([flat.sum(), flat.abs().sum(), (flat * flat).sum()]), some]).float()


def step(name: str, network: nn.Module, shape: tuple[int, ...], target: int | None) -> dict[str, torch.Tensor]:
    network = network.double()
    parameters = state_of(network)
    bounds = []
    for parameter in parameters.values():
        fan_in = parameter[0].numel()
        bound = float(np.float32(np.sqrt(6 / fan_in))) if parameter.ndim > 1 else 0.05
        bounds.append((tuple(ours("", parameter).shape), bound))
    *values, sample = draw(1, [*bounds, (shape, 1.0)])
    with torch.no_grad():
        for parameter, value in zip(parameters.values(), values):
            parameter.copy_(theirs(parameter, torch.from_numpy(value).double()))
    x = torch.from_numpy(sample).double()
    output = network(x)
    loss = mse_loss(output, x) if target is None else cross_entropy(output[None], torch.tensor([target]))
    loss.backward()
    tensors = {f"{name}/output": output.detach().float(), f"{name}/loss": loss.detach().float()[None]}
    for (key, parameter), (_, bound) in zip(parameters.items(), bounds):
        tensors[f"{name}/bound/{key}"] = torch.tensor([bound])
        tensors[f"{name}/grad/{key}"] = digest(ours("", parameter.grad))
    torch.optim.SGD(network.parameters(), lr=LEARNING_RATE).step()
    for key, parameter in parameters.items():
        tensors[f"{name}/after/{key}"] = digest(ours("", parameter))
    return tensors


def more() -> dict[str, torch.Tensor]:
    networks: list[tuple[str, Callable[[], nn.Module], tuple[int, ...], int | None]] = [
        ("autoencoder", autoencoder, (640,), None),
        ("ds-cnn", ds_cnn, (49, 10, 1), 7),
        ("resnet-8", resnet8, (32, 32, 3), 3),
        ("mobilenet", mobilenet, (96, 96, 3), 1),
    ]
    tensors = {}
    for name, make, shape, target in networks:
        tensors |= step(name, make(), shape, target)
    return tensors
