"""Threat: command injection. What is put in for `${name}`, and every name of the world's, is an argument or data."""

from __future__ import annotations

import ast
import json
import secrets
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudfail import config, importing
from cloudfail.errors import CloudfailError, ConfigError, Permanent
from cloudfail.importing.writing import files
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import Check, Objectives, PortName, Region, Resource, Topology, Vantage
from cloudfail.ports import Call
from cloudfail.probes.targets import targets
from cloudfail.report.wording import command as command_line
from cloudfail.report.wording import plain
from cloudfail.watch import sample_once
from cloudfail_local.argv import behind, run
from cloudfail_local.change import FlagChange
from cloudfail_local.command import CommandCompute
from cloudfail_local.haproxy import Haproxy
from cloudfail_local.options import PostgresMember
from cloudfail_local.postgres_archive import exists, must
from cloudfail_local.postgres_follow import _quoted_name
from cloudfail_local.postgres_rejoin import managed_conf
from cloudfail_local.postgres_server import Server
from cloudfail_postgres.heartbeat import quoted
from tests.kit import ROOT

HOSTILE = (
    "; touch MARK",
    "$(touch MARK)",
    "`touch MARK`",
    "| touch MARK",
    "&& touch MARK",
    "\ntouch MARK\n",
    "' ; touch MARK ; '",
    '" ; touch MARK ; "',
    "-oProxyCommand=touch MARK",
    "--help",
    "* ? ~ $HOME ${HOME} %s \\",
    "> MARK",
)


