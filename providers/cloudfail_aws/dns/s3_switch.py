"""dns: s3-switch, and `switch:` of dns: route53. A name that is moved without touching its zone.

The zone holds a record set for each region, and that of a region carries an inverted health check which looks at an
object in S3: while the object is there the check passes, so that inverted it fails, and Route 53's own servers, which
are data plane, stop answering with that region. Nothing is asked of a control plane; the object stays until somebody
deletes it, so that no health check brings a region back (invariant I8). Where the object's bucket does not answer, the
check fails, and inverted passes: the region counts as in.

An object is put only where none is (If-None-Match) and deleted only as it was seen (If-Match), and carries the epoch
that put it. But an absent object carries none: a put of an older run that lands after a newer one deleted it is not
refused, so that this is repaired by watching.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from cloudfail.errors import CloudfailError, Conflict, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DnsState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.dns import zones
from cloudfail_aws.dns.options import NameMember, Route53Options, S3SwitchOptions
from cloudfail_aws.dns.records import RecordSet, held_by, place
from cloudfail_names.names import RecordType, canonical
from cloudfail_names.resolving import Resolvers

LEARN_SECONDS = 3.0
LEARN_AGAIN_SECONDS = 30.0
"""While the zone cannot be asked, the reads of the switch do not wait for it each time."""
S3 = "s3"


@dataclass(frozen=True)
class Gate:
    """The object that takes one region out by being there. home: the region of its bucket."""

    takes_out: str
    bucket: str
    key: str
    home: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Found:
    """An object as it was seen: etag "" where there is none."""

    etag: str = ""
    epoch: int | None = None
    key: str = ""

    @property
    def out(self) -> bool:
        return bool(self.etag)


def gates(
    topology: Topology, regions: Iterable[str], single: str | None, several: Mapping[str, str], routing: str
) -> Mapping[str, Gate]:
    """The objects as cloudfail.yaml writes them, by the region that each takes out. Raises Permanent."""
    order = list(regions)
    written = {order[0]: single} if single is not None else dict(several)
    found = {}
    for region, url in written.items():
        if region not in order:
            raise Permanent(f"{url} is to take out {region}, which is no region of the application.")
        parts = urlsplit(url)
        others = [one for one in order if one != region]
        homes = parse_qs(parts.query).get("region") or (others if len(others) == 1 else [])
        if not homes:
            raise Permanent(f"Where does the bucket of {url} live? Write {url}?region=…")
        named = [one for one in topology.regions if parts.path.rpartition("/")[2] == f"{one}-out" and one != region]
        if homes[0] == region or named:
            raise Permanent(
                f"{url} is to take out {region}, and {'lives there' if homes[0] == region else f'says {named[0]}'}."
            )
        found[region] = Gate(region, parts.netloc, parts.path.lstrip("/"), homes[0])
    if not found:
        raise Permanent("A switch needs an object; write object: s3://bucket/REGION-out")
    needed = order[:-1] if routing == "failover" else order
    if set(found) != set(needed):
        raise Permanent(
            f"Routed by {routing}, {' and '.join(needed)} need an object each, and "
            f"{' and '.join(found)} {'have' if len(found) > 1 else 'has'} one."
        )
    return found


class S3Switch:
    """One name. `order`: its regions, the first that is not out serving where it is routed by failover. `learn`: what
    each region answers with, where cloudfail.yaml does not say so. `inspect`: what is wrong with its health checks."""

    def __init__(
        self,
        asking: Asking,
        options: Route53Options | S3SwitchOptions,
        order: Iterable[str],
        objects: Mapping[str, Gate],
        answers: Mapping[str, tuple[str, ...]],
        aliases: Iterable[str],
        learn: Callable[[], Mapping[str, tuple[str, ...]]] | None = None,
        inspect: Callable[[], list[str]] | None = None,
    ) -> None:
        self._asking = asking
        self._name = options.name
        self._kind: RecordType = options.type
        self._ttl = options.ttl
        self._within = options.answer_within
        self._routing = options.routing or "failover"
        self._order = tuple(order)
        self._gates = objects
        self._answers = dict(answers)
        self._aliases = list(aliases)
        self._learn = learn
        self._inspect = inspect
        self._learn_again = 0.0
        self._resolvers = Resolvers(options.resolvers, options.answer_within)

    # ---- reading

    def read(self) -> Known[DnsState] | Unknown:
        at = time.time()
        try:
            found = self._look(self._within)
        except CloudfailError as error:
            return Unknown(f"the switch of {self._name} did not answer: {error}", at)
        weights = self._weights(found)
        return Known(
            DnsState(
                weights=weights,
                answers=self.answers(weights),
                ttl_seconds=float(self._ttl),
                version=_version(found),
                epoch=max((one.epoch for one in found.values() if one.epoch is not None), default=None),
                one_at_a_time=self._routing != "multivalue",
            ),
            at,
        )

    def _look(self, within: float) -> dict[str, Found]:
        until = self._asking.deadline(within)
        return {region: self._found(gate, self._asking.left_until(until)) for region, gate in self._gates.items()}

    def _found(self, gate: Gate, within: float) -> Found:
        """S3 lists what was last acknowledged; an object that is not listed is not there. A HEAD would say the same of
        one that may not be read."""
        until = self._asking.deadline(within)
        listed = self._asking.read(
            S3, gate.home, "list_objects_v2", within=within, Bucket=gate.bucket, Prefix=gate.key, MaxKeys=1
        )
        if not any(one["Key"] == gate.key for one in listed.get("Contents", ())):
            return Found()
        left = self._asking.left_until(until)
        head = self._asking.read(S3, gate.home, "head_object", within=left, Bucket=gate.bucket, Key=gate.key)
        noted = head.get("Metadata", {})
        epoch = noted.get("cloudfail-epoch", "")
        return Found(head["ETag"], int(epoch) if epoch.isdigit() else None, noted.get("cloudfail-key", ""))

    def _weights(self, found: Mapping[str, Found]) -> dict[str, int]:
        """As Route 53 answers: with those that are not out, and with all of them where all are."""
        inside = [region for region in self._order if not (region in found and found[region].out)] or self._order
        serving = inside[:1] if self._routing == "failover" else inside
        return {region: 100 * (region in serving) for region in self._order}

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        known = self._known()
        return tuple(sorted(one for region, weight in weights.items() if weight > 0 for one in known.get(region, ())))

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        missing = [region for region in self._order if region not in self._known()]
        if missing:
            return Unknown(
                f"nobody wrote what {self._name} answers in {missing[0]}, and its zone cannot be asked; "
                f"write members: {{{missing[0]}: …}}",
                time.time(),
            )
        return self._resolvers.answers(self._name, self._kind, self._aliases)

    def warm(self) -> None:
        """Learn what the regions answer with while the zone can still be asked."""
        self._known()

    def _known(self) -> Mapping[str, tuple[str, ...]]:
        if self._learn is not None and not self._answers and not self._asking.left_until(self._learn_again):
            self._learn_again = self._asking.deadline(LEARN_AGAIN_SECONDS)
            self._answers = dict(self._learn())
            self._aliases = [one for held in self._answers.values() for one in held if one.endswith(".")]
        return self._answers

    # ---- changing

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        wanted = self._wanted(weights)
        now = self._look(min(self._within, self._asking.left_until(until)))
        if _version(now) != expect.version:
            if all(self._is_so(now[region], out, call) for region, out in wanted.items()):
                return
            raise Conflict(f"The switch of {self._name} is not as it was seen.")
        newer = max((one.epoch for one in now.values() if one.epoch is not None), default=0)
        if newer > call.epoch:
            raise Conflict(f"Epoch {newer} moved {self._name} after this run's, {call.epoch}.")
        # What gains traffic is let in before what loses it is taken out (invariant I5).
        for region, out in sorted(wanted.items(), key=lambda one: one[1]):
            if now[region].out and not out:
                self._let_in(self._gates[region], now[region], zones.within(call, self._asking.left_until(until)))
            elif out and not now[region].out:
                self._take_out(self._gates[region], zones.within(call, self._asking.left_until(until)))

    def _wanted(self, weights: Mapping[str, int]) -> dict[str, bool]:
        """Region -> whether it must be out, for those that it matters of. Raises Permanent."""
        unknown = [region for region in weights if region not in self._order]
        if unknown:
            raise Permanent(f"{self._name} has no answer for {unknown[0]}.", "Nothing was changed.")
        serving = [region for region in self._order if weights.get(region, 0) > 0]
        if not serving:
            raise Permanent(
                "Every region would be out: Route 53 would then answer as if none were.", "Nothing was changed."
            )
        if self._routing != "failover":
            return {region: region not in serving for region in self._gates}
        if len(serving) > 1:
            raise Permanent(
                f"{self._name} is routed by failover: it answers with one region, not with {' and '.join(serving)}.",
                "Nothing was changed.",
            )
        before = self._order[: self._order.index(serving[0])]
        return {region: region in before for region in (*before, serving[0]) if region in self._gates}

    def _is_so(self, found: Found, out: bool, call: Call) -> bool:
        """Whether an earlier try of this very call made it so."""
        return found.out is out and (not out or found.key == call.key)

    def _take_out(self, gate: Gate, call: Call) -> None:
        said = {"application": self._asking.topology.application, "run": call.run, "epoch": call.epoch}
        self._asking.change(
            S3,
            gate.home,
            "put_object",
            call=call,
            Bucket=gate.bucket,
            Key=gate.key,
            Body=json.dumps({"out": gate.takes_out, **said}).encode(),
            ContentType="application/json",
            Metadata={
                "cloudfail-epoch": str(call.epoch),
                "cloudfail-run": _ascii(call.run),
                "cloudfail-key": _ascii(call.key),
            },
            IfNoneMatch="*",
        )

    def _let_in(self, gate: Gate, found: Found, call: Call) -> None:
        self._asking.change(
            S3, gate.home, "delete_object", call=call, Bucket=gate.bucket, Key=gate.key, IfMatch=found.etag
        )

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would make the switch do nothing: health checks that do not look at the object as they must. That is the
        control plane's to say; where it does not, where the object cannot be read, and where no resolver says what is
        answered, nothing is known."""
        at = time.time()
        try:
            found = self._inspect() if self._inspect is not None else []
        except CloudfailError as error:
            return Unknown(str(error), at)
        if found:
            return Known(tuple(found), at)
        for read in (self.read(), self.resolve()):
            if isinstance(read, Unknown):
                return read
        return Known((), at)


