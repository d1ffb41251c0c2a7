"""Each kind of mistake is told at its place, with what to write instead; all of them are told at once."""

# ruff: noqa: E501 - one mistake per line, as a table

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, PROVIDERS, TOPOLOGY, changed, mistakes, place

from cloudfail import config
from cloudfail.config import Mistake
from cloudfail.errors import ConfigError

PATHS = """         approval_paths: {laptop: {terminal: "any of the team's"}, jump: {terminal: jump.shop.example, region: eu-west-3}}}"""

TOPOLOGY_MISTAKES = [
    # old, new, place, problem, instead
    ("regions:\n", "rgions:\n", "c.yaml:4:1", 'unknown key "rgions"', "did you mean regions?"),
    ("regions:\n", "rgions:\n", "c.yaml:2:1", '"regions" is missing', "write regions: …"),
    ("rto: 15m", "rto: 15", "c.yaml:3:19", "a time carries its unit", "write 15s"),
    ("rto: 15m", "rto: 15 minutes", "c.yaml:3:19", "not a time with its unit", "write 15m"),
    ("rto: 15m", "rto: 15 parsec", "c.yaml:3:19", "not a time with its unit", "500ms, 10s, 2m, 1h"),
    ("rto: 15m", "rto: -1m", "c.yaml:3:19", "not a time with its unit", "500ms"),
    ("rto: 15m", "rto: 0s", "c.yaml:3:19", "must be more than nothing", "write 30s"),
    ("rto: 15m", "rto: 999d", "c.yaml:3:19", "not a time", "at most 366d"),
    ("rto: 15m", "rto: 12:30:45", "c.yaml:3:19", "not a time", "one of ms, s, m, h, d"),
    ("rto: 15m", "rto: [15m]", "c.yaml:3:19", "a time carries its unit", "500ms"),
    ("rto: 15m", "rto: 15m, mttr: 1h", "c.yaml:3:24", 'unknown key "mttr"', "known here: rto, rpo"),
    ("application: shop", "application: 12", "c.yaml:2:14", '"application" must be text', 'put it in quotes: "12"'),
    ("application: shop", "application: my shop", "c.yaml:2:14", "a name begins with a letter", "write my-shop"),
    ("application: shop", "application:", "c.yaml:2:13", '"application" is empty', "write a value"),
    ("application: shop", "application: [shop]", "c.yaml:2:14", "must be text", "application: text"),
    ("us-east-1: {provider: aws,", "us-east-1: {provider: awz,", "c.yaml:5:25", 'no provider "awz"', "mean aws?"),
    ("us-east-1: {provider: aws,", "us-east-1: {provider: gcp,", "c.yaml:5:25", "no provider", "'cloudfail[gcp]'"),
    ("us-east-1: {provider: aws,", "us-east-1: {", "c.yaml:5:14", '"provider" is missing', "write provider"),
    ('us-east-1: {provider: aws, account: "111111111111"}', "us-east-1: {provider: aws, account: 111111111111}",
     "c.yaml:5:39", '"account" must be text', 'put it in quotes: "111111111111"'),
    ("primary: us-east-1", "primary: us-esat-1", "c.yaml:7:10", 'no region "us-esat-1"', "did you mean us-east-1?"),
    ("primary: us-east-1", "primary: no", "c.yaml:7:10", 'no region "no"', "known here: us-east-1"),
    ("state: dynamodb:", "state: dynamo:", "c.yaml:8:8", "names no kind of state store", "did you mean dynamodb?"),
    ("state: dynamodb://cloudfail?region=eu-central-1", "state: 'sqlite:'", "c.yaml:8:8", "names no file", "sqlite:state.db"),
    ("state: dynamodb://cloudfail?region=eu-central-1", "state: s3:x", "c.yaml:8:8", "names no store", "s3://name"),
    ("policy:", "audit: {anchors: ['s4://acme'], key: env:KEY, signers: s}\npolicy:", "c.yaml:16:19", "names no place for anchors", "places: file, s3"),
    ("policy:", "audit: {anchors: ['s3://'], key: env:KEY, signers: s}\npolicy:", "c.yaml:16:19", "names no place", "s3://name"),
    ("policy:", "audit: {anchors: ['memory:'], key: env:KEY, signers: s}\npolicy:", "c.yaml:16:19", "names no place for anchors", "file:/path"),
    ("policy:", "audit: {anchors: ['file:/srv'], key: AAAAB3NzaC1, signers: s}\npolicy:", "c.yaml:16:38", "a key is never written here", "env:NAME or file:PATH"),
    ("policy:", "audit: {anchors: [], key: env:KEY, signers: s}\npolicy:", "c.yaml:16:18", "", ""),
    ("state: dynamodb://cloudfail?region=eu-central-1", "state: memory:x", "c.yaml:8:8", "takes nothing", "sqlite:PATH"),
    ("orders: {database: aurora-global", "orders: {databse: aurora-global", "c.yaml:10:11", "names no port", "mean database?"),
    ("orders: {database: aurora-global", "orders: {database: aurora-globl", "c.yaml:10:22", "serves no database", "aurora-global?"),
    ("orders: {database: aurora-global", "orders: {dns: route53, database: aurora-global", "c.yaml:10:11",
     "database and dns at once", "two resources"),
    ("id: orders-global", "ident: orders-global", "c.yaml:10:37", 'unknown key "ident"', "known here"),
    ("{us-east-1: orders-e", "{us-esat-1: orders-e", "c.yaml:10:66", 'no region "us-esat-1"', "did you mean us-east-1?"),
    ("us-east-1: orders-e", "us-east-1: 17", "c.yaml:10:77", "this is not text", 'put it in quotes: "17"'),
    ("us-east-1: orders-e", "us-east-1: {name: x}", "c.yaml:10:77", "is one identifier", "write its name"),
    ("zone: Z1EXAMPLE", "zonne: Z1EXAMPLE", "c.yaml:12:26", 'unknown key "zonne"', "did you mean zone?"),
    ("zone: Z1EXAMPLE", "zonne: Z1EXAMPLE", "c.yaml:12:11", '"zone" is missing', "write zone"),
    ("ttl: 60s", "ttl: 60", "c.yaml:12:72", "a time carries its unit", "write 60s"),
    ("{object:", "{objet:", "c.yaml:13:21", 'unknown key "objet"', "did you mean object?"),
    ("name: www.shop.example", 'name: "${region}.shop.example"', "c.yaml:12:49", "identifiers are literal", "$${region}"),
    ("{http:", "{htttp:", "c.yaml:15:14", 'unknown key "htttp"', "did you mean http?"),
    ("{http:", '{tcp: "a:1", http:', "c.yaml:15:13", "http and tcp at once", "write one of"),
    ("${region}.shop", "${regio}.shop", "c.yaml:15:20", "nothing is called ${regio}", "did you mean region?"),
    ("${region}.shop", "${region:-x}.shop", "c.yaml:15:20", "is no ${name}", "write ${region}"),
    ("${region}.shop", "${.shop", "c.yaml:15:20", "is no ${name}", "$${"),
    ("every: 10s", "every: 10", "c.yaml:15:69", "a time carries its unit", "write 10s"),
    ("fall: 3", "fall: three", "c.yaml:15:80", '"fall" must be a whole number', "write 3"),
    ("fall: 3", "fall: 03", "c.yaml:15:80", '"fall" must be a whole number', "write 3"),
    ("fall: 3", "fall: 0", "c.yaml:15:80", "must be at least 1", "write at least 1"),
    ("fall: 3", "fall: 3.5", "c.yaml:15:80", "must be a whole number", "write 3"),
    ("vantages: 2 of 3", "vantages: 2", "c.yaml:15:102", "how many vantages", 'write "2 of 3"'),
    ("vantages: 2 of 3", "vantages: 4 of 3", "c.yaml:15:102", "can never agree", "write 2 of 3"),
    ("vantages: 2 of 3", "vantages: 1 of 3", "c.yaml:15:102", "not more than half", "write 2 of 3"),
    ("automation: stage-1", "automation: stage1", "c.yaml:16:22", 'cannot be "stage1"', "did you mean stage-1?"),
    ("automation: stage-1", "automation: true", "c.yaml:16:22", '"automation" cannot be', "one of: off, stage-1, automatic"),
    ("hold_down: 2m", "holddown: 2m", "c.yaml:16:31", 'unknown key "holddown"', "did you mean hold_down?"),
    ("policy: {automation: stage-1, hold_down: 2m, cool_down: 1h,\n" + PATHS, "policy: strict", "c.yaml:16:9", "must be a mapping", "key"),
    ('{terminal: "any of the team\'s"}', "{}", "c.yaml:17:35", "does not say how an approval comes in", "write one of terminal"),
    ('{terminal: "any of the team\'s"}', "{terminal: t, function: 'https://a.example'}", "c.yaml:17:35", "two at once", "write one of terminal"),
    ('{terminal: "any of the team\'s"}', "{function: 'https://a.example'}", "c.yaml:17:35", "where the function stands", "write region"),
    ('{terminal: "any of the team\'s"}', "{function: 'http://a.example', region: eu-west-3}", "c.yaml:17:46", "no https://", "https://…"),
    ("{terminal: jump", "{terminl: jump", "c.yaml:17:75", 'unknown key "terminl"', "did you mean terminal?"),
    ("policy:", "vantages: {w: {region: us-esat-1}}\npolicy:", "c.yaml:16:24", "no region", "did you mean us-east-1?"),
    ("policy:", "vantages: {w: {command: ssh w}}\npolicy:", "c.yaml:16:25", "must be a list", "write [ssh w]"),
]  # fmt: skip

