"""Archives without an installer: what goes in, in which order, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from typer.testing import CliRunner

from cloudfail import config
from cloudfail.bundle import written
from cloudfail.entrypoints.cli import app
from cloudfail.entrypoints.files import from_archive, load_application
from cloudfail.errors import Refused
from cloudfail.packaging import archive, chosen, own, target_of
from cloudfail.packaging.bill import bill_of
from cloudfail.packaging.lock import parse_lock
from cloudfail.packaging.targets import Cloud, Target
from cloudfail.signing import BadSignature, Namespace, public_line, sign
from tests.entrypoints.site import Site
from tests.security.test_bundles import key
from tests.unit.test_architecture import MODULES, imports

HASH = "--hash=sha256:" + "0" * 64
METADATA = b"Metadata-Version: 2.4\nName: Some_Lib\nVersion: 1.2\n"


def dist(more: bytes = b"") -> archive.Files:
    return {"some_lib-1.2.dist-info/METADATA": METADATA + more + b"\n", "some_lib/__init__.py": b""}


# ---- the archive


def test_the_same_files_in_another_order_are_the_same_bytes() -> None:
    files = {"b/two.py": b"2", "a.py": b"1" * 5000, "runbooks/x.yaml": b"x"}
    one, two = archive.build(files), archive.build(dict(reversed(files.items())))
    assert one.data == two.data and one.digest == two.digest
    with zipfile.ZipFile(io.BytesIO(one.data)) as opened:
        entries = opened.infolist()
        assert [entry.filename for entry in entries] == sorted(files)
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
        assert opened.read("a.py") == b"1" * 5000


@pytest.mark.parametrize(
    "name",
    [
        "bin/jp.py", ".lock", "a/__pycache__/b.cpython-311.pyc", "a/b.pyc", "a-1.dist-info/RECORD",
        "a-1.dist-info/INSTALLER", "a-1.dist-info/REQUESTED", "a-1.dist-info/uv_cache.json",
        "a-1.dist-info/direct_url.json",
    ],
)  # fmt: skip
def test_what_an_installer_leaves_behind_stays_out(name: str) -> None:
    assert not archive.kept(name)


@pytest.mark.parametrize("name", ["a/bin/b.py", "a/RECORD", "a-1.dist-info/METADATA", "a-1.dist-info/licenses/LICENSE"])
def test_what_belongs_to_a_library_is_kept(name: str) -> None:
    assert archive.kept(name)


def test_an_archive_past_the_limit_is_refused_with_the_largest_of_it() -> None:
    target = target_of("aws")
    assert target.cloud.unzipped_max == 262_144_000
    small = Target(Cloud("aws", extra="aws", entry="x", unzipped_max=1000), "3.13", "x86_64")
    archive.check_size(small, archive.build({"a/b": b"1" * 600, "c": b"1" * 400}))
    with pytest.raises(Refused, match="at most") as raised:
        archive.check_size(small, archive.build({"a/b": b"1" * 601, "c": b"1" * 400}))
    assert raised.value.to_do.index("a 0.0 MiB") < raised.value.to_do.index("c 0.0 MiB")


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(Refused, match="cannot be written"):
        archive.write({tmp_path / "gone" / "x": b"1", tmp_path / "a": b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    archive.write({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "taken"]


@pytest.mark.parametrize("output", ["", "no/where/function.zip"])
def test_an_output_that_cannot_be_written_is_refused_first(tmp_path: Path, output: str) -> None:
    with pytest.raises(Refused, match="cannot be written"):
        archive.check_writable(tmp_path / output)


# ---- the target


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("oracle", "3.13", "x86_64"), "aws, gcp, azure"),
        (("aws", "3.10", "x86_64"), "3.11 or later"),
        (("aws", "3.13.1", "x86_64"), "first two numbers"),
        (("aws", "three", "x86_64"), "--python 3.13"),
        (("aws", "3.13", "amd64"), "--architecture arm64"),
        (("gcp", "3.13", "arm64"), "--architecture x86_64"),
    ],
)
def test_a_target_that_is_none_is_refused_with_those_that_are(words: tuple[str, str, str], says: str) -> None:
    with pytest.raises(Refused) as raised:
        target_of(*words)
    assert says in raised.value.to_do and raised.value.true_now == "Nothing was written."


def test_wheels_run_on_the_oldest_system_of_the_target() -> None:
    """Lambda's Python 3.11 stands on Amazon Linux 2, whose C library is 2.26."""
    assert target_of("aws", "3.11").platform == "x86_64-manylinux_2_17"
    assert target_of("aws", "3.13", "arm64").platform == "aarch64-manylinux_2_28"


