"""What every module of `cases` uses: a case, its data, and what PyTorch computes for it.

A case is one network, ten samples with their targets and one loss. Weights, samples and targets are float32, as both sides
of the comparison see them. From there all is computed in float64 and rounded to float32 at the very end: the reference is
the exact side, and the difference seen by the test is the rounding of backpass alone.

What a file holds for a case, each name after `<case>/`:

    input             [10] samples
    target            [10] class indices (int64), soft targets, values, or whatever the case's goal draws
    init/<parameter>  the parameters (and running statistics) before training
    output, loss      of the first 3 samples, with the parameters before training
    input_grad        dL/dinput of the same
    grad/<parameter>  dL/dparameter of the same, one gradient a sample
    <optimizer>       [2, parameters] all parameters after 1 and after 10 steps, one after another; without those that
                      PyTorch was told not to learn (`requires_grad` off)

A step takes one sample; in a case with mini-batches, `batch` samples, and the mean of their gradients. Samples are
taken in order, again from the first after the tenth.

Layout is that of backpass: samples have no batch axis, signals are [time][channel], images [row][column][channel], weights
are input-major (`ours`). Names are PyTorch's own, such as `0.weight`: a network is an `nn.Sequential`, nested where the
tuples of backpass are. `Conv2d` and others take and give channels last; they subclass PyTorch's, so names stay.

Seeds come from the names of the cases, so a new case leaves the others as they are.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import Flatten
from torch.nn.functional import cross_entropy, mse_loss

SAMPLES = 10
STEPS = 10
# How many samples are looked at one by one.
SHOWN = 3

Targets = Callable[[tuple[int, ...]], torch.Tensor]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Goal:
    """A loss and how its targets are drawn: `targets(shape of an output)` gives [10] of them; `loss(output, target)` is the
    loss of one sample, in float64. `mean(outputs, targets)` is that of a mini-batch, if it is not the mean of its samples'."""

    targets: Targets
    loss: Loss
    mean: Loss | None = None


GOALS = {
    # Cross-entropy with a class index; with targets that sum to 1; with targets that do not.
    "class": Goal(lambda shape: torch.randint(shape[0], (SAMPLES,)), lambda y, t: cross_entropy(y[None], t[None])),
    "soft": Goal(
        lambda shape: torch.softmax(2 * torch.randn(SAMPLES, *shape), dim=1),
        lambda y, t: cross_entropy(y[None], t.double()[None]),
    ),
    "any": Goal(lambda shape: 2 * torch.rand(SAMPLES, *shape), lambda y, t: cross_entropy(y[None], t.double()[None])),
    # Mean squared error.
    "mse": Goal(lambda shape: torch.randn(SAMPLES, *shape), lambda y, t: mse_loss(y, t.double())),
}

Optimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
}


@dataclass(frozen=True)
class Case:
    """A network, the shape of its input, and what it learns with."""

    name: str
    network: Callable[[], nn.Module]
    shape: tuple[int, ...]
    # A name of GOALS, or a goal of the case's own.
    goal: str | Goal
    batch: int = 1
    # Plain SGD and Adam; the cases of optimizers have more.
    optimizers: dict[str, Optimizer] | None = None
    # Draws [10] samples; None: normally distributed, about one element in six exactly zero.
    samples: Callable[[], torch.Tensor] | None = None
    # Whether nothing is learned, by the nature of the case; elsewhere a case that stands still would test nothing.
    stands_still: bool = False
    # The layout of a parameter, by name; None: `ours` for all.
    layout: Callable[[str, torch.Tensor], torch.Tensor] | None = None


def dense(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=bias)


def flatten() -> Flatten:
    """Samples come one by one, without a batch axis."""
    return Flatten(start_dim=0)


def ours(name: str, parameter: torch.Tensor) -> torch.Tensor:
    """A parameter, or its gradient, in the layout of backpass: weights input-major. Dense [out][in] -> [in][out];
    convolution [out][in][k] -> [k][in][out] and [out][in][kh][kw] -> [kh][kw][in][out]."""
    match parameter.ndim:
        case 2:
            return parameter.detach().t()
        case 3:
            return parameter.detach().permute(2, 1, 0)
        case 4:
            return parameter.detach().permute(2, 3, 1, 0)
        case _:
            return parameter.detach()


