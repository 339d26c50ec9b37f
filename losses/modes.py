"""Losses in whatever mode of autograd the caller is: in torch.no_grad() and torch.inference_mode(), as in validations.

A loss has the same value there as in training, and no graph. A penalty on input gradients needs a graph on the way to
its value, so gradients are turned on for it. Inference mode is left meanwhile: what is created in it can never take
part in training again, and what parts remember outlives the call.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import torch
from torch import Tensor

from losses.kinds import DIFFERENTIATED, Phase, Regularizer

_Arguments = ParamSpec("_Arguments")
_Found = TypeVar("_Found")


class _Losses(Protocol):
    def _due(self, phase: Phase, update: int | None) -> list[Regularizer]: ...


_Self = TypeVar("_Self", bound=_Losses)
_Compute = Callable[Concatenate[_Self, _Arguments], _Found]


def in_any_mode(phase: Phase) -> Callable[[_Compute[_Self, _Arguments, _Found]], _Compute[_Self, _Arguments, _Found]]:
    """Let a method's loss of this phase be computed where gradients are off, and from images made in inference mode."""

    def decorate(compute: _Compute[_Self, _Arguments, _Found]) -> _Compute[_Self, _Arguments, _Found]:
        def computed_on(self: _Self, args: Any, kwargs: Any) -> _Found:  # noqa: ANN401 - checked where they come in
            usable: Any = map(_usable, args)
            named: Any = {name: _usable(each) for name, each in kwargs.items()}
            return compute(self, *usable, **named)

        @functools.wraps(compute)
        def computed(self: _Self, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Found:
            if torch.compiler.is_compiling():
                return compute(self, *args, **kwargs)
            if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
                return computed_on(self, args, kwargs)
            step, update = (cast("int | None", kwargs.get(name)) for name in ("step", "update"))
            due = self._due(phase, step if update is None else update)
            on_the_way = any(part.needs & DIFFERENTIATED for part in due)
            with torch.inference_mode(False), torch.set_grad_enabled(on_the_way):
                return cast(_Found, _detached(computed_on(self, args, kwargs)))

        return cast(_Compute[_Self, _Arguments, _Found], computed)

    return decorate


def _usable(value: object) -> object:
    """Return a tensor that autograd can keep."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def _detached(found: Any) -> Any:  # noqa: ANN401 - the same type as comes in
    if isinstance(found, Tensor):
        return found.detach()
    if is_dataclass(found) and not isinstance(found, type):
        return replace(found, **{each.name: _detached(getattr(found, each.name)) for each in fields(found)})
    if isinstance(found, Mapping):
        return {name: _detached(each) for name, each in found.items()}
    if isinstance(found, tuple | list):
        parts = [_detached(each) for each in found]
        return found._make(parts) if hasattr(found, "_make") else type(found)(parts)
    return found