def _version(found: Mapping[str, Found]) -> str:
    return json.dumps({region: one.etag for region, one in sorted(found.items())})


def _ascii(text: str) -> str:
    """As a header of S3 may be."""
    return text.encode("ascii", "backslashreplace").decode()


def of_route53(resource: Resource, topology: Topology, asking: Asking | None = None) -> S3Switch:
    """`switch:` of dns: route53. The record sets of the zone stay as they are, and are read only to learn what each
    region answers with, where cloudfail.yaml does not say so."""
    options = Route53Options.model_validate(dict(resource.options))
    assert options.switch is not None
    asking = asking or Asking.of(resource, topology)
    order = zones.primary_first(resource.members or topology.regions, topology.primary)
    if options.routing == "simple":
        raise Permanent(f"{options.name} is one simple record, which no switch moves; write routing: failover")
    objects = gates(topology, order, options.switch.object, options.switch.objects, options.routing or "failover")

    identifiers = {
        NameMember.model_validate(member).set_identifier or region: region
        for region, member in resource.members.items()
    }
    roles = {"PRIMARY": order[0], "SECONDARY": order[-1]} if len(order) == 2 else {}

    def sets() -> dict[str, RecordSet]:
        found: dict[str, RecordSet] = {}
        listed = zones.sets_of(asking, options.zone, canonical(options.name), options.type, LEARN_SECONDS)
        for one in listed:
            identifier = one.get("SetIdentifier", "")
            region = identifiers.get(
                identifier, identifier if identifier in order else roles.get(one.get("Failover", ""))
            )
            if region is not None:
                found[region] = one
        return found

    def learn() -> Mapping[str, tuple[str, ...]]:
        try:
            found = {region: held_by(one, options.type) for region, one in sets().items()}
        except CloudfailError:
            return {}
        return found if set(found) == set(order) else {}

    def inspect() -> list[str]:
        there, wrong = sets(), []
        for region in objects:
            check = there.get(region, {}).get("HealthCheckId")
            if check is None:
                wrong.append(f"{options.name} has no record set of {region} with a health check: no object moves it.")
                continue
            wrong += zones.disabled(asking, check, LEARN_SECONDS)
            if not zones.health_check_config(asking, check, LEARN_SECONDS).get("Inverted"):
                wrong.append(f"The health check {check} is not inverted: the object would keep {region} in, not out.")
        return wrong

    return _switch(asking, options, order, objects, resource, learn, inspect)


def build(resource: Resource, topology: Topology, asking: Asking | None = None) -> S3Switch:
    """Kind.build of dns: s3-switch."""
    options = S3SwitchOptions.model_validate(dict(resource.options))
    order = zones.primary_first(resource.members, topology.primary)
    objects = gates(topology, order, options.object, options.objects, options.routing)
    return _switch(asking or Asking.of(resource, topology), options, order, objects, resource)


def _switch(
    asking: Asking,
    options: Route53Options | S3SwitchOptions,
    order: list[str],
    objects: Mapping[str, Gate],
    resource: Resource,
    learn: Callable[[], Mapping[str, tuple[str, ...]]] | None = None,
    inspect: Callable[[], list[str]] | None = None,
) -> S3Switch:
    places = [
        place(region, NameMember.model_validate(resource.members[region]), options.type) for region in resource.members
    ]
    answers = {one.region: one.answers for one in places}
    aliases = [one.answers[0] for one in places if one.alias is not None]
    return S3Switch(asking, options, order, objects, answers, aliases, learn, inspect)
