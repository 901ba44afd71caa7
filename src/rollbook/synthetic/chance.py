"""Numbers that look random and follow only from the numbers they are made from.

The roster of a day is computed directly, not day by day: a hash of the person and the year fixes the day of
each change. `hash()` and the order of sets differ between runs, so neither is used.
"""

from __future__ import annotations

MASK = (1 << 64) - 1
FACTORS = (6180339887, 2718281829, 3141592653)


def mix(value: int) -> int:
    """64 well-mixed bits of a number below 2**64 (the finalizer of splitmix64)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def key(*parts: int) -> int:
    """64 bits that differ for each sequence of numbers; negative numbers are allowed."""
    stirred = 0
    for part in parts:
        stirred = mix((stirred ^ part) & MASK)
    return stirred


def scrambled(index: int, size: int, seed: int, series: int = 0) -> int:
    """Another number below `size` for each index below it, so that consecutive indexes give ids that look
    random.

    `size` must be a power of ten: no factor has a divisor in common with it. Series 0 to 2 are independent of
    each other.
    """
    return (index * FACTORS[series] + seed * 7919 + 1234567) % size


def base36(number: int) -> str:
    """A number in digits and lower-case letters, for short parts of addresses."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits
