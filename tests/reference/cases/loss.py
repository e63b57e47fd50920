"""Every loss with every option: on one element, odd sizes, signals and images, behind ReLU and ReLU6, last of a small network.
`more` has extreme outputs: huge, tiny and zero."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import ReLU, ReLU6, Sequential, Tanh
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    hinge_embedding_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    multi_margin_loss,
)

from harness import SAMPLES, Case, Conv1d, Conv2d, Goal, dense, flatten

Shape = tuple[int, ...]
Make = Callable[[int], Goal]


class LargeDense(nn.Linear):
    """A dense layer with weights large enough to saturate ReLU6."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():
            self.weight.mul_(12)


def doubles(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def weights(count: int) -> torch.Tensor:
    """0.5, 1.25, 2, 2.75, 0.5, ...: exact in float32."""
    return doubles([0.5 + 0.75 * (i % 4) for i in range(count)])


# Losses over elements: targets of the output's own shape. `channels` is the length of the last axis.


def normal(shape: Shape) -> torch.Tensor:
    return torch.randn(SAMPLES, *shape)


def probabilities(shape: Shape) -> torch.Tensor:
    """From 0 to 1, both ends among them."""
    return torch.clamp(1.5 * torch.rand(SAMPLES, *shape) - 0.25, 0, 1)


def signs(shape: Shape) -> torch.Tensor:
    return 2.0 * torch.randint(2, (SAMPLES, *shape)) - 1


def squared_hinge(y: torch.Tensor, t: torch.Tensor, margin: float) -> torch.Tensor:
    """Keras's SquaredHinge; PyTorch has none for signs."""
    return torch.clamp(margin - t * y, min=0).square().mean()


ELEMENTWISE: dict[str, Make] = {
    "mse": lambda channels: Goal(normal, lambda y, t: mse_loss(y, t.double())),
    "mae": lambda channels: Goal(normal, lambda y, t: l1_loss(y, t.double())),
    "huber": lambda channels: Goal(normal, lambda y, t: huber_loss(y, t.double())),
    "huber 0.25": lambda channels: Goal(normal, lambda y, t: huber_loss(y, t.double(), delta=0.25)),
    "bce": lambda channels: Goal(probabilities, lambda y, t: binary_cross_entropy_with_logits(y, t.double())),
    "bce 3": lambda channels: Goal(
        probabilities, lambda y, t: binary_cross_entropy_with_logits(y, t.double(), pos_weight=doubles([3]))
    ),
    "bce channels": lambda channels: Goal(
        probabilities, lambda y, t: binary_cross_entropy_with_logits(y, t.double(), pos_weight=weights(channels))
    ),
    # The value of HingeEmbeddingLoss for the distance t y and the label -1.
    "hinge signs": lambda channels: Goal(
        signs, lambda y, t: hinge_embedding_loss(t.double() * y, torch.full(y.shape, -1.0).double(), margin=1)
    ),
    "hinge signs 0.5": lambda channels: Goal(
        signs, lambda y, t: hinge_embedding_loss(t.double() * y, torch.full(y.shape, -1.0).double(), margin=0.5)
    ),
    "hinge signs squared": lambda channels: Goal(signs, lambda y, t: squared_hinge(y, t.double(), 1)),
}


def elementwise_cases(name: str, make: Make) -> list[Case]:
    return [
        Case(f"{name}/1-1", lambda: Sequential(dense(1, 1)), (1,), make(1)),
        Case(f"{name}/5-7", lambda: Sequential(dense(5, 7)), (5,), make(7)),
        Case(f"{name}/signal 5x2", lambda: Sequential(Conv1d(2, 3, 3)), (5, 2), make(3)),
        Case(f"{name}/image 2x3x2", lambda: Sequential(Tanh(), Conv2d(2, 2, 1)), (2, 3, 2), make(2)),
        Case(f"{name}/relu", lambda: Sequential(dense(4, 6), ReLU()), (4,), make(6)),
        Case(f"{name}/relu6", lambda: Sequential(LargeDense(3, 9), ReLU6()), (3,), make(9)),
        Case(f"{name}/network", lambda: Sequential(dense(4, 9), Tanh(), dense(9, 3)), (4,), make(3)),
    ]


# Losses of a class. `classes` is their number.

IGNORED = 255


def one_class(shape: Shape) -> torch.Tensor:
    return torch.randint(shape[0], (SAMPLES,))


def with_ignored(shape: Shape) -> torch.Tensor:
    """Classes, and some that are ignored: the second of those that are shown, and one or two of each mini-batch of 4."""
    classes = one_class(shape)
    classes[[1, 5, 8, 9]] = IGNORED
    return classes


def soft(shape: Shape) -> torch.Tensor:
    return torch.softmax(2 * torch.randn(SAMPLES, *shape), dim=1)


def of_class(**options: object) -> Goal:
    """Of one sample, with the sum: PyTorch's mean divides by the weight of the sample's class."""
    return Goal(one_class, lambda y, t: cross_entropy(y[None], t[None], reduction="sum", **options))


def of_soft(**options: object) -> Goal:
    return Goal(soft, lambda y, t: cross_entropy(y[None], t.double()[None], reduction="sum", **options))


def ignoring(mean: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], **options: object) -> Goal:
    options = {"ignore_index": IGNORED, **options}
    return Goal(with_ignored, lambda y, t: cross_entropy(y[None], t[None], reduction="sum", **options), mean)


