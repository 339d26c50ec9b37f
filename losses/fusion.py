"""A loss on logits and its gradient by them from one compiled function, so that the backward is a multiplication.

    from losses.fusion import fused

    method = losses.get("hinge + r1")
    method = dataclasses.replace(method, objective=fused(method.objective))

No GPU has shown a gain yet, so this is an experiment beside the library: `bench kernels --mode compiled` times it, and
`import losses` does not load it.

An objective is a dozen tiny operators forward and as many backward, and on a GPU each of them is a launch. Fused, the
forward computes the value L and the slopes dL/da and dL/db together, and the backward multiplies the slopes by what
comes in. So a loss can be differentiated once, which is all that training asks for: penalties differentiate the critic
twice, not the loss.

Legend: a, b are the logits of real and of generated images, [B] or [B, outputs]; a program is a compiled function.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache, cached_property
from types import FunctionType
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from losses.parts import Objective
from losses.suggest import did_you_mean
from losses.types import Phase

AnyObjective = TypeVar("AnyObjective", bound=Objective)
Program = Callable[..., tuple[Tensor, ...]]
"""Logits to the value and its slopes, in the order of the logits that have one."""


def fused(objective: AnyObjective, *, backend: str = "inductor") -> AnyObjective:
    """Return the same objective with its value and its gradient by the logits computed by one compiled function.

    It has the name, the parameters, the needs and the critic of the plain one, and methods with it are spelled alike;
    yet the two are not equal, because their numbers differ in the last digits. The attribute `plain` is the plain one.
    Every shape, type and device of logits is compiled at its first use, which takes seconds and is kept while the
    process lives. Vector heads are fused too. Autocast is off inside. Within a function that torch.compile is
    compiling, and under a TorchDispatchMode such as one that counts operations, it computes as the plain one.

    Args:
        objective: any; a fused one is fused anew for the other backend.
        backend: one of torch.compile's: "inductor" writes C++ on the CPU, for which it needs a compiler such as g++,
            and Triton on CUDA. "eager" needs none and is not faster: it is there to look for mistakes.

    Raises:
        TypeError: for something else than an objective.
        ValueError: for a backend that torch does not have.

    The losses raise what the plain ones raise, and RuntimeError where the compiler is missing or fails, at the first
    use; and where the loss is differentiated twice.
    """
    if not isinstance(objective, Objective):
        raise TypeError(
            f"expected an objective, got {type(objective).__name__}: to fuse that of a method, "
            f"replace(method, objective=fused(method.objective))"
        )
    known = torch.compiler.list_backends(exclude_tags=())
    if backend not in known:
        raise ValueError(f"torch has no backend {backend!r}{did_you_mean(backend, known)}; it has {', '.join(known)}")
    plain = objective.plain if isinstance(objective, FusedObjective) else objective
    return cast(AnyObjective, _fused_class(type(plain), backend)(**_parameters(plain)))


class FusedObjective(Objective):
    """What `fused` adds to an objective's class. Made by it alone."""

    plain_class: ClassVar[type[Objective]]
    backend: ClassVar[str]

    @cached_property
    def plain(self) -> Objective:
        """The objective that this one computes, one operator after another."""
        return self.plain_class(**_parameters(self))

    @property
    def alias(self) -> Objective | None:
        alias = self.plain.alias
        return None if alias is None else fused(alias, backend=self.backend)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        if _is_seen_through():
            return self.plain_class.discriminator(self, real_logits, fake_logits)
        return _loss(self.plain, "discriminator", self.backend, real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        if _is_seen_through():
            return self.plain_class.generator(self, fake_logits, real_logits)
        if real_logits is None or not self.needs_real_in_generator:
            return _loss(self.plain, "generator", self.backend, fake_logits)
        return _loss(self.plain, "generator", self.backend, fake_logits, real_logits)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        # The class is made at run time, so copies and pickles are made from what it was made of.
        return _again, (self.plain, self.backend)


def _is_seen_through() -> bool:
    """Whether someone follows each operator: who compiles the whole, and fuses this with the rest, or who counts them.

    torch refuses to compile under the eyes of the latter.
    """
    return torch.compiler.is_compiling() or is_in_torch_dispatch_mode()


def _again(plain: Objective, backend: str) -> Objective:
    return fused(plain, backend=backend)


@cache
def _fused_class(plain: type[Objective], backend: str) -> type[Objective]:
    """Return a subclass, so that fields, class attributes, equality and spelling are the plain class's own."""
    members = {
        "plain_class": plain,
        "backend": backend,
        "__doc__": plain.__doc__,
        "__module__": plain.__module__,
        "__qualname__": f"Fused{plain.__qualname__}",
    }
    return type(f"Fused{plain.__name__}", (FusedObjective, plain), members)


def _parameters(objective: Objective) -> dict[str, Any]:
    return {spec.name: getattr(objective, spec.name) for spec in fields(objective)}


# --- one loss -----------------------------------------------------------------------------------------------------


class _Logits(NamedTuple):
    """What decides which program a batch of logits needs."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device
    has_gradient: bool


class _Compiled(NamedTuple):
    """The program for a signature, and which of the logits it gives slopes by: those that the loss depends on."""

    program: Program
    by: tuple[int, ...]
    name: str


def _loss(plain: Objective, phase: Phase, backend: str, *logits: Tensor) -> Tensor:
    kind = logits[0].device.type
    if torch.is_autocast_enabled(kind):  # as in a method: losses are computed in full precision
        with torch.autocast(kind, enabled=False):
            return _loss(plain, phase, backend, *logits)
    compiled = _compiled(plain, phase, backend, tuple(map(_signature, logits)))
    if compiled.by:
        return cast(Tensor, _KnownSlopes.apply(compiled, *logits))
    with torch.no_grad():
        return compiled.program(*(tensor.detach() for tensor in logits))[0]


def _of(objective: Objective, phase: Phase) -> Callable[..., Tensor]:
    return objective.discriminator if phase == "discriminator" else objective.generator


def _signature(logits: Tensor) -> _Logits:
    return _Logits(logits.shape, logits.dtype, logits.device, logits.requires_grad and torch.is_grad_enabled())


@cache
def _compiled(plain: Objective, phase: Phase, backend: str, signatures: tuple[_Logits, ...]) -> _Compiled:
    """Compile a loss for one signature of its logits, by trying it on zeros."""
    loss = _of(plain, phase)
    zeros = [torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device) for tensor in signatures]
    by = _dependencies(loss, zeros, [tensor.has_gradient for tensor in signatures])
    made = _program(loss, by, backend)
    try:
        with torch.no_grad():
            made(*zeros)
    except RuntimeError as error:  # what torch raises for a missing compiler and for one that fails
        raise RuntimeError(
            f"{plain.name} cannot be fused on {zeros[0].device.type} by the backend {backend!r}: {_reason(error)}; "
            f"inductor needs a C++ compiler such as g++ on the CPU and Triton on CUDA: install it, or use the plain "
            f"objective"
        ) from error
    return _Compiled(made, by, plain.name)


def _dependencies(loss: Callable[..., Tensor], logits: list[Tensor], wanted: list[bool]) -> tuple[int, ...]:
    """Return which of the logits the loss has a slope by, where one is wanted; raise what the plain loss raises."""
    leaves = [tensor.clone().requires_grad_(wants) for tensor, wants in zip(logits, wanted, strict=True)]
    value = loss(*leaves)
    indices = [index for index, leaf in enumerate(leaves) if leaf.requires_grad]
    if not value.requires_grad:
        return ()
    slopes = torch.autograd.grad(value, [leaves[index] for index in indices], allow_unused=True)
    return tuple(index for index, slope in zip(indices, slopes, strict=True) if slope is not None)


def _program(loss: Callable[..., Tensor], by: tuple[int, ...], backend: str) -> Program:
    plain = _value_and_slopes(loss, by)
    # torch counts what it compiles by code object and gives up on the ninth: each loss gets a code object of its own.
    own = FunctionType(plain.__code__.replace(), plain.__globals__, plain.__name__, None, plain.__closure__)
    return cast(Program, torch.compile(own, fullgraph=True, dynamic=False, backend=backend))


def _value_and_slopes(loss: Callable[..., Tensor], by: tuple[int, ...]) -> FunctionType:
    def value_and_slopes(*logits: Tensor) -> tuple[Tensor, ...]:
        if not by:
            return (loss(*logits),)
        slopes, value = torch.func.grad_and_value(loss, by)(*logits)
        # A constant slope reads nothing, so that Triton would write it in a kernel of its own: let it read its logits.
        read = [logits[index] == logits[index] for index in by]
        return value, *(torch.where(tensor, slope, slope) for tensor, slope in zip(read, slopes, strict=True))

    return cast(FunctionType, value_and_slopes)


def _reason(error: BaseException) -> str:
    """Return the first line of what lies at the bottom of an error of torch's, which wraps what a backend raises."""
    while (below := getattr(error, "inner_exception", None) or error.__cause__) is not None:
        error = below
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")


# --- its derivative -----------------------------------------------------------------------------------------------


class _KnownSlopes(Function):
    """A loss whose slopes come with its value. Its backward is scaled slopes, of which nobody knows the derivative."""

    @staticmethod
    def forward(ctx: Any, compiled: _Compiled, *logits: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        value, *slopes = compiled.program(*(tensor.detach() for tensor in logits))
        ctx.compiled = compiled
        ctx.save_for_backward(*slopes, *logits)
        return value

    @staticmethod
    def backward(ctx: Any, outgoing: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        compiled: _Compiled = ctx.compiled
        count = len(compiled.by)
        slopes, logits = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        scaled = _ScaledSlopes.apply(compiled.name, outgoing, count, *slopes, *logits)
        gradients: list[Tensor | None] = [None] * len(logits)
        for index, slope in zip(compiled.by, scaled, strict=True):
            gradients[index] = slope
        return None, *gradients


class _ScaledSlopes(Function):
    """The slopes times a scalar. The logits are given so that whoever differentiates by them arrives here."""

    @staticmethod
    def forward(ctx: Any, name: str, outgoing: Tensor, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        ctx.name = name
        return tuple(torch._foreach_mul(tensors[:count], outgoing))  # one launch for both batches

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        raise RuntimeError(
            f"{ctx.name} is fused, which gives its gradient once, and it is being differentiated twice: use the plain "
            f"objective, the attribute `plain` of the fused one"
        )
