"""Recurrent layers over a window: simple, gated and long short-term memory; last state and whole sequence."""

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import ReLU, Sequential

from harness import Case, Conv1d, dense, flatten


class Recurrent(nn.Module):
    """PyTorch's `RNN`, `GRU` or `LSTM` on [time][channel], with one bias where its two add up: both get the same gradient, so
    a step along it is a step of the sum. A GRU's two differ for the candidate: `bias` is r, z, n, and n of the second."""

    def __init__(
        self, kind: type[nn.RNNBase], inputs: int, hidden: int, last: bool = True, bias: bool = True, **settings: object
    ) -> None:
        super().__init__()
        # Not registered: its parameters are those below.
        self.core = [kind(inputs, hidden, bias=bias, **settings)]
        self.last = last
        self.hidden = hidden
        core = self.core[0]
        self.weight_ih = nn.Parameter(core.weight_ih_l0.detach().clone())
        self.weight_hh = nn.Parameter(core.weight_hh_l0.detach().clone())
        if not bias:
            self.bias = None
        elif kind is nn.GRU:
            both = core.bias_ih_l0 + core.bias_hh_l0
            values = [both[: 2 * hidden], core.bias_ih_l0[2 * hidden :], core.bias_hh_l0[2 * hidden :]]
            self.bias = nn.Parameter(torch.cat(values).detach())
        else:
            self.bias = nn.Parameter((core.bias_ih_l0 + core.bias_hh_l0).detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        core = self.core[0].double()
        parameters = {"weight_ih_l0": self.weight_ih, "weight_hh_l0": self.weight_hh}
        if self.bias is not None:
            gates = core.weight_ih_l0.shape[0]
            second = torch.zeros(gates, dtype=x.dtype)
            if isinstance(core, nn.GRU):
                second = torch.cat([second[: 2 * self.hidden], self.bias[gates:]])
            parameters |= {"bias_ih_l0": self.bias[:gates], "bias_hh_l0": second}
        outputs, _ = functional_call(core, parameters, x)
        return outputs[-1] if self.last else outputs


class ResetBefore(nn.Module):
    """A GRU whose reset gate acts before the product, which PyTorch has not: ONNX's definition of `linear_before_reset` 0."""

    def __init__(self, inputs: int, hidden: int, last: bool = True, bias: bool = True) -> None:
        super().__init__()
        bound = hidden**-0.5
        self.last = last
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden, inputs).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden, hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(3 * hidden).uniform_(-bound, bound)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(self.weight_hh.shape[1], dtype=x.dtype)
        w_r, w_z, w_n = self.weight_ih.chunk(3)
        u_r, u_z, u_n = self.weight_hh.chunk(3)
        b_r, b_z, b_n = (0, 0, 0) if self.bias is None else self.bias.chunk(3)
        outputs = []
        for step in x:
            r = torch.sigmoid(w_r @ step + u_r @ h + b_r)
            z = torch.sigmoid(w_z @ step + u_z @ h + b_z)
            n = torch.tanh(w_n @ step + u_n @ (r * h) + b_n)
            h = (1 - z) * n + z * h
            outputs.append(h)
        return outputs[-1] if self.last else torch.stack(outputs)


def rnn(inputs: int, hidden: int, **settings: object) -> nn.Module:
    return Recurrent(nn.RNN, inputs, hidden, **settings)


def relu_rnn(inputs: int, hidden: int, **settings: object) -> nn.Module:
    return Recurrent(nn.RNN, inputs, hidden, nonlinearity="relu", **settings)


def gru(inputs: int, hidden: int, **settings: object) -> nn.Module:
    return Recurrent(nn.GRU, inputs, hidden, **settings)


def lstm(inputs: int, hidden: int, **settings: object) -> nn.Module:
    return Recurrent(nn.LSTM, inputs, hidden, **settings)


def cases_of(kind: str, layer: Callable[..., nn.Module]) -> list[Case]:
    """The same for every layer: last and sequence, with and without bias, sizes that are odd or one, in a row, in networks."""

    def alone(name: str, shape: tuple[int, int], hidden: int, **settings: object) -> Case:
        return Case(f"{kind}/{name}", lambda: Sequential(layer(shape[1], hidden, **settings)), shape, "mse")

    return [
        alone("last 7x3 h5", (7, 3), 5),
        alone("sequence 7x3 h5", (7, 3), 5, last=False),
        alone("last 6x2 h4, without bias", (6, 2), 4, bias=False),
        alone("sequence 5x4 h3, without bias", (5, 4), 3, last=False, bias=False),
        alone("last 1x3 h4", (1, 3), 4),
        alone("sequence 1x2 h3", (1, 2), 3, last=False),
        alone("last 9x1 h6", (9, 1), 6),
        alone("sequence 6x3 h1", (6, 3), 1, last=False),
        alone("one unit, one step", (1, 1), 1),
        alone("last 2x1 h1", (2, 1), 1),
        alone("last 12x5 h9", (12, 5), 9),
        Case(
            f"{kind}/in a row", lambda: Sequential(layer(3, 6, last=False), layer(6, 4), dense(4, 3)), (8, 3), "class"
        ),
        Case(
            f"{kind}/behind a convolution",
            lambda: Sequential(Conv1d(2, 5, 3, padding=1), ReLU(), layer(5, 4), dense(4, 2)),
            (9, 2),
            "class",
        ),
        Case(
            f"{kind}/sequence to a dense layer",
            lambda: Sequential(layer(2, 4, last=False), ReLU(), flatten(), dense(24, 3)),
            (6, 2),
            "class",
        ),
    ]


CASES = [
    *cases_of("rnn", rnn),
    *cases_of("relu rnn", relu_rnn),
    *cases_of("gru", gru),
    *cases_of("gru, reset before", ResetBefore),
    *cases_of("lstm", lstm),
]
