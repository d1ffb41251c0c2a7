"""What may be written of a name in a managed zone, and what is a mistake."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail_gcp.dns.options import CloudDnsMember, CloudDnsOptions

NETWORK = "https://www.googleapis.com/compute/v1/projects/shop-net/global/networks/prod"
BALANCER = {
    "type": "regionalL4ilb",
    "ip_address": "10.0.0.9",
    "port": 80,
    "network_url": NETWORK,
    "project": "shop-prod",
}


def test_a_plain_text_is_one_answer_and_what_is_left_out_has_its_default() -> None:
    assert CloudDnsMember.model_validate("192.0.2.1").answers == ("192.0.2.1",)
    options = CloudDnsOptions.model_validate({"zone": "shop-example", "name": "www.shop.example"})
    assert (options.type, options.ttl, options.routing, options.project) == ("A", 60.0, "simple", None)
    assert CloudDnsOptions.model_validate(options.model_dump()) == options, "what is dumped validates again"


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ({}, "answers with values or with load balancers"),
        ({"answers": ["192.0.2.1"], "load_balancers": [BALANCER]}, "values or with load balancers"),
        ({"load_balancers": [BALANCER], "health_checked": True}, "leave health_checked out"),
        ({"load_balancers": [{**BALANCER, "port": 0}]}, "port"),
        ({"load_balancers": [{**BALANCER, "type": "external"}]}, "type"),
        ({"load_balancers": [{**BALANCER, "network_url": "prod"}]}, "network_url"),
        ({"answers": ["192.0.2.1"], "location": "Iowa"}, "location"),
        ({"answers": [""]}, "answers"),
        ({"answers": ["192.0.2.1"], "wieght": 1}, "wieght"),
    ],
)
def test_a_mistake_in_a_member_is_named(member: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CloudDnsMember.model_validate(member)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zone": "shop.example."}, "zone"),
        ({"routing": "weighted"}, "routing"),
        ({"project": "Shop Prod"}, "project"),
        ({"ttl": 60}, "no"),
        ({"type": "MX"}, "type"),
        ({"resolvers": ["dns.google"]}, "no address of a resolver"),
        ({"region": "us-central1"}, "region"),
    ],
)
def test_a_mistake_in_the_options_is_named(options: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CloudDnsOptions.model_validate({"zone": "shop-example", "name": "www.shop.example", **options})
