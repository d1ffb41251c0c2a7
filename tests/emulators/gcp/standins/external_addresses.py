"""Static external addresses of a region, and instances whose interfaces hold them.

As the references of `addresses` and `instances` have it: an interface has one access configuration at most; an address
that is in use is given to nobody else, and only within its region; an access configuration is taken away by its name,
and a name that is not there is answered like any other (github.com/doitintl/kubeip, issue 59); labels are set under the
fingerprint of the labels.
"""

from __future__ import annotations

import copy
from typing import Any

from cloudfail_gcp.paths import region_of
from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.operations import BASE, Operations, fingerprint

NAT = "External NAT"


class ExternalAddresses(Operations):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._addresses: dict[str, dict[str, Any]] = {}
        self._instances: dict[str, dict[str, Any]] = {}

    def address(self, path: str, value: str, **more: Any) -> str:
        self._addresses[path] = {
            "kind": "compute#address",
            "name": path.rpartition("/")[2],
            "selfLink": BASE + path,
            "address": value,
            "addressType": "EXTERNAL",
            "networkTier": "PREMIUM",
            **more,
        }
        return path

    def instance(self, path: str, *, interfaces: int = 1) -> str:
        self._instances[path] = {
            "kind": "compute#instance",
            "name": path.rpartition("/")[2],
            "selfLink": BASE + path,
            "status": "RUNNING",
            "networkInterfaces": [{"name": f"nic{number}"} for number in range(interfaces)],
        }
        return path

    def edit(self, instance: str, **changes: Any) -> None:
        self._instances[instance].update(changes)

    def give(self, instance: str, value: str, *, name: str = NAT, interface: str = "nic0") -> None:
        """As a person does."""
        config = {"kind": "compute#accessConfig", "type": "ONE_TO_ONE_NAT", "name": name, "natIP": value}
        self._interface(instance, interface)["accessConfigs"] = [config]

    def let_go(self, instance: str, interface: str = "nic0") -> None:
        self._interface(instance, interface).pop("accessConfigs", None)

    def held(self, value: str) -> str:
        """The data plane: which instance packets to that address reach at this moment, "" for none. It only reads."""
        for path, instance in list(self._instances.items()):
            for interface in instance["networkInterfaces"]:
                if any(one.get("natIP") == value for one in interface.get("accessConfigs") or ()):
                    return path if instance["status"] == "RUNNING" else ""
        return ""

    def config(self, instance: str, interface: str = "nic0") -> dict[str, Any]:
        return copy.deepcopy((self._interface(instance, interface).get("accessConfigs") or [{}])[0])

    def labels(self, path: str) -> dict[str, str]:
        self.settle()
        return dict(self._addresses[path].get("labels") or {})

    # ---- methods

    def addresses_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path = f"projects/{labels['project']}/regions/{labels['region']}/addresses/{labels['address']}"
        if path not in self._addresses:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        told = copy.deepcopy(self._addresses[path])
        told["labelFingerprint"] = fingerprint(told.get("labels") or {})
        users = self._users(told["address"])
        return told | (
            {"status": "IN_USE", "users": [BASE + user for user in users]} if users else {"status": "RESERVED"}
        )

    def addresses_set_labels(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path = f"projects/{labels['project']}/regions/{labels['region']}/addresses/{labels['resource']}"
        address = self._addresses[path]
        if query.get("requestId", "") not in self._by_request and body.get("labelFingerprint") != fingerprint(
            address.get("labels") or {}
        ):
            raise Refused(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")
        told = dict(body.get("labels") or {})
        return self.order("setLabels", path, query, lambda: address.update(labels=told))

    def instances_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._instances[self._there(labels)])

    def instances_add_access_config(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path, name = self._there(labels), query["networkInterface"]
        if query.get("requestId", "") in self._by_request:
            return self.order("addAccessConfig", path, query, lambda: None)
        self._may_be_given(path, name, body)
        told = {"kind": "compute#accessConfig", **body}

        def add() -> None:
            if not self._users(body["natIP"]):
                self._interface(path, name)["accessConfigs"] = [told]

        return self.order("addAccessConfig", path, query, add)

    def instances_delete_access_config(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self.settle()
        path, name = self._there(labels), query["networkInterface"]
        if query.get("requestId", "") in self._by_request:
            return self.order("deleteAccessConfig", path, query, lambda: None)
        self._interface(path, name)
        self._ready(path)

        def delete() -> None:
            if self.config(path, name).get("name") == query["accessConfig"]:
                self.let_go(path, name)

        return self.order("deleteAccessConfig", path, query, delete)

    def _may_be_given(self, path: str, interface: str, body: dict[str, Any]) -> None:
        value = body["natIP"]
        self._ready(path)
        if self._interface(path, interface).get("accessConfigs"):
            raise Refused(400, "badRequest", "At most one access config currently supported.")
        address = next((one for one in self._addresses.values() if one["address"] == value), None)
        if address is None or region_of(str(address["selfLink"]).removeprefix(BASE)) != region_of(path):
            raise Refused(400, "invalid", f"Invalid value for field 'resource.natIP': '{value}'.")
        if self._users(value):
            raise Refused(400, "invalid", f"External IP address: '{value}' is already in-use.")

    def _ready(self, path: str) -> None:
        if self.busy(path):
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")

    def _users(self, value: str) -> list[str]:
        return [
            path
            for path, instance in self._instances.items()
            for interface in instance["networkInterfaces"]
            if any(one.get("natIP") == value for one in interface.get("accessConfigs") or ())
        ]

    def _there(self, labels: dict[str, str]) -> str:
        path = f"projects/{labels['project']}/zones/{labels['zone']}/instances/{labels['instance']}"
        if path not in self._instances:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return path

    def _interface(self, path: str, name: str) -> dict[str, Any]:
        found = next((one for one in self._instances[path]["networkInterfaces"] if one["name"] == name), None)
        if found is None:
            raise Refused(400, "invalid", f"Invalid value for field 'networkInterface': '{name}'.")
        whole: dict[str, Any] = found
        return whole