RUNBOOK_MISTAKES = [
    ("mode: failover", "mode: failovr", "r0.yaml:3:7", 'cannot be "failovr"', "did you mean failover?"),
    ("steps:\n", "step:\n", "r0.yaml:4:1", 'unknown key "step"', "did you mean steps?"),
    ("action: database.fence", "action: database.fance", "r0.yaml:7:24", "no action", "did you mean database.fence?"),
    ("action: database.fence,    with: {database: orders", "action: database.fence, with: {databse: orders",
     "r0.yaml:7:47", 'unknown key "databse"', "did you mean database?"),
    ("action: database.fence,    with: {database: orders", "action: database.fence, with: {database: order",
     "r0.yaml:7:57", 'no database "order"', "did you mean orders?"),
    ("action: database.fence,    with: {database: orders", "action: database.fence, with: {database: web",
     "r0.yaml:7:57", "is a compute, not a database", "known here: orders"),
    ("action: verify.users,      with: {check: checkout}", "action: verify.users, with: {check: chekout}",
     "r0.yaml:13:52", 'no check "chekout"', "did you mean checkout?"),
    ("{name: www,", "{name: ww,", "r0.yaml:12:56", "no dns or loadbalancer resource", "did you mean www?"),
    ("needs: [fence]", "needs: [fense]", "r0.yaml:8:99", 'no step "fense"', "did you mean fence?"),
    ("needs: [fence]", "needs: fence", "r0.yaml:8:98", '"needs" must be a list', "write [fence]"),
    ("needs: [fence]", "needs: [fence, fence]", "r0.yaml:8:106", "stands here twice", "write it once"),
    ("{gate: approval, ", "{gate: aproval, ", "r0.yaml:8:22", '"gate" cannot be', "mean approval?"),
    ("{gate: approval, ", "{gate: approval, limit: 1m, ", "r0.yaml:8:15", "a gate has no limit", "needs and expires"),
    ("{gate: approval, ", "{gate: approval, action: database.fence, ", "r0.yaml:8:15", "not both", "gate: approval"),
    ("{gate: approval, ", "{", "r0.yaml:8:15", "neither action nor gate", "write action"),
    ("needs: [promote], limit: 30s", "needs: [promote], limit: 30", "r0.yaml:11:116", "carries its unit", "write 30s"),
    ("needs: [promote], limit: 30s", "needs: [promote], expires: 30s", "r0.yaml:11:15", "only a gate expires", "limit"),
    ("needs: [promote], limit: 30s", "needs: [promote], retries: 99", "r0.yaml:11:118", "must be at most 20", "write at most 20"),
    ("needs: [promote], limit: 30s", "needs: [promote], post: [{writeable: orders}]", "r0.yaml:11:117",
     'unknown key "writeable"', "did you mean writable?"),
    ("needs: [promote], limit: 30s", "needs: [promote], post: [{writable: order}]", "r0.yaml:11:127",
     'no database "order"', "did you mean orders?"),
    ("needs: [promote], limit: 30s", "needs: [promote], post: [{writable: orders, fenced: orders}]", "r0.yaml:11:116",
     "exactly one signal", "write {in_sync"),
    ("needs: [promote], limit: 30s", 'needs: [promote], post: [{writable: orders, in: "${frm}"}]', "r0.yaml:11:139",
     "nothing is called ${frm}", "did you mean from?"),
    ("needs: [promote], limit: 30s", "needs: [promote], undo: database.unfense", "r0.yaml:11:115",
     "no action", "did you mean database.unfence?"),
    ("needs: [promote], limit: 30s", "needs: [promote], override: {write-after-promot: because it is}",
     "r0.yaml:11:120", "no order rule", "did you mean write-after-promote?"),
    ("needs: [promote], limit: 30s", "needs: [promote], override: {write-after-promote: why}", "r0.yaml:11:141",
     "a length of at least 8", "at least 8"),
    ('"recorded ${from}"', '"recorded ${fromm}"', "r0.yaml:10:68", "nothing is called ${fromm}", "did you mean from?"),
    ('"recorded ${from}"', '"recorded ${region}"', "r0.yaml:10:68", "in a runbook", "from, to, application"),
    (', like: "recorded ${from}"', "", "r0.yaml:10:49", "takes one of like and count", "count: 4"),
    ('like: "recorded ${from}"', "count: many", "r0.yaml:10:69", '"count" must be a whole number', "write 3"),
    ("{where: \"${from}\", unreachable: owe}", "{where: \"${from}\", unreachable: oww}", "r0.yaml:6:81",
     '"unreachable" cannot be "oww"', "did you mean owe?"),
    ("{where: \"${from}\", unreachable: owe}", "{where: us-west-1}", "r0.yaml:6:57", "no region", "did you mean us-west-2?"),
    ("{where: \"${from}\", unreachable: owe}", "{}", "r0.yaml:6:49", '"where" is missing', "write where"),
    ("rest: shed", "rest: wait", "r0.yaml:12:85", '"rest" cannot be "wait"', "one of: shed"),
]  # fmt: skip


