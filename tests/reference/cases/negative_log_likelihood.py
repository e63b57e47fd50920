"""The negative log-likelihood on log-probabilities, with and without class weights."""

import torch
from torch.nn import LogSoftmax, ReLU, Sequential
from torch.nn.functional import nll_loss

from harness import SAMPLES, Case, Goal, dense

WEIGHTS = [1.0, 3.0, 0.5, 0.0]


def goal(weights: list[float] | None) -> Goal:
    """The sum: PyTorch's mean over a batch of one takes the weight away again."""
    weight = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    return Goal(
        lambda shape: torch.randint(shape[0], (SAMPLES,)),
        lambda y, t: nll_loss(y[None], t[None], weight, reduction="sum"),
    )


CASES = [
    Case("plain", lambda: Sequential(dense(5, 4), LogSoftmax(dim=-1)), (5,), goal(None)),
    Case("weighted", lambda: Sequential(dense(3, 6), ReLU(), dense(6, 4), LogSoftmax(dim=-1)), (3,), goal(WEIGHTS)),
    # Not log-probabilities: the definition does not ask.
    Case("linear", lambda: Sequential(dense(6, 4)), (6,), goal(WEIGHTS)),
]
