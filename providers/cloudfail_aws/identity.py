"""Who we are to AWS."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Topology
from cloudfail.ports import Identity
from cloudfail.retry import within
from cloudfail_aws.attempts import CALL_SECONDS, REQUEST_SECONDS
from cloudfail_aws.clients import Clients, default_region
from cloudfail_aws.errors import RAISES, words

IDENTITY_SECONDS = 7.0


def whoami(at: float) -> Known[str] | Unknown:
    """The ARN of the process's own identity. at: wall seconds of this read."""
    clients = Clients()
    try:
        answer = within(CALL_SECONDS, lambda: clients.get("sts", default_region()).get_caller_identity())
    except (*RAISES, CloudfailError) as error:
        return Unknown(words(error), at)
    return Known(str(answer["Arn"]), at)


def identity_in(
    topology: Topology, region: str, role: str, at: float, clients: Clients | None = None
) -> Known[Identity] | Unknown:
    """What STS says of whoever asks as `role` ("" is the process itself): in that region first, and where that does not
    answer in the other regions of AWS, since an account is the same wherever it is asked for. at: wall seconds."""
    others = [one.name for one in topology.regions.values() if one.provider == "aws" and one.name != region]
    asked = list(dict.fromkeys([region, *others, default_region()]))
    made = clients or Clients(sts_regions=asked[1:])
    until = time.monotonic() + IDENTITY_SECONDS
    failures: dict[str, str] = {}
    for place in asked:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            answer = within(min(REQUEST_SECONDS, left), partial(_ask, made, place, role))
            return Known(Identity(str(answer["Account"]), str(answer["Arn"])), at)
        except (*RAISES, CloudfailError, KeyError) as error:
            failures[place] = words(error)
    return Unknown("; ".join(f"STS in {place}: {said}" for place, said in failures.items()), at)


def _ask(clients: Clients, region: str, role: str) -> dict[str, Any]:
    answer: dict[str, Any] = clients.get("sts", region, role).get_caller_identity()
    return answer
