"""The clients that the SDK makes for us, and how long one is waited for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudfail.retry import within
from cloudfail_aws.clients import Clients
from tests.emulators.aws.emulator import Emulator

ROLE = "arn:aws:iam::000000000000:role/cloudfail"


def test_there_is_one_client_per_role_region_and_service(aws: Emulator) -> None:
    clients = Clients()
    asked = [
        (service, region, role)
        for service in ("dynamodb", "s3")
        for region in ("eu-central-1", "us-east-1")
        for role in ("", ROLE)
    ]
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda one: clients.get(*one), asked * 4))
    assert len({id(client) for client in made}) == len(asked)
    assert all(clients.get(*one) is client for one, client in zip(asked * 4, made, strict=True))


def test_the_sdk_neither_retries_nor_waits_long(aws: Emulator) -> None:
    for service in ("dynamodb", "s3"):
        config = Clients().get(service, "eu-central-1").meta.config
        assert config.retries["total_max_attempts"] == 1
        assert config.connect_timeout <= 3
        assert config.read_timeout <= 5


def test_a_bucket_is_a_path_only_at_somebody_s_own_endpoint(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Clients().get("s3", "us-east-1").meta.config.s3["addressing_style"] == "path"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://localhost:1")
    assert Clients().get("s3", "us-east-1").meta.config.s3["addressing_style"] == "path"
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    client = Clients().get("s3", "us-east-1")
    assert "addressing_style" not in client.meta.config.s3
    assert client.meta.endpoint_url == "https://s3.us-east-1.amazonaws.com", "not the one that serves the world"


def test_a_role_is_assumed_in_the_region_that_is_asked(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients()
    assumed = clients.get("sts", "eu-west-1", ROLE)
    assert "assumed-role/cloudfail/cloudfail" in assumed.get_caller_identity()["Arn"]
    assert "assumed-role" not in clients.get("sts", "eu-west-1").get_caller_identity()["Arn"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert Clients().get("sts", "eu-west-1").meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"


def test_a_call_that_does_not_return_is_given_up() -> None:
    end = threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        within(0.2, end.wait)
    assert time.monotonic() - began < 2
    end.set()


def test_a_call_that_returns_or_raises_does_so_here() -> None:
    def raises() -> None:
        raise TimeoutError("its own")

    assert within(5, lambda: 7) == 7
    with pytest.raises(TimeoutError, match="its own"):
        within(5, raises)
