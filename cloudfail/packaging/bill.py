"""The bill of materials: a CycloneDX document of what the archive holds, read from the archive's own metadata.

It says nothing of when and where: its serial number is derived from the archive's digest, so that the same archive has
the same bill (cyclonedx.org, specification 1.6).
"""

from __future__ import annotations

import json
import uuid
from email.message import Message
from email.parser import BytesParser
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from cloudfail.packaging.archive import Built
from cloudfail.packaging.lock import normalised
from cloudfail.packaging.targets import Target

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "cloudfail/archive")
_LICENCE_NAME_MAX = 80
"""Some packages have their licence's whole text where its name belongs."""


def bill_of(name: str, target: Target, built: Built) -> str:
    """As JSON."""
    found = sorted((_component(one) for one in _metadata(built)), key=lambda one: str(one["purl"]))
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, built.digest)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "cloudfail", "version": version("cloudfail")}]},
            "component": {
                "type": "application",
                "bom-ref": "archive",
                "name": name,
                "hashes": [{"alg": "SHA-256", "content": built.digest}],
                "properties": [
                    {"name": "cloudfail:cloud", "value": target.cloud.name},
                    {"name": "cloudfail:python", "value": target.python},
                    {"name": "cloudfail:architecture", "value": target.architecture},
                ],
            },
        },
        "components": found,
        "dependencies": [{"ref": "archive", "dependsOn": [one["bom-ref"] for one in found]}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _metadata(built: Built) -> list[Message]:
    names = [PurePosixPath(name) for name in built.files]
    metadata = [path for path in names if path.name == "METADATA" and path.parent.name.endswith(".dist-info")]
    return [BytesParser().parsebytes(built.files[str(path)], headersonly=True) for path in metadata]


def _component(said: Message) -> dict[str, Any]:
    name, number = normalised(str(said["Name"])), str(said["Version"])
    purl = f"pkg:pypi/{name}@{number}"
    component: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl}
    licences = _licences(said)
    return {**component, "licenses": licences} if licences else component


def _licences(said: Message) -> list[dict[str, Any]]:
    """What the package says of itself, the exact way first; [] if it says nothing that is a name."""
    if said["License-Expression"]:
        return [{"expression": str(said["License-Expression"])}]
    named = str(said["License"] or "").strip()
    if named and "\n" not in named and len(named) <= _LICENCE_NAME_MAX and named.upper() != "UNKNOWN":
        return [{"license": {"name": named}}]
    classified = [str(one) for one in said.get_all("Classifier", []) if str(one).startswith("License :: ")]
    return [{"license": {"name": one.rpartition(" :: ")[2]}} for one in sorted(set(classified))]
