"""Losses in any mode of autograd: also in torch.no_grad() and torch.inference_mode(), as in a validation.

A loss has the same value there as in training, and no graph. A penalty on input gradients needs a graph on the way to
its value, so gradients are turned on for it. Inference mode is left meanwhile: a tensor created in it can never take
part in training, and what parts remember outlives the call.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from losses.phase_inputs import PhaseInputs

_Result = TypeVar("_Result")


def in_any_mode(compute: Callable[[PhaseInputs], _Result], inputs: PhaseInputs, *, differentiates: bool) -> _Result:
    """Return what `compute` makes of the inputs, also where gradients are off and from tensors of inference mode.

    Args:
        compute: a loss of one phase.
        inputs: of the phase, as the caller passed them.
        differentiates: whether the loss takes gradients on the way to its value.
    """
    if torch.compiler.is_compiling():
        return compute(inputs)
    if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
        return compute(_usable(inputs))
    with torch.inference_mode(False), torch.set_grad_enabled(differentiates):
        return cast(_Result, _detached(compute(_usable(inputs))))


def _usable(inputs: PhaseInputs) -> PhaseInputs:
    """Return inputs that autograd can keep: tensors of inference mode are cloned."""
    values: dict[str, Any] = {spec.name: getattr(inputs, spec.name) for spec in fields(inputs)}
    clones: dict[str, Any] = {
        name: value.clone() for name, value in values.items() if isinstance(value, Tensor) and value.is_inference()
    }
    return replace(inputs, **clones) if clones else inputs


def _detached(result: Any) -> Any:  # noqa: ANN401 - the same type as comes in
    if isinstance(result, Tensor):
        return result.detach()
    if is_dataclass(result) and not isinstance(result, type):
        return replace(result, **{spec.name: _detached(getattr(result, spec.name)) for spec in fields(result)})
    if isinstance(result, Mapping):
        return {name: _detached(value) for name, value in result.items()}
    if isinstance(result, tuple | list):
        parts = [_detached(value) for value in result]
        return result._make(parts) if hasattr(result, "_make") else type(result)(parts)
    return result
