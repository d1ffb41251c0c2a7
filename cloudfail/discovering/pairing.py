"""Which things of several regions are members of one resource, from the evidence that stands in the cloud itself.

Evidence is asked for in this order, and what one sort has paired the next does not touch: a tag that says so, a target
that both serve, the same name, the same name less what names the region. A pair has one thing in each of its regions.
Where the same evidence names two things in one region nothing is paired: which of them is meant, a person says. So
what comes out of it does not depend on the order in which things were listed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

TAG = "cloudfail:resource"
"""What an operator can tag things with that belong together: the resource's name."""
STACK, LOGICAL = "aws:cloudformation:stack-name", "aws:cloudformation:logical-id"
ROLE_WORDS = frozenset({"primary", "secondary", "standby", "replica", "dr", "main", "backup"})
ALIKE = 0.6
"""From which similarity on a name is shown beside another one, for a person to say whether they belong together."""
SHOWN_MAX = 12

Words = Mapping[str, frozenset[tuple[str, ...]]]
"""Region -> how people name it within a name, each as its words: ("us", "east", "1"), ("e",)."""


@dataclass(frozen=True)
class Thing:
    """One thing in one region. name: what is compared. member: what cloudfail.yaml writes for it; left out where it is
    the name. serves: what it stands behind, by names that are the same in each region."""

    region: str
    name: str
    member: object = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    serves: frozenset[str] = frozenset()

    @property
    def written(self) -> object:
        return self.member or self.name


@dataclass(frozen=True)
class Pair:
    """One resource: a thing in each of several regions."""

    name: str
    things: Mapping[str, Thing]
    why: str

    @property
    def members(self) -> dict[str, object]:
        return {region: thing.written for region, thing in self.things.items()}


@dataclass(frozen=True)
class Paired:
    """pairs, and what is left: unsure, where evidence names two in one region; alone, where there is none."""

    pairs: tuple[Pair, ...]
    unsure: tuple[tuple[Thing, ...], ...]
    alone: tuple[Thing, ...]


def stem(name: str, region: str, words: Words) -> str:
    """The name without what names its region, or its role there. "" where nothing else is left."""
    parts = re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]+", name.lower())
    words_at = [index for index, part in enumerate(parts) if part[0].isalnum()]
    tokens = [parts[index] for index in words_at]
    for naming in sorted(words.get(region, frozenset()), key=lambda one: (-len(one), one)):
        at = _at(tokens, naming)
        if at is not None:
            parts[words_at[at] : words_at[at + len(naming) - 1] + 1] = [""]
            break
    rest = "".join(part for part in parts if part not in ROLE_WORDS)
    return re.sub(r"[^a-z\d]{2,}", lambda run: "/" if "/" in run[0] else run[0][0], rest).strip(":/-_. ")


def named_region(name: str, words: Words) -> str:
    """The one region that a name names; "" where it names none, or several."""
    tokens = [part.lower() for part in re.findall(r"[A-Za-z]+|\d+", name)]
    longest: dict[str, int] = {}
    for region, namings in words.items():
        found = [len(naming) for naming in namings if _at(tokens, naming) is not None]
        if found:
            longest[region] = max(found)
    best = [region for region, length in longest.items() if length == max(longest.values())]
    return best[0] if len(best) == 1 else ""


def _at(tokens: Sequence[str], naming: tuple[str, ...]) -> int | None:
    """Where these words stand in the name, looked for from its end; never as all of it."""
    for start in range(len(tokens) - len(naming), -1, -1):
        if tuple(tokens[start : start + len(naming)]) == naming and len(tokens) > len(naming):
            return start
    return None


def pair(things: Iterable[Thing], regions: Sequence[str], words: Words) -> Paired:
    """All of them, each once."""
    left = sorted(things, key=lambda one: (one.name, regions.index(one.region)))
    pairs: list[Pair] = []
    unsure: list[tuple[Thing, ...]] = []
    for by, decides in _evidence(words):
        left = list(_settle(left, by, decides, regions, pairs, unsure))
    return Paired(tuple(sorted(pairs, key=lambda one: one.name)), tuple(unsure), tuple(left))


Evidence = Callable[[Thing], Iterable[tuple[str, str, str]]]
"""thing -> (what it has in common, the resource's name, why)"""


def _evidence(words: Words) -> Iterator[tuple[Evidence, bool]]:
    """Each with whether it decides: where it names two in one region, the evidence after it is not asked any more."""
    yield lambda one: [(tag, tag, f"each has the tag {TAG}={tag}") for tag in _tags(one, TAG)], True

    def stack(one: Thing) -> Iterator[tuple[str, str, str]]:
        for logical in _tags(one, LOGICAL):
            for name in _tags(one, STACK):
                common = stem(name, one.region, words)
                yield f"{common}/{logical}", f"{common}-{logical}", f"each is {logical} of the stack {common}"

    yield stack, False
    yield lambda one: [(at, stem(one.name, one.region, words), f"each serves {at}") for at in sorted(one.serves)], False
    yield lambda one: [(one.name, one.name, f"each is called {one.name}")], True

    def by_stem(one: Thing) -> Iterator[tuple[str, str, str]]:
        if common := stem(one.name, one.region, words):
            yield common, common, f"paired by their names alone ({common}): see whether that is right"

    yield by_stem, True


def _tags(one: Thing, key: str) -> list[str]:
    return [one.tags[key]] if one.tags.get(key) else []


def _settle(
    left: Sequence[Thing],
    by: Evidence,
    decides: bool,
    regions: Sequence[str],
    pairs: list[Pair],
    unsure: list[tuple[Thing, ...]],
) -> Iterator[Thing]:
    groups: dict[str, list[tuple[Thing, str, str]]] = defaultdict(list)
    for one in left:
        for common, name, why in by(one):
            groups[common].append((one, name, why))
    gone: set[int] = set()
    for common in sorted(groups):
        group = [(one, name, why) for one, name, why in groups[common] if id(one) not in gone]
        here = {one.region for one, _, _ in group}
        if len(here) < 2:
            continue
        if len(group) == len(here):
            ordered = sorted(group, key=lambda each: regions.index(each[0].region))
            pairs.append(Pair(ordered[0][1] or common, {one.region: one for one, _, _ in ordered}, ordered[0][2]))
        elif decides:
            unsure.append(tuple(one for one, _, _ in group))
        else:
            continue
        gone |= {id(one) for one, _, _ in group}
    yield from (one for one in left if id(one) not in gone)


def asked(what: str, written: str, paired: Paired, unlisted: Sequence[str] = ()) -> Iterator[str]:
    """What a person is asked about the rest. written: the port and kind, as the file has them. unlisted: regions whose
    things of that sort are not known."""
    for group in paired.unsure:
        by_place: dict[str, list[str]] = defaultdict(list)
        for one in group:
            by_place[one.region].append(str(one.written))
        choice = ", ".join(f"{region}: {' or '.join(names)}" for region, names in sorted(by_place.items()))
        yield f"{what}: which of these belong together? Write NAME: {{{written}, members: {{{choice}}}}}"
    by_region: dict[str, list[Thing]] = defaultdict(list)
    for one in paired.alone:
        others = [other for other in paired.alone if other.region != one.region and _alike(one, other)]
        if others and not unlisted:
            if all(one.region <= other.region for other in others):
                yield f"{what}: does {_shown(one)} belong with {_listed(others)}? Their names are alike, and no more."
        else:
            by_region[one.region].append(one)
    missing = f", and {' and '.join(unlisted)} could not be listed" if unlisted else ""
    for region in sorted(by_region):
        names = ", ".join(one.name for one in by_region[region][:SHOWN_MAX])
        more = f" and {len(by_region[region]) - SHOWN_MAX} more" if len(by_region[region]) > SHOWN_MAX else ""
        yield f"{what} in {region} alone{missing}: {names}{more}"


def _alike(one: Thing, other: Thing) -> bool:
    return SequenceMatcher(None, one.name.lower(), other.name.lower(), autojunk=False).ratio() >= ALIKE


def _listed(things: Iterable[Thing]) -> str:
    shown = [_shown(one) for one in things]
    return ", ".join(shown[:SHOWN_MAX]) + (f" and {len(shown) - SHOWN_MAX} more" if len(shown) > SHOWN_MAX else "")


def _shown(one: Thing) -> str:
    return f"{one.name} ({one.region})"
