"""The application over three clouds leaves either of them, by the topology and the runbooks that ship."""

from __future__ import annotations

import re
import subprocess
import time

import psycopg
import pytest

from cloudfail.moving import lost_sentence
from tests.emulators.clouds.site import ADDRESS, AWS, AZURE, GOOGLE, STAND_IN, WORKERS, Site, client
from tests.emulators.operator import COMMAND_SECONDS
from tests.local import servers

pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(900)]
ACCEPTED = ("--accept-owed-fence", "--loss-seconds", "600")
OTHER = {AWS: AZURE, AZURE: AWS}
UNTOUCHED_SECONDS = 6.0
MOVED_TO = "s3://shop-log/state?region=eu-central-1"


def at_the_gate(site: Site, source: str, checksum: str) -> subprocess.Popen[bytes]:
    """A run that somebody began, and that waits for another person now."""
    process = site.begin("evacuate", "evacuate", source, "--plan", checksum)
    servers.until(lambda: "gate opened" in site.words_of("evacuate") or process.poll() is not None, 120, "the gate")
    assert process.poll() is None, site.words_of("evacuate")
    return process


def ended(site: Site, process: subprocess.Popen[bytes]) -> str:
    """All that the run said, by when it is over."""
    process.wait(COMMAND_SECONDS)
    return site.words_of("evacuate")


def assert_left(site: Site, source: str) -> None:
    """Customers, orders and workers are in the other cloud, and the log accounts for it."""
    target = OTHER[source]
    site.customers.must_be_served()
    assert site.customers.orders[-1].address == ADDRESS[target]
    assert site.takes_orders(target)
    assert site.workers(target) >= (STAND_IN if target == AZURE else WORKERS[AWS])
    audit = site.cloudfail("audit", "verify")
    assert audit.code == 0, audit.text


def settle(site: Site, source: str) -> None:
    """The cloud is back: what was owed is done first, by ticks, and customers stay where they are."""
    site.give_back(source)
    standing = site.settled()
    assert "owe" not in standing, standing
    servers.until(
        lambda: {*map(tuple, map(site.resolved, site.names))} == {(ADDRESS[OTHER[source]],)}, 30, "both names say so"
    )
    with pytest.raises(psycopg.Error):
        site.order(source, "after it was fenced")


def restore(site: Site, source: str) -> None:
    _, checksum = site.reviewed(source, "--to", OTHER[source], "--runbook", "restore")
    done = site.move("restore", source, checksum)
    assert done.code == 0, done.text
    servers.until(lambda: site.notes(source) == site.notes(OTHER[source]), 30, f"{source} follows")


def leave(site: Site, source: str) -> str:
    """All of that cloud is lost: a person accepts that the fence is owed. Returns what the plan said."""
    site.lose(source)
    text, checksum = site.reviewed(source)
    done = site.move(f"away-from-{source}", source, checksum, approve=ACCEPTED)
    assert done.code == 3, done.text
    assert "fence  owed" in done.text
    assert_left(site, source)
    return text


def test_each_cloud_is_left_for_the_other_when_all_of_it_is_lost(site: Site) -> None:
    """To the stand-in, which serves less with fewer workers; and from there to the whole site, when that is lost."""
    text = " ".join(leave(site, AWS).split())
    assert "westeurope is a stand-in: it serves browse and order, not returns. It runs 25% of the workers" in text
    assert site.workers(AZURE) == STAND_IN
    away = site.words_of(f"away-from-{AWS}")
    assert "www_aws  owed" in away and "nobody is answered by www-aws" in away
    settle(site, AWS)
    restore(site, AWS)
    leave(site, AZURE)
    assert "www_aws  done" in site.words_of(f"away-from-{AZURE}")
    assert "returns  done  returns passes in us-east-1" in site.words_of(f"away-from-{AZURE}")
    settle(site, AZURE)


@pytest.mark.parametrize("lost", [AWS, AZURE])
def test_a_cloud_that_is_lost_in_the_middle_does_not_keep_a_run_from_its_end(site: Site, lost: str) -> None:
    """AWS serves nobody, its servers answer: so the fence is proven. Then all of AWS is lost, and what was proven
    cannot be seen any more, so that a person must accept it; or Azure is lost for a while, and waited for. Home again
    without loss, when both answer."""
    site.shop.lost.add(AWS)
    _, checksum = site.reviewed(AWS)
    process = at_the_gate(site, AWS, checksum)
    assert "fence  done  proven: " in site.words_of("evacuate")
    site.lose(lost)
    accepted = ACCEPTED if lost == AWS else ()
    said = site.cloudfail("approve", *accepted, "--reason", "seen from outside", by="bob")
    assert said.code == 0, said.text
    if lost == AZURE:
        time.sleep(UNTOUCHED_SECONDS)
        assert process.poll() is None, ended(site, process)
        site.give_back(AZURE)
    text = ended(site, process)
    assert process.returncode == (3 if lost == AWS else 0), text
    assert_left(site, AWS)
    if lost == AWS:
        settle(site, AWS)
    site.shop.lost.discard(AWS)
    restore(site, AWS)
    come_home(site)