# ---- cloudfail's own part


def left_out(name: str) -> bool:
    path = name.replace(".", "/")
    return f"{path}.py".startswith(own.LEFT_OUT) or f"{path}/".startswith(own.LEFT_OUT)


def test_no_module_in_the_archive_imports_one_that_was_left_out() -> None:
    inside = [name for name in MODULES if not left_out(name)]
    assert "cloudfail.entrypoints.aws_lambda" in inside and len(inside) < len(MODULES)
    missing = {f"{name} imports {other}" for name in inside for other in imports(name) if left_out(other)}
    assert not missing
    assert not {name for name in inside if {one.split(".")[0] for one in imports(name)} & set(own.LIBRARIES_LEFT_OUT)}


def test_the_archive_holds_this_installations_code_and_how_its_stores_are_found() -> None:
    files = own.files()
    source = Path(__file__).resolve().parents[2] / "cloudfail" / "engine.py"
    assert files["cloudfail/engine.py"] == source.read_bytes()
    assert "cloudfail_aws/store.py" in files and "cloudfail/schemas/runbook.schema.json" in files
    assert (
        b"cloudfail_gcp.store:CloudStorageKind" in files[f"cloudfail-{version('cloudfail')}.dist-info/entry_points.txt"]
    )
    assert not [name for name in files if name.startswith(("cloudfail/lab", "cloudfail/entrypoints/cli"))]


def test_requirements_are_those_of_the_extras_and_no_others() -> None:
    def names(*extras: str) -> set[str]:
        return {line.partition(">")[0].partition("[")[0] for line in own.requirements(extras)}

    assert {"pydantic", "tenacity"} <= names() and not names() & {"typer", "boto3", "pytest"}
    assert names("aws") - names() == {"boto3", "dnspython"}
    assert "psycopg" in names("aws", "postgres")
    assert names("aws", "redis") - names("aws") == {"redis"}
    assert not [line for line in own.requirements(["aws", "gcp", "azure"]) if "extra" in line]


def test_an_extra_that_the_installation_does_not_know_is_refused() -> None:
    with pytest.raises(Refused, match="knows no extra oracle") as raised:
        own.requirements(["aws", "oracle"])
    assert "--force-reinstall" in raised.value.to_do


# ---- the lock and the bill


def test_a_lock_reads_what_it_writes() -> None:
    text = f"# made by\nSome.Lib[x]==1.2 \\\n    {HASH}\nother==2 {HASH} {HASH[:-1]}1\n"
    lock = parse_lock(text, "here")
    assert {name: pin.version for name, pin in lock.pins.items()} == {"some-lib": "1.2", "other": "2"}
    assert parse_lock(lock.text(), "there") == lock


@pytest.mark.parametrize(
    "line", ["boto3>=1.40", "boto3==1.40", f"boto3 {HASH}", "-r other.txt", "--index-url https://x"]
)
def test_a_lock_that_pins_nothing_is_refused(line: str) -> None:
    with pytest.raises(Refused, match="pins no version by its hash"):
        parse_lock(f"a==1 {HASH}\n{line}\n", "lock.txt")


@pytest.mark.parametrize(
    ("said", "licences"),
    [
        (b"License-Expression: MIT OR Apache-2.0\nLicense: old\n", [{"expression": "MIT OR Apache-2.0"}]),
        (b"License: BSD-2\n", [{"license": {"name": "BSD-2"}}]),
        (b"License: " + b"the whole text " * 20 + b"\nClassifier: License :: OSI Approved :: MIT License\n",
         [{"license": {"name": "MIT License"}}]),
        (b"", None),
    ],
)  # fmt: skip
def test_the_bill_is_cyclonedx_and_says_what_is_inside(said: bytes, licences: list[object] | None) -> None:
    built = archive.build(dist(said))
    text = bill_of("function.zip", target_of("aws"), built)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    (component,) = bill["components"]
    assert (component["purl"], component.get("licenses")) == ("pkg:pypi/some-lib@1.2", licences)
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": built.digest}]
    assert text == bill_of("function.zip", target_of("aws"), built)
    other = json.loads(bill_of("function.zip", target_of("aws"), archive.build({**dist(said), "x": b""})))
    assert other["serialNumber"] != bill["serialNumber"]


