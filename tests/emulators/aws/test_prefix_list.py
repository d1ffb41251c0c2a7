"""network: prefix-list, where it is unlike the others: versions, entries that come before others go, changes that take
their time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls
from cloudfail_aws.network import prefix_list
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.network_world import EAST, WEST, Entries, resource
from tests.emulators.wire import Answer, Lost, Request, Upstream
from tests.path_server import greeting

LIST = "pl-0aa11bb22cc33dd44"


@pytest.fixture
def site(cloud: Front, moto_process: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Entries]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with greeting(EAST, WEST) as greeters:
        made = Entries(cloud, moto_process.url, greeters)
        cloud.forget()
        yield made
        cloud.serve("ec2", "moto", "DescribeManagedPrefixLists")
        made.close()


def described_as(site: Entries, moto: Emulator, change: Callable[[bytes], bytes]) -> None:
    """What moto never says of a list: its changes are over in an instant."""
    really = Upstream(moto.port)

    def answers(request: Request) -> Answer | Lost:
        said = really(request)
        if isinstance(said, Lost):
            return said
        kept = tuple((name, value) for name, value in said.headers if name.lower() != "content-length")
        return Answer(said.status, kept, change(said.body))

    site.front.serve("ec2", answers, "DescribeManagedPrefixLists")


def test_the_new_entries_are_added_before_the_old_ones_go_and_those_of_others_stay(site: Entries) -> None:
    east, west = set(site.CIDRS[EAST]), set(site.CIDRS[WEST])
    first = site.look()
    assert isinstance(first, Todo)
    site.act(first)
    assert site.cidrs() == east | west | {site.OTHER}
    second = site.look()
    assert isinstance(second, Todo)
    assert second.effect.endswith("(now us-east-1 and us-west-2)")
    site.act(second)
    assert site.cidrs() == west | {site.OTHER}
    assert isinstance(site.look(), Done)


def test_while_a_change_is_on_its_way_nothing_is_ordered_and_nothing_done(
    site: Entries, moto_process: Emulator
) -> None:
    first = site.look()
    assert isinstance(first, Todo)
    site.act(first)
    described_as(site, moto_process, lambda body: body.replace(b"modify-complete", b"modify-in-progress"))
    seen = site.look()
    assert isinstance(seen, Moving)
    assert "modify-in-progress" in seen.detail
    with pytest.raises(Transient, match="takes no order until"):
        site.order({site.list: (WEST,)}, site.state())


def test_a_change_that_failed_completes_nothing(site: Entries, moto_process: Emulator) -> None:
    assert isinstance(site.drive(), Done)
    described_as(site, moto_process, lambda body: body.replace(b"modify-complete", b"modify-failed"))
    seen = site.look()
    assert isinstance(seen, Moving)
    assert "modify-failed" in seen.detail


def test_a_version_that_is_not_the_one_that_was_seen_is_refused_by_ec2_itself(
    site: Entries, moto_process: Emulator
) -> None:
    todo = site.look()
    assert isinstance(todo, Todo)
    really = Upstream(moto_process.port)

    def somebody_first(request: Request) -> Answer | Lost:
        site.front.serve("ec2", "moto", "ModifyManagedPrefixList")
        site.ec2.modify_managed_prefix_list(
            PrefixListId=site.list, CurrentVersion=1, AddEntries=[{"Cidr": "203.0.113.0/24"}]
        )
        return really(request)

    site.front.serve("ec2", somebody_first, "ModifyManagedPrefixList")
    with pytest.raises(Conflict, match="PrefixListVersionMismatch"):
        site.act(todo)
    assert not set(site.CIDRS[WEST]) & site.cidrs()
    assert isinstance(site.drive(), Done)
    assert "203.0.113.0/24" in site.cidrs()


def test_a_late_call_is_refused_by_its_version_and_changes_nothing(site: Entries) -> None:
    state = site.state()
    held = site.front.outages.hold(operation="ModifyManagedPrefixList", times=1)
    with pytest.raises(OutcomeUnknown):
        site.order(site.to(WEST), state, Calls().make(10))
    assert isinstance(site.drive(), Done)
    assert isinstance(site.drive({"points": {site.list: [EAST]}}), Done)
    stands = site.cidrs()
    held.land()
    assert site.cidrs() == stands


def test_a_member_that_is_in_the_list_by_half_is_unknown(site: Entries) -> None:
    state, half = site.state(), site.CIDRS[WEST][0]
    site.ec2.modify_managed_prefix_list(PrefixListId=site.list, CurrentVersion=1, AddEntries=[{"Cidr": half}])
    seen = site.look()
    assert isinstance(seen, NotKnown)
    assert f"holds {half} of {WEST}, and not {site.CIDRS[WEST][1]}" in seen.reason
    with pytest.raises(Conflict):
        site.order({site.list: (WEST,)}, state)


def test_where_there_is_no_room_for_both_it_is_refused_before_anything_is_changed(
    site: Entries, moto_process: Emulator
) -> None:
    full = b"<maxEntries>3</maxEntries>"
    described_as(site, moto_process, lambda body: body.replace(b"<maxEntries>10</maxEntries>", full))
    todo = site.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent, match="no room for 2 more") as refused:
        site.act(todo)
    assert "--max-entries 4" in refused.value.to_do
    assert site.front.count(operation="ModifyManagedPrefixList") == 0


def test_a_list_that_aws_keeps_itself_is_not_ours_to_change(site: Entries) -> None:
    own = site.ec2.describe_managed_prefix_lists(Filters=[{"Name": "owner-id", "Values": ["AWS"]}])["PrefixLists"]
    site.resource.options["list"] = own[0]["PrefixListId"]  # type: ignore[index]  # the loader's own dict
    read = site.port().read()
    assert isinstance(read, Unknown)
    assert "kept by AWS itself" in read.reason


def test_an_entry_of_two_regions_cannot_tell_them_apart() -> None:
    of = resource("prefix-list", {EAST: "192.0.2.0/25", WEST: ["192.0.2.0/25", "192.0.2.128/25"]}, list=LIST)
    with pytest.raises(Refused, match=r"192\.0\.2\.0/25"):
        prefix_list.build(of, topology=None)  # type: ignore[arg-type]  # it is refused before that is looked at
