"""Who reaches what. Nodes are regions, `outside`, `store`, `control` (a provider's control plane), `edge` (its data
plane for names and balancers), and vantages by their name."""

from __future__ import annotations

from collections.abc import Iterable

STORE, CONTROL, EDGE, OUTSIDE = "store", "control", "edge", "outside"


class Network:
    """`cut` and `mend` take (from, to) pairs: one direction each. `lost`: how often something did not get through."""

    def __init__(self) -> None:
        self._cut: dict[tuple[str, str], int] = {}
        self.lost = 0

    def cut(self, pairs: Iterable[tuple[str, str]]) -> None:
        for pair in pairs:
            self._cut[pair] = self._cut.get(pair, 0) + 1

    def mend(self, pairs: Iterable[tuple[str, str]]) -> None:
        for pair in pairs:
            left = self._cut.get(pair, 0) - 1
            if left > 0:
                self._cut[pair] = left
            else:
                self._cut.pop(pair, None)

    def mend_all(self) -> None:
        self._cut.clear()

    @property
    def whole(self) -> bool:
        return not self._cut

    def passes(self, a: str, b: str) -> bool:
        """Whether what `a` sends arrives at `b`."""
        if self._cut and (a, b) in self._cut:
            self.lost += 1
            return False
        return True

    def answers(self, a: str, b: str) -> bool:
        """Whether `b` can be asked from `a`: there and back."""
        return self.passes(a, b) and self.passes(b, a)
