"""Where a resource is, as Resource Manager words it:
`/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/trafficManagerProfiles/N`.

An id is the same in any case, and Azure gives it back in another one than it was written in: they are compared by
`same`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from cloudfail.config.fields import mistake
from cloudfail.errors import Permanent

_GROUP = r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[\w().-]{1,90}"
_NAME = r"[\w.-]{1,260}"
Region = Annotated[str, Field(pattern=r"^[a-z]+[0-9]*$", examples=["westeurope"])]


def pattern(provider: str, *types: str) -> re.Pattern[str]:
    """Of a resource of that provider ("Microsoft.Network") and type ("routeTables", "routes": one below the other; "|"
    between several)."""
    below = "".join(rf"/(?:{one})/{_NAME}" for one in types)
    return re.compile(rf"{_GROUP}/providers/{re.escape(provider)}{below}", re.IGNORECASE)


def name_of(id_: str) -> str:
    return id_.rpartition("/")[2]


def parent_of(id_: str) -> str:
    """The resource above one that stands below another: of an endpoint, its profile."""
    return id_.rsplit("/", 2)[0]


def type_of(id_: str) -> str:
    """The type of what an id names: "dnsZones"."""
    return id_.rsplit("/", 2)[1]


def subscription_of(id_: str) -> str:
    """The subscription in which an id is: `/subscriptions/S`."""
    return "/".join(id_.split("/")[:3])


def group_of(id_: str) -> str:
    """The name of the resource group in which an id is."""
    return id_.split("/")[4]


def plain_region(location: str) -> str:
    """A region's name out of how it is shown, or told by older services: "West Europe" is westeurope."""
    return "".join(location.split()).lower()


def must_stand(what: str, region: str, location: str, resource: str, *, hint: str = "") -> None:
    """Raises Permanent where `what` stands in another region than is written: the one slip that would change the region
    that is lost. location: as Azure tells it; resource: which is to be corrected in the file."""
    stands = plain_region(location)
    if stands != region:
        raise Permanent(
            f"{what}, which is written for {region}, stands in {stands}.",
            "Nothing was changed.",
            f"Correct {resource} in cloudfail.yaml.{hint and ' '}{hint}",
        )


def same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def written(accepted: re.Pattern[str], what: str, instead: str) -> Any:
    """A field that takes such an id."""

    def check(value: Any) -> Any:
        if not isinstance(value, str) or not accepted.fullmatch(value):
            raise mistake(f"this is no {what}", f"write {instead}")
        return value

    schema = {"type": "string", "pattern": f"^{accepted.pattern}$"}
    return Annotated[str, BeforeValidator(check), WithJsonSchema(schema)]