# ---- what an application's files ask for

WITNESS = "dynamodb://cloudfail?region=eu-central-1"


@pytest.mark.parametrize(
    ("state", "cloud", "extras"),
    [
        (WITNESS, "aws", ("aws", "local")),
        (WITNESS, "gcp", ("aws", "gcp", "local")),
        ("postgresql://db/state?lives_in=witness", "azure", ("azure", "local", "postgres")),
    ],
)
def test_the_extras_are_the_clouds_own_and_what_the_files_name(
    tmp_path: Path, state: str, cloud: str, extras: tuple[str, ...]
) -> None:
    site = Site(tmp_path, state=state)
    site.close()
    needs = chosen.needs_of(tmp_path / "cloudfail.yaml", [tmp_path / "runbooks" / "evacuate.yaml"], target_of(cloud))
    assert (needs.extras, needs.others) == (extras, ())
    assert sorted(needs.files) == ["cloudfail.yaml", "runbooks/evacuate.yaml"]


_SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
_SQL = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Sql/servers"
_SERVERS = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers"
_ACCOUNT = (
    f"account: /subscriptions/{_SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/orders, "
    'documents: shop/cloudfail, members: {one: "https://a.documents.azure.com", two: "https://b.documents.azure.com"}'
)


@pytest.mark.parametrize(
    ("cloud", "database", "extras"),
    [
        ("aws", "aurora-global, id: orders, members: {one: orders-e, two: orders-w}", ("postgres",)),
        ("aws", "documentdb-global, id: orders, members: {one: orders-e, two: orders-w}", ("documentdb",)),
        ("aws", "neptune-global, id: orders, members: {one: orders-e, two: orders-w}", ()),
        ("gcp", "cloud-sql, members: {one: orders-e, two: orders-w}", ("postgres",)),
        ("gcp", "alloydb, members: {one: orders-e, two: orders-w}", ("postgres",)),
        ("gcp", "spanner, id: projects/p/instances/i/databases/d, members: {one: read-write, two: read-write}", ()),
        (
            "gcp",
            'firestore, path: projects/shop-prod/databases/orders, members: {one: "http://a:3128", two: "http://b:3128"}',
            (),
        ),
        (
            "azure",
            f"postgresql-flexible, members: {{one: {_SERVERS}/orders-e, two: {_SERVERS}/orders-w}}",
            ("postgres",),
        ),
        (
            "azure",
            f"mysql-flexible, members: {{one: {_SERVERS}/orders-e, two: {_SERVERS}/orders-w}}".replace(
                "PostgreSQL", "MySQL"
            ),
            (),
        ),
        ("azure", f"cosmos-db, {_ACCOUNT}", ()),
        ("azure", f"cosmos-db-multi-write, {_ACCOUNT}", ()),
        (
            "azure",
            f"sql-database, members: {{one: {_SQL}/a/databases/orders, two: {_SQL}/b/databases/orders}}",
            ("sqlserver",),
        ),
    ],
)
def test_a_clouds_database_brings_what_reaches_it(
    tmp_path: Path, cloud: str, database: str, extras: tuple[str, ...]
) -> None:
    one, two, account = {
        "aws": ("us-east-1", "us-west-2", "111111111111"),
        "gcp": ("us-central1", "europe-west1", "shop-prod"),
        "azure": ("westeurope", "northeurope", _SUBSCRIPTION),
    }[cloud]
    (tmp_path / "cloudfail.yaml").write_text(
        f"""application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {one}: {{provider: {cloud}, account: "{account}"}}
  {two}: {{provider: {cloud}, account: "{account}"}}
primary: {one}
state: "{WITNESS}"
resources:
  orders: {{database: {database.replace("one:", f"{one}:").replace("two:", f"{two}:")}}}
"""
    )
    needs = chosen.needs_of(tmp_path / "cloudfail.yaml", [], target_of(cloud))
    assert set(needs.extras) == {"aws", cloud, *extras}


