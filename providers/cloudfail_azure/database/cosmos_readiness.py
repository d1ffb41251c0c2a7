"""What of an account of Cosmos DB would refuse a verb on the bad day, make it something else than it seems, or move it
without anybody here.

Source: "Disaster recovery guidance for Azure Cosmos DB", "Manage an Azure Cosmos DB account", "Consistency levels".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudfail_azure.database.cosmos_accounts import BOUNDED, STRONG, SUCCEEDED, Account, place_of
from cloudfail_azure.database.cosmos_options import CosmosMember

AUTOMATIC_OFF = "az cosmosdb update --ids {} --enable-automatic-failover false"
_OTHER_APIS = ("EnableCassandra", "EnableGremlin", "EnableTable", "EnableMongo")


def many_writers(account: Account) -> str:
    return f"{account.name} takes writes in each region: write `database: cosmos-db-multi-write`"


def sentences(account: Account, members: Mapping[str, CosmosMember]) -> tuple[str, ...]:
    """Of an account with one write region; none is good."""
    return (*of_all(account, members), *_of_one_writer(account, members))


def of_all(account: Account, members: Mapping[str, CosmosMember]) -> Iterator[str]:
    """Of either kind of account."""
    kind = str(account.told.get("kind") or "GlobalDocumentDB")
    names = [str(one.get("name")) for one in account.properties.get("capabilities") or ()]
    others = [name for name in names if name in _OTHER_APIS]
    if kind != "GlobalDocumentDB" or others:
        yield f"{account.name} is of another API ({', '.join(others) or kind}): only documents of NoSQL are asked here."
    if account.state != SUCCEEDED:
        yield f"{account.name} is {account.state}: Azure takes one change at a time."
    places = {
        place_of(one): str(one.get("documentEndpoint") or "") for one in account.properties.get("readLocations") or ()
    }
    for region, member in members.items():
        if region not in account.there:
            yield f"{region} is no region of {account.name}, which has {', '.join(account.there) or 'none'}."
        elif places.get(region) and _place(places[region]) != _place(member.endpoint):
            yield f"The address written for {region} is not the one of {account.name} there: write {places[region]}"


def _of_one_writer(account: Account, members: Mapping[str, CosmosMember]) -> Iterator[str]:
    if account.automatic:
        yield (
            f"{account.name} fails over by itself (service-managed failover), an hour or more into an outage, whatever "
            f"a run does, and refuses a switchover. Switch that off: {AUTOMATIC_OFF.format(account.id)}"
        )
    for writer in account.writes:
        follows = account.next_after(writer)
        if follows is not None and follows not in members:
            yield (
                f"Without {writer} Azure lets {follows} take writes, which is no member: a failover to a member is "
                "refused."
            )
    if account.consistency == STRONG and len(account.there) == 2:
        yield (
            f"{account.name} is strongly consistent between two regions: while either is lost it takes no writes, "
            "until that one is taken offline. With a third region it goes on by itself."
        )
    if account.consistency not in (STRONG, BOUNDED):
        yield (
            f"{account.name} has the consistency {account.consistency or 'unknown'}: what a failover loses has no "
            "bound, so that a person has to accept it."
        )


def _place(endpoint: str) -> str:
    """Port 443 need not be said."""
    return endpoint.lower().rstrip("/").removesuffix(":443")
