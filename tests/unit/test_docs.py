"""The documents say what is so: commands, options, links, tables, keys, files."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.entrypoints.cli import app
from cloudfail.execution.lifecycle import TABLE
from cloudfail.lint import Severity, lint
from cloudfail.model.journal import Kind
from cloudfail_local import options, provider
from cloudfail_local.options import Strict

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "terraform").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# ---- the command line's tree


def tree(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    command = command or typer.main.get_command(app)
    children = getattr(command, "commands", None)
    if children is None:
        yield words, command
    for name, child in (children or {}).items():
        yield from tree(child, (*words, name))


COMMANDS = dict(tree())


def lines() -> Iterator[tuple[str, str]]:
    """Every command of cloudfail's that a document shows: in console blocks, and between backticks."""
    for name in NAMES:
        for language, body in BLOCK.findall(text(name)):
            if language == "console":
                yield from ((name, line[2:]) for line in body.splitlines() if line.startswith("$ cloudfail "))
        prose = BLOCK.sub("", text(name))
        yield from ((name, line) for line in re.findall(r"`(cloudfail [^`…]+)`", prose))


def misused(line: str) -> str:
    """What is wrong with a command line, "" if nothing is."""
    words = shlex.split(line)[1:]
    if words[:2] == ["lab", "exec"] and "--" in words:
        inner = words[words.index("--") + 1 :]
        return misused(shlex.join(inner)) if inner[:1] == ["cloudfail"] else ""
    found = max((known for known in COMMANDS if tuple(words[: len(known)]) == known), key=len, default=())
    if not found:
        groups = {known[:depth] for known in COMMANDS for depth in range(len(known))}
        return "" if tuple(words) in groups or words == ["--help"] else "no such command"
    parameters = COMMANDS[found].params
    flags = {option: one.is_flag for one in parameters for option in getattr(one, "opts", ()) if option[:1] == "-"}
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    rest, given = list(words[len(found) :]), 0
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            given += 1
        elif word == "--help":
            return ""
        elif word not in flags:
            return f"no option {word}"
        elif not flags[word]:
            # An option at the very end is named, not used.
            del rest[:1]
    return f"{given} arguments, of {len(arguments)}" if given > len(arguments) else ""


@pytest.mark.parametrize(("page", "line"), sorted(set(lines())))
def test_a_command_that_a_document_shows_exists_with_these_options(page: str, line: str) -> None:
    assert misused(line) == ""