class ChannelsLast:
    """Mixin for PyTorch's layers on [channel][positions]: takes and gives [positions][channel], without a batch axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x.movedim(-1, 0)[None])[0]
        return y.movedim(0, -1)


class Conv1d(ChannelsLast, nn.Conv1d):
    pass


class Conv2d(ChannelsLast, nn.Conv2d):
    pass


def state_of(network: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and running statistics (floating-point buffers), module by module."""
    state = {}
    for prefix, module in network.named_modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in own:
            if tensor is not None and tensor.is_floating_point():
                state[f"{prefix}.{name}" if prefix else name] = tensor
    return state


def learned(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def samples_of(case: Case) -> torch.Tensor:
    """Random samples. About one element in six is exactly zero, where layers take short cuts."""
    if case.samples is not None:
        return case.samples()
    inputs = torch.randn(SAMPLES, *case.shape)
    return torch.where(inputs.abs() < 0.2, 0.0, inputs)


def goal_of(case: Case) -> Goal:
    return GOALS[case.goal] if isinstance(case.goal, str) else case.goal


def layout_of(case: Case) -> Callable[[str, torch.Tensor], torch.Tensor]:
    return case.layout or ours


def is_fixed(tensor: torch.Tensor) -> bool:
    """Whether this is a parameter that is not learned; a running statistic is none."""
    return isinstance(tensor, nn.Parameter) and not tensor.requires_grad


def flat(case: Case, network: nn.Module) -> torch.Tensor:
    """All parameters that change one after another."""
    changing = {name: tensor for name, tensor in state_of(network).items() if not is_fixed(tensor)}
    return torch.cat([layout_of(case)(name, tensor).flatten() for name, tensor in changing.items()])


def start(case: Case) -> nn.Module:
    """The network as it is before training: float32 numbers in float64."""
    torch.manual_seed(zlib.crc32(case.name.encode()))
    return case.network().double()


def train(case: Case, optimizer: Optimizer, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The parameters after 1 and after all steps."""
    network = start(case)
    goal = goal_of(case)
    rule = optimizer(learned(network))
    history = []
    for step in range(STEPS):
        batch = [(step * case.batch + i) % SAMPLES for i in range(case.batch)]
        outputs = [network(inputs[i].double()) for i in batch]
        rule.zero_grad()
        if goal.mean is None:
            torch.stack([goal.loss(output, targets[i]) for output, i in zip(outputs, batch)]).mean().backward()
        else:
            goal.mean(torch.stack(outputs), targets[batch]).backward()
        rule.step()
        # Running statistics that follow the samples of a step.
        for module in network.modules():
            if hasattr(module, "follow"):
                module.follow()
        history.append(flat(case, network))
    return torch.stack([history[0], history[-1]])


def tensors_of(case: Case) -> dict[str, torch.Tensor]:
    network = start(case)
    layout = layout_of(case)
    inputs = samples_of(case)
    targets = goal_of(case).targets(network(inputs[0].double()).shape)
    tensors = {"input": inputs, "target": targets}
    tensors |= {f"init/{name}": layout(name, tensor).clone() for name, tensor in state_of(network).items()}
    parameters = {name: tensor for name, tensor in network.named_parameters() if tensor.requires_grad}

    shown: dict[str, list[torch.Tensor]] = {}
    for k in range(SHOWN):
        sample = inputs[k].double().requires_grad_()
        network.zero_grad()
        output = network(sample)
        loss = goal_of(case).loss(output, targets[k])
        loss.backward()
        gradient = torch.zeros_like(sample) if sample.grad is None else sample.grad
        values = {"output": output, "loss": loss, "input_grad": gradient}
        values |= {f"grad/{name}": layout(name, parameter.grad) for name, parameter in parameters.items()}
        for name, value in values.items():
            shown.setdefault(name, []).append(value.detach().clone())
    tensors |= {name: torch.stack(values) for name, values in shown.items()}

    if parameters:
        optimizers = OPTIMIZERS if case.optimizers is None else case.optimizers
        tensors |= {name: train(case, rule, inputs, targets) for name, rule in optimizers.items()}
        first = next(iter(optimizers), None)
        if first and not case.stands_still and torch.equal(tensors[first][0], tensors[first][1]):
            raise ValueError(f"{case.name}: nothing is learned from samples 2 to {SAMPLES}; rename it for another seed")
    return {f"{case.name}/{name}": rounded(tensor) for name, tensor in tensors.items()}


def rounded(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float().contiguous() if tensor.is_floating_point() else tensor.contiguous()
