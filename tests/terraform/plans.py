"""Plans of the modules' examples, as `terraform show -json` tells them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.terraform.roots import TERRAFORM, Workplace

AWS, GCP, AZURE = (f"modules/{cloud}-runner" for cloud in ("aws", "gcp", "azure"))
ACCOUNT = "123456789012"
ARCHIVE = {
    "archive": str(TERRAFORM / AWS / "tests/archive"),
    "archive_sha256": "9f4859070c9b012c7e4bc5395882f14ccf9bf749feaafc0fd9997734762a38bb",
}


class Plan:
    """A plan of an example. resources: by "type.name", what each would be created with."""

    def __init__(self, shown: Any) -> None:
        [module] = shown["planned_values"]["root_module"]["child_modules"]
        self.resources: dict[str, Any] = {
            one["address"].removeprefix("module.runner."): one["values"] for one in module["resources"]
        }
        self.outputs = {name: one.get("value") for name, one in shown["planned_values"]["outputs"].items()}
        called = shown["configuration"]["root_module"]["module_calls"]["runner"]["module"]
        self._written = {one["address"]: one.get("expressions", {}) for one in called["resources"]}

    def counts(self) -> Counter[str]:
        return Counter(address.partition(".")[0] for address in self.resources)

    def policy(self, address: str, attribute: str = "policy") -> Any:
        return json.loads(self.resources[address][attribute])["Statement"]

    def references(self, address: str, *path: str) -> list[str]:
        """What an argument is made from; for a block in a list, the first."""
        written = self._written[address]
        for name in path:
            written = written[0] if isinstance(written, list) else written
            written = written[name]
        return [str(one) for one in written["references"]]


def planned(workplace: Workplace, module: str, **variables: str) -> Plan:
    example = workplace.copy() / module / "examples/minimal"
    workplace.init(example)
    return Plan(workplace.plan(example, {**ARCHIVE, **variables}))
