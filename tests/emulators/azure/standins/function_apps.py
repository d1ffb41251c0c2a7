"""Function apps, their slots and their settings, and a queue on loopback whose messages their functions take.

As their documentation has it: a PUT of the settings replaces all of them, and the app restarts, after which its host
reads anew which functions are disabled (`restart_seconds`). One that is stopped runs nothing.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused
from tests.emulators.azure.standins.arm import GROUP, Resources
from tests.emulators.gcp.standins.delivering import Delivering, comes

SITES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web/sites"
OWN_SETTINGS = {
    "AzureWebJobsStorage": "@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/books)",
    "FUNCTIONS_WORKER_RUNTIME": "python",
    "API_KEY": "hunter2",
}


class FunctionApps(Delivering, Resources):
    """`obeying`: while it is not set, settings are taken and told, and the functions run on as before."""

    service = "web"

    def __init__(self, *, restart_seconds: float = 0.0, **more: Any) -> None:
        self.settings: dict[str, dict[str, str]] = {}
        self.tied: list[str] = []
        self.restart_seconds = restart_seconds
        self._waiting: dict[str, list[str]] = {}
        self._disabled: dict[str, bool] = {}
        self._restarts: dict[str, float] = {}
        self._words = itertools.count()
        super().__init__(**more)

    def touch(self, id_: str) -> None:
        """Nothing of it has an ETag."""

    def function(self, app: str, region: str, *, disabled: bool = False, name: str = "Close") -> str:
        """Of an app, or of a slot of one (`books/slots/staging`). One that was never turned has no setting."""
        site = self.put(f"{SITES}/{app}", {"location": region, "properties": {"state": "Running"}}, region)
        self.settings[site.lower()] = dict(OWN_SETTINGS) | ({_switch(name): "true"} if disabled else {})
        made = self.put(f"{site}/functions/{name}", {"properties": {"isDisabled": disabled}}, region)
        with self.lock:
            self._waiting[made.lower()] = []
            self._disabled[made.lower()] = disabled
        return made

    def delivers(self, function: str, *, expected: bool) -> bool:
        """Whether the function runs for a message that is sent now."""
        word = f"word-{next(self._words)}."
        with self.lock:
            self._waiting[function.lower()].append(word)
        return comes(lambda: self.receiver.heard(word), expected=expected)

    def due(self) -> list[tuple[str, str, Callable[[], None]]]:
        self._restarted()

        def taken(function: str, word: str) -> Callable[[], None]:
            return lambda: self._waiting[function].remove(word)

        return [
            (self.receiver.url, word, taken(function, word))
            for function, words in self._waiting.items()
            if not self._disabled[function] and self._runs(function)
            for word in words
        ]

    def web_apps_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def web_apps_get_slot(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def web_apps_list_slots(self, ask: Ask) -> dict[str, Any]:
        return {"value": self.below(ask.path)}

    def web_apps_list_slot_configuration_names(self, ask: Ask) -> dict[str, Any]:
        return {"properties": {"appSettingNames": self.tied}}

    def web_apps_get_function(self, ask: Ask) -> dict[str, Any]:
        with self.lock:
            self._restarted()
            return self.at(ask.path)

    def web_apps_get_instance_function_slot(self, ask: Ask) -> dict[str, Any]:
        return self.web_apps_get_function(ask)

    def web_apps_list_application_settings(self, ask: Ask) -> dict[str, Any]:
        return {"properties": dict(self.settings[self._site(ask)])}

    def web_apps_list_application_settings_slot(self, ask: Ask) -> dict[str, Any]:
        return self.web_apps_list_application_settings(ask)

    def web_apps_update_application_settings(self, ask: Ask) -> dict[str, Any]:
        """All of them; and the app restarts."""
        site = self._site(ask)
        if not all(isinstance(one, str) for one in ask.body["properties"].values()):
            raise Refused(400, "BadRequest", "The value of a setting is text.")
        with self.lock:
            self.settings[site] = dict(ask.body["properties"])
            self._restarts[site] = time.monotonic() + self.restart_seconds
            self._restarted()
        return {"properties": dict(self.settings[site])}

    def web_apps_update_application_settings_slot(self, ask: Ask) -> dict[str, Any]:
        return self.web_apps_update_application_settings(ask)

    def _site(self, ask: Ask) -> str:
        site = ask.path.lower().partition("/config/")[0]
        self.at(site)
        return site

    def _runs(self, function: str) -> bool:
        site = function.rpartition("/functions/")[0]
        return bool(self._bodies[site]["properties"]["state"] == "Running")

    def _restarted(self) -> None:
        """Hosts that are up again have read their settings."""
        for site, at in list(self._restarts.items()):
            if time.monotonic() < at:
                continue
            del self._restarts[site]
            for id_, body in self._bodies.items():
                if id_.startswith(f"{site}/functions/"):
                    disabled = self.settings[site].get(_switch(body["name"]), "false") == "true"
                    body["properties"]["isDisabled"] = disabled
                    if self.obeying:
                        self._disabled[id_] = disabled


def _switch(name: str) -> str:
    return f"AzureWebJobs.{name}.Disabled"