def told(argv: list[str]) -> list[str]:
    """What a program is given as its arguments."""
    said = run([sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", *argv], seconds=30.0)
    given: list[str] = json.loads(said.out)
    return given


# ---- arguments


def test_every_argument_arrives_as_it_is_and_no_shell_reads_it(tmp_path: Path) -> None:
    words = [text.replace("MARK", str(tmp_path / "mark")) for text in HOSTILE]
    assert told(words) == words
    assert not list(tmp_path.iterdir())


@pytest.fixture
def ssh(tmp_path: Path) -> str:
    """As ssh does (ssh(1)): what stands behind the host is joined with blanks and handed to the login's shell."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "ssh"
    script.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    script.chmod(0o755)
    return str(script)


def server(run_by: tuple[str, ...] = ()) -> Server:
    member = PostgresMember(dsn="host=192.0.2.1", writer="host=192.0.2.1", run=run_by, data="/srv/data", bin="/usr/bin")
    return Server("east", member, seconds=0.5)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("far", [False, True], ids=["here", "behind an ssh"])
def test_a_path_with_a_shells_words_in_it_is_a_path(far: bool, hostile: str, ssh: str, tmp_path: Path) -> None:
    """A file in a directory that another has written, or an old primary's own names, on its host."""
    # A path holds no other path, so that what a shell would leave behind stands where commands run: in /.
    mark = Path("/") / f"cloudfail-{secrets.token_hex(8)}"
    place = tmp_path / hostile.replace("MARK", mark.name)
    place.write_text("found")
    on = server((ssh, "db-east") if far else ())
    try:
        assert exists(on, str(place), seconds=10.0)
        assert must(on, "cat", str(place), what="reading", seconds=10.0) == "found"
        must(on, "rm", "-f", str(place), what="removing", seconds=10.0)
        assert not place.exists() and not mark.exists()
    finally:
        mark.unlink(missing_ok=True)


def test_only_what_stands_behind_an_ssh_is_quoted() -> None:
    assert behind(["runuser", "-u", "postgres", "--"], ["a b"]) == ["runuser", "-u", "postgres", "--", "a b"]
    assert behind(["sudo", "/usr/bin/ssh", "db", "sudo"], ["a b"])[-1] == "'a b'"


@pytest.mark.parametrize("path", ["-rf", "data", "", "~/data", "/srv/data\n/etc", "$HOME"])
@pytest.mark.parametrize("key", ["data", "bin", "log"])
def test_a_path_that_a_program_could_take_for_an_option_is_refused(key: str, path: str) -> None:
    with pytest.raises(ValueError, match=key):
        PostgresMember.model_validate({"dsn": "host=a", "writer": "host=a", key: path})


def test_a_count_is_a_number_by_the_time_that_a_command_sees_it(tmp_path: Path) -> None:
    """Also where the plan in the log was written by somebody else."""
    mark = tmp_path / "scaled"
    member = {
        "read": [sys.executable, "-c", 'print(\'{"wanted": 1, "running": 1}\')'],
        "scale": ["sh", "-c", f"touch {mark}; echo ${{count}}"],
        "socket": "unix:/nowhere",
        "backend": "web",
    }
    group = CommandCompute(Resource("web", PortName.COMPUTE, "command", "local", None, {"east": member}, {}))
    hostile: Any = f"1; touch {mark}"
    call = Call("r1", "scale", 1, "key", 5.0, lambda: None)
    with pytest.raises((CloudfailError, TypeError)):
        group.scale("east", hostile, expect=ComputeState(1, 1, 1, None, False, "1"), call=call)
    assert not mark.exists()


# ---- `${name}`


@pytest.mark.parametrize("name", [*HOSTILE, "..", "../../etc", "a b", "east\n", "${from}", ""])
@pytest.mark.parametrize("where", ["region", "resource", "application", "step", "member"])
def test_a_name_that_could_be_anything_but_a_name_is_refused(where: str, name: str, tmp_path: Path) -> None:
    text = json.dumps(name)
    names = {"region": '"east"', "resource": '"deploys"', "application": '"shop"', "member": '"east"', where: text}
    topology, runbook = tmp_path / "cloudfail.yaml", tmp_path / "evacuate.yaml"
    topology.write_text(
        f"application: {names['application']}\nobjectives: {{rto: 60m, rpo: 30s}}\n"
        f"regions: {{{names['region']}: {{provider: local}}}}\nprimary: {names['region']}\nstate: sqlite:s.db\n"
        f"resources: {{{names['resource']}: {{change: flag, directory: /srv, members: {{{names['member']}: x}}}}}}\n"
    )
    step = text if where == "step" else '"freeze"'
    runbook.write_text(
        f'name: evacuate\nmode: failover\nsteps: {{{step}: {{action: change.freeze, with: {{where: "${{to}}"}}}}}}\n'
    )
    with pytest.raises(ConfigError):
        config.load(topology, [runbook])


def topology(target: str, *, kind: str = "http", command: tuple[str, ...] = (), **variables: str) -> Topology:
    return Topology(
        "shop",
        Objectives(60, 5),
        {"east": Region("east", "local", variables=variables)},
        "east",
        "",
        {},
        {"web": Check("web", kind, target, every_seconds=0.1, timeout_seconds=1.0, fall=1, rise=1)},
        {"here": Vantage("here", command)},
    )


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_put_in_for_a_name_reaches_no_command_line(hostile: str, tmp_path: Path) -> None:
    """The observer is told on its standard input what to ask, and its command line is the same for everybody."""
    recorder = tmp_path / "recorder"
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/argv\nexec "$@"\n')
    recorder.chmod(0o755)
    value = hostile.replace("MARK", str(tmp_path / "mark"))
    seen = sample_once(
        topology("host=127.0.0.1 port=9 dbname='${name}'", kind="sql", command=(str(recorder),), name=value),
        1,
        deadline_seconds=30.0,
    )
    argv = (tmp_path / "argv").read_text().splitlines()
    assert argv == [sys.executable, "-P", "-m", "cloudfail.probes.observer"]
    assert seen and not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "value",
    ["x HTTP/1.1\r\nHost: other\r\n\r\nDELETE /", "a\r\nX-Admin: 1", "a b", "\x00", "é", "a\tb"],
)
def test_a_value_cannot_end_the_line_of_a_request(value: str) -> None:
    with pytest.raises(ConfigError, match="is not a URL"):
        targets(topology("http://127.0.0.1/${name}", name=value))


# ---- other people's languages


class Listening:
    """A runtime API that writes down what it is told."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.lines: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                self.lines.append(connection.recv(65536).decode())
                connection.sendall(b"\n")


@pytest.mark.parametrize("name", ["east; shutdown sessions server shop/west", "east\nset server", "a b", "", "a/b"])
def test_a_servers_name_cannot_be_another_command_of_haproxys(name: str) -> None:
    """`;` begins another one on the same line."""
    listening = Listening()
    resource = Resource(
        "edge", PortName.LOADBALANCER, "haproxy", "local", None, {"east": name},
        {"socket": listening.address, "backend": "shop"},
    )  # fmt: skip
    with pytest.raises(Permanent, match="no name of a server"):
        Haproxy(resource)
    hostile = Resource(
        "edge", PortName.LOADBALANCER, "haproxy", "local", None, {"east": "east"},
        {"socket": listening.address, "backend": name},
    )  # fmt: skip
    with pytest.raises(ValueError, match="backend"):
        Haproxy(hostile)
    listening.server.close()
    assert listening.lines == []


@pytest.mark.parametrize("name", ["../outside", "/etc/cron.d/x", ".hidden", "a/b", "", "..", "."])
def test_a_flag_is_a_file_in_its_directory_and_no_other(name: str, tmp_path: Path) -> None:
    resource = Resource("d", PortName.CHANGE, "flag", "local", None, {"east": name}, {"directory": str(tmp_path)})
    with pytest.raises(Permanent, match="no name for a flag"):
        FlagChange(resource)


@pytest.mark.parametrize("text", ["'; DROP TABLE x; --", "\\'; SELECT 1; --", "a''b", "E'\\", '"', "$$"])
def test_a_literal_of_postgresqls_ends_where_the_text_ends(text: str) -> None:
    """Read by PostgreSQL's own rules: in E'…' a quote is doubled and a backslash escapes what follows it."""
    literal = quoted(text)
    assert literal.startswith("E'") and literal.endswith("'")
    body, read, at = literal[2:-1], "", 0
    while at < len(body):
        assert body[at] not in "'\\" or body[at : at + 2] in {"''", "\\\\"}, literal
        read += body[at]
        at += 2 if body[at] in "'\\" else 1
    assert read == text
    name = _quoted_name(text)
    assert name.count('"') % 2 == 0 and name.count("'") % 2 == 0
    conf = managed_conf("", f"host=a application_name={text}")
    assert [line.partition(" ")[0] for line in conf.splitlines()] == ["primary_conninfo", "recovery_target_timeline"]
    assert conf.splitlines()[0].count("'") % 2 == 0


IMPORTED = (*HOSTILE, "x\nregions: {a: {provider: b}}", 'x"}, policy: {automation: automatic}')


@pytest.mark.parametrize("hostile", IMPORTED)
def test_a_plan_of_others_that_is_imported_brings_no_keys_of_its_own(hostile: str, tmp_path: Path) -> None:
    """Its names and descriptions come from whoever may write plans in that account."""
    read = json.loads((ROOT / "tests/fixtures/region-switch/shop.json").read_text())
    plan = read.get("plan", read)
    clean, dirty = _drafted(plan, tmp_path), _drafted(_spoilt(plan, hostile), tmp_path)
    assert dirty.keys() == clean.keys()
    for name, text in dirty.items():
        assert _keys(yaml.safe_load(text)) == _keys(yaml.safe_load(clean[name]))


def _drafted(plan: dict[str, Any], root: Path) -> dict[str, str]:
    (root / "plan.json").write_text(json.dumps({"plan": plan}))
    return files(importing.region_switch(root / "plan.json"))


def _spoilt(plan: dict[str, Any], hostile: str) -> dict[str, Any]:
    return {**plan, "description": hostile, "name": f"{plan['name']}{hostile}"}


def _keys(value: Any) -> Any:
    """The shape of a document, without what its texts say."""
    if isinstance(value, dict):
        return {key: _keys(one) for key, one in value.items()}
    return [_keys(one) for one in value] if isinstance(value, list) else type(value)


def test_a_command_that_is_suggested_can_be_pasted() -> None:
    words = command_line("cloudfail", "approve", "r1; rm -rf ~", "$(id)")
    assert words == "cloudfail approve 'r1; rm -rf ~' '$(id)'"
    assert plain("\x1b]0;x\x07\x1b[2J\u202eevil") == "]0;x [2J evil"


# ---- the whole source


SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "commands.getoutput"}
STARTS = {
    "cloudfail/watch.py",
    "cloudfail/entrypoints/cli/lab.py",
    "cloudfail/packaging/resolving.py",  # uv, by words of ours and paths of its own directory
    "providers/cloudfail_local/argv.py",
}


