"""Numbers that look random and depend on nothing but the numbers they are made from.

A roster of day D is computed, never stepped to: each change of each person has its day fixed by a hash of who
and in which year. `hash()` and set order differ from run to run, so that neither is used.
"""

from __future__ import annotations

MASK = (1 << 64) - 1
FACTORS = (6180339887, 2718281829, 3141592653)


def mix(value: int) -> int:
    """64 well-stirred bits of a number below 2**64 (the finalizer of splitmix64)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def key(*parts: int) -> int:
    """64 bits that differ for each sequence of numbers; negative ones are welcome."""
    stirred = 0
    for part in parts:
        stirred = mix((stirred ^ part) & MASK)
    return stirred


def scrambled(index: int, size: int, seed: int, series: int = 0) -> int:
    """Another number below `size` for each index below it, so that ids in a row do not look like a row.

    `size` must be a power of ten: no factor has a divisor in common with it. Two series of 0 to 2 have
    nothing to do with each other.
    """
    return (index * FACTORS[series] + seed * 7919 + 1234567) % size


def base36(number: int) -> str:
    """A number in digits and small letters, for short parts of addresses."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits
