"""Databases that take writes in every region: Spanner's, of multi-region instances, and Firestore's, in multi-region
locations. Nothing of them moves: they are drafted so that it is shown that a region is served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.database.firestore import in_several_regions
from cloudfail_gcp.database.spanner import MULTI_REGION, replicas_of
from cloudfail_gcp.database.spanner_rows import TYPES
from cloudfail_gcp.discovering.looking import Look

TABLE = (
    "fill in: make the table `cloudfail` in it, where cloudfail writes; the docs of database: spanner have its columns"
)
NATIVE = "FIRESTORE_NATIVE"


def found(look: Look) -> Iterator[Found | str]:
    """Spanner's, then Firestore's."""
    yield from _spanner(look)
    yield from _firestore(look)


def _spanner(look: Look) -> Iterator[Found | str]:
    """Where one instance cannot be read whole none is taken for all."""
    told = look.each("Spanner databases", lambda _at: list(_databases(look)), ("global",)).get("global", [])
    for path, config, databases in told:
        quorum, there = str(config.get("quorumType") or ""), replicas_of(config)
        members = {
            region: next(words for words, sort in TYPES.items() if (region, sort) in there)
            for region in look.wanted.regions
            if any((region, sort) in there for sort in TYPES.values())
        }
        if len(members) < 2:
            continue
        shown = ", ".join(f"{region}: {words}" for region, words in members.items())
        why = f"{path} is an instance of {str(config['name']).rpartition('/')[2]}, which has replicas in each"
        for database in databases:
            name = database.rpartition("/")[2]
            if quorum != MULTI_REGION:
                yield f"{database} ({shown}) is {quorum or 'of no known quorum'}: no kind goes on by itself with it."
            elif not look.takes(PortName.DATABASE, "spanner", members, {}):
                yield f"{database} ({why}): nothing here drafts database: spanner of {shown}."
            else:
                yield Found(PortName.DATABASE, "spanner", name, members, why, id=database, remarks=(TABLE,))


def _databases(look: Look) -> Iterator[tuple[str, Mapping[str, Any], list[str]]]:
    """(an instance, its configuration, its databases). A configuration is asked for once."""
    configs: dict[str, Mapping[str, Any]] = {}
    instances = look.pages("spanner", "global", f"v1/projects/{look.project}/instances", "instances")
    for one in sorted(instances, key=lambda one: str(one["name"])):
        if look.is_meant(one.get("labels")):
            name, config = str(one["name"]), str(one["config"])
            if config not in configs:
                configs[config] = look.read("spanner", "global", f"v1/{config}")
            listed = look.pages("spanner", "global", f"v1/{name}/databases", "databases")
            yield name, configs[config], sorted(str(each["name"]) for each in listed)


def _firestore(look: Look) -> Iterator[str]:
    """Each is asked about: a member is a proxy in its region, and nothing in a project says which one that is. They
    have no labels."""
    path = f"v1/projects/{look.project}/databases"
    told = look.each("Firestore databases", lambda _at: look.read("firestore", "global", path), ("global",))
    answer = told.get("global", {})
    for name in sorted(map(str, answer.get("unreachable") or ())):
        yield f"{name} of Firestore could not be described: where is it?"
    for one in sorted(answer.get("databases") or (), key=lambda one: str(one["name"])):
        name, location = str(one["name"]), str(one.get("locationId") or "")
        if not in_several_regions(location):
            continue
        where = f"{name} of Firestore, in {location}, takes writes in every region"
        if one.get("type") != NATIVE:
            yield f"{where}; it is {one.get('type')}, which no kind here asks."
            continue
        regions = " and ".join(look.wanted.regions)
        yield (
            f"{where}. A member of database: firestore is the URL of an HTTP proxy that stands in its region: which "
            f"ones stand in {regions}? Its path: {name}"
        )