def calls() -> list[tuple[str, ast.Call]]:
    found = []
    for root in ("cloudfail", "providers"):
        for path in sorted((ROOT / root).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [(str(path.relative_to(ROOT)), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return found


def test_no_part_of_cloudfail_starts_a_shell_or_evaluates_text() -> None:
    wrong = []
    for file, call in calls():
        name = ast.unparse(call.func)
        shell = [one for one in call.keywords if one.arg == "shell" and ast.unparse(one.value) != "False"]
        if name in SHELLS or name in {"eval", "exec", "create_subprocess_shell", "yaml.load", "pickle.loads"} or shell:
            wrong.append(f"{file}:{call.lineno} {name}")
    assert wrong == []


def test_processes_are_started_in_these_places_only() -> None:
    """Besides the lab, which is a machine's own plaything. A new place is looked at by whoever adds it here."""
    starting = {"Popen", "run", "check_output", "check_call", "call", "create_subprocess_exec"}
    places = {
        file
        for file, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in starting
        and ast.unparse(call.func.value) in {"subprocess", "asyncio"}
        and ast.unparse(call.func) != "asyncio.run"
        and not file.startswith("cloudfail/lab/")
    }
    assert places == STARTS
    replacing = [file for file, call in calls() if ast.unparse(call.func).startswith(("os.exec", "os.spawn"))]
    assert not [file for file in replacing if not file.startswith("cloudfail/lab/")]
