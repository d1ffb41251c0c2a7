"""Who we are to AWS."""

from __future__ import annotations

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.retry import within
from cloudfail_aws.attempts import CALL_SECONDS
from cloudfail_aws.clients import Clients, default_region
from cloudfail_aws.errors import RAISES, words


def whoami(at: float) -> Known[str] | Unknown:
    """The ARN of the process's own identity. at: wall seconds of this read."""
    clients = Clients()
    try:
        answer = within(CALL_SECONDS, lambda: clients.get("sts", default_region()).get_caller_identity())
    except (*RAISES, CloudfailError) as error:
        return Unknown(words(error), at)
    return Known(str(answer["Arn"]), at)
