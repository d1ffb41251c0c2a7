"""What people write in cloudfail.yaml for names on AWS: strict models (an unknown key is a mistake)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator

from cloudfail_names.names import RecordType
from cloudfail_names.options import Duration, Seen, Strict, duration

Routing = Literal["simple", "weighted", "failover", "latency", "multivalue"]
ZoneId = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,32}$")]
HealthCheckId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
ObjectUrl = Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^?\s]+(\?region=[a-z0-9-]+)?$")]
Arn = Annotated[str, Field(pattern=r"^arn:[A-Za-z0-9:./_-]{1,250}$")]
AwsRegion = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d+$")]


class Alias(Strict):
    """The target of an alias record: `zone` is the hosted zone of the target (that of a load balancer, say), not of
    the name."""

    zone: ZoneId
    name: str
    evaluate_target_health: bool = False


class NameMember(Strict):
    """What one region answers with: literal values, or the target of an alias; a plain text is one value.

    set_identifier: of the region's record set, the region's name if it is not given. health_check: the one that the
    region's record set carries; it is needed where a shift takes that record set out of the zone, to put it back whole.
    """

    answers: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    alias: Alias | None = None
    set_identifier: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    health_check: HealthCheckId | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, data: Any) -> Any:
        return {"answers": (data,)} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _either(self) -> NameMember:
        if bool(self.answers) == (self.alias is not None):
            raise ValueError("a region answers with values or with an alias; write answers: [192.0.2.10] or alias: {…}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        return {"anyOf": [{"type": "string"}, handler.resolve_ref_schema(handler(schema))]}


class Switch(Strict):
    """A switch in the data plane: objects that say "out" by being there, each watched by an inverted health check.

    object: that of the region which serves when all is well (the topology's primary). objects: one for each region,
    where several serve at once. An object's bucket lives in the region of its URL (`?region=us-west-2`); without one,
    in the application's only other region.
    """

    object: ObjectUrl | None = None
    objects: dict[str, ObjectUrl] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _either(self) -> Switch:
        if (self.object is None) == (not self.objects):
            raise ValueError("one object or several; write object: s3://bucket/us-east-1-out, or objects: {REGION: …}")
        return self


class Route53Options(Seen):
    """dns: route53. One name of one hosted zone. `routing` is that of its record sets: simple if it is not given, or
    failover where a switch moves it."""

    zone: ZoneId
    name: str
    type: RecordType = "A"
    ttl: Duration = duration("60s")
    routing: Routing | None = None
    switch: Switch | None = None


class ZoneMember(Strict):
    """What one region answers with for each of the names: the same values, or (for CNAMEs) the name's first labels
    under a suffix: `use1.edge.example` makes a.shop.example answer a.use1.edge.example."""

    answers: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    suffix: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, data: Any) -> Any:
        return {"answers": (data,)} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _either(self) -> ZoneMember:
        if bool(self.answers) == (self.suffix is not None):
            raise ValueError("names answer with values or under a suffix; write answers: [192.0.2.10] or suffix: …")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        return {"anyOf": [{"type": "string"}, handler.resolve_ref_schema(handler(schema))]}


class ZoneOptions(Seen):
    """dns: route53-zone. Many names of one hosted zone, all simple records, moved together in batches.

    domain: the zone's own name; names: below it, relative ("a", "b.c") or whole ("a.shop.example."). resolve: how many
    of them are asked for at each resolver, spread over the list.
    """

    zone: ZoneId
    domain: str
    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=100_000)]
    type: RecordType = "A"
    ttl: Duration = duration("60s")
    resolve: Annotated[int, Field(ge=1, le=10_000)] = 100
    answer_within: Duration = duration("30s")


class S3SwitchOptions(Seen):
    """dns: s3-switch. A name that objects move, whoever keeps its zone; `object` and `objects` as under `switch:` of
    route53. The zone is never asked."""

    name: str
    type: RecordType = "A"
    ttl: Duration = duration("60s")
    routing: Literal["weighted", "failover", "latency", "multivalue"] = "failover"
    object: ObjectUrl | None = None
    objects: dict[str, ObjectUrl] = Field(default_factory=dict)


class ControlMember(NameMember):
    """One region's routing control, and what the region answers with while it is On."""

    control: Arn


class Endpoint(Strict):
    """One of the cluster's regional endpoints, as `aws route53-recovery-control-config describe-cluster` shows them. It
    is written here since that command's own service lives in us-west-2 alone."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/.*)?$")]
    region: AwsRegion


class RoutingControlOptions(Seen):
    """dns: routing-control. A name whose record sets hang on Application Recovery Controller's routing controls.

    override_safety_rules: ARNs of the safety rules that a move may break; naming them here is what permits it.
    """

    name: str
    type: RecordType = "A"
    ttl: Duration = duration("60s")
    routing: Literal["weighted", "failover", "latency", "multivalue"] = "failover"
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1, max_length=5)]
    override_safety_rules: tuple[Arn, ...] = ()
