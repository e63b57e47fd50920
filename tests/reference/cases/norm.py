"""Normalisation: by layer, root mean square, group and instance, and batch normalisation by running statistics, which folds into
the linear layer before it."""

import torch
from torch import nn
from torch.nn import ReLU, ReLU6, Sequential, Tanh
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from harness import Case, ChannelsLast, Conv1d, Conv2d, dense, flatten, ours, start

# The smallest step from 1 in float32; PyTorch's default is that of the type, which is float64 here.
RMS_EPSILON = torch.finfo(torch.float32).eps


class GroupNorm(ChannelsLast, nn.GroupNorm):
    pass


class InstanceNorm1d(ChannelsLast, nn.InstanceNorm1d):
    pass


class InstanceNorm2d(ChannelsLast, nn.InstanceNorm2d):
    pass


class BatchNorm1d(ChannelsLast, nn.BatchNorm1d):
    pass


class BatchNorm2d(nn.BatchNorm2d):
    """On a copy in PyTorch's own layout: with running statistics, the gradients of PyTorch 2.15 are wrong in any other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(-1, 0)[None].contiguous())[0].movedim(0, -1)


def drawn(layer: nn.Module) -> nn.Module:
    """The layer with random scale and shift; where it has running statistics, with random ones that it uses and keeps."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
        if getattr(layer, "running_var", None) is not None:
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.25, 2)
            layer.eval()
    return layer


def layer_norm(channels: int, **settings: object) -> nn.Module:
    return drawn(nn.LayerNorm(channels, **settings))


def rms_norm(channels: int, epsilon: float = RMS_EPSILON) -> nn.Module:
    return drawn(nn.RMSNorm(channels, epsilon))


def group_norm(groups: int, channels: int, **settings: object) -> nn.Module:
    return drawn(GroupNorm(groups, channels, **settings))


def instance_norm(rank: int, channels: int, **settings: object) -> nn.Module:
    return drawn((InstanceNorm1d if rank == 1 else InstanceNorm2d)(channels, affine=True, **settings))


def batch_norm(rank: int, channels: int, **settings: object) -> nn.Module:
    return drawn((BatchNorm1d if rank == 1 else BatchNorm2d)(channels, **settings))


def depthwise(channels: int) -> nn.Module:
    return Conv2d(channels, channels, 3, groups=channels)


def folding(name: str) -> Sequential:
    """A linear layer and a batch normalisation behind it."""
    match name:
        case "dense":
            return Sequential(dense(5, 4), batch_norm(1, 4))
        case "dense without bias":
            return Sequential(dense(3, 7, bias=False), batch_norm(1, 7))
        case "conv1d":
            return Sequential(Conv1d(2, 3, 3, stride=2), batch_norm(1, 3))
        case "conv2d":
            return Sequential(Conv2d(2, 5, 3, padding=1), batch_norm(2, 5, eps=0.25))
        case "depthwise":
            return Sequential(depthwise(4), batch_norm(2, 4))


FOLDED = {"dense": (5,), "dense without bias": (3,), "conv1d": (7, 2), "conv2d": (3, 4, 2), "depthwise": (4, 3, 4)}

