"""What people write in cloudfail.yaml for accounts of Cosmos DB for NoSQL: strict models (an unknown key is a mistake).

A member is the account's own address in that region, `https://ACCOUNT-REGION.documents.azure.com`: the account's
general one leads to whichever region takes writes, and shows nothing of a region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_azure.paths import pattern, written

if TYPE_CHECKING:
    AccountId = str
else:
    AccountId = written(
        pattern("Microsoft.DocumentDB", "databaseAccounts"),
        "id of an account of Cosmos DB",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.DocumentDB/databaseAccounts/NAME",
    )
# No character that a path would have to encode: "Resource names" of the REST reference allows more.
Collection = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}/[A-Za-z0-9_.-]{1,200}$")]
Endpoint = Annotated[str, Field(pattern=r"^https://[A-Za-z0-9.-]+(:\d{1,5})?/?$")]


class CosmosMember(Shape):
    """The account in one region, by its address there."""

    endpoint: Endpoint

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"endpoint": value} if isinstance(value, str) else value


class CosmosOptions(Shape):
    """documents: DATABASE/CONTAINER that is cloudfail's own, with the partition key `/id`. answer_within bounds what is
    asked of documents, api_within what is asked of the account's description, both with their second attempts.
    heartbeat_stale: what a region shows of the others' writes counts as replicated while it is no older than that."""

    account: AccountId
    documents: Collection
    answer_within: PositiveDuration = Seconds(4)
    api_within: PositiveDuration = Seconds(8)
    heartbeat_stale: PositiveDuration = Seconds(60)