def told(text: str, found: list[Mistake], where: str, problem: str, instead: str) -> bool:
    """Whether that mistake is among them, and what it repeats stands in the file exactly where it says."""
    for one in found:
        if place(one) == where and problem in one.problem and instead in one.instead:
            rest = text.splitlines()[one.line - 1][one.column - 1 :].lstrip("\"'")
            return rest.startswith(one.text) or one.text[:1] in "{["
    return False


@pytest.mark.parametrize(("old", "new", "where", "problem", "instead"), TOPOLOGY_MISTAKES)
def test_a_mistake_in_the_topology_is_told_at_its_place(
    tmp_path: Path, old: str, new: str, where: str, problem: str, instead: str
) -> None:
    text = changed(TOPOLOGY, (old, new))
    found = mistakes(tmp_path, text)
    assert told(text, found, where, problem, instead), "\n".join(map(str, found))


@pytest.mark.parametrize(("old", "new", "where", "problem", "instead"), RUNBOOK_MISTAKES)
def test_a_mistake_in_a_runbook_is_told_at_its_place(
    tmp_path: Path, old: str, new: str, where: str, problem: str, instead: str
) -> None:
    text = changed(EVACUATE, (old, new))
    found = mistakes(tmp_path, TOPOLOGY, text)
    assert told(text, found, where, problem, instead), "\n".join(map(str, found))


