"""Switchover and follow of an account of Cosmos DB: what comes next, read from Azure and from the regions.

A switchover is Azure's "change write region": the new one has everything first. After a failover the old region is out
of the account, and Microsoft's own team brings it back, as a region that reads; `follow` waits for it, and orders
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.cosmos_accounts import SUCCEEDED, Account, Accounts
from cloudfail_azure.database.cosmos_plane import CosmosPlane
from cloudfail_azure.database.cosmos_readiness import AUTOMATIC_OFF, many_writers
from cloudfail_azure.marks import refuse_older
from cloudfail_databases.staged import StagedMoves


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    account: Account | None = None


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


def state_of(account: Account) -> str:
    return f"Azure says that {account.name} is {account.state}"


class Moves(StagedMoves[_Stage]):
    """Of one account."""

    silent = OutcomeUnknown  # of a look: nothing was ordered yet

    def __init__(self, accounts: Accounts, plane: CosmosPlane) -> None:
        self._accounts = accounts
        self._plane = plane

    def _switch(self, stage: _Stage, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        account = stage.account
        if account is None:
            return
        if stage.name == "automatic":
            raise Permanent(
                f"{account.name} fails over by itself: Azure lets nobody change the write region of such an account.",
                "Nothing was changed.",
                f"Switch that off: {AUTOMATIC_OFF.format(account.id)}",
            )
        refuse_older(self._plane.look(target).epoch, call, f"The account, as {target} shows it,")
        self._plane.mark(source, timed.rest())
        self._accounts.change_writer(source, target, account, timed.rest())

    def _rejoin(self, stage: _Stage, region: str, upstream: str, timed: TimeLeft) -> None:
        """Nothing is ever next."""

    def _switchover(self, source: str, target: str) -> _Stage:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        account = self._account(target)
        if account.state != SUCCEEDED:
            return _moving(state_of(account))
        if account.writes == (target,):
            return _moving(f"Azure says that {target} takes the writes of {account.name}; it takes none yet")
        if new.gone or target not in account.there:
            return _moving(f"{target} is no region of {account.name} now: nothing is switched")
        if account.writes != (source,):
            return _moving(f"Azure says that {', '.join(account.writes) or 'no region'} takes writes, not {source}")
        if not self._plane.look(source).takes_writes:
            return _moving(f"{source} takes no writes, and Azure says that it does: nothing is switched")
        before, after = f"{source} takes writes", f"{target} takes writes"
        if account.automatic:
            words = f"{account.name} fails over by itself: Azure will not change its write region"
            return _Stage(
                Progress(words, False, "", before, after, f"automatic/{account.version}"), "automatic", account
            )
        words = (
            f"make {account.named(target)} the write region of {account.name}; it has everything before it takes over"
        )
        return _Stage(Progress(words, False, "", before, after, f"switch/{account.version}"), "switch", account)

    def _over(self, source: str, target: str) -> _Stage:
        try:
            old = self._plane.look(source)
        except CloudfailError as error:
            return _Stage(Progress(None, True, f"{target} takes writes; {source} does not answer: {error}"))
        if old.takes_writes:
            return _moving(f"both {source} and {target} take writes")
        return _Stage(Progress(None, True, f"{target} takes writes; {source} takes none"))

    def _follow(self, region: str, upstream: str) -> _Stage:
        if not self._plane.look(upstream).takes_writes:
            return _moving(f"{upstream} takes no writes: promote it first")
        account = self._account(upstream)
        if region not in account.there:
            return _moving(
                f"{region} is out of {account.name}, and Microsoft brings it back, as a region that reads, in three "
                "days or more; after a drill, or where that is too long, ask by a support request"
            )
        if account.state != SUCCEEDED:
            return _moving(state_of(account))
        seen = self._plane.look(region)
        if seen.takes_writes:
            return _moving(f"both {region} and {upstream} take writes")
        if seen.gone:
            return _moving(f"Azure calls {region} a region of {account.name}; it does not serve it yet: {seen.refusal}")
        if missing := self._plane.shows(region, upstream):
            return _moving(missing)
        return _Stage(Progress(None, True, f"{region} reads what is written in {upstream}"))

    def _account(self, region: str) -> Account:
        """Raises as `Accounts.describe`, and Permanent for an account of the other kind."""
        account = self._accounts.describe(region)
        if account.many:
            raise Permanent(many_writers(account), "Nothing was changed.")
        return account
