"""Threat: a secret in the journal, a log or a report. They are planted wherever one can get in, and searched for."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.app import App, Review
from cloudfail.errors import CloudfailError, ConfigError, OutcomeUnknown, Permanent, Transient
from cloudfail.execution.lifecycle import Phase
from cloudfail.journal import Journal, told
from cloudfail.lint import Severity, lint
from cloudfail.lint.rto import estimate_of
from cloudfail.lint.view import View, traits_of
from cloudfail.model.journal import Kind
from cloudfail.model.observation import Health
from cloudfail.model.plan import Preview
from cloudfail.probes.look import Ask
from cloudfail.probes.observer import observe_once
from cloudfail.report import plan as plan_report
from cloudfail.report.progress import told_once
from cloudfail.report.run import as_json, as_markdown, as_text, runs_text, status_text
from cloudfail.report.wording import plain
from cloudfail.secrecy import redacted, redacted_all, remember
from cloudfail.signing import Namespace, sign
from cloudfail.stores.sqlite import SQLiteStore
from cloudfail_postgres.secret import secret_value
from tests.entrypoints.test_approvals import Waiting
from tests.kit import ROOT, Stage, load_local
from tests.security.test_signed_approvals import KEYS

PASSWORD = "hunter2-Correct-Horse"
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjbG91ZGZhaWwifQ.c2lnbmF0dXJlLW9mLXRoaXM"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"
PRIVATE = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nAAAAtzc2gtZWQyNTUxOQ\n"
    "-----END OPENSSH PRIVATE KEY-----"
)
PLANTED = (PASSWORD, TOKEN, JWT, KEY_ID, SECRET_KEY, "b3BlbnNzaC1rZXktdjEAAAAA", "AAAAtzc2gtZWQyNTUxOQ")
SAYING = (
    f"connection to postgresql://cloudfail:{PASSWORD}@db.east.example:5432/shop failed",
    f"host=db user=cloudfail password={PASSWORD} dbname=shop: refused",
    f"host=db password='{PASSWORD} and more' sslpassword={PASSWORD}",
    f"PGPASSWORD={PASSWORD} psql ended with 2",
    f'{{"access_token": "{JWT}", "token_type": "Bearer"}}',
    f"401 for Authorization: Bearer {JWT}",
    f"401 for authorization: Basic {SECRET_KEY}",
    f"curl -H 'Authorization: {PASSWORD}' failed",
    f"The security token {TOKEN} is expired",
    f"{KEY_ID} is not authorized to perform rds:FailoverGlobalCluster",
    f"AWS_SECRET_ACCESS_KEY={SECRET_KEY} AWS_SESSION_TOKEN={JWT}",
    f"https://state.blob.example/c?sv=2024&sig={SECRET_KEY}&se=1 answered 403",
    f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={SECRET_KEY};EndpointSuffix=y",
    f"the key is {PRIVATE}",
)


def found(text: str | bytes) -> list[str]:
    """Which of the planted ones stand in there."""
    raw = text.encode() if isinstance(text, str) else text
    return [one for one in PLANTED if one.encode() in raw]


# ---- shapes


@pytest.mark.parametrize("said", SAYING)
def test_what_looks_like_a_secret_is_hidden_and_the_rest_stays(said: str) -> None:
    kept = redacted(said)
    assert found(said) and not found(kept) and "…" in kept
    assert redacted(kept) == kept
    assert kept.split()[0][:4] == said.split(maxsplit=1)[0][:4] or kept.startswith("…")


@pytest.mark.parametrize(
    "harmless",
    [
        "password authentication failed for user \"probe\"",
        "key: {name: cloudfail, secret: \"file:/etc/cloudfail/tsig\"}",
        "token=env:CLOUDFAIL_TOKEN",
        "HTTP 503 from http://shop.example:8080/healthz",
        "east:5432 refused; see https://status.example/incidents/42",
        "4912d5b0c3a1f7c0e5b8a2d4 was reviewed by alice@ops",
        "orders-w becomes writer   loss if dead 0.8 s, if alive 41 s, of 30 s",
    ],
)  # fmt: skip
def test_what_is_none_is_left_as_it_is(harmless: str) -> None:
    assert redacted(harmless) == harmless


@pytest.mark.parametrize("hostile", ["password" * 20_000, "://a:" * 20_000, "token=\"" * 20_000, "eyJ" * 50_000,
                                     "a" * 400_000, "-----BEGIN PRIVATE KEY-" * 5_000, "bearer " * 50_000])  # fmt: skip
def test_a_text_that_was_made_to_be_searched_for_ever_is_not(hostile: str) -> None:
    """The runner's own time limit is what notices."""
    assert isinstance(redacted(hostile), str)