def test_all_mistakes_of_all_files_are_told_at_once_and_in_order(tmp_path: Path) -> None:
    topology = changed(
        TOPOLOGY, ("rto: 15m", "rto: 15"), ("aurora-global", "aurora"), ("fall: 3", "fal: 3"), ("zone: Z1", "zoone: Z1")
    )
    first = changed(EVACUATE, ("database.fence", "database.fance"), ("[write, scale]", "[wrte, scale]"))
    second = changed(EVACUATE, ("name: evacuate", "name: 7"), ("limit: 3m", "limit: 3"))
    found = mistakes(tmp_path, topology, first, second, "steps: [")
    assert [place(one) for one in found] == [
        "c.yaml:3:19",
        "c.yaml:10:22",
        "c.yaml:12:11",
        "c.yaml:12:26",
        "c.yaml:15:74",
        "r0.yaml:7:24",
        "r0.yaml:12:100",
        "r1.yaml:2:7",
        "r1.yaml:13:116",
        "r2.yaml:1:9",
    ]


def test_a_mistake_prints_its_place_the_text_and_the_advice(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, changed(TOPOLOGY, ("primary: us-east-1", "primary: us-esat-1")))
    assert str(found) == (
        f'{tmp_path}/c.yaml:7:10: there is no region "us-esat-1"\n'
        "    here: us-esat-1\n"
        "    instead: did you mean us-east-1?"
    )