@pytest.mark.parametrize(
    "line",
    [
        "cloudfail frobnicate",
        "cloudfail plan east --yes",
        "cloudfail runs now",
        "cloudfail lab exec -- cloudfail plans",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    assert misused(line)


def test_every_console_block_was_looked_at() -> None:
    shown = [
        line
        for name in NAMES
        for language, body in BLOCK.findall(text(name))
        if language == "console"
        for line in body.splitlines()
    ]
    others = {line for line in shown if not line.startswith("$ cloudfail ")}
    assert {line.split()[1].split("/")[0] for line in others} <= {"script", "pip", "cd", "export", "ssh-keygen"}


def test_the_scripts_that_the_documents_name_are_there() -> None:
    for name in NAMES:
        for script in re.findall(r"\bscript/[a-z]+", text(name)):
            assert (ROOT / script).is_file(), f"{name}: {script}"


def test_the_readmes_table_of_commands_is_the_command_line() -> None:
    table = README.split("## Commands")[1].split("## ")[0]
    assert re.findall(r"^\| `cloudfail ([^`]+)` \|", table, re.MULTILINE) == [" ".join(words) for words in COMMANDS]


# ---- links, tables, keys


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    for target in LINK.findall(text(name)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}, target


def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_generated_tables_are_as_the_code_has_them(name: str) -> None:
    assert generate().generated(text(name)) == text(name), "run: python docs/generate.py"


def test_every_table_that_can_be_generated_stands_somewhere() -> None:
    used = {found for name in NAMES for found in re.findall(r"<!-- generated: ([a-z-]+) -->", text(name))}
    assert used == set(generate().GENERATORS)


def test_the_lifecycles_page_has_every_sentence_that_an_operator_reads() -> None:
    page = text("docs/lifecycle-of-a-run.md")
    assert all(row.sentence in page for row in TABLE)
    rows = page.split("## What the journal holds")[1].split("##")[0]
    assert {kind for row in re.findall(r"^\| ([a-z, ]+) \|", rows, re.MULTILINE) for kind in row.split(", ")} >= set(
        Kind
    )


def keys(node: Any) -> Iterator[str]:
    """Every key that a schema lets a person write."""
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for value in node.values():
            yield from keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys(value)


@pytest.mark.parametrize("schema", ["cloudfail", "runbook"])
def test_every_key_of_the_files_is_explained(schema: str) -> None:
    document = json.loads((ROOT / f"cloudfail/schemas/{schema}.schema.json").read_text(encoding="utf-8"))
    missing = {key for key in keys(document) if f"`{key}`" not in CONFIGURATION}
    assert not missing


def test_every_key_of_the_local_kinds_is_explained() -> None:
    models = [value for value in vars(options).values() if isinstance(value, type) and issubclass(value, Strict)]
    missing = {key for model in models for key in model.model_fields if f"`{key}`" not in CONFIGURATION}
    assert not missing


def test_the_defaults_of_the_policy_are_those_of_the_schema() -> None:
    document = json.loads((ROOT / "cloudfail/schemas/cloudfail.schema.json").read_text(encoding="utf-8"))
    section = CONFIGURATION.split("### policy")[1].split("## A runbook")[0]
    for shape, part in (("PolicyShape", section), ("CheckShape", CONFIGURATION.split("### checks.NAME")[1])):
        for key, value in document["$defs"][shape]["properties"].items():
            if "default" in value and value["default"] not in ([], {}):
                assert re.search(
                    rf"^\| `{key}` \| [`\"]*{re.escape(str(value['default']))}[`\"]* \|", part, re.MULTILINE
                ), key


def test_every_kind_of_the_local_provider_is_listed() -> None:
    page = text("docs/compatibility.md")
    assert all(f"| `{port}: {name}` |" in page for port, name in provider.kinds())


# ---- the example


def test_the_readmes_configuration_loads_and_lints_without_an_error(tmp_path: Path) -> None:
    body = next(body for language, body in BLOCK.findall(README) if language == "yaml")
    (tmp_path / "cloudfail.yaml").write_text(body, encoding="utf-8")
    loaded = config.load(tmp_path / "cloudfail.yaml", sorted((ROOT / "runbooks").glob("*-local.yaml")))
    assert [str(one) for one in lint(loaded, ACTIONS) if one.severity is Severity.ERROR] == []


# ---- the rest


def test_the_changelog_has_a_section_for_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\n## [{version}]" in text("CHANGELOG.md")


def test_safety_names_every_invariant_once() -> None:
    rows = re.findall(r"^\| (I\d+|L\d+) \|", text("docs/safety.md"), re.MULTILINE)
    assert rows == [*(f"I{n}" for n in range(1, 11)), "L1"]


def test_every_decision_is_linked_from_the_readme_and_has_its_parts() -> None:
    for page in sorted((DOCS / "adr").glob("*.md")):
        assert f"(docs/adr/{page.name})" in README
        body = page.read_text(encoding="utf-8")
        assert [part for part in ("## Context", "## Decision", "## Consequences") if part not in body] == []


def test_no_document_names_a_developers_machine_or_is_unfinished() -> None:
    tracked = subprocess.run(["git", "ls-files", "--", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = {name for name in (*NAMES, *tracked.stdout.split()) if (ROOT / name).is_file()}
    private = re.compile(
        r"(?<![\w.])/(?:home|root|Users|work|mnt)/|\b(?:TODO|FIXME|TBD|workplace)\b|[\w.]+@[\w-]+\.\w+"
    )
    assert {name: hit.group() for name in sorted(names) if (hit := private.search(text(name)))} == {}