def test_a_value_that_is_known_is_hidden_whatever_stands_around_it() -> None:
    value = remember("zebra/crossing+at=noon")
    assert redacted(f"it said {value}!") == "it said …!"
    assert redacted("user=a&k=zebra%2Fcrossing%2Bat%3Dnoon") == "user=a&k=…"
    assert redacted_all({"a": [value, 1, None], "b": {"c": value}}) == {"a": ["…", 1, None], "b": {"c": "…"}}
    assert redacted("short") == "short" == redacted(remember("short"))


def test_a_plan_a_signature_and_what_an_undo_needs_are_kept_to_the_letter() -> None:
    """They are hashed, checked or put back. What stands in a plan came from files that lint looked through."""
    kept = {
        "plan": {"steps": [SAYING[0]]},
        "memory": {"rules": SAYING[1]},
        "approval": {"text": SAYING[3]},
        "run": "r1",
    }
    assert told(kept) == kept
    said = {"message": SAYING[0], "facts": {"lines": [SAYING[1]]}, "reason": SAYING[4]}
    assert not found(json.dumps(told(said)))


# ---- a run


class Unforeseen(Exception):
    """What no table of errors has."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, str, Path]:
    """An evacuation in which every call first fails with a secret in its error, and people type more of them."""
    file = tmp_path_factory.mktemp("run") / "state.db"
    stage = Stage(load_local(), store=SQLiteStore(file))
    stage.cloud.kill("east")
    verbs = ("freeze", "fence", "scale", "failover", "shift", "canary")
    for number, verb in enumerate(verbs):
        one, two = SAYING[2 * number], SAYING[2 * number + 1]
        stage.cloud.fail(verb, Transient(one), Unforeseen(two), OutcomeUnknown(SAYING[-1]))
    run = stage.open("evacuate-local", "east", "west", preapproved="", reason=SAYING[0])
    stage.drive(seconds=600)
    for _ in range(8):
        phase = stage.run(run).phase
        if phase.final:
            break
        if phase is Phase.GATED:
            stage.command(run, "approve", by=f"alice {TOKEN}", reason=f"password={PASSWORD}", loss_seconds=60.0,
                          accept_owed_fence=True)  # fmt: skip
        else:
            stage.command(run, "resume", reason=SAYING[5])
        stage.drive(seconds=3600)
    stage.cloud.fail("freeze", Permanent(SAYING[8]), Permanent(SAYING[9]))
    return stage, run, file


def test_the_stores_file_holds_none(run: tuple[Stage, str, Path]) -> None:
    """As a whole: the pages, the write-ahead log, what was overwritten."""
    stage, name, file = run
    entries = Journal(stage.store, stage.application, stage.clock, "reader").refresh()
    failed = [entry for entry in entries if entry.kind is Kind.RESULT and entry.data["outcome"] != "ok"]
    assert len(failed) >= 6, "the calls were to fail"
    assert any("…" in entry.data["message"] for entry in failed)
    raw = b"".join(path.read_bytes() for path in sorted(file.parent.glob("state.db*")))
    # A name (`--as`) is the person's own, and stands as it was typed.
    assert found(raw.replace(f"alice {TOKEN}".encode(), b"")) == []
    assert stage.run(name).phase.final


def test_no_report_and_no_line_holds_one(run: tuple[Stage, str, Path]) -> None:
    stage, name, _ = run
    state, lines = stage.run(name), list[str]()
    tell = told_once(lambda _entry, line: lines.append(line))
    reader = stage.engine("reader")
    log = reader.read()
    for entry in Journal(stage.store, stage.application, stage.clock, "reader").refresh():
        tell(entry, log)
    topology = stage.loaded.topology
    reports = [
        as_text(state), as_markdown(state), json.dumps(as_json(state)), runs_text(log),
        status_text(log, topology), *lines,
    ]  # fmt: skip
    assert lines and all(reports)
    assert [found(text) for text in reports if found(text)] == []


def test_a_plans_preview_that_failed_with_a_secret_does_not_show_it(run: tuple[Stage, str, Path]) -> None:

    stage, name, _ = run
    plan = stage.run(name).plan
    view = View(stage.loaded, stage.loaded.runbooks[plan.runbook], traits_of(ACTIONS), plan.source, plan.target)
    previews = {
        step.name: Preview(step.name, "unknown", detail=f"Unforeseen: {said}")
        for step, said in zip(plan.steps, SAYING, strict=False)
    }
    review = Review(plan, previews, estimate_of(view), [SAYING[0]], [SAYING[4]], None)
    shown = plan_report.PlanView(
        plan=plan, previews=previews, estimate=review.estimate, objectives=stage.loaded.topology.objectives,
        refusals=review.refusals, warnings=review.warnings, loss=None,
    )  # fmt: skip
    texts = (plan_report.as_text(shown), plan_report.as_markdown(shown), json.dumps(plan_report.as_json(shown)))
    assert [found(text) for text in texts] == [[], [], []]


# ---- from outside: the command line and the functions


CONFIG = """
application: shop
objectives: {{rto: 60m, rpo: 30s}}
regions: {{east: {{provider: local}}, west: {{provider: local}}}}
primary: east
state: {state}
resources:
  deploys: {{change: flag, directory: {root}, members: {{east: east, west: west}}}}
{more}
checks:
  app: {{{check}, every: 200ms, timeout: 1s, fall: 1, rise: 1}}