def test_signed_approvals_bring_what_checks_signatures(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    Site(tmp_path, state=WITNESS, approvers=(f"alice {public}",)).close()
    runbook = tmp_path / "runbooks" / "evacuate.yaml"
    assert "signing" in chosen.needs_of(tmp_path / "cloudfail.yaml", [runbook], target_of("aws")).extras


def anchored(place: Path, key: str, signers: str) -> tuple[Path, list[Path]]:
    Site(place, state=WITNESS).close()
    path = place / "cloudfail.yaml"
    anchor = "gs://acme-anchors/shop?location=eur4"
    audit = f'audit: {{anchors: ["{anchor}"], key: "{key}", signers: "{signers}"}}\n'
    path.write_text(path.read_text() + audit)
    return path, [place / "runbooks" / "evacuate.yaml"]


def test_anchors_bring_their_stores_libraries_and_who_may_sign(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "signers").write_text("alice ssh-ed25519 AAAA\n")
    needs = chosen.needs_of(*anchored(tmp_path, "env:ANCHOR_KEY", "keys/signers"), target_of("aws"))
    assert needs.extras == ("aws", "gcp", "local", "signing")
    assert needs.files["keys/signers"] == b"alice ssh-ed25519 AAAA\n"


@pytest.mark.parametrize(
    ("key", "signers", "says"),
    [
        ("file:keys/anchor", "signers", "private key does not belong"),
        ("file:/run/secrets/anchor", "/etc/signers", "outside of the archive"),
        ("env:ANCHOR_KEY", "../signers", "outside of the archive"),
        ("env:ANCHOR_KEY", "none", "cannot be read"),
    ],
)
def test_no_private_key_is_packed_and_no_file_is_left_behind(tmp_path: Path, key: str, signers: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        chosen.needs_of(*anchored(tmp_path, key, signers), target_of("aws"))


def bundled(place: Path, state: str = WITNESS, signer: int = 1, more: str = "") -> chosen.Signed:
    """Signed by the key that the list names as alice's, unless said otherwise. The plain files are spoilt."""
    Site(place, state=state).close()
    path, runbook = place / "cloudfail.yaml", place / "runbooks" / "evacuate.yaml"
    path.write_text(path.read_text() + more)
    raw = written(path, [runbook], 3, config.load(path, [runbook]))
    file, signers = place / "shop.bundle", place / "allowed_signers"
    file.write_bytes(raw)
    Path(f"{file}.sig").write_text(sign(raw, Namespace.BUNDLE, key(signer)))
    signers.write_text(f"alice {public_line(key(1))}\n")
    path.write_text("not: ours")
    return chosen.Signed(file, signers)


def test_a_signed_bundle_is_packed_as_it_was_signed_and_nothing_unsigned_beside_it(tmp_path: Path) -> None:
    signed = bundled(tmp_path)
    needs = chosen.needs_of_bundle(signed, target_of("gcp"))
    assert needs.extras == ("aws", "gcp", "local", "signing")
    assert needs.files == {
        "cloudfail.bundle": signed.bundle.read_bytes(),
        "cloudfail.bundle.sig": (tmp_path / "shop.bundle.sig").read_bytes(),
        "cloudfail.signers": signed.signers.read_bytes(),
    }
    again = chosen.needs_of_bundle(signed, target_of("gcp"))
    assert archive.build(needs.files).data == archive.build(again.files).data


def test_a_function_finds_the_bundle_in_its_archive_and_goes_by_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    root = tmp_path / "task"
    needs = chosen.needs_of_bundle(bundled(tmp_path / "made"), target_of("aws"))
    with zipfile.ZipFile(io.BytesIO(archive.build(needs.files).data)) as opened:
        opened.extractall(root)
    (root / "cloudfail.yaml").write_text("not: ours")
    environment = {"CLOUDFAIL_CONFIG": str(root / "cloudfail.yaml")}
    from_archive(root, environment)
    loaded, files = load_application(root / "cloudfail.yaml", [], environment)
    assert files is not None and files.serial == 3 and files.signer.startswith("alice ")
    assert (loaded.topology.application, list(loaded.runbooks)) == ("shop", ["evacuate"])
    (root / "cloudfail.bundle").write_bytes((root / "cloudfail.bundle").read_bytes().replace(b"10m", b"11m"))
    with pytest.raises(BadSignature):
        load_application(root / "cloudfail.yaml", [], environment)


def test_signers_that_were_set_from_outside_stand_above_those_that_were_packed(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    needs = chosen.needs_of_bundle(bundled(tmp_path / "made"), target_of("aws"))
    for name, data in needs.files.items():
        (tmp_path / name).write_bytes(data)
    others = tmp_path / "others"
    others.write_text(f"carol {public_line(key(2))}\n")
    environment = {"CLOUDFAIL_SIGNERS": str(others)}
    from_archive(tmp_path, environment)
    assert environment["CLOUDFAIL_SIGNERS"] == str(others)
    with pytest.raises(BadSignature):
        load_application(tmp_path / "cloudfail.yaml", [], environment)
    nothing: dict[str, str] = {}
    from_archive(tmp_path / "made", nothing)
    assert nothing == {}, "an archive without a bundle asks for none"


def test_what_nobody_on_the_list_signed_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(BadSignature):
        chosen.needs_of_bundle(bundled(tmp_path, signer=2), target_of("aws"))


def test_a_bundle_is_held_against_the_same_rules_as_plain_files(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="own disk"):
        chosen.needs_of_bundle(bundled(tmp_path, state=""), target_of("aws"))


def test_a_bundle_whose_signers_of_anchors_would_not_be_found_is_refused(tmp_path: Path) -> None:
    audit = 'audit: {anchors: ["gs://acme-anchors/shop?location=eur4"], key: "env:ANCHOR_KEY", signers: "signers"}\n'
    signed = bundled(tmp_path, more=audit)
    (tmp_path / "signers").write_text("alice ssh-ed25519 AAAA\n")
    with pytest.raises(Refused, match="azure does not say where that is"):
        chosen.needs_of_bundle(signed, target_of("azure"))
    assert chosen.needs_of_bundle(signed, target_of("aws")).files["signers"] == b"alice ssh-ed25519 AAAA\n"


@pytest.mark.parametrize("options", ["--bundle b", "--signers s", "--bundle b --signers s --runbook-file r"])
def test_a_bundle_goes_with_its_signers_and_without_other_runbooks(tmp_path: Path, options: str) -> None:
    line = ["package", "aws", "-o", str(tmp_path / "f.zip"), *options.split()]
    done = CliRunner().invoke(app, line)
    assert isinstance(done.exception, Refused), done.output
    assert "A bundle goes with those who may sign it" in done.exception.happened
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", ["", '"memory:"'])
def test_a_log_on_the_functions_own_disk_is_refused(tmp_path: Path, state: str) -> None:
    site = Site(tmp_path, state=state)
    site.close()
    with pytest.raises(Refused, match="own disk") as raised:
        chosen.needs_of(tmp_path / "cloudfail.yaml", [], target_of("aws"))
    assert "docs/state.md" in raised.value.to_do


def test_files_with_errors_of_lint_are_refused_with_all_of_them(tmp_path: Path) -> None:
    site = Site(tmp_path, state=WITNESS)
    site.close()
    runbook = tmp_path / "runbooks" / "evacuate.yaml"
    runbook.write_text(runbook.read_text().replace('where: "${to}"}, limit', 'where: "${from}"}, limit'))
    with pytest.raises(Refused, match="which is lost") as raised:
        chosen.needs_of(tmp_path / "cloudfail.yaml", [runbook], target_of("aws"))
    assert "evacuate.yaml:" in raised.value.happened and "cloudfail lint" in raised.value.to_do


def test_two_runbooks_of_one_files_name_are_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, state=WITNESS)
    site.close()
    (tmp_path / "more").mkdir()
    first, second = tmp_path / "runbooks" / "evacuate.yaml", tmp_path / "more" / "evacuate.yaml"
    second.write_text(first.read_text().replace("name: evacuate", "name: other"))
    with pytest.raises(Refused, match=r"both be runbooks/evacuate\.yaml"):
        chosen.needs_of(tmp_path / "cloudfail.yaml", [first, second], target_of("aws"))
