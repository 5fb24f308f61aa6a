"""Convolution with batch normalisation, and its folded form for inference."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from photodefect.core.network.receptive_field import ReceptiveField


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, and an optional activation.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the square kernel, in pixels.
        stride: step, in pixels.
        groups: groups of the convolution.
        padding: zeros around the input: one number for all sides, or (left, right, top, bottom).
        activation: module applied last, or None.
        eps: what batch normalisation adds to the variance.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        padding: int | tuple[int, int, int, int] = 0,
        activation: nn.Module | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        symmetric = padding if isinstance(padding, int) else 0
        self.extra_padding = None if isinstance(padding, int) else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, symmetric, groups=groups, bias=False)
        self.norm: nn.BatchNorm2d | nn.Identity = nn.BatchNorm2d(outputs, eps=eps)
        self.activation = activation if activation is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        if self.extra_padding is not None:
            x = functional.pad(x, self.extra_padding)
        result: Tensor = self.activation(self.norm(self.conv(x)))
        return result

    def receptive_field(self, receptive_field: ReceptiveField) -> ReceptiveField:
        """What a position of the output sees, if a position of the input sees ``receptive_field``."""
        conv = self.conv
        padding = self.extra_padding[0] if self.extra_padding is not None else conv.padding[0]
        return receptive_field.through(conv.kernel_size[0], conv.stride[0], int(padding))

    @torch.no_grad()
    def fold(self) -> None:
        """Merge the normalisation into the convolution (inference only; same result, less work)."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.conv.weight.mul_(factor.reshape(-1, 1, 1, 1))
        self.conv.bias = nn.Parameter(norm.bias - norm.running_mean * factor)
        self.norm = nn.Identity()

    @torch.no_grad()
    def unfold(self, folded: ConvNorm) -> None:
        """Give what a folded one of the same layers gives, by a normalisation that changes nothing but the bias."""
        norm = self.norm
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert folded.conv.bias is not None
        self.conv.weight.copy_(folded.conv.weight)
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1.0)
        norm.bias.copy_(folded.conv.bias)


def fold_batch_norms(network: nn.Module) -> None:
    """Fold every :class:`ConvNorm` inside ``network``, in place. The network can't be trained afterwards."""
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold()