policy: {{runbook: evacuate}}
"""
RUNBOOK = """
name: evacuate
mode: failover
steps:
  freeze: {action: change.freeze, with: {where: "${to}"}}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [freeze]}
"""


class Installed:
    """Files on a disk, and an environment full of secrets."""

    def __init__(self, root: Path, state: str = "", check: str = 'tcp: "127.0.0.1:1"', more: str = "") -> None:
        self.root = root
        (root / "runbooks").mkdir(exist_ok=True)
        (root / "runbooks" / "evacuate.yaml").write_text(RUNBOOK)
        state = state or f"sqlite:{root}/state.db"
        (root / "cloudfail.yaml").write_text(CONFIG.format(root=root, state=state, check=check, more=more))

    def python(self, *argv: str, given: str = "") -> str:
        """Everything that it said."""
        environment = {
            **os.environ, "CLOUDFAIL_CONFIG": str(self.root / "cloudfail.yaml"), "CLOUDFAIL_AS": "alice",
            "PGPASSWORD": PASSWORD, "GITHUB_TOKEN": TOKEN, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ACCESS_KEY_ID": KEY_ID, "CLOUDFAIL_LIMIT_SECONDS": "5", "PYTHONPATH": os.pathsep.join(sys.path),
        }  # fmt: skip
        ran = subprocess.run(
            [sys.executable, *argv], env=environment, cwd=self.root, capture_output=True, text=True, timeout=120,
            check=False, input=given,
        )  # fmt: skip
        return ran.stdout + ran.stderr

    def cli(self, *argv: str) -> str:
        return self.python("-m", "cloudfail", *argv)


class Placed(Installed):
    """The same environment, around files that are there already."""

    def __init__(self, root: Path) -> None:
        self.root = root


def test_a_store_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    site = Installed(tmp_path, state=f'"postgresql://cloudfail:{PASSWORD}@127.0.0.1:1/state?lives_in=witness"')
    for said in (site.cli("status"), site.cli("lint")):
        assert said.strip() and found(said) == [], said


DOORS = """
import traceback
from types import SimpleNamespace
from cloudfail.entrypoints.aws_lambda import handler
from cloudfail.entrypoints.azure_function import tick_timer
from cloudfail.entrypoints.gcp_function import tick_event, tick_http
print(tick_http(SimpleNamespace(method="POST")))
context = SimpleNamespace(aws_request_id="12345678", get_remaining_time_in_millis=lambda: 5000)
for door in (lambda: handler({}, context), lambda: tick_event({}), tick_timer):
    try:
        door()
    except Exception:
        traceback.print_exc()
"""
UNFORESEEN = """
from cloudfail.entrypoints.serving import telling
def deep():
    raise ValueError("host=db password=%s refused")
with telling():
    deep()
