"""Every optimizer and its options, clipping, learning rates by layer, schedules, and running statistics.

Where PyTorch has the rule, it is PyTorch's. `Lion`, `Lars`, decoupled weight decay beside other rules than Adam, and
`RunningNorm`, are written here from their definitions.
"""

from collections.abc import Callable

import numpy
import torch
from torch import nn
from torch.nn import Parameter, Sequential, Tanh
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer, RMSprop, lr_scheduler

from harness import Case, Conv1d, dense, flatten

Make = Callable[[list[Parameter]], Optimizer]


def decoupled(optimizer: Optimizer, weight_decay: float) -> Optimizer:
    """Adds decoupled weight decay: a step takes lr weight_decay w more from each w, as it was before."""
    before: dict[Parameter, torch.Tensor] = {}

    def remember(*_: object) -> None:
        for group in optimizer.param_groups:
            before.update({w: w.detach().clone() for w in group["params"]})

    @torch.no_grad()
    def decay(*_: object) -> None:
        for group in optimizer.param_groups:
            for w in group["params"]:
                w.sub_(group["lr"] * weight_decay * before[w])

    optimizer.register_step_pre_hook(remember)
    optimizer.register_step_post_hook(decay)
    return optimizer


class Lion(Optimizer):
    """Chen et al. (2023), algorithm 2; and an L2 penalty, added to the gradient."""

    def __init__(self, parameters, lr: float = 0.01, betas=(0.9, 0.99), weight_decay: float = 0.0, l2: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "l2": l2})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for w in group["params"]:
                g = w.grad + group["l2"] * w
                m = self.state[w].setdefault("m", torch.zeros_like(w))
                c = beta1 * m + (1 - beta1) * g
                w.sub_(group["lr"] * (torch.sign(c) + group["weight_decay"] * w))
                m.copy_(beta2 * m + (1 - beta2) * g)


class Lars(Optimizer):
    """You, Gitman and Ginsburg (2017), algorithm 1. Biases, the arrays of one axis here, have no ratio and no penalty."""

    def __init__(self, parameters, lr: float = 0.1, momentum: float = 0.9, trust: float = 0.001, l2: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "trust": trust, "l2": l2})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for w in group["params"]:
                v = self.state[w].setdefault("v", torch.zeros_like(w))
                ratio, l2 = 1.0, 0.0
                if w.ndim > 1:
                    l2 = group["l2"]
                    divisor = w.grad.norm() + l2 * w.norm()
                    ratio = group["trust"] * w.norm() / divisor if divisor > 0 else 1.0
                v.copy_(group["momentum"] * v + group["lr"] * ratio * (w.grad + l2 * w))
                w.sub_(v)


