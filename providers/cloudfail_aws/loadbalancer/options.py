"""What people write in cloudfail.yaml for balancers on AWS. An identifier is literal: nothing is looked up by name on
the bad day, and a plan's checksum covers it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape, mistake

SHIFT_SECONDS_MIN, SHIFT_SECONDS_MAX = 1800.0, 72 * 3600.0
LISTENER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener/(?:app|net)/[\w./-]+")
RULE = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener-rule/(?:app|net)/[\w./-]+")
BALANCER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:loadbalancer/(?:app|net)/[\w./-]+")
ZONE = re.compile(r"[a-z]{2,5}\d-az\d{1,2}")
DISTRIBUTION = re.compile(r"[A-Z0-9]{8,32}")
MRAP = re.compile(r"arn:aws[a-z-]*:s3::\d{12}:accesspoint/[a-z0-9]+\.mrap")
ENDPOINT_GROUP = re.compile(
    r"arn:aws[a-z-]*:globalaccelerator::\d{12}:accelerator/[\w-]+/listener/[\w-]+/endpoint-group/[\w-]+"
)


def _written(pattern: re.Pattern[str], what: str, instead: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise mistake(f"this is no {what}", f"write {instead}")
        return value

    return BeforeValidator(check)


def _schema(pattern: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$"})


_ELB = "arn:aws:elasticloadbalancing:us-west-2:111111111111"
_ID = "0123456789abcdef"
ListenerArn = Annotated[
    str, _written(LISTENER, "listener's ARN", f"{_ELB}:listener/app/web/{_ID}/{_ID}"), _schema(LISTENER)
]
RuleArn = Annotated[str, _written(RULE, "rule's ARN", f"{_ELB}:listener-rule/app/web/{_ID}/{_ID}/{_ID}"), _schema(RULE)]
DistributionId = Annotated[str, _written(DISTRIBUTION, "distribution's id", "E1EXAMPLE12345"), _schema(DISTRIBUTION)]
MrapArn = Annotated[
    str,
    _written(
        MRAP,
        "ARN of a Multi-Region Access Point",
        "arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap, with its alias",
    ),
    _schema(MRAP),
]


LoadBalancerArn = Annotated[
    str,
    _written(BALANCER, "load balancer's ARN", f"{_ELB}:loadbalancer/app/web/{_ID}"),
    _schema(BALANCER),
]


class AlbOptions(Shape):
    """loadbalancer: alb. A member is the ARN of the target group that stands for the region."""

    listener: ListenerArn | None = None
    rule: RuleArn | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> AlbOptions:
        if (self.listener is None) is (self.rule is None):
            raise mistake(
                "the weights stand on a listener's default action or on a rule",
                "write one of `listener:` and `rule:`, with its ARN",
            )
        return self


class AcceleratorOptions(Shape):
    """loadbalancer: global-accelerator. A member is the ARN of the region's endpoint group; they are of one
    listener."""


class CloudFrontOptions(Shape):
    """loadbalancer: cloudfront. A member is the id of the origin, or of the origin group, that stands for the
    region."""

    distribution: DistributionId


class MrapOptions(Shape):
    """loadbalancer: s3-mrap. A member is the name of the region's bucket."""

    access_point: MrapArn


class ZonalShiftOptions(Shape):
    """loadbalancer: zonal-shift. A member is the id of the zone that the region is. expires_in: when a shift ends by
    itself, unless it is renewed; AWS gives three days at most."""

    load_balancer: LoadBalancerArn
    expires_in: PositiveDuration = Seconds(24 * 3600)

    @model_validator(mode="after")
    def _as_aws_takes_it(self) -> ZonalShiftOptions:
        if not SHIFT_SECONDS_MIN <= self.expires_in <= SHIFT_SECONDS_MAX:
            raise mistake("a zonal shift ends after half an hour to three days", "write expires_in: 24h")
        return self


def listener_or_rule(options: Any) -> str:
    """The ARN that was written, of what `modify_listener` or `modify_rule` is called on."""
    return str(options["listener"] or options["rule"])


def region_of(arn: str) -> str:
    """The region that an ARN names; "" where it names none."""
    return arn.split(":", 4)[3]
