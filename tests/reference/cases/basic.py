"""Dense layers, the first activations, flatten, the first losses, nested networks and mini-batches, with plain, momentum and
adaptive descent."""

import dataclasses
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import LeakyReLU, ReLU, Sequential, Sigmoid, Tanh

from harness import Case, dense, flatten


def decoupled(optimizer: torch.optim.Optimizer, weight_decay: float) -> torch.optim.Optimizer:
    """Adds decoupled weight decay, w <- (1 - lr weight_decay) w before the step, which PyTorch offers for Adam only."""

    def decay(optimizer: torch.optim.Optimizer, *_: object) -> None:
        with torch.no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.mul_(1 - group["lr"] * weight_decay)

    optimizer.register_step_pre_hook(decay)
    return optimizer


# Decays are larger than anyone would use, so that ten steps show them.
OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd, decay": lambda p: decoupled(torch.optim.SGD(p, lr=0.1), 0.2),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "momentum, decay": lambda p: decoupled(torch.optim.SGD(p, lr=0.05, momentum=0.8), 0.3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam, other": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.7, 0.95), eps=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.5),
}


def activation_cases(name: str, make: Callable[[], nn.Module]) -> list[Case]:
    """An activation alone, inside a network, and directly before each loss."""
    return [
        Case(f"{name}/alone", lambda: Sequential(make()), (5, 3), "mse"),
        Case(f"{name}/1-1", lambda: Sequential(dense(1, 1), make()), (1,), "mse"),
        Case(f"{name}/5-7-3", lambda: Sequential(dense(5, 7), make(), dense(7, 3)), (5,), "class"),
        Case(f"{name}/2-9-4", lambda: Sequential(dense(2, 9), make(), dense(9, 4, bias=False)), (2,), "any"),
        Case(f"{name}/3-5 class", lambda: Sequential(dense(3, 5), make()), (3,), "class"),
        Case(f"{name}/3-5 soft", lambda: Sequential(dense(3, 5), make()), (3,), "soft"),
        Case(f"{name}/3-5 mse", lambda: Sequential(dense(3, 5), make()), (3,), "mse"),
    ]


def chain_cases(name: str, make: Callable[[], nn.Module]) -> list[Case]:
    """ReLU, then another activation: the zeros of the closed gates pass through it."""
    return [
        Case(f"relu-{name}/alone", lambda: Sequential(ReLU(), make()), (5,), "mse"),
        Case(f"relu-{name}/1-1", lambda: Sequential(dense(1, 1), ReLU(), make()), (1,), "mse"),
        Case(f"relu-{name}/4-6-3", lambda: Sequential(dense(4, 6), ReLU(), make(), dense(6, 3)), (4,), "class"),
        Case(f"relu-{name}/3-5", lambda: Sequential(dense(3, 5), ReLU(), make()), (3,), "soft"),
    ]


def sixteen_stages() -> Sequential:
    return Sequential(
        dense(6, 5), Tanh(), dense(5, 7), ReLU(), dense(7, 4, bias=False), Sigmoid(), dense(4, 8), LeakyReLU(0.2),
        dense(8, 3), Tanh(), dense(3, 6), ReLU(), Tanh(), dense(6, 5), LeakyReLU(0.01), dense(5, 4),
    )  # fmt: skip


_CASES = [
    Case("dense/1-1", lambda: dense(1, 1), (1,), "mse"),
    Case("dense/3-5", lambda: dense(3, 5), (3,), "class"),
    Case("dense/7-2", lambda: Sequential(dense(7, 2)), (7,), "soft"),
    Case("dense/9-13", lambda: Sequential(dense(9, 13)), (9,), "mse"),
    Case("dense without bias/1-1", lambda: dense(1, 1, bias=False), (1,), "mse"),
    Case("dense without bias/5-3", lambda: dense(5, 3, bias=False), (5,), "class"),
    Case("dense without bias/2-7", lambda: Sequential(dense(2, 7, bias=False)), (2,), "soft"),
    Case("dense without bias/3-4-1", lambda: Sequential(dense(3, 4, bias=False), dense(4, 1, bias=False)), (3,), "mse"),
    *activation_cases("relu", ReLU),
    *activation_cases("leaky 0.01", LeakyReLU),
    *activation_cases("leaky 0.2", lambda: LeakyReLU(0.2)),
    *activation_cases("sigmoid", Sigmoid),
    *activation_cases("tanh", Tanh),
    *chain_cases("sigmoid", Sigmoid),
    *chain_cases("tanh", Tanh),
    *chain_cases("leaky", lambda: LeakyReLU(0.2)),
    *chain_cases("relu", ReLU),
    Case("flatten/signal 1x1", lambda: Sequential(flatten(), dense(1, 2)), (1, 1), "class"),
    Case("flatten/signal 4x3", lambda: Sequential(flatten(), dense(12, 5)), (4, 3), "class"),
    Case("flatten/signal 7x1", lambda: Sequential(Tanh(), flatten(), dense(7, 3)), (7, 1), "mse"),
    Case("flatten/image 1x1x1", lambda: Sequential(flatten(), dense(1, 3)), (1, 1, 1), "soft"),
    Case("flatten/image 3x2x2", lambda: Sequential(flatten(), dense(12, 4), ReLU(), dense(4, 2)), (3, 2, 2), "class"),
    Case("flatten/image 2x3x1", lambda: Sequential(ReLU(), flatten(), dense(6, 3)), (2, 3, 1), "any"),
    Case("class/2", lambda: Sequential(dense(3, 2)), (3,), "class"),
    Case("class/10", lambda: Sequential(dense(4, 10)), (4,), "class"),
    # With one class softmax is 1 whatever the network does.
    Case("soft/1", lambda: Sequential(dense(3, 1)), (3,), "any", stands_still=True),
    Case("soft/10", lambda: Sequential(dense(4, 10)), (4,), "soft"),
    Case("any/3", lambda: Sequential(dense(5, 3)), (5,), "any"),
    Case("any/11", lambda: Sequential(dense(2, 11)), (2,), "any"),
    Case("mse/3x1x2", lambda: Sequential(Tanh(), LeakyReLU(0.2)), (3, 1, 2), "mse"),
    Case("mse/9", lambda: Sequential(dense(4, 9)), (4,), "mse"),
    Case("nested/first", lambda: Sequential(Sequential(dense(4, 5), ReLU()), dense(5, 3)), (4,), "class"),
    Case("nested/one in one", lambda: Sequential(Sequential(Sequential(dense(3, 2)))), (3,), "soft"),
    Case(
        "nested/last",
        lambda: Sequential(dense(3, 4), Sequential(Tanh(), dense(4, 5), Sequential(ReLU(), dense(5, 1)))),
        (3,),
        "mse",
    ),
    Case("sixteen stages/class", sixteen_stages, (6,), "class"),
    Case("sixteen stages/mse", sixteen_stages, (6,), "mse"),
    Case("batch/class", lambda: Sequential(dense(5, 6), ReLU(), dense(6, 3)), (5,), "class", batch=4),
    Case("batch/mse", lambda: Sequential(dense(3, 7), Tanh(), dense(7, 2)), (3,), "mse", batch=4),
]

CASES = [dataclasses.replace(case, optimizers=OPTIMIZERS) for case in _CASES]