"""


def test_a_function_that_fails_tells_its_platform_no_password(tmp_path: Path) -> None:
    """What a handler raises is logged by the platform, and is the answer to whoever invoked it."""
    pytest.importorskip("psycopg")
    site = Installed(tmp_path, state=f'"postgresql://cloudfail:{PASSWORD}@127.0.0.1:1/state?lives_in=witness"')
    said = site.python("-c", DOORS)
    assert said.count("StoreUnavailable") >= 4 and found(said) == [], said
    said = site.python("-c", UNFORESEEN % PASSWORD)
    assert "in deep" in said and "ValueError: host=db password=…" in said
    assert found(said.replace(f'"host=db password={PASSWORD} refused"', "")) == [], "only its own source line may"


APPROVALS = """
import json, sys, traceback
from collections.abc import Mapping
from cloudfail.entrypoints.approving import answer
from cloudfail.entrypoints.aws_lambda import approve_handler
class Broken(Mapping):
    def __init__(self, said):
        self.said = said
    def __getitem__(self, name):
        raise LookupError(self.said)
    def __iter__(self):
        raise LookupError(self.said)
    def __len__(self):
        return 1
for method, query, body in json.load(sys.stdin):
    event = {"requestContext": {"http": {"method": method}}, "queryStringParameters": query, "body": body}
    print(approve_handler(event, None))
    try:
        print(answer(method, Broken(json.dumps([query, body])), body.encode()))
    except Exception:
        traceback.print_exc()
"""


def test_the_approvals_door_repeats_no_secret_whatever_it_is_asked(tmp_path: Path) -> None:
    """Neither in what it answers, nor in what it tells its platform, nor in the log: of what it reads, of what fails
    below it, and of what it never thought of."""
    waiting = Waiting(tmp_path)
    try:
        site = Placed(tmp_path)
        text = waiting.app.to_sign(run=waiting.run, seconds=900).text()
        asked: list[tuple[str, dict[str, str], str]] = []
        for said in SAYING:
            asked += [("GET", {name: said}, "") for name in ("run", "gate", "for", "loss_seconds", "capacity")]
            asked += [("POST", {}, said), ("POST", {}, json.dumps({"document": said, "signature": "", "reason": ""}))]
            torn = text.replace("until: ", f"until: {said.splitlines()[0]}")
            asked += [("POST", {}, json.dumps({"document": torn, "signature": said, "reason": said}))]
        signature = sign(text.encode(), Namespace.APPROVAL, KEYS["bob"])
        told = {"document": text, "signature": signature, "reason": " and ".join(SAYING)}
        asked.append(("POST", {}, json.dumps(told)))
        said = site.python("-c", APPROVALS, given=json.dumps(asked))
        assert said.count("'statusCode': 409") > len(SAYING) and said.count("'statusCode': 400") > len(SAYING)
        assert said.count("'statusCode': 200") == 1 and "bob approved: " in said
        assert "RuntimeError: LookupError" in said
        assert found(said) == [], [line for line in said.splitlines() if found(line)][:3]
        kept = b"".join(file.read_bytes() for file in tmp_path.glob("state.db*"))
        assert b"cloudfail approval, version" in kept
        assert found(kept) == []
    finally:
        waiting.site.close()


def test_the_approvals_door_tells_nobody_the_password_of_a_store_that_is_away(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    waiting = Waiting(tmp_path)
    waiting.site.close()
    file = tmp_path / "cloudfail.yaml"
    away = f'"postgresql://cloudfail:{PASSWORD}@127.0.0.1:1/state?lives_in=witness"'
    file.write_text(file.read_text().replace(f"sqlite:{tmp_path}/state.db", away))
    said = Placed(tmp_path).python("-c", APPROVALS, given=json.dumps([("GET", {}, "")]))
    assert "'statusCode': 503" in said and "StoreUnavailable" in said
    assert found(said) == [], said


class Talkative(http.server.BaseHTTPRequestHandler):
    """A target that answers a probe with everything that it should not."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/west":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.wfile.write(f"password={PASSWORD} token={TOKEN[:20]}\r\n\r\n".encode())
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def talkative() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Talkative)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_what_a_target_says_to_a_probe_is_shown_without_secrets(tmp_path: Path, talkative: int) -> None:
    site = Installed(tmp_path, check=f'http: "http://127.0.0.1:{talkative}/${{region}}"')
    said = site.cli("check")
    assert "what came is not HTTP" in said and found(said) == [], said


