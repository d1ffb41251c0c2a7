"""A project's databases that take writes in every region, as Spanner's and Firestore's APIs list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.emulators.gcp.standins.project import PROJECT, Labels, paged

EAST, WEST = "us-central1", "europe-west1"
P = f"projects/{PROJECT}"


class Spanner:
    """configs: name -> (quorum, region -> type of the replicas there); instances: name -> (its configuration, its
    databases, its labels)."""

    def __init__(
        self,
        configs: Mapping[str, tuple[str, Mapping[str, str]]],
        instances: Mapping[str, tuple[str, tuple[str, ...], Mapping[str, str]]],
    ) -> None:
        self.configs, self.instances = configs, instances

    def projects_instances_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        told = [
            {"name": f"{P}/instances/{name}", "config": f"{P}/instanceConfigs/{config}", "labels": dict(marks)}
            for name, (config, _, marks) in self.instances.items()
        ]
        return paged("instances", told, query)

    def projects_instance_configs_get(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        name = labels["instanceConfigsId"]
        quorum, replicas = self.configs[name]
        told = [{"location": where, "type": sort} for where, sort in replicas.items()]
        return {"name": f"{P}/instanceConfigs/{name}", "quorumType": quorum, "replicas": told}

    def projects_instances_databases_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        name = labels["instancesId"]
        _, databases, _ = self.instances[name]
        return paged("databases", [{"name": f"{P}/instances/{name}/databases/{one}"} for one in databases], query)


class Firestore:
    """databases: name -> (where it is, what it is). unreachable: what the list could not describe."""

    def __init__(self, **databases: tuple[str, str]) -> None:
        self.databases = databases
        self.unreachable: list[str] = []

    def projects_databases_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        told = [
            {"name": f"{P}/databases/{name}", "locationId": where, "type": sort}
            for name, (where, sort) in self.databases.items()
        ]
        return {"databases": told, **({"unreachable": self.unreachable} if self.unreachable else {})}


def spanner() -> Spanner:
    """Instances of each sort. Nobody of Google's has these regions in one configuration: somebody made them."""
    configs = {
        "both": (
            "MULTI_REGION",
            {EAST: "READ_WRITE", WEST: "READ_ONLY", "europe-west4": "READ_WRITE", "us-east1": "WITNESS"},
        ),
        "dual": ("DUAL_REGION", {EAST: "READ_WRITE", WEST: "READ_WRITE"}),
        "near": ("REGION", {EAST: "READ_WRITE"}),
        "voting": ("MULTI_REGION", {EAST: "READ_WRITE", "us-east4": "READ_WRITE", WEST: "WITNESS"}),
    }
    instances: dict[str, tuple[str, tuple[str, ...], Mapping[str, str]]] = {
        "shop": ("both", ("sessions", "carts"), {"application": "shop"}),
        "pair": ("dual", ("ledger-d",), {}),
        "small": ("near", ("alone-here",), {}),
        "far": ("voting", ("votes",), {}),
        "more": ("both", ("stock",), {}),
    }
    return Spanner(configs, instances)


def firestore() -> Firestore:
    """One that is asked about, one that takes no documents, and one in a single region."""
    made = Firestore(
        carts=("eur3", "FIRESTORE_NATIVE"), old=("nam5", "DATASTORE_MODE"), near=(WEST, "FIRESTORE_NATIVE")
    )
    made.unreachable = [f"{P}/databases/lost"]
    return made
