"""The picture of design.md §2 and §3, read from the imports: data flows down; nothing below knows anything above."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "cloudfail"
PROVIDERS = ROOT / "providers"

# Lower numbers know nothing of higher ones. A package is as high as its highest part, so that parts are named first.
LAYERS: dict[str, int] = {
    "cloudfail.errors": 0,
    "cloudfail.clock": 0,
    "cloudfail.secrecy": 0,
    "cloudfail.model": 1,
    "cloudfail.signers": 1,
    "cloudfail.signing": 1,
    "cloudfail.approval": 2,
    "cloudfail.ports": 2,
    "cloudfail.time_left": 3,
    "cloudfail.spanning": 3,
    "cloudfail.actions.arguments": 3,
    "cloudfail.config": 4,
    "cloudfail.registry": 4,
    "cloudfail.actions": 4,
    "cloudfail.detect": 5,
    "cloudfail.decide": 5,
    "cloudfail.execution": 5,
    "cloudfail.shares": 5,
    "cloudfail.plan": 6,
    "cloudfail.lint": 6,
    "cloudfail.schemas": 6,
    "cloudfail.lease": 6,
    "cloudfail.calls": 6,
    "cloudfail.retry": 2,
    "cloudfail.budget": 2,
    "cloudfail.journal": 6,
    "cloudfail.resource_log": 6,
    "cloudfail.stores": 6,
    "cloudfail.probes": 6,
    "cloudfail.shipped": 6,
    "cloudfail.proof": 6,
    "cloudfail.audit": 7,
    "cloudfail.bundle": 7,
    "cloudfail.anchor_places": 8,
    "cloudfail.anchoring": 9,
    "cloudfail.importing": 7,
    "cloudfail.discovering.pairing": 2,
    "cloudfail.discovering.looking": 3,
    "cloudfail.discovering": 7,
    "cloudfail.drafting": 6,
    "cloudfail.engine": 7,
    "cloudfail.testing": 8,
    "cloudfail.watch": 8,
    "cloudfail.world": 8,
    "cloudfail.live": 9,
    "cloudfail.preflight": 9,
    "cloudfail.moving": 9,
    "cloudfail.accounts": 9,
    "cloudfail.permissions": 7,
    "cloudfail.rooms": 9,
    "cloudfail.app": 10,
    "cloudfail.readiness": 11,
    "cloudfail.watcher": 11,
    "cloudfail.report": 12,
    "cloudfail.testing.simulation": 12,
    "cloudfail.packaging": 12,
    "cloudfail.lab": 13,
    "cloudfail.entrypoints": 20,
    "cloudfail.__main__": 21,
}
# What a lower module may know of a higher one, with the reason.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("cloudfail.actions.arguments", "cloudfail.config.fields"): "the loader's own words for what stands under `with:`",
}

# The pure core: values in, values out. `now` is an argument.
PURE = (
    "cloudfail.model",
    "cloudfail.detect",
    "cloudfail.decide",
    "cloudfail.plan",
    "cloudfail.execution",
    "cloudfail.proof",
    "cloudfail.audit",
    "cloudfail.approval",
    "cloudfail.discovering.pairing",
    "cloudfail.shares",
)
IMPURE = {
    "time", "random", "secrets", "uuid", "socket", "threading", "multiprocessing", "asyncio", "concurrent", "queue",
    "os", "subprocess", "pathlib", "io", "shutil", "tempfile", "sqlite3", "urllib", "http", "ssl", "signal", "datetime",
    "logging", "psycopg", "pymongo", "pymssql", "redis", "boto3", "dns", "requests", "yaml",
}  # fmt: skip
PURE_MAY_KNOW = (
    "cloudfail.model",
    "cloudfail.errors",
    "cloudfail.ports",  # the words of Kind and VerbFacts, which are data
    "cloudfail.actions",  # what a look can say: Todo, Moving, Done, Owed, NotKnown
    "cloudfail.config.loaded",  # plan: what `load` returned, as a value
    "cloudfail.config.substitution",  # plan: `${name}` in a string, a pure function
    "cloudfail.detect",
    "cloudfail.decide",
    "cloudfail.plan",
    "cloudfail.execution",
    "cloudfail.shares",
    "cloudfail.approval",
    "cloudfail.signing",  # whether a signature holds is a function of its bytes
    "cloudfail.proof",
    "cloudfail.lint",  # decide and plan may read its findings, which are values
)
# Third parties, and the only modules that may import them.
VENDORS: dict[str, tuple[str, ...]] = {
    "typer": ("cloudfail.entrypoints.cli",),
    "boto3": ("cloudfail_aws",),
    "botocore": ("cloudfail_aws",),
    "google": ("cloudfail_gcp",),
    "azure": ("cloudfail_azure", "cloudfail.entrypoints.azure_function"),
    "psycopg": (
        "cloudfail_postgres",
        "cloudfail_local",
        "cloudfail.lab",
        "cloudfail.probes.sql",
        "cloudfail.stores.postgres",
    ),
    "redis": ("cloudfail_aws.database",),
    "requests": ("cloudfail_gcp",),
    "pymongo": ("cloudfail_aws.database",),
    "pymssql": ("cloudfail_azure.database",),
    "certifi": ("cloudfail_azure.database",),
    "dns": ("cloudfail_local", "cloudfail_names", "cloudfail.lab"),
    "yaml": ("cloudfail.config", "cloudfail.lab", "cloudfail.testing.simulation"),
    "tenacity": ("cloudfail.retry", "cloudfail_local", "cloudfail_aws", "cloudfail_gcp", "cloudfail_azure"),
    "uv": ("cloudfail.packaging.resolving",),
    "greenlet": ("cloudfail.testing.simulation",),
    "cryptography": ("cloudfail.signing",),
    "hypothesis": (),
    "pytest": ("cloudfail.testing",),
}


def modules() -> Iterator[tuple[str, Path]]:
    for root in (ROOT, PROVIDERS):
        for path in sorted((CORE if root is ROOT else PROVIDERS).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


MODULES = dict(modules())


@functools.cache
def imports(name: str, *, lazily: bool = True) -> frozenset[str]:
    """The modules that `name` imports, written out in full. `lazily` False: only those at the top of the file."""
    tree = ast.parse(MODULES[name].read_text())
    found: set[str] = set()
    for node in ast.walk(tree) if lazily else _at_import(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
                base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], base]).rstrip(".")
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names}
    return frozenset(found)


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Statements that run when the module is imported: not those inside functions, nor for the type checker alone."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        waiting.extend(ast.iter_child_nodes(node))


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def layer(name: str) -> int | None:
    while name:
        if name in LAYERS:
            return LAYERS[name]
        name = name.rpartition(".")[0]
    return None


def test_every_module_of_the_core_has_its_place_in_the_picture() -> None:
    assert not [name for name in MODULES if name.startswith("cloudfail.") and layer(name) is None]


def test_nothing_below_imports_anything_above() -> None:
    wrong = []
    for name in MODULES:
        own = layer(name)
        if own is None:
            continue
        for imported in imports(name):
            other = layer(imported) if imported.startswith("cloudfail.") else None
            if other is not None and other > own and (name, imported) not in EXCEPTIONS:
                wrong.append(f"{name} imports {imported}")
    assert not wrong


@pytest.mark.parametrize("name", [name for name in MODULES if within(name, PURE)])
def test_the_pure_core_imports_no_clock_no_random_source_and_no_io(name: str) -> None:
    imported = imports(name)
    assert not {module for module in imported if module.split(".")[0] in IMPURE}
    own = {module for module in imported if module.startswith("cloudfail.")}
    assert not {module for module in own if not within(module, PURE_MAY_KNOW)}


def test_the_core_imports_no_provider() -> None:
    found = [
        f"{name} imports {imported}"
        for name in MODULES
        if name.split(".")[0] == "cloudfail"
        for imported in imports(name)
        if imported.startswith("cloudfail_")
    ]
    assert not found


def test_a_provider_knows_the_core_only_by_its_public_doors() -> None:
    doors = (
        "cloudfail.ports", "cloudfail.model", "cloudfail.errors", "cloudfail.clock", "cloudfail.retry",
        "cloudfail.time_left", "cloudfail.budget", "cloudfail.config.fields", "cloudfail.config.durations",
        "cloudfail.config.custom", "cloudfail.secrecy", "cloudfail.stores.object_names", "cloudfail.probes.through",
        "cloudfail.probes.serves",
        "cloudfail.discovering.pairing", "cloudfail.discovering.looking",
    )  # fmt: skip
    found = [
        f"{name} imports {imported}"
        for name in MODULES
        if name.startswith("cloudfail_")
        for imported in imports(name)
        if imported.split(".")[0] == "cloudfail" and not within(imported, doors)
    ]
    assert not found


def test_nobody_imports_the_source_root_of_the_providers() -> None:
    """`import providers.cloudfail_local` would load every class twice."""
    found = []
    for path in [
        *MODULES.values(),
        *sorted((ROOT / "tests").rglob("*.py")),
        *sorted((ROOT / "benchmarks").rglob("*.py")),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [f"{path}: {name}" for name in names if name.split(".")[0] == "providers"]
    assert not found


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_third_party_is_imported_only_where_it_belongs(vendor: str) -> None:
    found = [
        f"{name} imports {imported}"
        for name in MODULES
        for imported in imports(name)
        if imported.split(".")[0] == vendor and not within(name, VENDORS[vendor])
    ]
    assert not found


def test_probes_import_their_drivers_only_when_they_probe() -> None:
    assert not {module for module in imports("cloudfail.probes.sql", lazily=False) if module.startswith("psycopg")}


def test_no_file_is_named_after_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "core"}
    assert not [name for name in MODULES if name.rpartition(".")[2] in empty]


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, cloudfail.entrypoints.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    roots = {module.split(".")[0] for module in loaded.split()}
    assert not roots & {"pydantic", "psycopg", "dns", "yaml", "boto3", "tenacity", "sqlite3"}


def test_importing_the_engine_loads_no_vendor() -> None:
    code = "import sys, cloudfail.engine, cloudfail.actions.catalog; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    roots = {module.split(".")[0] for module in loaded.split()}
    assert not roots & {"psycopg", "dns", "boto3", "typer", "cloudfail_local"}
