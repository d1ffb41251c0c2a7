"""cloudfail.yaml: shape → Topology, with every provider's own keys checked by the provider."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cloudfail import registry, spanning
from cloudfail.config.checking import loose_models, validated
from cloudfail.config.document import Document, Keys, Path, Scalar, plain, scalars
from cloudfail.config.mistakes import Mistakes, did_you_mean, shown
from cloudfail.config.shapes import (
    ApprovalPathShape,
    AuditShape,
    CheckShape,
    RegionShape,
    ResourceShape,
    RolesShape,
    TopologyShape,
    VantageShape,
)
from cloudfail.config.substitution import CHECK_NAMES, references, unescape
from cloudfail.errors import Refused
from cloudfail.model.policy import ApprovalPath, Automation, Policy, Scope
from cloudfail.model.topology import (
    SIGNAL,
    Audit,
    Check,
    Objectives,
    PortName,
    Region,
    Resource,
    Roles,
    StandIn,
    Topology,
    Vantage,
)
from cloudfail.ports import Kind, Provider, TakesRoles
from cloudfail.spanning import Part

COMMON_KEYS = frozenset(ResourceShape.model_fields)
PORTS = frozenset(port.value for port in PortName)


@dataclass
class Names:
    """What a runbook may refer to, as far as it could be read."""

    regions: list[str] = field(default_factory=list)
    resources: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)

    def of(self, sort: str) -> list[str]:
        if sort == "region":
            return self.regions
        if sort == "check":
            return self.checks
        ports = ("dns", "loadbalancer") if sort == "traffic" else (sort,)
        return [name for name, port in self.resources.items() if port in ports]


def names_in(document: Document) -> Names:
    """The names as they were written, whatever else is wrong with the file: a runbook is checked against them."""
    names = Names()
    root = document.root
    if not isinstance(root, Keys):
        return names
    for section in ("regions", "checks", "resources"):
        node = root.node(section)
        if not isinstance(node, Keys):
            continue
        if section == "resources":
            for name, (_, body) in node.entries.items():
                ports = [port.value for port in PortName if isinstance(body, Keys) and port.value in body.entries]
                names.resources[name] = ports[0] if len(ports) == 1 else ""
        else:
            setattr(names, section, list(node.entries))
    return names


@dataclass
class TopologyReader:
    """Translates one file. `given` are providers by name; the others are found through the registry."""

    document: Document
    mistakes: Mistakes
    given: Mapping[str, Provider] | None
    found: dict[str, Provider | None] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def read(self) -> Topology | None:
        """The topology, or None after its mistakes were noted."""
        before = len(self.mistakes.found)
        self._literals()
        shape = validated(TopologyShape, self.document, (), self.mistakes)
        if shape is None:
            self._despite_mistakes()
            return None
        regions = {name: self._region(name, region) for name, region in shape.regions.items()}
        if shape.primary not in regions:
            self._note(
                ("primary",), f'there is no region "{shown(shape.primary)}"', did_you_mean(shape.primary, regions)
            )
        for name, region in regions.items():
            if region.stand_in is not None:
                self._stands_in(name, region.stand_in, shape.primary, shape.checks)
        resources = {
            name: resource
            for name, body in shape.resources.items()
            if (resource := self._resource(name, body, shape.regions)) is not None
        }
        for resource in resources.values():
            self._taken_back(resource, shape.resources)
        self.members = {name: tuple(body.members) for name, body in shape.resources.items()}
        checks = {name: self._check(name, check, regions) for name, check in shape.checks.items()}
        vantages = {name: self._vantage(name, vantage, regions) for name, vantage in shape.vantages.items()}
        if len(self.mistakes.found) > before:
            return None
        written = shape.policy
        policy = Policy(
            automation=Automation(written.automation),
            scope=Scope(written.scope),
            hold_down_seconds=float(written.hold_down),
            cool_down_seconds=float(written.cool_down),
            plan_expires_seconds=float(written.plan_expires),
            lease_seconds=float(written.lease),
            watch_after_seconds=float(written.watch_after),
            runbook=written.runbook,
            approvers=tuple(written.approvers),
            approval_paths=tuple(_approval_path(name, path) for name, path in written.approval_paths.items()),
        )
        return Topology(
            application=shape.application,
            objectives=Objectives(float(shape.objectives.rto), float(shape.objectives.rpo)),
            regions=regions,
            primary=shape.primary,
            state=unescape(shape.state),
            resources=resources,
            checks=checks,
            vantages=vantages,
            policy=policy,
            audit=_audit(shape.audit),
        )

    def _note(self, path: Path, problem: str, instead: str, *, key: bool = False) -> None:
        place = self.document.place(*path, key=key)
        self.mistakes.add(place.file, place.line, place.column, place.text, problem, instead)

    def _despite_mistakes(self) -> None:
        """Some part of the file has the wrong shape: check the resources that do not, so that all is told at once."""
        root = self.document.root
        regions_node = root.node("regions") if isinstance(root, Keys) else None
        resources = root.node("resources") if isinstance(root, Keys) else None
        if not (isinstance(regions_node, Keys) and isinstance(resources, Keys)):
            return
        silent = Mistakes()
        regions = {
            name: region
            for name in regions_node.entries
            if (region := validated(RegionShape, self.document, ("regions", name), silent)) is not None
        }
        for name in resources.entries:
            body = validated(ResourceShape, self.document, ("resources", name), silent)
            if body is not None and regions:
                self._resource(name, body, regions)

    def _literals(self) -> None:
        """`${name}` is put in where runbooks and checks say so; anywhere else identifiers are literal."""
        for path, scalar in scalars(self.document.root):
            if len(path) == 3 and path[0] == "checks" and path[2] in ("http", "tcp", "sql"):
                continue
            for reference in references(scalar.text) if isinstance(scalar.value, str) else ():
                problem = f"nothing is put in for {shown(reference.written)} here: identifiers are literal"
                self._note(path, problem, f"write the value itself, or $${reference.written[1:]} for that very text")

    def _region(self, name: str, shape: RegionShape) -> Region:
        provider = self._provider(shape.provider, ("regions", name, "provider"))
        for variable in shape.variables:
            if variable in CHECK_NAMES:
                problem = f'"{variable}" already stands for something'
                self._note(("regions", name, "variables", variable), problem, "choose another name", key=True)
        variables = {key: unescape(value) for key, value in shape.variables.items()}
        roles = self._roles(("regions", name, "roles"), shape.roles, provider) or Roles()
        stand_in = StandIn(tuple(shape.stand_in.serves), shape.stand_in.share) if shape.stand_in is not None else None
        return Region(name, shape.provider, shape.account, variables, roles, stand_in)

    def _stands_in(self, name: str, stand_in: StandIn, primary: str, checks: Mapping[str, CheckShape]) -> None:
        """What stands in for a site is none itself, serves what is checked, and is looked at from outside."""
        path: Path = ("regions", name, "stand_in")
        if name == primary:
            self._note(("primary",), f"{name} stands in for another region", "name the region that serves everything")
        for index, check in enumerate(stand_in.serves):
            if check not in checks:
                problem = f'there is no check "{shown(check)}"'
                self._note((*path, "serves", index), problem, did_you_mean(check, checks, "checks"))
        if all(checks[check].kind == SIGNAL for check in stand_in.serves if check in checks):
            self._note((*path, "serves"), "no vantage makes a check there", "name a check of kind http, tcp or sql")

    def _roles(self, path: Path, shape: RolesShape | None, provider: Provider | None) -> Roles | None:
        """What the provider takes for a role is a mistake found now, not on the bad day."""
        if shape is None:
            return None
        roles = Roles(unescape(shape.watch or ""), unescape(shape.execute or ""))
        for key, role in (("watch", roles.watch), ("execute", roles.execute)):
            if provider is None or not role:
                continue
            if not isinstance(provider, TakesRoles):
                problem = f'the provider "{provider.name}" acts as whoever runs it, and takes no role'
                self._note((*path, key), problem, f"remove {key}")
            elif (said := provider.role_mistake(role)) is not None:
                self._note((*path, key), *said)
        return roles

    def _provider(self, name: str, path: Path) -> Provider | None:
        if name not in self.found:
            try:
                if self.given is not None:
                    if name not in self.given:
                        raise Refused(f'There is no provider "{name}" here.', "", registry.advice(name, self.given))
                    self.found[name] = self.given[name]
                else:
                    self.found[name] = registry.provider(name)
            except Refused as refusal:
                self.found[name] = None
                self._note(path, _sentence(refusal.happened), _sentence(refusal.to_do))
        return self.found[name]

    def _resource(self, name: str, body: ResourceShape, regions: Mapping[str, RegionShape]) -> Resource | None:
        path: Path = ("resources", name)
        before = len(self.mistakes.found)
        port = next(port for port in PortName if port.value in body.model_fields_set)
        for region in body.members:
            if region not in regions:
                problem = f'there is no region "{shown(region)}"'
                self._note((*path, "members", region), problem, did_you_mean(region, regions), key=True)
        if isinstance(body.compute, dict):
            return self._spanning(name, body, body.compute, regions)
        provider_name = self._provider_of(path, body, regions)
        if provider_name is None:
            return None
        written = str(getattr(body, port.value))
        options = body.model_extra or {}
        part = self._part(name, body, port, written, provider_name, body.members, options, (*path, port.value))
        if part is None or len(self.mistakes.found) > before:
            return None
        resource, self.kinds[name] = part
        return resource

    def _part(
        self,
        name: str,
        body: ResourceShape,
        port: PortName,
        written: str,
        provider_name: str,
        regions: Iterable[str],
        options: Mapping[str, Any],
        at: Path,
    ) -> Part | None:
        """The members in these regions, which one provider serves, under its kind. `at`: where the kind stands."""
        path: Path = ("resources", name)
        provider = self._provider(provider_name, (*path, "provider"))
        if provider is None:
            return None
        try:
            kind = registry.kind(port, written, provider)
        except Refused as refusal:
            self._note(at, _sentence(refusal.happened), refusal.to_do)
            return None
        own = self._options(path, kind, options)
        roles = self._roles((*path, "roles"), body.roles, provider)
        members = {region: self._member(path, kind, region) for region in regions}
        identity = unescape(body.id) if body.id is not None else None
        return Resource(name, port, kind.name, provider_name, identity, members, own, roles), kind

    def _spanning(
        self, name: str, body: ResourceShape, kinds: Mapping[str, str], regions: Mapping[str, RegionShape]
    ) -> Resource | None:
        """Workers that are of another kind in another region: each part as a resource of its own, and all as one."""
        path: Path = ("resources", name)
        before = len(self.mistakes.found)
        own = body.model_extra or {}
        for key in ("provider", "id", *own):
            if key in own or key in body.model_fields_set:
                problem = f"{key} is no key of a group whose members are of several kinds"
                self._note((*path, key), problem, "write it into the members, or remove it", key=True)
        for region in dict.fromkeys((*kinds, *body.members)):
            for what, key, there in (("kind", "compute", kinds), ("member", "members", body.members)):
                if region not in there:
                    self._note((*path, key), f"{shown(region)} has no {what} here", f"write {key}: {{{region}: …}}")
        alike: dict[tuple[str, str], list[str]] = {}
        for region in body.members:
            if region in kinds and region in regions:
                alike.setdefault((regions[region].provider, kinds[region]), []).append(region)
        read = [
            self._part(name, body, PortName.COMPUTE, written, provider, of, {}, (*path, "compute", of[0]))
            for (provider, written), of in alike.items()
        ]
        parts = [part for part in read if part is not None]
        if len(self.mistakes.found) > before or not parts:
            return None
        self.kinds[name] = whole = spanning.kind_of(parts)
        members = {region: one.members[region] for one, _ in parts for region in one.members}
        options = {"kinds": {region: one.kind for one, _ in parts for region in one.members}}
        return replace(parts[0][0], kind=whole.name, members=members, options=options)

    def _taken_back(self, resource: Resource, bodies: Mapping[str, ResourceShape]) -> None:
        """`undo: NAME` names another custom action, which can run wherever this one can."""
        named = resource.options.get("undo") if resource.port is PortName.CUSTOM else None
        if not isinstance(named, str):
            return
        path: Path = ("resources", resource.name, "undo")
        others = {name: body for name, body in bodies.items() if body.custom is not None and name != resource.name}
        if named not in others:
            problem = "nothing takes itself back" if named == resource.name else f'no custom action "{shown(named)}"'
            self._note(path, problem, did_you_mean(named, others, "custom actions"))
        elif missing := [region for region in resource.members if region not in others[named].members]:
            problem = f"{shown(named)} has no member in {' and '.join(missing)}, where this one has"
            self._note(path, problem, f"write resources: {named}: members: {{{missing[0]}: …}}")

    def _provider_of(self, path: Path, body: ResourceShape, regions: Mapping[str, RegionShape]) -> str | None:
        if body.provider is not None:
            return body.provider
        spanned = [regions[region].provider for region in body.members if region in regions]
        several = dict.fromkeys(spanned or [region.provider for region in regions.values()])
        if len(several) == 1:
            return next(iter(several))
        if several:
            problem = f"this resource spans the providers {' and '.join(several)}"
            self._note(path, problem, f"say which one serves it: provider: {next(iter(several))}", key=True)
        return None

    def _options(self, path: Path, kind: Kind, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        if kind.options is None:
            known = [key for key in COMMON_KEYS if key not in PORTS] + [kind.port.value]
            for key in extra:
                self._note((*path, key), f'unknown key "{shown(key)}"', did_you_mean(key, sorted(known)), key=True)
            return {}
        if self._loose(kind.options, path, kind):
            return {}
        options = validated(kind.options, self.document, path, self.mistakes, data=unescaped(dict(extra)))
        return options.model_dump() if options is not None else {}

    def _member(self, path: Path, kind: Kind, region: str) -> Any:
        whole = (*path, "members", region)
        node, _, _ = self.document.find(whole)
        if kind.member is None:
            if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
                return unescape(node.value)
            what = "empty" if isinstance(node, Scalar) and node.value in (None, "") else "not text"
            cure = f'put it in quotes: "{shown(node.text)}"' if isinstance(node, Scalar) and node.text else ""
            self._note(
                whole,
                f"a member of {kind.port} {kind.name} is one identifier; this is {what}",
                cure or "write its name",
            )
            return None
        if self._loose(kind.member, whole, kind):
            return None
        member = validated(kind.member, self.document, whole, self.mistakes, data=unescaped(plain(node)))
        return member.model_dump() if member is not None else None

    def _loose(self, model: type[Any], path: Path, kind: Kind) -> bool:
        loose = loose_models(model)
        if loose:
            problem = f"the provider's kind {kind.name} would let unknown keys pass ({', '.join(loose)})"
            self._note(path, problem, "report this to the provider's authors: its models must forbid extra keys")
        return bool(loose)

    def _check(self, name: str, shape: CheckShape, regions: Mapping[str, Region]) -> Check:
        kind = shape.kind
        target = str(getattr(shape, kind))
        if kind == SIGNAL:
            self._signal(("checks", name, kind), target, regions)
        for reference in references(target) if kind != SIGNAL else ():
            self._check_reference(("checks", name, kind), reference.name, reference.written, regions)
        numbers = re.findall(r"[0-9]+", shape.vantages or "0 of 0")
        return Check(
            name=name,
            kind=kind,
            target=target,
            every_seconds=float(shape.every),
            timeout_seconds=float(shape.timeout),
            # An alarm has counted before it fires, and is not made to count again unless somebody says so.
            fall=shape.fall if kind != SIGNAL or "fall" in shape.model_fields_set else 1,
            rise=shape.rise if kind != SIGNAL or "rise" in shape.model_fields_set else 1,
            vantages_needed=int(numbers[0]),
            vantages_total=int(numbers[1]),
            expect_status=tuple(shape.expect_status),
            expect_body=unescape(shape.expect_body) if shape.expect_body is not None else None,
        )

    def _signal(self, path: Path, name: str, regions: Mapping[str, Region]) -> None:
        """A check that is a signal names a resource of that port, which says something of every region."""
        written = names_in(self.document).of(PortName.SIGNALS)
        if name not in written:
            self._note(path, f'there is no signals resource "{shown(name)}"', did_you_mean(name, written))
            return
        members = self.members.get(name)
        silent = [region for region in regions if region not in members] if members else []
        if silent:
            problem = f"{shown(name)} says nothing of {' and '.join(silent)}, which this check would never see healthy"
            self._note(path, problem, f"write resources: {shown(name)}: members: {{{silent[0]}: …}}")

    def _check_reference(self, path: Path, name: str | None, written: str, regions: Mapping[str, Region]) -> None:
        if name is None:
            self._note(path, f"{shown(written)} is no ${{name}}", "write ${region}, say, or $${ for that very text")
        elif name not in CHECK_NAMES:
            without = [region.name for region in regions.values() if name not in region.variables]
            every = [*CHECK_NAMES, *dict.fromkeys(key for region in regions.values() for key in region.variables)]
            if len(without) == len(regions):
                self._note(path, f"nothing is called ${{{name}}}", did_you_mean(name, every))
            elif without:
                problem = f"${{{name}}} has no value in {' and '.join(without)}"
                self._note(path, problem, f"write regions: {without[0]}: variables: {{{name}: …}}")

    def _vantage(self, name: str, shape: VantageShape, regions: Mapping[str, Region]) -> Vantage:
        if shape.region is not None and shape.region not in regions:
            problem = f'there is no region "{shown(shape.region)}"'
            advice = did_you_mean(shape.region, regions)
            self._note(("vantages", name, "region"), problem, f"{advice}; outside of all of them, leave it out")
        return Vantage(name, tuple(unescape(word) for word in shape.command), shape.region)


def _approval_path(name: str, shape: ApprovalPathShape) -> ApprovalPath:
    by = "function" if shape.function is not None else "terminal"
    return ApprovalPath(name, by, unescape(shape.function or shape.terminal or ""), shape.region)


def _audit(shape: AuditShape | None) -> Audit | None:
    if shape is None:
        return None
    return Audit(tuple(unescape(url) for url in shape.anchors), unescape(shape.key), unescape(shape.signers))


def unescaped(value: Any) -> Any:
    """`$${` → `${` in every text of a value."""
    if isinstance(value, str):
        return unescape(value)
    if isinstance(value, list):
        return [unescaped(one) for one in value]
    if isinstance(value, dict):
        return {key: unescaped(one) for key, one in value.items()}
    return value


def _sentence(text: str) -> str:
    """An error's sentence as it stands after a colon."""
    short = text.rstrip(".")
    return short[:1].lower() + short[1:] if short[1:2].islower() else short