@pytest.mark.parametrize(
    "target",
    [
        f"host=127.0.0.1 port=1 user=probe password={PASSWORD}",
        f"postgresql://probe:{PASSWORD}@127.0.0.1:1/shop",
        f"postgresql://probe:{PASSWORD}@127.0.0.1:notaport/shop",
        f"host=127.0.0.1 passwrd={PASSWORD}",
        f"host=127.0.0.1 password='{PASSWORD}",
    ],
)
def test_a_check_of_sql_does_not_repeat_its_own_connection_string(target: str) -> None:
    pytest.importorskip("psycopg")
    given = asyncio.run(observe_once(Ask("sql", target, 5.0)))
    assert given.health is not Health.HEALTHY and given.detail
    assert found(given.detail) == []


def test_commands_that_fail_with_a_secret_of_the_environment_do_not_get_it_into_the_log(tmp_path: Path) -> None:
    """The site's own tool prints its environment when it fails, as tools do."""
    tool = '[sh, -c, "env; exit 3"]'
    more = (
        f"  tools: {{change: command, members: {{east: {{read: {tool}, freeze: {tool}, thaw: {tool}}}, "
        f"west: {{read: [sh, -c, 'exit 1'], freeze: {tool}, thaw: {tool}}}}}}}"
    )
    site = Installed(tmp_path, more=more)
    said = site.cli("plan", "east")
    checksum = said.partition("--plan ")[2].split()[0]
    said += site.cli("evacuate", "east", "--plan", checksum, "--detach", "--reason", f"password={PASSWORD}")
    said += site.cli("watch", "--for", "4")
    said += site.cli("status", "--format", "json")
    assert "HALTED" in said or "halted" in said, said
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))
    assert found(said) == [] and found(raw) == []


def tool(*words: str) -> str:
    return f"  x: {{change: command, members: {{east: {{read: [tool, {', '.join(words)}], freeze: [a], thaw: [a]}}}}}}"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("check", f'sql: "host=db password={PASSWORD}"'),
        ("check", f'http: "http://a:{PASSWORD}@db.example/"'),
        ("more", tool("--token", TOKEN)),
        ("more", tool(f"--password={PASSWORD}")),
        ("more", tool("--api-key", PASSWORD)),
        ("more", tool("-x", f"--client-secret={PASSWORD}")),
    ],
)
def test_lint_finds_a_secret_in_the_files_and_no_run_is_planned_with_it(where: str, text: str, tmp_path: Path) -> None:
    """Else it would stand in every plan, which the log keeps."""
    files = Installed(tmp_path, **{where: text}).root
    loaded = config.load(files / "cloudfail.yaml", [files / "runbooks" / "evacuate.yaml"])
    findings = [str(finding) for finding in lint(loaded, ACTIONS) if finding.severity is Severity.ERROR]
    assert any("stands here in plain text" in one for one in findings)
    assert found("\n".join(findings)) == []
    with pytest.raises(ConfigError) as raised:
        App(loaded, SQLiteStore(tmp_path / "state.db"), "alice").bind("east", "west")
    assert found(str(raised.value)) == []
    assert found(b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))) == []


def test_a_mistake_in_a_file_does_not_repeat_the_secret_beside_it(tmp_path: Path) -> None:
    for spoilt in (
        f"key: {{name: a, secret: {PASSWORD}}}",
        f"password: {PASSWORD}\n  password: {PASSWORD}",
        f'dsn: "host=db password={PASSWORD}',
        f"token: [{TOKEN}",
    ):
        (tmp_path / "cloudfail.yaml").write_text(f"application: shop\nresources:\n  {spoilt}\n")
        with pytest.raises(CloudfailError) as raised:
            config.load(tmp_path / "cloudfail.yaml")
        assert found(str(raised.value)) == [], str(raised.value)


def test_a_secret_by_reference_is_known_from_the_moment_it_was_read(tmp_path: Path) -> None:
    (tmp_path / "tsig").write_text("c2VjcmV0LW9mLXRoZS16b25l\n")
    value = secret_value(f"file:{tmp_path}/tsig")
    assert redacted(f"the server did not know {value}") == "the server did not know …"
    with pytest.raises(Permanent) as raised:
        secret_value("env:NOT_SET_ANYWHERE")
    assert "NOT_SET_ANYWHERE" in str(raised.value)


def test_a_report_in_html_hides_the_same_and_runs_nothing() -> None:
    """Every text that it shows goes through `plain`; what it shows of a drill is tested where it is made."""
    assert not found(plain(" ".join(SAYING)))
    page = (ROOT / "cloudfail/report/html.py").read_text()
    assert "plain(" in page and "<script" not in page and "javascript:" not in page
