"""Common random numbers: counter-based streams, one for each purpose, equal for every loss under the same seed.

A stream is a function of (seed, name); its value at a step is a function of the step alone. Nothing is consumed, so
adding a penalty or a metric cannot shift what another stream gives, and batch `t` of seed `s` can be drawn alone, on
any device. The generator is Philox4x32-10 (Salmon et al., SC 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

import math

import torch
from torch import Tensor

from losses.streams import derive

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_MASK = 0xFFFFFFFF


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return four words of 32 random bits for each counter; words are held in int64 tensors of one shape.

    The product of two 32-bit words fills 64 bits, so it wraps in int64; the arithmetic shift and the mask still give
    its high word exactly.
    """
    x0, x1, x2, x3 = counter
    k0, k1 = key & _MASK, key >> 32
    for _ in range(_ROUNDS):
        p0, p1 = x0 * _MULTIPLIERS[0], x2 * _MULTIPLIERS[1]
        x0, x1, x2, x3 = (
            ((p1 >> 32) & _MASK) ^ x1 ^ k0,
            p1 & _MASK,
            ((p0 >> 32) & _MASK) ^ x3 ^ k1,
            p0 & _MASK,
        )
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return x0, x1, x2, x3


class Stream:
    """The random numbers of one purpose. A draw returns [count, *shape]: the values of `count` steps from `step`."""

    def __init__(self, seed: int, name: str, device: torch.device | str = "cpu") -> None:
        self._key = derive(seed, name)
        self._device = device

    def _words(self, step: int, count: int, words: int) -> Tensor:
        """Return [count, words] random 32-bit integers; `words` is a multiple of four."""
        block = torch.arange(words // 4, dtype=torch.int64, device=self._device)[None, :]
        steps = torch.arange(step, step + count, dtype=torch.int64, device=self._device)[:, None]
        zeros = torch.zeros(count, words // 4, dtype=torch.int64, device=self._device)
        counter = (block + zeros, zeros, (steps & _MASK) + zeros, (steps >> 32) + zeros)
        return torch.stack(philox(counter, self._key), dim=-1).reshape(count, words)

    def integers(self, step: int, shape: tuple[int, ...], high: int, count: int = 1) -> Tensor:
        """Return integers in [0, high), int64. The bias of the multiply-shift is below high / 2^32."""
        size = math.prod(shape)
        words = self._words(step, count, -(-size // 4) * 4)[:, :size]
        return ((words * high) >> 32).reshape(count, *shape)

    def normal(self, step: int, shape: tuple[int, ...], count: int = 1) -> Tensor:
        """Return standard normals, float32, by Box and Muller in float64."""
        size = math.prod(shape)
        pairs = -(-size // 4) * 2
        uniforms = (self._words(step, count, 2 * pairs).double() + 0.5) / 2**32
        radius = torch.sqrt(-2 * torch.log(uniforms[:, :pairs]))
        angle = 2 * math.pi * uniforms[:, pairs:]
        normals = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
        return normals[:, :size].float().reshape(count, *shape)