CASES = [
    # Of one element nothing is left but the shift.
    Case("layer/1", lambda: Sequential(layer_norm(1)), (1,), "mse"),
    Case("layer/7", lambda: Sequential(layer_norm(7)), (7,), "mse"),
    Case("layer/signal 5x3", lambda: Sequential(layer_norm(3)), (5, 3), "mse"),
    Case("layer/image 2x3x4", lambda: Sequential(layer_norm(4, eps=0.5)), (2, 3, 4), "mse"),
    Case("layer/behind relu", lambda: Sequential(ReLU(), layer_norm(5), Tanh()), (3, 5), "mse"),
    Case(
        "layer/network",
        lambda: Sequential(dense(4, 9), layer_norm(9), ReLU(), dense(9, 6), layer_norm(6), dense(6, 3)),
        (4,),
        "class",
    ),
    Case("rms/1", lambda: Sequential(rms_norm(1, 0.5)), (1,), "mse"),
    Case("rms/7", lambda: Sequential(rms_norm(7)), (7,), "mse"),
    Case("rms/signal 5x3", lambda: Sequential(rms_norm(3, 0.25)), (5, 3), "mse"),
    Case("rms/image 2x3x4", lambda: Sequential(rms_norm(4)), (2, 3, 4), "mse"),
    Case("rms/behind relu", lambda: Sequential(ReLU(), rms_norm(5, 0.125), Tanh()), (3, 5), "mse"),
    Case("rms/network", lambda: Sequential(dense(4, 9), rms_norm(9), ReLU(), dense(9, 3)), (4,), "class"),
    Case("group/6 in 2", lambda: Sequential(group_norm(2, 6)), (6,), "mse"),
    Case("group/1 in 1", lambda: Sequential(group_norm(1, 1)), (7, 1), "mse"),
    Case("group/signal 5x4 in 2", lambda: Sequential(group_norm(2, 4)), (5, 4), "mse"),
    Case("group/image 3x2x6 in 3", lambda: Sequential(group_norm(3, 6, eps=0.5)), (3, 2, 6), "mse"),
    Case("group/behind relu", lambda: Sequential(ReLU(), group_norm(1, 4), Tanh()), (3, 4), "mse"),
    Case(
        "group/network",
        lambda: Sequential(Conv2d(1, 4, 3), group_norm(2, 4), ReLU(), flatten(), dense(24, 3)),
        (4, 5, 1),
        "class",
    ),
    Case("instance/signal 7x1", lambda: Sequential(instance_norm(1, 1)), (7, 1), "mse"),
    Case("instance/signal 5x3", lambda: Sequential(instance_norm(1, 3, eps=0.5)), (5, 3), "mse"),
    Case("instance/image 3x2x4", lambda: Sequential(instance_norm(2, 4)), (3, 2, 4), "mse"),
    Case("instance/behind relu", lambda: Sequential(ReLU(), instance_norm(1, 2), Tanh()), (6, 2), "mse"),
    Case(
        "instance/network",
        lambda: Sequential(Conv1d(2, 3, 3, bias=False), instance_norm(1, 3), ReLU(), flatten(), dense(15, 3)),
        (7, 2),
        "class",
    ),
    Case("batch/1", lambda: Sequential(batch_norm(1, 1)), (1,), "mse"),
    Case("batch/7", lambda: Sequential(batch_norm(1, 7)), (7,), "mse"),
    Case("batch/signal 5x3", lambda: Sequential(batch_norm(1, 3)), (5, 3), "mse"),
    Case("batch/image 2x3x4", lambda: Sequential(batch_norm(2, 4, eps=0.5)), (2, 3, 4), "mse"),
    Case("batch/behind relu6", lambda: Sequential(ReLU6(), batch_norm(1, 5), Tanh()), (3, 5), "mse"),
    Case(
        "batch/network",
        lambda: Sequential(
            Conv2d(1, 4, 3, bias=False), batch_norm(2, 4), ReLU(), depthwise(4), batch_norm(2, 4), ReLU(), flatten(), dense(8, 3)
        ),
        (6, 5, 1),
        "class",
    ),
    *[Case(f"fold/{name}", lambda name=name: folding(name), shape, "mse") for name, shape in FOLDED.items()],
]


def more() -> dict[str, torch.Tensor]:
    """The linear layers that PyTorch itself makes of those that fold, from the same parameters as the cases."""
    tensors = {}
    for case in CASES:
        if case.name.startswith("fold/"):
            linear, norm = start(case).eval()
            fuse = fuse_linear_bn_eval if isinstance(linear, nn.Linear) else fuse_conv_bn_eval
            fused = fuse(linear, norm)
            for name, parameter in fused.named_parameters():
                tensors[f"{case.name}/fused {name}"] = ours(name, parameter).float().contiguous()
    return tensors
