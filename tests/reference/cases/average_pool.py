"""Means over windows: without padding, and with padding that is not counted."""

from torch import nn
from torch.nn import ReLU, Sequential

from harness import Case, ChannelsLast, Conv2d, dense, flatten


class AvgPool1d(ChannelsLast, nn.AvgPool1d):
    pass


class AvgPool2d(ChannelsLast, nn.AvgPool2d):
    pass


def alone(name: str, pool: type[nn.Module], shape: tuple[int, ...], *sizes: object, **more: bool) -> Case:
    return Case(name, lambda: Sequential(pool(*sizes, count_include_pad=False, **more)), shape, "mse")


CASES = [
    # Window, stride, padding.
    alone("signal 6x3, 2, 1", AvgPool1d, (6, 3), 2, 1, 0),
    alone("signal 4x2, 3, 3, padded 1", AvgPool1d, (4, 2), 3, 3, 1),
    alone("signal 7x1, 4, 1, padded 2", AvgPool1d, (7, 1), 4, 1, 2),
    alone("image 5x4x2, 3, 1, padded 1", AvgPool2d, (5, 4, 2), 3, 1, 1),
    alone("image 7x5x3, 3, 2, padded 1", AvgPool2d, (7, 5, 3), 3, 2, 1),
    alone("image 6x6x1, 3, 2, padded 1", AvgPool2d, (6, 6, 1), 3, 2, 1),
    alone("image 5x5x2, 2, 2, padded behind", AvgPool2d, (5, 5, 2), 2, 2, 0, ceil_mode=True),
    alone("image 4x6x2, 1x3, 1x2, padded 0x1", AvgPool2d, (4, 6, 2), (1, 3), (1, 2), (0, 1)),
    Case(
        "in a network",
        lambda: Sequential(
            Conv2d(1, 3, 3, padding=1),
            ReLU(),
            AvgPool2d(3, 2, 1, count_include_pad=False),
            flatten(),
            dense(27, 3),
        ),
        (5, 5, 1),
        "class",
    ),
]
