"""What people write in cloudfail.yaml for names on Azure: strict models (an unknown key is a mistake)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_validator

from cloudfail_azure.paths import name_of, pattern, written
from cloudfail_names.names import RecordType, canonical
from cloudfail_names.options import Duration, Seen, Strict, duration

if TYPE_CHECKING:
    ZoneId = str
else:
    ZoneId = written(
        pattern("Microsoft.Network", "dnsZones|privateDnsZones"),
        "id of a DNS zone",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/dnsZones/shop.example",
    )


class AzureDnsMember(Strict):
    """What one region answers with; a plain text is one value."""

    answers: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, data: Any) -> Any:
        return {"answers": (data,)} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        return {"anyOf": [{"type": "string"}, handler.resolve_ref_schema(handler(schema))]}


class AzureDnsOptions(Seen):
    """dns: azure-dns. One record set of one public or private zone. zone: its id."""

    zone: ZoneId
    name: str
    type: RecordType = "A"
    ttl: Duration = duration("60s")

    @model_validator(mode="after")
    def _in_the_zone(self) -> AzureDnsOptions:
        if relative(self.name, self.zone) is None:
            raise ValueError(f"{self.name} is not in the zone {name_of(self.zone)}; write a name that ends in that")
        return self


def relative(name: str, zone: str) -> str | None:
    """The name without its zone, as Azure writes it ("@" is the zone itself); None where it is not in it."""
    whole, domain = canonical(name).rstrip("."), canonical(name_of(zone)).rstrip(".")
    if whole == domain:
        return "@"
    return whole.removesuffix(f".{domain}") if whole.endswith(f".{domain}") else None
