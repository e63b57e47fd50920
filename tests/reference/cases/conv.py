"""Convolutions over signals and images: strides, padding, dilation, rectangular and pointwise kernels, depthwise, residual."""

import torch
from torch import nn
from torch.nn import ReLU, Sequential
from torch.nn.functional import pad

from harness import Case, Conv1d, Conv2d, dense, flatten


class Same(nn.Module):
    """Zeros around an image or a signal, channels last: before and behind each axis, as Keras's "same" padding needs."""

    def __init__(self, *amounts: tuple[int, int]) -> None:
        super().__init__()
        self.amounts = [amount for before_behind in reversed(amounts) for amount in before_behind]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return pad(x, (0, 0, *self.amounts))


def same(convolution: nn.Module, *amounts: tuple[int, int]) -> nn.Module:
    """The convolution, padded, under the convolution's own names."""
    padding = Same(*amounts)
    convolution.register_forward_pre_hook(lambda _, inputs: padding(inputs[0]))
    return convolution


def depthwise(channels: int, kernel: int | tuple[int, int], **settings: object) -> nn.Module:
    kind = Conv2d if isinstance(kernel, tuple) else Conv1d
    return kind(channels, channels, kernel, groups=channels, **settings)


def bias_only(layer: nn.Module) -> nn.Module:
    """The layer, learning its bias alone."""
    layer.weight.requires_grad_(False)
    return layer


