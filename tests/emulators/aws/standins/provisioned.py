"""The list of what a function has provisioned, which no emulator has."""

from __future__ import annotations

from typing import Any

from tests.emulators.aws.asked import Asked

OPERATION = "ListProvisionedConcurrencyConfigs"


class Provisioned:
    """`qualifiers`: by function, the same in each region."""

    def __init__(self, account: str, qualifiers: dict[str, list[str]]) -> None:
        self._account = account
        self._qualifiers = qualifiers

    def list_provisioned_concurrency_configs(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        name = given["FunctionName"]
        arn = f"arn:aws:lambda:{what.region}:{self._account}:function:{name}"
        told = [{"FunctionArn": f"{arn}:{one}", "Status": "READY"} for one in self._qualifiers.get(name, [])]
        return {"ProvisionedConcurrencyConfigs": told}