def test_the_error_counts_its_mistakes_and_says_that_nothing_was_changed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        config.load(tmp_path / "absent.yaml", [tmp_path], PROVIDERS)
    assert len(raised.value.mistakes) == 2
    assert str(raised.value).endswith("2 mistakes; nothing was changed.")
    assert "absent.yaml:1:1: the file cannot be read: No such file or directory" in str(raised.value)


def test_two_runbooks_of_one_name_are_refused(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, TOPOLOGY, EVACUATE, EVACUATE)
    assert place(found) == "r1.yaml:2:7"
    assert "already in" in found.problem


def test_a_resource_over_two_providers_must_say_which_one_serves_it(tmp_path: Path) -> None:
    text = changed(TOPOLOGY, ("us-west-2: {provider: aws", "us-west-2: {provider: local"))
    found = mistakes(tmp_path, text)
    assert {place(one) for one in found} == {"c.yaml:10:3", "c.yaml:11:3", "c.yaml:12:3"}
    assert all(one.instead == "say which one serves it: provider: aws" for one in found)


def test_a_variable_that_one_region_lacks_is_told(tmp_path: Path) -> None:
    text = changed(
        TOPOLOGY,
        (
            'us-east-1: {provider: aws, account: "111111111111"}',
            "us-east-1: {provider: aws, variables: {host: a.example}}",
        ),
        ("${region}.shop.example", "${host}"),
    )
    (found,) = mistakes(tmp_path, text)
    assert found.problem == "${host} has no value in us-west-2"
    assert found.instead == "write regions: us-west-2: variables: {host: …}"


def test_no_text_of_a_file_can_act_on_the_terminal(tmp_path: Path) -> None:
    found = mistakes(tmp_path, changed(TOPOLOGY, ("primary: us-east-1", 'primary: "\\e[2J\\x07"')))
    assert found
    assert all(character.isprintable() or character == "\n" for one in found for character in str(one))


def test_an_offending_text_is_cut(tmp_path: Path) -> None:
    found = mistakes(tmp_path, changed(TOPOLOGY, ("primary: us-east-1", f"primary: {'x' * 100_000}")))
    assert found
    assert all(len(str(one)) < 1000 for one in found)


def test_a_provider_whose_schema_lets_unknown_keys_pass_is_refused(tmp_path: Path) -> None:
    from paper import PaperProvider, made
    from pydantic import BaseModel

    from cloudfail.model.topology import PortName

    class Inner(BaseModel):
        object: str

    class Loose(BaseModel, extra="forbid"):
        switch: Inner | None = None

    (tmp_path / "c.yaml").write_text(
        "application: a\nobjectives: {rto: 1m, rpo: 1s}\nregions: {one: {provider: loose}}\nprimary: one\n"
        "state: 'memory:'\nresources:\n  www: {dns: d, switch: {object: o, unknown: x}}\n"
    )
    provider = PaperProvider("loose", dict([made(PortName.DNS, "d", Loose)]))
    with pytest.raises(ConfigError, match=r"c.yaml:7:8: the provider's kind d would let unknown keys pass \(Inner\)"):
        config.load(tmp_path / "c.yaml", [], {"loose": provider})