def go_on(site: Site) -> None:
    """Somebody carries the open run on; another person lets it pass its gate."""
    process = site.begin("resumed", "resume")
    servers.until(lambda: "gate opened" in site.words_of("resumed") or process.poll() is not None, 120, "the gate")
    said = site.cloudfail("approve", "--reason", "go on", by="bob")
    assert said.code == 0, f"{said.text}\n{site.words_of('resumed')}"
    process.wait(COMMAND_SECONDS)
    assert process.returncode == 0, site.words_of("resumed")


def come_home(site: Site) -> None:
    """The shipped failback, whose ramp holds each step for seconds, and not for a minute."""
    _, checksum = site.reviewed(AZURE, "--to", AWS, "--runbook", "failback-clouds")
    before = site.notes(AZURE)
    done = site.move("failback", AZURE, checksum)
    assert done.code == 0, done.text
    assert before <= site.notes(AWS), "nothing that was acknowledged is lost"
    assert_left(site, AZURE)
    assert [site.resolved(name) for name in site.names] == [[ADDRESS[AWS]]] * 2
    with pytest.raises(psycopg.Error):
        site.order(AZURE, "no longer")


def test_without_its_log_a_run_has_no_effect_and_goes_on_when_the_cloud_that_holds_it_is_back(site: Site) -> None:
    """A planned move, which has begun to scale: customers are served all the while."""
    _, checksum = site.reviewed(AWS, "--to", AZURE, "--runbook", "failback-clouds")
    process = site.begin("evacuate", "evacuate", AWS, "--plan", checksum)
    servers.until(lambda: "scale  ordered" in site.words_of("evacuate"), 120, "it scales")
    site.lose(GOOGLE)
    began, before = time.monotonic(), site.changes()
    said = ended(site, process)
    assert process.returncode not in (0, 3), said
    assert "does not answer" in said.splitlines()[-1]
    assert "Nothing is changed while the journal cannot be written." in said.splitlines()[-1]
    time.sleep(UNTOUCHED_SECONDS)
    site.customers.must_be_served()
    assert {one.address for one in site.customers.since(began)} == {ADDRESS[AWS]}
    assert site.changes() == before
    silent = site.cloudfail("resume")
    assert silent.code != 0
    assert "Nothing is changed while the journal cannot be written." in silent.text
    assert site.changes() == before
    site.give_back(GOOGLE)
    go_on(site)
    assert_left(site, AWS)
    assert [site.resolved(name) for name in site.names] == [[ADDRESS[AZURE]]] * 2


def test_after_its_log_was_moved_away_from_the_lost_cloud_the_application_is_left(site: Site) -> None:
    site.shop.lost.add(AWS)
    _, checksum = site.reviewed(AWS)
    process = at_the_gate(site, AWS, checksum)
    site.lose(GOOGLE)
    before = site.changes()
    said = site.cloudfail("approve", "--reason", "seen from outside", by="bob")
    assert said.code != 0, said.text
    assert "Nothing is changed while the journal cannot be written." in said.text
    assert process.returncode is None or process.returncode not in (0, 3)
    assert "Nothing is changed while the journal cannot be written." in ended(site, process)
    assert site.changes() == before
    client(site.clouds.aws, "s3", region="eu-central-1").create_bucket(
        Bucket="shop-log", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    moved = site.cloudfail(
        "state",
        "move",
        MOVED_TO,
        "--old-is-lost",
        "--primary",
        AWS,
        "--confirm",
        lost_sentence("shop"),
        "--reason",
        "Google is lost",
    )
    assert moved.code == 0, moved.text
    written = (site.root / "cloudfail.yaml").read_text()
    (site.root / "cloudfail.yaml").write_text(written.replace(site.clouds.google.state, MOVED_TO))
    assert site.cloudfail("check").code == 0, "what runs is counted anew"
    text, checksum = site.reviewed(AWS)
    assert "already so: proven: " in text, "what the first run did stands"
    done = site.move("anew", AWS, checksum, approve=ACCEPTED)
    assert done.code == 3, done.text
    assert "www_aws  done" in done.text and "www_gcp  owed" in done.text
    assert "nobody is answered by www-gcp" in done.text
    assert_left(site, AWS)
    site.give_back(GOOGLE)
    merge = ("state", "merge", site.clouds.google.state, "--primary", AZURE, "--reason", "Google is back")
    told = site.cloudfail(*merge)
    asked = re.search(r"--end-run (\S+)", told.text)
    assert asked is not None, told.text
    merged = site.cloudfail(*merge, "--end-run", asked[1])
    assert merged.code == 0, merged.text
    assert site.cloudfail("resume", "--automation", "--reason", "one log again").code == 0
    standing = site.settled()
    assert "owe" not in standing, standing
    assert [site.resolved(name) for name in site.names] == [[ADDRESS[AZURE]]] * 2
    assert site.cloudfail("audit", "verify").code == 0
    with pytest.raises(psycopg.Error):
        site.order(AWS, "after it was fenced")
