"""What shares of its traffic a name, or a balancer, can give to a region: the steps that a ramp may take on it."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.config.loaded import Loaded

WHOLE, HALVES = [100], [50, 100]


def steps_for(loaded: Loaded, name: str, written: Sequence[int]) -> list[int]:
    """Those steps (percent, the last one 100) that `name` can carry in the place of `written`."""
    resource = loaded.topology.resources[name]
    divides = loaded.kinds[name].facts("shift", resource).divides if name in loaded.kinds else "not"
    if divides == "percent" or list(written) == WHOLE:
        return list(written)
    # All that serve alike: of two regions that is half. Of more, it depends on how many serve then.
    return list(HALVES if divides == "evenly" and len(resource.members or loaded.topology.regions) == 2 else WHOLE)


def how(steps: Sequence[int]) -> str:
    """What a name does that takes these steps and no others."""
    return "moves all of its users at once" if list(steps) == WHOLE else "answers with one region, or with both alike"


def in_words(steps: Sequence[int]) -> str:
    """1, 10, 50 and 100 %."""
    said = [str(step) for step in steps]
    return f"{', '.join(said[:-1])} and {said[-1]} %" if len(said) > 1 else f"{said[0]} %"