def test_no_message_repeats_a_secret(tmp_path: Path) -> None:
    from paper import PaperProvider, made
    from pydantic import BaseModel, field_validator

    from cloudfail.model.topology import PortName

    class Key(BaseModel, extra="forbid"):
        secret: str
        size: int = 1

        @field_validator("secret")
        @classmethod
        def reference(cls, value: str) -> str:
            if not value.startswith("env:"):
                raise ValueError(f"{value} is a secret; write env:NAME")
            return value

    provider = PaperProvider("p", dict([made(PortName.DNS, "d", Key)]))
    for text in (
        "secret: hunter2",
        "secret: [hunter2",
        "secret: env:A, size: 'password=hunter2'",
        "secret: 'a:hunter2\\x'",
    ):
        (tmp_path / "c.yaml").write_text(
            "application: a\nobjectives: {rto: 1m, rpo: 1s}\nregions: {one: {provider: p}}\nprimary: one\n"
            f"state: 'memory:'\nresources:\n  www: {{dns: d, {text}}}\n"
        )
        with pytest.raises(ConfigError) as raised:
            config.load(tmp_path / "c.yaml", [], {"p": provider})
        assert "hunter2" not in str(raised.value), text


def test_a_mistake_in_one_of_several_alternatives_is_told_for_the_one_that_is_meant(tmp_path: Path) -> None:
    from typing import Literal

    from paper import PaperProvider, made
    from pydantic import BaseModel

    from cloudfail.model.topology import PortName

    class Command(BaseModel, extra="forbid"):
        name: str

    class Options(BaseModel, extra="forbid"):
        fences: tuple[Literal["logins"] | Command, ...] = ()

    (tmp_path / "c.yaml").write_text(
        "application: a\nobjectives: {rto: 1m, rpo: 1s}\nregions: {one: {provider: p}}\nprimary: one\n"
        "state: 'memory:'\nresources:\n  www: {dns: d, fences: [logins, {nam: wall}]}\n"
    )
    with pytest.raises(ConfigError) as raised:
        config.load(tmp_path / "c.yaml", [], {"p": PaperProvider("p", dict([made(PortName.DNS, "d", Options)]))})
    assert [str(one).split(": ", 1)[1] for one in raised.value.mistakes] == [
        '"name" is missing\n    here: {nam}\n    instead: write name: …',
        'unknown key "nam"\n    here: nam\n    instead: did you mean name?',
    ]


def test_a_value_that_no_alternative_fits_is_never_let_through(tmp_path: Path) -> None:
    from typing import Literal

    from paper import PaperProvider, made
    from pydantic import BaseModel

    from cloudfail.model.topology import PortName

    class Options(BaseModel, extra="forbid"):
        size: Literal["small"] | str = "small"

    (tmp_path / "c.yaml").write_text(
        "application: a\nobjectives: {rto: 1m, rpo: 1s}\nregions: {one: {provider: p}}\nprimary: one\n"
        "state: 'memory:'\nresources:\n  www: {dns: d, size: {unknown: x}}\n"
    )
    with pytest.raises(ConfigError, match=r"c.yaml:7:8: this has not the form that Options reads"):
        config.load(tmp_path / "c.yaml", [], {"p": PaperProvider("p", dict([made(PortName.DNS, "d", Options)]))})


def test_a_provider_whose_schema_raises_is_no_traceback(tmp_path: Path) -> None:
    from paper import PaperProvider, made
    from pydantic import BaseModel, field_validator

    from cloudfail.model.topology import PortName

    class Broken(BaseModel, extra="forbid"):
        zone: str

        @field_validator("zone")
        @classmethod
        def fails(cls, value: str) -> str:
            return {}[value]

    (tmp_path / "c.yaml").write_text(
        "application: a\nobjectives: {rto: 1m, rpo: 1s}\nregions: {one: {provider: p}}\nprimary: one\n"
        "state: 'memory:'\nresources:\n  www: {dns: d, zone: z}\n"
    )
    with pytest.raises(ConfigError, match=r"c.yaml:7:8: the provider's check of this failed \(KeyError"):
        config.load(tmp_path / "c.yaml", [], {"p": PaperProvider("p", dict([made(PortName.DNS, "d", Broken)]))})
