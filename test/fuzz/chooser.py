"""What decides at each point of a random model: Hypothesis, or a generator of random numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Chooser:
    """Draws from Hypothesis, which makes what is drawn smaller when it has found a failure."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, items: Sequence[T]) -> T:
        return items[self.integer(0, len(items) - 1)]

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def some(self, items: Sequence[T], low: int, high: int) -> list[T]:
        return [self.pick(items) for _ in range(self.integer(low, high))]

    def permutation(self, count: int) -> list[int]:
        return self.draw(st.permutations(range(count)))

    def chance(self, one_in: int) -> bool:
        return self.integer(0, one_in - 1) == one_in - 1

    def flag(self) -> bool:
        return self.draw(st.booleans())


class RandomChooser(Chooser):
    """Draws from a generator: more at random than Hypothesis, which likes to repeat itself."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def permutation(self, count: int) -> list[int]:
        return self.random.sample(range(count), count)

    def flag(self) -> bool:
        return self.random.random() < 0.5
