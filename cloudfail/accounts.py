"""In whose accounts cloudfail would act, held against what cloudfail.yaml says (feature H5: a drill never touches
production by the wrong credentials).

Who somebody is, is asked of the provider; what could not be asked is unknown, and blocks nothing: on the bad day the
service that tells it may be lost with the region. Only an answer that differs refuses.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudfail.errors import Refused
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Region, Topology
from cloudfail.ports import Identity, KnowsAccounts

ASK_SECONDS = 8.0


@dataclass(frozen=True)
class Standing:
    """As whom a region is read or changed. does: "reads", "changes", or both. written: the account that cloudfail.yaml
    says, "" where it says none."""

    region: str
    does: str
    written: str
    found: Known[Identity] | Unknown

    @property
    def differs(self) -> bool:
        return isinstance(self.found, Known) and bool(self.written) and self.found.value.account != self.written

    @property
    def sentence(self) -> str:
        """One line for people."""
        if isinstance(self.found, Unknown):
            return f"{self.region}: who {self.does} is unknown ({self.found.reason})"
        who = self.found.value
        said = f"{self.region}: {self.does} as {who.name} of account {who.account}"
        if self.differs:
            return f"{said}, and cloudfail.yaml says {self.written}"
        return said if self.written else f"{said}; cloudfail.yaml names no account"


def standings(topology: Topology, providers: Mapping[str, object], regions: Iterable[str]) -> tuple[Standing, ...]:
    """Of each of these regions whose provider can say it. Asks all at once and returns within ASK_SECONDS; never
    raises. A role that changes things is not taken on for this: only an open run does that. Its own name says whose it
    is, or the provider asks with credentials that can only read."""
    asked: list[tuple[Region, str, str, KnowsAccounts]] = []
    for name in dict.fromkeys(regions):
        region = topology.regions[name]
        provider = providers.get(region.provider)
        if not isinstance(provider, KnowsAccounts):
            continue
        watch, execute = region.roles.watch, region.roles.execute
        if watch == execute:
            asked.append((region, "reads and changes", watch, provider))
        else:
            asked += [(region, "reads", watch, provider), (region, "changes", execute, provider)]
    return tuple(_all(topology, asked))


def refuse_others(found: Iterable[Standing]) -> None:
    """Raise Refused where somebody would act in another account than the file says."""
    wrong = [standing for standing in found if standing.differs]
    if wrong:
        accounts = ", ".join(dict.fromkeys(standing.written for standing in wrong))
        raise Refused(
            f"{'; '.join(standing.sentence for standing in wrong)}.",
            "Nothing was changed.",
            f"Use credentials of account {accounts}, or correct `account:` in cloudfail.yaml; then: cloudfail check",
        )


def _all(topology: Topology, asked: list[tuple[Region, str, str, KnowsAccounts]]) -> list[Standing]:
    answers: dict[int, Known[Identity] | Unknown] = {}

    def ask(number: int, region: str, role: str, provider: KnowsAccounts) -> None:
        try:
            answers[number] = provider.identity_in(topology, region, role)
        except Exception as error:  # noqa: BLE001  who cannot be asked is unknown, whatever a provider raises
            answers[number] = Unknown(f"{type(error).__name__}: {error}")

    threads = []
    for number, (region, does, role, provider) in enumerate(asked):
        if does == "changes" and role and (account := provider.account_of(role)):
            answers[number] = Known(Identity(account, role), 0.0)
            continue
        threads.append(threading.Thread(target=ask, args=(number, region.name, role, provider), daemon=True))
    for thread in threads:
        thread.start()
    patience = ASK_SECONDS
    for thread in threads:
        thread.join(patience)
        if thread.is_alive():
            patience = 0.0  # it took all of it; the others had as long
    silent = Unknown(f"no answer within {ASK_SECONDS:.0f} s")
    return [
        Standing(region.name, does, region.account or "", answers.get(number, silent))
        for number, (region, does, _, _) in enumerate(asked)
    ]