CASES = [
    Case("conv1d/valid 7x1 k3", lambda: Sequential(Conv1d(1, 2, 3)), (7, 1), "mse"),
    Case("conv1d/same 9x3 k3", lambda: Sequential(Conv1d(3, 5, 3, padding=1)), (9, 3), "mse"),
    Case("conv1d/same 8x2 k4", lambda: Sequential(same(Conv1d(2, 3, 4), (1, 2))), (8, 2), "mse"),
    Case("conv1d/same 9x2 k5 s2", lambda: Sequential(Conv1d(2, 4, 5, stride=2, padding=2)), (9, 2), "mse"),
    Case("conv1d/same 8x2 k3 s2", lambda: Sequential(same(Conv1d(2, 3, 3, stride=2), (0, 1))), (8, 2), "mse"),
    Case("conv1d/padding 8x2 k3 s2", lambda: Sequential(Conv1d(2, 3, 3, stride=2, padding=1)), (8, 2), "mse"),
    Case("conv1d/valid 11x2 k3 s3", lambda: Sequential(Conv1d(2, 9, 3, stride=3)), (11, 2), "mse"),
    Case("conv1d/dilated 12x2 k3 d2", lambda: Sequential(Conv1d(2, 3, 3, dilation=2)), (12, 2), "mse"),
    Case("conv1d/dilated same 9x1 k3 d3", lambda: Sequential(Conv1d(1, 4, 3, dilation=3, padding=3)), (9, 1), "mse"),
    Case("conv1d/dilated 14x2 k3 s2 d3", lambda: Sequential(Conv1d(2, 3, 3, stride=2, dilation=3)), (14, 2), "mse"),
    Case("conv1d/dilated 15x2 k4 s4 d2", lambda: Sequential(Conv1d(2, 3, 4, stride=4, dilation=2)), (15, 2), "mse"),
    Case("conv1d/causal 6x2 k3 d2", lambda: Sequential(same(Conv1d(2, 3, 3, dilation=2), (4, 0))), (6, 2), "mse"),
    Case("conv1d/full 5x2 k3", lambda: Sequential(Conv1d(2, 3, 3, padding=2)), (5, 2), "mse"),
    Case("conv1d/pointwise 5x3", lambda: Sequential(Conv1d(3, 6, 1)), (5, 3), "mse"),
    Case("conv1d/pointwise 7x3 s2", lambda: Sequential(Conv1d(3, 5, 1, stride=2)), (7, 3), "mse"),
    Case("conv1d/one element", lambda: Sequential(Conv1d(1, 1, 1)), (1, 1), "mse"),
    Case("conv1d/one element k3", lambda: Sequential(Conv1d(1, 1, 3, padding=1)), (1, 1), "mse"),
    # Three elements before, one cut off behind: the first window lies wholly outside.
    Case("conv1d/window outside 4x2 k3", lambda: Sequential(same(Conv1d(2, 3, 3), (3, -1))), (4, 2), "mse"),
    Case(
        "conv1d/in a row",
        lambda: Sequential(Conv1d(2, 5, 3, padding=1), Conv1d(5, 3, 3, stride=2, padding=1), Conv1d(3, 2, 1)),
        (7, 2),
        "mse",
    ),
    Case("conv1d/without bias", lambda: Sequential(Conv1d(3, 4, 3, bias=False)), (6, 3), "mse"),
    Case(
        "conv1d/network",
        lambda: Sequential(Conv1d(3, 8, 5, stride=2, padding=2), ReLU(), Conv1d(8, 4, 3), ReLU(), flatten(), dense(20, 3)),
        (13, 3),
        "class",
    ),
    Case("conv2d/valid 5x5x1 k3", lambda: Sequential(Conv2d(1, 2, 3)), (5, 5, 1), "mse"),
    Case("conv2d/same 5x4x3 k3", lambda: Sequential(Conv2d(3, 4, 3, padding=1)), (5, 4, 3), "mse"),
    Case("conv2d/same 6x6x2 k3 s2", lambda: Sequential(same(Conv2d(2, 5, 3, stride=2), (0, 1), (0, 1))), (6, 6, 2), "mse"),
    Case("conv2d/padding 6x6x2 k3 s2", lambda: Sequential(Conv2d(2, 5, 3, stride=2, padding=1)), (6, 6, 2), "mse"),
    Case("conv2d/same 7x5x2 k3 s2", lambda: Sequential(Conv2d(2, 5, 3, stride=2, padding=1)), (7, 5, 2), "mse"),
    Case("conv2d/rectangular 6x5x2 k4x3", lambda: Sequential(Conv2d(2, 3, (4, 3))), (6, 5, 2), "mse"),
    Case(
        "conv2d/rectangular same 9x5x1 k5x2 s2x1",
        lambda: Sequential(same(Conv2d(1, 6, (5, 2), stride=(2, 1)), (2, 2), (0, 1))),
        (9, 5, 1),
        "mse",
    ),
    Case("conv2d/dilated 7x7x2 k3 d2", lambda: Sequential(Conv2d(2, 3, 3, dilation=2)), (7, 7, 2), "mse"),
    Case("conv2d/dilated 8x7x1 k2x3 d3x2", lambda: Sequential(Conv2d(1, 3, (2, 3), dilation=(3, 2))), (8, 7, 1), "mse"),
    Case(
        "conv2d/dilated 9x9x1 k3 s2 d2", lambda: Sequential(Conv2d(1, 3, 3, dilation=2, stride=2)), (9, 9, 1), "mse"
    ),
    Case("conv2d/pointwise 3x2x5", lambda: Sequential(Conv2d(5, 9, 1)), (3, 2, 5), "mse"),
    Case("conv2d/pointwise 5x5x3 s2", lambda: Sequential(Conv2d(3, 4, 1, stride=2)), (5, 5, 3), "mse"),
    Case("conv2d/one element", lambda: Sequential(Conv2d(1, 1, 1)), (1, 1, 1), "mse"),
    Case("conv2d/one element k3", lambda: Sequential(Conv2d(1, 2, 3, padding=1)), (1, 1, 1), "mse"),
    Case("conv2d/in a row", lambda: Sequential(Conv2d(1, 5, 3, padding=1), Conv2d(5, 2, 3)), (4, 4, 1), "mse"),
    Case("conv2d/without bias", lambda: Sequential(Conv2d(2, 3, 3, bias=False)), (4, 5, 2), "mse"),
    Case(
        "conv2d/network",
        lambda: Sequential(
            Conv2d(1, 8, 3, padding=1), ReLU(), Conv2d(8, 5, 3), ReLU(), Conv2d(5, 4, 1), ReLU(), flatten(), dense(36, 3)
        ),
        (5, 5, 1),
        "class",
    ),
    Case("depthwise1d/7x1 k3", lambda: Sequential(depthwise(1, 3)), (7, 1), "mse"),
    Case("depthwise1d/same 8x9 k3 s2", lambda: Sequential(same(depthwise(9, 3, stride=2), (0, 1))), (8, 9), "mse"),
    Case("depthwise1d/dilated 9x3 k3 d2", lambda: Sequential(depthwise(3, 3, dilation=2, bias=False)), (9, 3), "mse"),
    Case("depthwise2d/5x5x1 k3", lambda: Sequential(depthwise(1, (3, 3))), (5, 5, 1), "mse"),
    Case("depthwise2d/same 4x5x11 k3", lambda: Sequential(depthwise(11, (3, 3), padding=1)), (4, 5, 11), "mse"),
    Case(
        "depthwise2d/same 6x6x8 k3 s2",
        lambda: Sequential(same(depthwise(8, (3, 3), stride=2), (0, 1), (0, 1))),
        (6, 6, 8),
        "mse",
    ),
    Case("depthwise2d/rectangular 5x4x3 k3x2", lambda: Sequential(depthwise(3, (3, 2), bias=False)), (5, 4, 3), "mse"),
    Case(
        "depthwise2d/network",
        lambda: Sequential(
            Conv2d(2, 9, 3), ReLU(), depthwise(9, (3, 3), padding=1), ReLU(), Conv2d(9, 4, 1), ReLU(), flatten(), dense(36, 3)
        ),
        (5, 5, 2),
        "class",
    ),
    Case("bias only/dense 5x7", lambda: Sequential(bias_only(dense(5, 7))), (5,), "mse"),
    Case("bias only/one element", lambda: Sequential(bias_only(Conv1d(1, 1, 1))), (1, 1), "mse"),
    Case("bias only/conv1d 8x2 k3 s2", lambda: Sequential(bias_only(Conv1d(2, 3, 3, stride=2, padding=1))), (8, 2), "mse"),
    Case("bias only/conv2d same 4x5x2 k3", lambda: Sequential(bias_only(Conv2d(2, 3, 3, padding=1))), (4, 5, 2), "mse"),
    Case("bias only/pointwise 3x2x5", lambda: Sequential(bias_only(Conv2d(5, 7, 1))), (3, 2, 5), "mse"),
    Case("bias only/depthwise1d 7x9 k3", lambda: Sequential(bias_only(depthwise(9, 3))), (7, 9), "mse"),
    Case("bias only/depthwise2d 5x4x3 k3", lambda: Sequential(bias_only(depthwise(3, (3, 3)))), (5, 4, 3), "mse"),
    Case(
        "bias only/network",
        lambda: Sequential(
            bias_only(Conv2d(1, 6, 3, padding=1)),
            ReLU(),
            bias_only(depthwise(6, (3, 3))),
            ReLU(),
            Conv2d(6, 4, 1),
            ReLU(),
            flatten(),
            bias_only(dense(36, 3)),
        ),
        (5, 5, 1),
        "class",
    ),
]
