#!/usr/bin/env python3
"""Writes what PyTorch computes for small networks, to be compared with backpass by tests/pytorch.rs.

    pip install torch safetensors numpy
    python generate.py                        # writes pytorch.safetensors beside this file
    python generate.py --output other.safetensors

Every case is one network, ten samples with their targets and one loss. Weights, samples and targets are float32, as
both sides of the comparison see them. From there all is computed in float64 and rounded to float32 at the very end: the
reference is the exact side, and the difference seen by the test is the rounding of backpass alone.

What the file holds for a case, each name after `<case>/`:

    input             [10] samples
    target            [10] class indices (int64), soft targets or values
    init/<parameter>  the parameters before training
    output, loss      of the first 3 samples, with the parameters before training
    input_grad        dL/dinput of the same
    grad/<parameter>  dL/dparameter of the same, one gradient a sample
    <optimizer>       [2, parameters] all parameters after 1 and after 10 steps, one after another

A step takes one sample; in a case with mini-batches, `batch` samples, and the mean of their gradients. Samples are
taken in order, again from the first after the tenth.

Layout is that of backpass: a dense weight is [inputs][outputs], the transpose of PyTorch's. Names are PyTorch's own,
such as `0.weight`: a network is an `nn.Sequential`, nested where the tuples of backpass are.

Seeds come from the names of the cases, so a new case leaves the others as they are. The same PyTorch version on the
same platform gives the same bytes; `torch` in the file's metadata says which version it was.
"""

import argparse
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import Flatten, LeakyReLU, ReLU, Sequential, Sigmoid, Tanh
from torch.nn.functional import cross_entropy, mse_loss

SAMPLES = 10
STEPS = 10
# How many samples are looked at one by one.
SHOWN = 3


@dataclass(frozen=True)
class Case:
    """A network, the shape of its input, and what it learns."""

    name: str
    network: Callable[[], nn.Module]
    shape: tuple[int, ...]
    # "class": cross-entropy with a class index; "soft": with targets that sum to 1; "any": with targets that do not;
    # "mse": mean squared error.
    loss: str
    batch: int = 1


def dense(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=bias)


def flatten() -> Flatten:
    """Samples come one by one, without a batch axis."""
    return Flatten(start_dim=0)


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


CASES = [
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
    Case("soft/1", lambda: Sequential(dense(3, 1)), (3,), "any"),
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


def ours(parameter: torch.Tensor) -> torch.Tensor:
    """A parameter, or its gradient, in the layout of backpass: weights input-major."""
    return parameter.detach().t() if parameter.ndim == 2 else parameter.detach()


def flat(network: nn.Module) -> torch.Tensor:
    """All parameters one after another."""
    return torch.cat([ours(parameter).flatten() for parameter in network.parameters()])


def samples_of(case: Case) -> torch.Tensor:
    """Random samples. About one element in six is exactly zero, where layers take short cuts."""
    inputs = torch.randn(SAMPLES, *case.shape)
    return torch.where(inputs.abs() < 0.2, 0.0, inputs)


def targets_of(case: Case, outputs: tuple[int, ...]) -> torch.Tensor:
    match case.loss:
        case "class":
            return torch.randint(outputs[0], (SAMPLES,))
        case "soft":
            return torch.softmax(2 * torch.randn(SAMPLES, *outputs), dim=1)
        case "any":
            return 2 * torch.rand(SAMPLES, *outputs)
        case "mse":
            return torch.randn(SAMPLES, *outputs)
        case other:
            raise ValueError(f"no such loss: {other}")


def loss_of(case: Case, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The loss of one sample, in float64."""
    if case.loss == "class":
        return cross_entropy(output[None], target[None])
    if case.loss == "mse":
        return mse_loss(output, target.double())
    return cross_entropy(output[None], target.double()[None])


def train(case: Case, optimizer: str, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The parameters after 1 and after all steps."""
    network = start(case)
    rule = OPTIMIZERS[optimizer](list(network.parameters()))
    history = []
    for step in range(STEPS):
        batch = [(step * case.batch + i) % SAMPLES for i in range(case.batch)]
        losses = [loss_of(case, network(inputs[i].double()), targets[i]) for i in batch]
        rule.zero_grad()
        torch.stack(losses).mean().backward()
        rule.step()
        history.append(flat(network))
    return torch.stack([history[0], history[-1]])


def start(case: Case) -> nn.Module:
    """The network as it is before training: float32 numbers in float64."""
    torch.manual_seed(zlib.crc32(case.name.encode()))
    return case.network().double()


def tensors_of(case: Case) -> dict[str, torch.Tensor]:
    network = start(case)
    parameters = dict(network.named_parameters())
    inputs = samples_of(case)
    targets = targets_of(case, network(inputs[0].double()).shape)
    tensors = {"input": inputs, "target": targets}
    tensors |= {f"init/{name}": ours(parameter) for name, parameter in parameters.items()}

    shown: dict[str, list[torch.Tensor]] = {}
    for k in range(SHOWN):
        sample = inputs[k].double().requires_grad_()
        network.zero_grad()
        output = network(sample)
        loss = loss_of(case, output, targets[k])
        loss.backward()
        values = {"output": output, "loss": loss, "input_grad": sample.grad}
        values |= {f"grad/{name}": ours(parameter.grad) for name, parameter in parameters.items()}
        for name, value in values.items():
            shown.setdefault(name, []).append(value.detach())
    tensors |= {name: torch.stack(values) for name, values in shown.items()}

    if parameters:
        tensors |= {optimizer: train(case, optimizer, inputs, targets) for optimizer in OPTIMIZERS}
        # With one class softmax is 1 whatever the network does; elsewhere a case that stands still would test nothing.
        if case.name != "soft/1" and torch.equal(tensors["sgd"][0], tensors["sgd"][1]):
            raise ValueError(f"{case.name}: nothing is learned from samples 2 to {SAMPLES}; rename it for another seed")
    return {f"{case.name}/{name}": rounded(tensor) for name, tensor in tensors.items()}


def rounded(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous() if tensor.dtype == torch.int64 else tensor.float().contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="See the head of this file for more.")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).with_name("pytorch.safetensors"),
        help="the file to write (default: pytorch.safetensors beside this script)",
    )
    output = parser.parse_args().output

    print(f"PyTorch {torch.__version__}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    tensors: dict[str, torch.Tensor] = {}
    for case in CASES:
        new = tensors_of(case)
        if not tensors.keys().isdisjoint(new):
            raise ValueError(f"{case.name}: there is another case of this name")
        tensors |= new
    version = torch.__version__.split("+")[0]
    # One entry only: several are written in no fixed order.
    save_file(tensors, output, metadata={"torch": version})
    print(f"{output}: {len(CASES)} cases, {len(tensors)} tensors, {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
