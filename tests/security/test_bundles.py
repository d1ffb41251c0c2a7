"""Threat: an edited runbook. A runner that was told who may sign goes by no file that they did not sign."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cloudfail import bundle, config
from cloudfail.app import App
from cloudfail.entrypoints.files import open_application
from cloudfail.errors import CloudfailError, ConfigError, Refused
from cloudfail.model.journal import Kind
from cloudfail.signing import Namespace, public_line, sign

RUNBOOK = """
name: evacuate
mode: failover
steps:
  freeze: {action: change.freeze, with: {where: "${to}"}}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [freeze]}
"""
CONFIG = """
application: shop
objectives: {{rto: 60m, rpo: 30s}}
regions: {{east: {{provider: local}}, west: {{provider: local}}}}
primary: east
state: sqlite:{root}/state.db
resources:
  deploys: {{change: flag, directory: {root}, members: {{east: east, west: west}}}}
checks:
  app: {{tcp: "127.0.0.1:9"}}
policy: {{runbook: evacuate}}
"""


def key(number: int) -> str:
    made = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


ALICE, MALLORY = key(1), key(2)


@dataclass
class Runner:
    """A machine with files, a bundle of them, and the list of those who may sign."""

    root: Path

    def __post_init__(self) -> None:
        (self.root / "runbooks").mkdir()
        self.config = self.root / "cloudfail.yaml"
        self.config.write_text(CONFIG.format(root=self.root))
        self.runbook = self.root / "runbooks" / "evacuate.yaml"
        self.runbook.write_text(RUNBOOK)
        self.signers = self.root / "allowed_signers"
        self.signers.write_text(f"alice {public_line(ALICE)}\n")
        self.file = self.root / "shop.bundle"

    def write(self, serial: int = 1) -> bytes:
        raw = bundle.written(self.config, [self.runbook], serial, config.load(self.config, [self.runbook]))
        self.file.write_bytes(raw)
        return raw

    def sign(self, by: str = ALICE, namespace: str = Namespace.BUNDLE) -> None:
        Path(f"{self.file}.sig").write_text(sign(self.file.read_bytes(), namespace, by))

    def signed(self, serial: int = 1) -> None:
        self.write(serial)
        self.sign()

    @property
    def environment(self) -> dict[str, str]:
        return {"CLOUDFAIL_BUNDLE": str(self.file), "CLOUDFAIL_SIGNERS": str(self.signers)}

    def open(self, **changed: str) -> App:
        environment = {name: value for name, value in {**self.environment, **changed}.items() if value}
        return open_application(self.config, [self.runbook], "runner", environment)

    def refused(self, **changed: str) -> str:
        """What the refusal says. Nothing was looked at: not even the log was made."""
        there = (self.root / "state.db").exists()
        with pytest.raises(CloudfailError) as raised:
            self.open(**changed)
        assert not isinstance(raised.value, ConfigError), "YAML was parsed before the signature was checked"
        assert raised.value.happened and raised.value.true_now and raised.value.to_do
        assert there or not (self.root / "state.db").exists()
        return raised.value.happened


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_a_signed_bundle_is_what_the_runner_goes_by_and_not_the_files_beside_it(runner: Runner) -> None:
    runner.signed()
    runner.config.write_text("not: ours")
    runner.runbook.write_text("neither: this")
    app = runner.open()
    assert app.topology.application == "shop"
    assert list(app.loaded.runbooks) == ["evacuate"]
    assert str(app.loaded.place("steps", "freeze", runbook="evacuate")).startswith("runbooks/evacuate.yaml:")
    assert app.log().samples["bundle"]["serial"] == 1


def test_the_same_files_and_serial_give_the_same_bytes(runner: Runner) -> None:
    assert runner.write() == runner.write() != runner.write(serial=2)


def test_without_a_signature_nothing_is_loaded(runner: Runner) -> None:
    runner.write()
    assert "shop.bundle.sig cannot be read" in runner.refused()
    for nothing in ("", "\n", "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n"):
        Path(f"{runner.file}.sig").write_text(nothing)
        assert "signature cannot be read" in runner.refused()


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw.replace(b"change.freeze", b"change.thawed"),
        lambda raw: raw.replace(b'"serial": 1', b'"serial": 9'),
        lambda raw: raw + b"\n",
        lambda raw: raw[:-1],
        lambda raw: b"{]" + raw,
        lambda raw: json.dumps(json.loads(raw)).encode(),
        lambda raw: b"",
    ],
    ids=["a step", "the serial", "a line more", "a byte less", "no JSON", "other blanks", "empty"],
)
def test_a_bundle_that_was_altered_after_it_was_signed_is_refused_unparsed(runner: Runner, edit: object) -> None:
    assert callable(edit)
    runner.signed()
    runner.file.write_bytes(edit(runner.file.read_bytes()))
    assert "does not hold" in runner.refused()


def test_a_key_that_is_not_listed_signs_nothing(runner: Runner) -> None:
    runner.write()
    runner.sign(MALLORY)
    assert "no allowed signer" in runner.refused()


def test_a_signature_for_another_purpose_is_none(runner: Runner) -> None:
    """An approval that alice signed is not her word for a bundle, nor is a list that lets her only approve."""
    runner.write()
    runner.sign(namespace=Namespace.APPROVAL)
    assert "was made for 'approval@cloudfail'" in runner.refused()
    runner.sign()
    runner.signers.write_text(f'alice namespaces="approval@cloudfail" {public_line(ALICE)}\n')
    assert "may not sign" in runner.refused()


def test_a_signature_of_another_bundle_is_none(runner: Runner) -> None:
    runner.signed(serial=1)
    runner.write(serial=2)
    assert "does not hold" in runner.refused()


def test_a_file_that_is_no_yaml_at_all_is_refused_for_its_signature(runner: Runner) -> None:
    """What the parser would choke on never reaches it."""
    document = {"format": 1, "application": "shop", "serial": 1, "files": {"cloudfail.yaml": "a: &a [*a, *a"}}
    runner.file.write_text(json.dumps(document))
    runner.sign(MALLORY)
    assert "no allowed signer" in runner.refused()


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"format": 2},
        {"format": 1, "application": "shop", "serial": 0, "files": {"cloudfail.yaml": ""}},
        {"format": 1, "application": "shop", "serial": True, "files": {}},
        {"format": 1, "application": "shop", "serial": 1, "files": {"cloudfail.yaml": "", "../../etc/passwd": ""}},
        {"format": 1, "application": "shop", "serial": 1, "files": {"cloudfail.yaml": 1}},
    ],
)
def test_what_is_signed_and_is_no_bundle_is_refused(runner: Runner, document: object) -> None:
    runner.file.write_text(json.dumps(document))
    runner.sign()
    assert "is no bundle" in runner.refused()


def test_a_bundle_of_another_application_is_told(runner: Runner) -> None:
    document = json.loads(runner.write())
    runner.file.write_text(json.dumps({**document, "application": "billing"}))
    runner.sign()
    assert "it is billing's" in runner.refused()


def test_an_older_bundle_is_not_put_back_though_it_was_signed(runner: Runner) -> None:
    runner.signed(serial=3)
    old, signature = runner.file.read_bytes(), Path(f"{runner.file}.sig").read_text()
    runner.open()
    runner.runbook.write_text(RUNBOOK.replace("steps:", "description: better\nsteps:"))
    runner.signed(serial=4)
    runner.open()
    entries = runner.open().log().seq
    runner.file.write_bytes(old)
    Path(f"{runner.file}.sig").write_text(signature)
    assert "has the serial 3, and 4 was in use already" in runner.refused()
    runner.signed(serial=4)
    assert runner.open().log().seq == entries, "the same one again is no news"


def test_two_bundles_under_one_serial_are_told_apart(runner: Runner) -> None:
    runner.signed(serial=3)
    runner.open()
    runner.runbook.write_text(RUNBOOK.replace("steps:", "description: other\nsteps:"))
    runner.signed(serial=3)
    assert "has the serial 3, and so had another one" in runner.refused()


def test_a_lower_serial_in_the_log_does_not_lower_it(runner: Runner) -> None:
    runner.signed(serial=5)
    app = runner.open()
    app.remember({"bundle": {"serial": 1, "digest": "ab", "signer": "mallory"}})
    assert app.log().samples["bundle"]["serial"] == 5
    runner.signed(serial=4)
    assert "5 was in use already" in runner.refused()


def test_plain_files_are_refused_where_signers_are_set(runner: Runner) -> None:
    assert "goes by signed bundles only" in runner.refused(CLOUDFAIL_BUNDLE="")


def test_a_bundle_without_signers_is_refused(runner: Runner) -> None:
    runner.signed()
    assert "nobody's signature would be asked for" in runner.refused(CLOUDFAIL_SIGNERS="")


def test_signers_that_cannot_be_read_let_nobody_in(runner: Runner) -> None:
    runner.signed()
    assert "cannot be read" in runner.refused(CLOUDFAIL_SIGNERS=str(runner.root / "none"))
    runner.signers.write_text("")
    assert "no allowed signer" in runner.refused()


def cli(runner: Runner, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDFAIL_")}
    return subprocess.run(
        [sys.executable, "-m", "cloudfail", *argv],
        cwd=runner.root, env={**inherited, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine")
def test_a_person_signs_with_ssh_keygen_and_the_command_line_goes_by_it(runner: Runner) -> None:
    private = runner.root / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(private)], check=True, timeout=60)
    runner.signers.write_text(f"bob {Path(f'{private}.pub').read_text()}")
    wrote = cli(runner, "bundle", "write", "--serial", "7", "--output", "shop.bundle")
    assert wrote.returncode == 0, wrote.stderr
    assert "Sign it: ssh-keygen -Y sign -n bundle@cloudfail -f KEY shop.bundle" in wrote.stdout
    unsigned = cli(runner, "status", **runner.environment)
    assert unsigned.returncode == 1 and "ssh-keygen -Y sign" in unsigned.stderr
    assert not (runner.root / "state.db").exists()
    signing = ["ssh-keygen", "-q", "-Y", "sign", "-n", "bundle@cloudfail", "-f", str(private), "shop.bundle"]
    subprocess.run(signing, cwd=runner.root, check=True, timeout=60, capture_output=True)
    checked = cli(runner, "bundle", "check", "shop.bundle", "--signers", str(runner.signers))
    assert checked.returncode == 0, checked.stderr
    assert "Signed by bob" in checked.stdout and "serial 7" in checked.stdout
    assert cli(runner, "status", **runner.environment).returncode == 0
    named = cli(runner, "status", "--runbook-file", "runbooks/evacuate.yaml", **runner.environment)
    assert named.returncode == 1 and "goes by the bundle" in named.stderr


def test_a_function_refuses_what_is_not_signed(runner: Runner) -> None:
    """The doors of the clouds' functions open the same way; their platform is told, and counts it."""
    runner.write()
    code = "from cloudfail.entrypoints.serving import tick; tick(5.0, by='function')"
    inherited = {**os.environ, **runner.environment, "CLOUDFAIL_CONFIG": str(runner.config)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=inherited, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode != 0 and "shop.bundle.sig cannot be read" in ran.stderr
    assert not (runner.root / "state.db").exists()


def test_a_mistake_inside_a_signed_bundle_names_the_file_and_the_line(runner: Runner) -> None:
    document = json.loads(runner.write())
    document["files"]["runbooks/evacuate.yaml"] = RUNBOOK.replace("change.freeze", "change.frieze")
    runner.file.write_text(json.dumps(document))
    runner.sign()
    with pytest.raises(ConfigError, match=r"runbooks/evacuate.yaml:5:\d+: there is no action"):
        runner.open()


def test_a_bundle_is_written_only_of_files_that_can_be_read_back(runner: Runner) -> None:
    strange = runner.root / "runbooks" / "two words.yaml"
    strange.write_text(RUNBOOK)
    loaded = config.load(runner.config, [strange])
    with pytest.raises(Refused, match="cannot be put into a bundle"):
        bundle.written(runner.config, [strange], 1, loaded)
    for serial in (0, -1, 2**60):
        with pytest.raises(Refused, match="no serial number"):
            bundle.written(runner.config, [runner.runbook], serial, loaded)


def test_the_log_keeps_who_signed_what_the_runner_goes_by(runner: Runner) -> None:
    runner.signed()
    app = runner.open()
    (kept,) = [entry.data["bundle"] for entry in app.audit() if entry.kind is Kind.SAMPLE and "bundle" in entry.data]
    assert kept["signer"].startswith("alice")
    assert len(kept["digest"]) == 64
