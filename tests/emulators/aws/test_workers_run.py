"""A run over real files: workers held and scaled, a consumer turned on, while the region that is left is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.app import App
from cloudfail.errors import Refused
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.stores.memory import MemoryStore
from cloudfail_aws import provider
from cloudfail_aws.compute import marks
from cloudfail_aws.compute.autoscaling import HELD
from cloudfail_local import provider as local
from tests.emulators.aws.conftest import Account
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import SOURCE, TARGET, sdk, unique
from tests.emulators.aws.test_autoscaling import Site

FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws}}
  us-west-2: {{provider: aws}}
primary: us-east-1
state: "memory:"
resources:
  web:  {{compute: autoscaling, members: {{us-east-1: {group}, us-west-2: {group}}}}}
  jobs: {{consumers: eventbridge-rule, members: {{us-east-1: {rule}, us-west-2: {rule}}}}}
  deploys: {{change: flag, provider: local, directory: "{flags}", members: {{us-east-1: e, us-west-2: w}}}}
"""
RUNBOOK = """\
name: take-over
mode: failover
steps:
  freeze:   {action: change.freeze,    with: {where: "${to}"},                       limit: 1m}
  hold:     {action: compute.hold,     with: {group: web},                           needs: [freeze], limit: 2m}
  scale:    {action: compute.scale,    with: {group: web, like: "recorded ${from}"}, needs: [hold],   limit: 5m}
  jobs:     {action: consumers.enable, with: {consumers: jobs},                      needs: [scale],  limit: 2m}
  unfreeze: {action: change.unfreeze,  with: {where: "${to}"},                       needs: [jobs],   limit: 1m}
"""


@pytest.fixture
def site(cloud: Front) -> Site:
    """As much in both regions: two instances wanted, and a rule that only the source has on."""
    one = Site(cloud, unique("web")).group("web", region=SOURCE).group("web")
    for region, state in ((SOURCE, "ENABLED"), (TARGET, "DISABLED")):
        sdk(cloud, "events", region).put_rule(Name=one.name, EventPattern='{"source": ["shop"]}', State=state)
    return one


@pytest.fixture
def app(site: Site, tmp_path: Path) -> App:
    topology, runbook = tmp_path / "cloudfail.yaml", tmp_path / "take-over.yaml"
    flags = tmp_path / "flags"
    flags.mkdir()
    topology.write_text(FILE.format(group=site.name, rule=site.name, flags=flags), encoding="utf-8")
    runbook.write_text(RUNBOOK, encoding="utf-8")
    return App(config.load(topology, [runbook], {"aws": provider, "local": local}), MemoryStore(), "alice")


def rule_of(site: Site) -> str:
    state: str = sdk(site.front, "events").describe_rule(Name=site.name)["State"]
    return state


def test_the_survivor_gets_as_much_as_the_lost_region_had_at_most_in_a_day(site: Site, app: App) -> None:
    scaler = sdk(site.front, "autoscaling", SOURCE)
    for count in (4, 2):  # its users leave before anybody calls it lost
        scaler.set_desired_capacity(AutoScalingGroupName=site.name, DesiredCapacity=count)
        app.record()
    assert app.recorded()["web"] == {SOURCE: 4, TARGET: 2}
    site.front.outages.refuse(region=SOURCE)
    site.front.forget()

    review = app.review(SOURCE, TARGET, "take-over")
    assert review.refusals == []
    site.front.forget()
    run = app.start(review.plan.checksum, reason="us-east-1 does not answer")
    app.drive()

    done = app.run(run)
    assert done.phase is Phase.DONE, done.halted_because
    assert (site.size(), rule_of(site)) == ((4, 4, 4), "ENABLED")
    assert site.suspended() == set(HELD)
    tags = {tag["Key"]: tag["Value"] for tag in site.raw()["Tags"]}
    assert marks.read(tags).before == marks.Before(marks.run_word(run), 2, 1, 4)
    assert site.front.count(region=SOURCE) == 0, "a step asked the region that is lost"

    # As a request of an older epoch would leave it, which was on its way when the run ended.
    site.do("update_auto_scaling_group", MinSize=3, DesiredCapacity=3, MaxSize=4)
    app.watch_over(run)
    assert site.size() == (4, 4, 4)


def test_what_the_account_may_not_run_there_is_neither_planned_nor_begun(
    site: Site, app: App, account: Account
) -> None:
    """Six of two vCPUs each. The region has the quota of an account that never used it: five vCPUs."""
    app.record({"web": {SOURCE: 6}})
    review = app.review(SOURCE, TARGET, "take-over")
    (said,) = review.refusals
    assert "6 of web need 12 vCPUs" in said
    site.front.forget()
    with pytest.raises(Refused, match="6 of web need 12 vCPUs"):
        app.start(review.plan.checksum, reason="a drill")
    assert site.front.count(mutating=True) == 0
    account.quotas.applied[TARGET, "L-1216C47A"] = 12.0
    assert app.review(SOURCE, TARGET, "take-over").refusals == []
    run = app.start(review.plan.checksum, reason="the quota was raised")
    app.drive()
    assert app.run(run).phase is Phase.DONE, app.run(run).halted_because
    assert site.size() == (6, 6, 6)


def test_a_quota_that_is_not_known_is_a_warning_and_stops_nobody(site: Site, app: App, account: Account) -> None:
    app.record({"web": {SOURCE: 6}})
    site.front.outages.silence(service="service-quotas")
    review = app.review(SOURCE, TARGET, "take-over")
    assert review.refusals == []
    assert any("how many of web the account may run in us-west-2 is not known" in one for one in review.warnings)
    run = app.start(review.plan.checksum, reason="a drill")
    app.drive()
    assert app.run(run).phase is Phase.DONE, app.run(run).halted_because


def test_a_run_that_is_taken_back_leaves_all_as_it_was(site: Site, app: App) -> None:
    """The rule cannot be turned on: whoever runs it takes the rest back."""
    app.record({"web": {SOURCE: 6}})
    review = app.review(SOURCE, TARGET, "take-over")
    site.front.outages.fail("ManagedRuleException", 400, operation="EnableRule")
    run = app.start(review.plan.checksum, reason="a drill")
    app.drive()
    assert app.run(run).phase is Phase.HALTED
    assert site.size() == (6, 6, 6)

    app.command(run, Event.ABORT, "not today")
    app.drive()
    assert app.run(run).phase is Phase.UNDONE
    assert (site.size(), site.suspended(), rule_of(site)) == ((1, 2, 4), frozenset(), "DISABLED")
