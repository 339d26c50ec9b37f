"""The weights of a network: matrices and kernels, told from gains and biases, and as one row an output channel."""

from collections.abc import Iterator
from typing import Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.parametrize import ParametrizationList
from torch.nn.utils.weight_norm import WeightNorm

_NORMALIZATIONS: Final = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def weights_of(network: nn.Module) -> list[nn.Parameter]:
    """Return the weight matrices and convolution kernels of a network, in the order of its parameters.

    These are the parameters of two dimensions or more, but for the gains and biases of torch's normalizations, which
    `LayerNorm` gives the shape of a whole sample, and the lengths that `weight_norm` splits off.
    """
    gains = {id(gain) for module in network.modules() for gain in _gains(module)}
    return [parameter for parameter in network.parameters() if parameter.dim() > 1 and id(parameter) not in gains]


def filters_of(network: nn.Module) -> list[Tensor]:
    """Return the same weights as matrices [output channels, rest]."""
    transposed = {
        id(weight): module.groups
        for module in network.modules()
        if isinstance(module, _ConvTransposeNd)
        for weight in _parameters_of(module)
    }
    return [_rows(weight, transposed.get(id(weight))) for weight in weights_of(network)]


def _rows(weight: Tensor, groups: int | None) -> Tensor:
    """Flatten a weight, of a transposed convolution [inputs, outputs / groups, ...] where there are groups."""
    if groups is None:
        return weight.flatten(1)
    return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1).flatten(1)


def _gains(module: nn.Module) -> Iterator[nn.Parameter]:
    if isinstance(module, _NORMALIZATIONS):
        yield from _parameters_of(module)
    if isinstance(module, ParametrizationList) and any(isinstance(step, _WeightNorm) for step in module):
        yield module.get_parameter("original0")
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            yield module.get_parameter(f"{hook.name}_g")


def _parameters_of(module: nn.Module) -> Iterator[nn.Parameter]:
    """Yield a layer's own parameters, parametrized or not."""
    yield from module.parameters(recurse=False)
    for name, child in module.named_children():
        if name == "parametrizations":
            yield from child.parameters()
