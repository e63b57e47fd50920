"""Residual connections, concatenation, identities, frozen layers and frozen prefixes."""

import torch
from torch import nn
from torch.nn import Identity, ReLU, ReLU6, Sequential, Sigmoid, Tanh

from cases.norm import layer_norm
from cases.pool import MaxPool2d
from harness import Case, Conv1d, Conv2d, dense, flatten


class Residual(Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + x


class ResidualProjection(Sequential):
    """Of a branch and a projection."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch, projection = self
        return branch(x) + projection(x)


class Concat(Sequential):
    """Of two branches."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self
        return torch.cat([first(x), second(x)], dim=-1)


def frozen(layer: nn.Module) -> nn.Module:
    return layer.requires_grad_(False)


class Prefix(Sequential):
    """Frozen, and without a gradient for its input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).detach()


CASES = [
    Case("residual/1", lambda: Sequential(Residual(dense(1, 1))), (1,), "mse"),
    Case("residual/9", lambda: Sequential(Residual(dense(9, 5), ReLU(), dense(5, 9))), (9,), "mse"),
    Case("residual/signal 7x2", lambda: Sequential(Residual(Conv1d(2, 3, 3, padding=1), Tanh(), Conv1d(3, 2, 1))), (7, 2), "mse"),
    Case("residual/image 4x3x1", lambda: Sequential(Residual(Conv2d(1, 1, 3, padding=1))), (4, 3, 1), "mse"),
    Case("residual/normalised", lambda: Sequential(Residual(layer_norm(5), dense(5, 5))), (5,), "mse"),
    Case("residual/kept", lambda: Sequential(Residual(Identity(), ReLU(), dense(6, 6), Sigmoid(), Identity())), (6,), "mse"),
    Case("residual/behind relu", lambda: Sequential(dense(3, 7), ReLU(), Residual(dense(7, 7)), dense(7, 2)), (3,), "class"),
    Case("residual/behind relu6", lambda: Sequential(ReLU6(), Residual(dense(5, 5)), ReLU()), (5,), "mse"),
    Case("residual/nested", lambda: Sequential(ReLU(), Residual(Residual(dense(4, 4), Tanh()), ReLU(), dense(4, 4))), (4,), "mse"),
    Case(
        "residual/in a row",
        lambda: Sequential(
            Conv2d(1, 3, 3, padding=1), ReLU(), Residual(Conv2d(3, 3, 3, padding=1), ReLU(), Conv2d(3, 3, 1)), ReLU(),
            Residual(Conv2d(3, 3, 1)), flatten(), dense(48, 3),
        ),
        (4, 4, 1),
        "class",
    ),
    Case("projection/1", lambda: Sequential(ResidualProjection(dense(1, 1), dense(1, 1))), (1,), "mse"),
    Case(
        "projection/3 to 5",
        lambda: Sequential(ResidualProjection(Sequential(dense(3, 8), ReLU(), dense(8, 5)), dense(3, 5))),
        (3,),
        "mse",
    ),
    Case(
        "projection/chain",
        lambda: Sequential(ReLU(), ResidualProjection(Sequential(dense(4, 6), Sigmoid()), Sequential(dense(4, 6), ReLU()))),
        (4,),
        "mse",
    ),
    Case(
        "projection/signal 9x2 s2",
        lambda: Sequential(
            ResidualProjection(Sequential(Conv1d(2, 4, 3, stride=2, padding=1), Tanh()), Conv1d(2, 4, 1, stride=2)), ReLU()
        ),
        (9, 2),
        "mse",
    ),
    Case(
        "projection/network",
        lambda: Sequential(
            Conv2d(1, 3, 3), ReLU(),
            ResidualProjection(
                Sequential(Conv2d(3, 4, 3, stride=2, padding=1), ReLU(), Conv2d(4, 4, 3, padding=1)), Conv2d(3, 4, 1, stride=2)
            ),
            ReLU(), flatten(), dense(36, 3),
        ),
        (7, 7, 1),
        "class",
    ),
    Case("concat/1", lambda: Sequential(Concat(Identity(), dense(1, 1))), (1,), "mse"),
    Case("concat/3 to 9", lambda: Sequential(Concat(Sequential(dense(3, 4), ReLU()), Sequential(dense(3, 5), Tanh()))), (3,), "soft"),
    Case("concat/signal 5x2", lambda: Sequential(ReLU(), Concat(Conv1d(2, 3, 3, padding=1), Identity()), Tanh()), (5, 2), "mse"),
    Case("concat/in place", lambda: Sequential(Tanh(), Concat(ReLU(), Sigmoid())), (4, 3), "mse"),
    Case(
        "concat/three of 4x5x1",
        lambda: Sequential(
            Concat(Conv2d(1, 2, 1), Concat(Conv2d(1, 3, 3, padding=1), Sequential(Conv2d(1, 2, 1), ReLU()))), ReLU()
        ),
        (4, 5, 1),
        "mse",
    ),
    Case(
        "concat/network",
        lambda: Sequential(
            Conv2d(1, 4, 3, padding=1), ReLU6(),
            Concat(MaxPool2d(2), Conv2d(4, 3, 3, stride=2, padding=1)), ReLU(), flatten(), dense(28, 3),
        ),
        (4, 4, 1),
        "class",
    ),
    Case("keep/5", lambda: Sequential(Identity(), ReLU(), Identity(), dense(5, 3)), (5,), "soft"),
    Case("keep/signal 4x1", lambda: Sequential(ReLU(), Identity(), Sigmoid()), (4, 1), "mse"),
    Case("keep/image 2x1x3", lambda: Sequential(Identity(), Tanh(), Identity()), (2, 1, 3), "mse"),
    Case("frozen/1-1", lambda: Sequential(dense(1, 1), frozen(dense(1, 1))), (1,), "mse"),
    Case("frozen/alone", lambda: Sequential(frozen(Sequential(dense(5, 7), Tanh(), dense(7, 2)))), (5,), "mse"),
    Case(
        "frozen/between",
        lambda: Sequential(dense(4, 6), ReLU(), frozen(Sequential(dense(6, 5), ReLU(), dense(5, 7))), ReLU(), dense(7, 3)),
        (4,),
        "class",
    ),
    Case("frozen/last", lambda: Sequential(Conv1d(2, 4, 3), ReLU(), frozen(Conv1d(4, 3, 3))), (9, 2), "mse"),
    Case(
        "frozen/residual",
        lambda: Sequential(dense(3, 5), ReLU(), frozen(Residual(dense(5, 4), Tanh(), dense(4, 5))), dense(5, 2)),
        (3,),
        "class",
    ),
    Case("prefix/1", lambda: Sequential(Prefix(dense(1, 1)), dense(1, 1)), (1,), "mse"),
    Case("prefix/5", lambda: Sequential(Prefix(dense(5, 8), ReLU(), dense(8, 6), Tanh()), dense(6, 4), ReLU(), dense(4, 3)), (5,), "class"),
    Case(
        "prefix/image 6x6x1",
        lambda: Sequential(
            Prefix(Conv2d(1, 3, 3), ReLU(), MaxPool2d(2), Residual(Conv2d(3, 3, 1)), Concat(Identity(), Conv2d(3, 2, 1)), flatten()),
            dense(20, 3),
        ),
        (6, 6, 1),
        "class",
    ),
    Case(
        "trainable last/2",
        lambda: Sequential(Prefix(dense(4, 7), Sigmoid(), dense(7, 5)), Sequential(ReLU(), dense(5, 3))),
        (4,),
        "class",
    ),
]