class RunningNorm(nn.Module):
    """Batch normalisation of the last axis by running statistics, in training too. A step moves them towards the mean of
    its samples' statistics: the mean, and the mean squared distance from the running mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = Parameter(1 + 0.3 * torch.randn(channels))
        self.bias = Parameter(0.3 * torch.randn(channels))
        self.register_buffer("running_mean", 0.5 * torch.randn(channels))
        self.register_buffer("running_var", 0.5 + torch.rand(channels))
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.detach().reshape(-1, x.shape[-1])
        self.seen.append(torch.stack([rows.mean(0), ((rows - self.running_mean) ** 2).mean(0)]))
        return (x - self.running_mean) / torch.sqrt(self.running_var + 1e-5) * self.weight + self.bias

    def follow(self) -> None:
        mean, variance = torch.stack(self.seen).mean(0)
        self.seen.clear()
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean
        self.running_var = 0.9 * self.running_var + 0.1 * variance


def clipped(make: Make, *clips: tuple[str, float]) -> Make:
    """With the gradient clipped before the step, by one after the other. A bound below 100 must be reached at the first
    step, a larger one never."""

    def wrapped(parameters: list[Parameter]) -> Optimizer:
        optimizer = make(parameters)
        steps = 0

        def clip(*_: object) -> None:
            nonlocal steps
            for kind, bound in clips:
                before = [p.grad.clone() for p in parameters]
                (clip_grad_norm_ if kind == "norm" else clip_grad_value_)(parameters, bound)
                acts = not all(torch.equal(a, p.grad) for a, p in zip(before, parameters))
                if acts != (bound < 100) and (acts or steps == 0):
                    raise ValueError(f"clipping by {kind} to {bound}: {'acts' if acts else 'does not act'}")
            steps += 1

        optimizer.register_step_pre_hook(clip)
        return optimizer

    return wrapped


def scheduled(make: Make, schedule: Callable[[Optimizer], lr_scheduler.LRScheduler]) -> Make:
    def wrapped(parameters: list[Parameter]) -> Optimizer:
        optimizer = make(parameters)
        scheduler = schedule(optimizer)
        optimizer.register_step_post_hook(lambda *_: scheduler.step())
        return optimizer

    return wrapped


def layers(make: Callable[..., Optimizer], lr: float, first: float, others: float, **settings: object) -> Make:
    """Learning rates of their own for the first layer, whose parameters are the first two, and for the others."""

    def wrapped(parameters: list[Parameter]) -> Optimizer:
        groups = [(parameters[:2], first * lr), (parameters[2:], others * lr)]
        return make([{"params": p, "lr": rate} for p, rate in groups if p], **settings)

    return wrapped


# Decays are larger than anyone would use, so that ten steps show them.
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p: SGD(p, lr=0.1),
    "sgd, decoupled": lambda p: decoupled(SGD(p, lr=0.1), 0.2),
    "sgd, l2": lambda p: SGD(p, lr=0.1, weight_decay=0.2),
    "sgd, both": lambda p: decoupled(SGD(p, lr=0.1, weight_decay=0.2), 0.3),
    "momentum": lambda p: SGD(p, lr=0.05, momentum=0.9),
    "momentum, decoupled": lambda p: decoupled(SGD(p, lr=0.05, momentum=0.9), 0.3),
    "momentum, l2": lambda p: SGD(p, lr=0.05, momentum=0.9, weight_decay=0.3),
    "momentum, dampened": lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.4),
    "momentum, dampened, l2": lambda p: SGD(p, lr=0.1, momentum=0.8, dampening=0.9, weight_decay=0.2),
    "nesterov": lambda p: SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "nesterov, l2": lambda p: SGD(p, lr=0.05, momentum=0.7, nesterov=True, weight_decay=0.3),
    "rmsprop": lambda p: RMSprop(p, lr=0.01),
    "rmsprop, other": lambda p: RMSprop(p, lr=0.02, alpha=0.8, eps=1e-2),
    "rmsprop, decoupled": lambda p: decoupled(RMSprop(p, lr=0.01), 0.5),
    "rmsprop, l2": lambda p: RMSprop(p, lr=0.01, weight_decay=0.3),
    "rmsprop, momentum": lambda p: RMSprop(p, lr=0.01, momentum=0.7, weight_decay=0.3),
    "rmsprop, centered": lambda p: RMSprop(p, lr=0.01, centered=True, weight_decay=0.3),
    "rmsprop, both": lambda p: RMSprop(p, lr=0.01, alpha=0.9, momentum=0.7, centered=True),
    "adagrad": lambda p: Adagrad(p, lr=0.1),
    "adagrad, other": lambda p: Adagrad(p, lr=0.1, lr_decay=0.3, initial_accumulator_value=0.2, eps=1e-3),
    "adagrad, decoupled": lambda p: decoupled(Adagrad(p, lr=0.1), 0.5),
    "adagrad, l2": lambda p: Adagrad(p, lr=0.1, weight_decay=0.3),
    "adadelta": lambda p: Adadelta(p, lr=1.0),
    "adadelta, other": lambda p: Adadelta(p, lr=2.0, rho=0.7, eps=1e-3),
    "adadelta, decoupled": lambda p: decoupled(Adadelta(p, lr=1.0), 0.05),
    "adadelta, l2": lambda p: Adadelta(p, lr=1.0, weight_decay=0.3),
    "adam": lambda p: Adam(p, lr=0.01),
    "adam, other": lambda p: Adam(p, lr=0.02, betas=(0.7, 0.95), eps=1e-3),
    "adam, l2": lambda p: Adam(p, lr=0.01, weight_decay=0.3),
    "adamw": lambda p: AdamW(p, lr=0.01),
    "adamw, other": lambda p: AdamW(p, lr=0.01, weight_decay=0.5),
    "amsgrad": lambda p: Adam(p, lr=0.01, betas=(0.6, 0.5), amsgrad=True),
    "amsgrad, decoupled": lambda p: AdamW(p, lr=0.01, amsgrad=True, weight_decay=0.5),
    "amsgrad, l2": lambda p: Adam(p, lr=0.01, betas=(0.9, 0.6), amsgrad=True, weight_decay=0.3),
    "lion": lambda p: Lion(p, lr=0.01),
    "lion, decoupled": lambda p: Lion(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.5),
    "lion, l2": lambda p: Lion(p, lr=0.01, l2=0.3),
    "lars": lambda p: Lars(p, lr=0.1, trust=0.1),
    "lars, other": lambda p: Lars(p, lr=0.2, momentum=0.5, trust=0.05, l2=0.3),
    "lars, decoupled": lambda p: decoupled(Lars(p, lr=0.1, trust=0.1), 0.3),
    "by value": clipped(lambda p: SGD(p, lr=0.1), ("value", 0.05)),
    "by value, inactive": clipped(lambda p: Adam(p, lr=0.01), ("value", 1e3)),
    "by norm": clipped(lambda p: Adam(p, lr=0.01, weight_decay=0.3), ("norm", 0.05)),
    "by norm, inactive": clipped(lambda p: SGD(p, lr=0.1, momentum=0.9), ("norm", 1e3)),
    "by value, by norm": clipped(lambda p: SGD(p, lr=0.1, momentum=0.9), ("value", 0.1), ("norm", 0.05)),
    "by norm, by value": clipped(lambda p: SGD(p, lr=0.1, weight_decay=0.2), ("norm", 0.2), ("value", 0.01)),
    "layers, sgd": layers(SGD, 0.05, 0.25, 2.0, momentum=0.9, weight_decay=0.2),
    "layers, adamw": layers(AdamW, 0.01, 2.0, 0.5, weight_decay=0.5),
    "layers, frozen": layers(Adam, 0.01, 0.0, 1.0),
    "layers, lion": layers(Lion, 0.01, 0.5, 2.0, weight_decay=0.5),
    "layers, lars": layers(Lars, 0.1, 0.5, 2.0, trust=0.1),
    "schedule, exponential": scheduled(
        lambda p: SGD(p, lr=0.1, momentum=0.9), lambda o: lr_scheduler.ExponentialLR(o, 0.75)
    ),
    "schedule, cosine": scheduled(
        lambda p: AdamW(p, lr=0.02, weight_decay=0.5), lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2)
    ),
    "schedule, clipped layers": scheduled(
        clipped(layers(SGD, 0.1, 0.25, 2.0), ("norm", 0.05)), lambda o: lr_scheduler.StepLR(o, 4, 0.5)
    ),
}


BESIDE_STATISTICS = {
    "sgd",
    "momentum, l2",
    "rmsprop, both",
    "adamw, other",
    "by value",
    "by norm",
    "layers, sgd",
    "schedule, exponential",
}


def one() -> nn.Module:
    return dense(1, 1)


def mlp() -> nn.Module:
    return Sequential(dense(5, 7), Tanh(), dense(7, 3))


def conv() -> nn.Module:
    return Sequential(Conv1d(2, 3, 3), Tanh(), flatten(), dense(15, 4))


def norm() -> nn.Module:
    return Sequential(dense(4, 5), RunningNorm(5), Tanh(), dense(5, 2))


def conv_norm() -> nn.Module:
    return Sequential(Conv1d(2, 3, 3), RunningNorm(3), Tanh(), flatten(), dense(15, 2))


def in_batches(name: str, network: Callable[[], nn.Module], shape: tuple[int, ...], goal: str) -> list[Case]:
    """One sample a step, and three; with every optimizer, or those that show what running statistics must be spared."""
    has_norm = network in (norm, conv_norm)
    optimizers = {name: rule for name, rule in OPTIMIZERS.items() if name in BESIDE_STATISTICS or not has_norm}
    return [Case(f"{name}/{n}", network, shape, goal, batch=n, optimizers=optimizers) for n in (1, 3)]


CASES = [
    *in_batches("one", one, (1,), "mse"),
    *in_batches("mlp", mlp, (5,), "class"),
    *in_batches("conv", conv, (7, 2), "soft"),
    *in_batches("norm", norm, (4,), "class"),
    *in_batches("conv norm", conv_norm, (7, 2), "mse"),
]

STEPS = 60


def f32(value: float) -> float:
    """As backpass sees the setting."""
    return float(numpy.float32(value))


SCHEDULES: dict[str, Callable[[Optimizer], lr_scheduler.LRScheduler]] = {
    "constant": lambda o: lr_scheduler.LambdaLR(o, lambda _: 0.5),
    "steps 7": lambda o: lr_scheduler.StepLR(o, 7, f32(0.3)),
    "steps 1": lambda o: lr_scheduler.StepLR(o, 1, f32(0.8)),
    "exponential 0.9": lambda o: lr_scheduler.ExponentialLR(o, f32(0.9)),
    "exponential 0.99": lambda o: lr_scheduler.ExponentialLR(o, f32(0.99)),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, f32(0.05)),
    "cosine restarts 1": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 13, 1),
    "cosine restarts 2": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, f32(0.1)),
    "cosine restarts 3": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 1, 3),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False),
    "one cycle, other": lambda o: lr_scheduler.OneCycleLR(
        o, 1.0, STEPS, pct_start=f32(0.27), div_factor=10, final_div_factor=50, cycle_momentum=False
    ),
    "warmup, constant": lambda o: lr_scheduler.LinearLR(o, f32(1 / 3), total_iters=9),
    "warmup, exponential": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, f32(0.1), total_iters=20), lr_scheduler.ExponentialLR(o, f32(0.9))],
        milestones=[20],
    ),
    "warmup, cosine": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, f32(0.25), total_iters=7), lr_scheduler.CosineAnnealingWarmRestarts(o, 10, 2)],
        milestones=[7],
    ),
}

PLATEAUS = {
    "plateau": {},
    "plateau, other": {"factor": 0.5, "patience": 2, "threshold": 0.125, "cooldown": 3, "min_lr": 0.2},
    "plateau, impatient": {"factor": 0.75, "patience": 0, "threshold": 0.0},
}


def factors(make: Callable[[Optimizer], lr_scheduler.LRScheduler], metrics: list[float] | None) -> torch.Tensor:
    """The learning rate of each step, from a base of 1."""
    optimizer = SGD([Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if metrics is not None:
            scheduler.step(metrics[step])
        elif step < STEPS - 1:
            scheduler.step()
    return torch.tensor(rates, dtype=torch.float64).float()


def more() -> dict[str, torch.Tensor]:
    """The factors of schedules over 60 steps, and the metrics that those on plateaus saw."""
    torch.manual_seed(60)
    # Falls, then stays, with noise; exactly representable.
    metrics = (torch.linspace(1, 0.25, STEPS).clamp(min=0.6) + 0.1 * torch.rand(STEPS)).float()
    tensors = {f"schedule/{name}": factors(make, None) for name, make in SCHEDULES.items()}
    for name, settings in PLATEAUS.items():
        schedule = lambda o, settings=settings: lr_scheduler.ReduceLROnPlateau(o, **settings)  # noqa: E731
        tensors[f"schedule/{name}"] = factors(schedule, metrics.tolist())
    return tensors | {"schedule/metrics": metrics}
