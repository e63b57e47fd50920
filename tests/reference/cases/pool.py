"""Pools over signals and images: strides equal to, smaller and larger than the window, rectangular ones, ties, gates before and
behind, in networks; pools over all positions."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import ReLU, ReLU6, Sequential, Sigmoid, Tanh

from cases.activations import Pad
from harness import SAMPLES, Case, ChannelsLast, Conv1d, Conv2d, dense, flatten


class MaxPool1d(ChannelsLast, nn.MaxPool1d):
    pass


class MaxPool2d(ChannelsLast, nn.MaxPool2d):
    pass


class AvgPool1d(ChannelsLast, nn.AvgPool1d):
    pass


class AvgPool2d(ChannelsLast, nn.AvgPool2d):
    pass


class AllMax1d(ChannelsLast, nn.AdaptiveMaxPool1d):
    pass


class AllMax2d(ChannelsLast, nn.AdaptiveMaxPool2d):
    pass


class AllAvg1d(ChannelsLast, nn.AdaptiveAvgPool1d):
    pass


class AllAvg2d(ChannelsLast, nn.AdaptiveAvgPool2d):
    pass


class Large(nn.Module):
    """Scales, so that ReLU6 saturates."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 5 * x


def everything(kind: str, rank: int) -> nn.Module:
    """A pool over all positions, and no axis but that of the channels left."""
    pools = {("max", 1): AllMax1d, ("max", 2): AllMax2d, ("average", 1): AllAvg1d, ("average", 2): AllAvg2d}
    return Sequential(pools[kind, rank](1), flatten())


def few(*shape: int) -> Callable[[], torch.Tensor]:
    """Samples of few values, so that windows have several largest elements."""
    return lambda: torch.randint(-1, 3, (SAMPLES, *shape)).float()


def window_cases(kind: str, over_signals: type, over_images: type) -> list[Case]:
    return [
        Case(f"{kind}/one element", lambda: Sequential(over_signals(1)), (1, 1), "mse"),
        # A rest that fills no window is left out.
        Case(f"{kind}/signal 7x3 k2", lambda: Sequential(over_signals(2)), (7, 3), "mse"),
        Case(f"{kind}/signal 9x2 k3 s2", lambda: Sequential(over_signals(3, 2)), (9, 2), "mse"),
        Case(f"{kind}/signal 6x1 k3 s1", lambda: Sequential(over_signals(3, 1)), (6, 1), "mse"),
        Case(f"{kind}/signal 8x2 k2 s3", lambda: Sequential(over_signals(2, 3)), (8, 2), "mse"),
        Case(f"{kind}/image 4x4x3 k2", lambda: Sequential(over_images(2)), (4, 4, 3), "mse"),
        Case(f"{kind}/image 5x7x1 k3 s2", lambda: Sequential(over_images(3, 2)), (5, 7, 1), "mse"),
        Case(f"{kind}/image 5x4x2 k3x2 s2x1", lambda: Sequential(over_images((3, 2), (2, 1))), (5, 4, 2), "mse"),
        Case(f"{kind}/image 3x7x1 k2x3 s1x4", lambda: Sequential(over_images((2, 3), (1, 4))), (3, 7, 1), "mse"),
        Case(f"{kind}/ties 9x2 k3 s2", lambda: Sequential(over_signals(3, 2)), (9, 2), "mse", samples=few(9, 2)),
        Case(f"{kind}/ties 5x5x1 k3 s1", lambda: Sequential(over_images(3, 1)), (5, 5, 1), "mse", samples=few(5, 5, 1)),
        Case(f"{kind}/behind relu", lambda: Sequential(Tanh(), ReLU(), over_signals(3, 1)), (6, 2), "mse"),
        Case(f"{kind}/behind relu6", lambda: Sequential(Large(), ReLU6(), over_images(2, 1)), (4, 4, 2), "mse"),
        Case(f"{kind}/before relu", lambda: Sequential(over_images(2), ReLU(), Sigmoid()), (4, 4, 2), "mse"),
        Case(
            f"{kind}/network of signals",
            lambda: Sequential(Conv1d(2, 5, 3), ReLU(), over_signals(2), Conv1d(5, 4, 1), over_signals(3, 1), flatten(), dense(12, 3)),
            (12, 2),
            "class",
        ),
        Case(
            f"{kind}/network of images",
            lambda: Sequential(Conv2d(1, 4, 3, padding=1), ReLU6(), over_images(2), ReLU(), flatten(), dense(16, 3)),
            (5, 5, 1),
            "class",
        ),
    ]


def global_cases(kind: str) -> list[Case]:
    return [
        Case(f"all {kind}/one element", lambda: Sequential(everything(kind, 1)), (1, 1), "mse"),
        Case(f"all {kind}/signal 7x1", lambda: Sequential(everything(kind, 1)), (7, 1), "mse"),
        Case(f"all {kind}/signal 4x3", lambda: Sequential(everything(kind, 1)), (4, 3), "mse"),
        Case(f"all {kind}/image 3x5x1", lambda: Sequential(everything(kind, 2)), (3, 5, 1), "mse"),
        Case(f"all {kind}/image 2x3x4", lambda: Sequential(everything(kind, 2)), (2, 3, 4), "mse", samples=few(2, 3, 4)),
        Case(f"all {kind}/behind relu6", lambda: Sequential(Large(), ReLU6(), everything(kind, 2)), (3, 3, 2), "mse"),
        Case(
            f"all {kind}/network",
            lambda: Sequential(Conv2d(2, 6, 3), ReLU(), everything(kind, 2), dense(6, 3)),
            (5, 4, 2),
            "class",
        ),
    ]


CASES = [
    *window_cases("max", MaxPool1d, MaxPool2d),
    *window_cases("average", AvgPool1d, AvgPool2d),
    *global_cases("max"),
    *global_cases("average"),
    Case("max/padded 6x2 k3 s2", lambda: Sequential(MaxPool1d(3, 2, padding=1)), (6, 2), "mse"),
    Case("average/padded 4x5x1 k2", lambda: Sequential(Pad(0, (1, 1), (0, 1)), AvgPool2d(2)), (4, 5, 1), "mse"),
]