def mean_of_the_others(**options: object) -> Goal:
    """The sum of a mini-batch over the number of samples that are not ignored: PyTorch's mean but for the weights, which it
    divides by."""

    def mean(y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return cross_entropy(y, t, reduction="sum", ignore_index=IGNORED, **options) / (t != IGNORED).sum()

    return ignoring(mean, **options)


def margin_loss(p: int, margin: float) -> Goal:
    return Goal(one_class, lambda y, t: multi_margin_loss(y[None], t[None], p=p, margin=margin))


OF_CLASS: dict[str, Make] = {
    "weights": lambda classes: of_class(weight=weights(classes)),
    "smoothing": lambda classes: of_class(label_smoothing=0.125),
    "weights, smoothing": lambda classes: of_class(weight=weights(classes), label_smoothing=0.25),
    "soft weights": lambda classes: of_soft(weight=weights(classes)),
    "soft smoothing": lambda classes: of_soft(label_smoothing=0.125),
    "soft weights, smoothing": lambda classes: of_soft(weight=weights(classes), label_smoothing=0.25),
    "hinge": lambda classes: margin_loss(1, 1),
    "hinge 0.5": lambda classes: margin_loss(1, 0.5),
    "hinge squared": lambda classes: margin_loss(2, 1),
}

# In mini-batches of 4, by PyTorch's own mean where there are no weights.
IGNORING: dict[str, Make] = {
    "ignore": lambda classes: ignoring(lambda y, t: cross_entropy(y, t, ignore_index=IGNORED)),
    "ignore, smoothing": lambda classes: ignoring(
        lambda y, t: cross_entropy(y, t, ignore_index=IGNORED, label_smoothing=0.125), label_smoothing=0.125
    ),
    "ignore, weights, smoothing": lambda classes: mean_of_the_others(weight=weights(classes), label_smoothing=0.25),
}


def class_cases(name: str, make: Make, batch: int = 1) -> list[Case]:
    return [
        # With one class softmax is 1, and no other class comes into the margin, whatever the network does.
        Case(f"{name}/3-1", lambda: Sequential(dense(3, 1)), (3,), make(1), batch, stands_still=True),
        Case(f"{name}/5", lambda: Sequential(dense(4, 5)), (4,), make(5), batch),
        Case(f"{name}/image", lambda: Sequential(Conv2d(2, 3, 2), flatten()), (3, 2, 2), make(6), batch),
        Case(f"{name}/relu", lambda: Sequential(dense(4, 6), ReLU()), (4,), make(6), batch),
        Case(f"{name}/relu6", lambda: Sequential(LargeDense(3, 9), ReLU6()), (3,), make(9), batch),
        Case(f"{name}/network", lambda: Sequential(dense(4, 9), Tanh(), dense(9, 3)), (4,), make(3), batch),
    ]


# Plain cross-entropy, beside what `basic` has of it.


def plain_cases(goal: str) -> list[Case]:
    return [
        Case(f"plain {goal}/image", lambda: Sequential(Conv2d(2, 3, 2), flatten()), (3, 2, 2), goal),
        Case(f"plain {goal}/relu6", lambda: Sequential(LargeDense(3, 9), ReLU6()), (3,), goal),
    ]


# The cosine embedding loss: a target is a vector and, behind it, the label.


def vector_and_label(shape: Shape) -> torch.Tensor:
    return torch.cat([torch.randn(SAMPLES, *shape), signs((1,))], dim=1)


def embedding(y: torch.Tensor, target: torch.Tensor, margin: float) -> torch.Tensor:
    target = target.double()
    return cosine_embedding_loss(y[None], target[None, :-1], target[-1:], margin=margin)


def cosine(margin: float) -> Goal:
    return Goal(vector_and_label, lambda y, t: embedding(y, t, margin))


def cosine_cases(name: str, margin: float) -> list[Case]:
    return [
        Case(f"{name}/2", lambda: Sequential(dense(3, 2)), (3,), cosine(margin)),
        Case(f"{name}/7", lambda: Sequential(dense(5, 7)), (5,), cosine(margin)),
        Case(f"{name}/signal", lambda: Sequential(Conv1d(2, 3, 2), flatten()), (4, 2), cosine(margin)),
        Case(f"{name}/image", lambda: Sequential(Conv2d(2, 3, 2), flatten()), (3, 2, 2), cosine(margin)),
        Case(f"{name}/4-6 relu", lambda: Sequential(dense(4, 6), ReLU()), (4,), cosine(margin)),
        Case(f"{name}/relu6", lambda: Sequential(LargeDense(3, 9), ReLU6()), (3,), cosine(margin)),
        Case(f"{name}/network", lambda: Sequential(dense(4, 9), Tanh(), dense(9, 3)), (4,), cosine(margin)),
    ]


CASES = [
    *[case for name, make in ELEMENTWISE.items() for case in elementwise_cases(name, make)],
    *[case for name, make in OF_CLASS.items() for case in class_cases(name, make)],
    *[case for name, make in IGNORING.items() for case in class_cases(name, make, batch=4)],
    *plain_cases("class"),
    *plain_cases("soft"),
    *cosine_cases("cosine", 0),
    *cosine_cases("cosine -0.5", -0.5),
]


def extreme(name: str, outputs: list[list[float]], targets: list[list[float]], loss: Callable) -> dict[str, torch.Tensor]:
    """Loss and gradient of single outputs, not behind a network."""
    rows = torch.tensor(outputs)
    target = torch.tensor(targets)
    losses, gradients = [], []
    for y, t in zip(rows, target, strict=True):
        y = y.double().requires_grad_()
        value = loss(y, t)
        value.backward()
        losses.append(value.detach().float())
        gradients.append(y.grad.float())
    values = {"output": rows, "target": target, "loss": torch.stack(losses), "gradient": torch.stack(gradients)}
    return {f"extreme/{name}/{key}": value for key, value in values.items()}


# Outputs of three elements, and classes for them.
HUGE = [[3e38, -3e38, 0], [-3e38, -3e38, -3e38], [1e38, 3e38, 1e38], [90, -90, 0], [1e-40, -1e-40, 0], [0, 0, 0]]
CLASSES = [[0], [1], [1], [1], [2], [0]]
# The class whose score lies below another by more than float32 can tell.
BELOW = [[1], [1], [0], [1], [2], [0]]
# Rows of t for HUGE.
ENDS = [[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0.5], [1, 0, 0.5], [0.25, 0.5, 0.75]]
SIGNS = [[1.0, -1, 1], [-1, -1, -1], [1, 1, -1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]
# The vectors of two sides: one of zeros, both, huge, tiny, at right angles, and the lengths at which backpass changes its way.
VECTORS = [
    ([0, 0, 0], [1, 2, 2]),
    ([1, 2, 2], [0, 0, 0]),
    ([0, 0, 0], [0, 0, 0]),
    ([1e30, -2e30, 3e30], [1, 2, -1]),
    ([3e38, 3e38, 1e38], [-3e38, 1e38, 2e38]),
    ([1e-8, 2e-8, -1e-8], [1, 1, 1]),
    ([1e-20, 0, 0], [0, 1e-20, 1e-20]),
    ([1e-30, 2e-30, 1e-30], [1e30, 2e30, -3e30]),
    ([1, 0, 0], [0, 1, 0]),
    ([1.0e12, 5e11, 0], [2e12, -1e12, 1]),
    ([1.2e12, 5e11, 0], [1, -1, 1e12]),
]


def more() -> dict[str, torch.Tensor]:
    labels = [*[1.0] * len(VECTORS), *[-1.0] * len(VECTORS)]
    outputs = [y for y, _ in VECTORS] * 2
    targets = [[*t, label] for (_, t), label in zip(VECTORS * 2, labels, strict=True)]
    return {
        **extreme("bce", HUGE, ENDS, lambda y, t: binary_cross_entropy_with_logits(y, t.double())),
        **extreme(
            "bce weighted",
            HUGE,
            ENDS,
            lambda y, t: binary_cross_entropy_with_logits(y, t.double(), pos_weight=doubles([1.125])),
        ),
        **extreme("mae", HUGE, ENDS, lambda y, t: l1_loss(y, t.double())),
        **extreme("huber", HUGE, ENDS, lambda y, t: huber_loss(y, t.double())),
        **extreme(
            "hinge signs", HUGE, SIGNS, lambda y, t: hinge_embedding_loss(t.double() * y, -torch.ones(3).double(), margin=1)
        ),
        **extreme("hinge", HUGE, BELOW, lambda y, t: multi_margin_loss(y[None], t)),
        **extreme("class", HUGE, CLASSES, lambda y, t: cross_entropy(y[None], t)),
        **extreme("smoothing", HUGE, CLASSES, lambda y, t: cross_entropy(y[None], t, label_smoothing=0.25)),
        **extreme("soft", HUGE, [[0.25, 0, 0.25]] * 6, lambda y, t: cross_entropy(y[None], t.double()[None])),
        **extreme("cosine", outputs, targets, lambda y, t: embedding(y, t, -0.5)),
    }
