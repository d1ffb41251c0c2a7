"""A mistake in a module is refused, and named. Without these tests, a schema server that takes everything would do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.terraform.roots import ENDS, TERRAFORM, Said, Workplace

AWS, GCP, AZURE = (Path(f"modules/{cloud}-runner") for cloud in ("aws", "gcp", "azure"))
EXAMPLE = AWS / "examples/minimal"

WINDOW = '  flexible_time_window {\n    mode = "OFF"\n  }\n'
NAME = '  name        = "${var.name}-watch"\n'

MISTAKES = {
    "a misspelt argument": (AWS, "main.tf", "memory_size ", "memory_sise ", 'Did you mean "memory_size"?'),
    "a missing argument": (
        AWS,
        "main.tf",
        "  function_name                  = var.name\n",
        "",
        'argument "function_name" is required',
    ),
    "a wrong type": (
        AWS,
        "main.tf",
        "reserved_concurrent_executions = 1",
        'reserved_concurrent_executions = "one"',
        "a number is required",
    ),
    "an unknown type": (
        AWS,
        "main.tf",
        '"aws_scheduler_schedule" "tick"',
        '"aws_scheduler_scedule" "tick"',
        "does not support resource type",
    ),
    "an attribute that is not there": (
        AWS,
        "main.tf",
        "aws_iam_role.watch.arn",
        "aws_iam_role.watch.arm",
        "Unsupported attribute",
    ),
    "a resource that is not there": (
        AWS,
        "main.tf",
        "aws_iam_role.watch.arn",
        "aws_iam_role.watched.arn",
        "Reference to undeclared resource",
    ),
    "a block written as an argument": (
        AWS,
        "main.tf",
        "  flexible_time_window {",
        "  flexible_time_window = {",
        "Unsupported argument",
    ),
    "two blocks where one is allowed": (
        AWS,
        "main.tf",
        WINDOW,
        WINDOW + WINDOW,
        "Too many flexible_time_window blocks",
    ),
    "a block that is missing": (AWS, "main.tf", WINDOW, "", "Insufficient flexible_time_window blocks"),
    "an attribute that nobody may set": (
        AWS,
        "identity.tf",
        NAME,
        NAME + '  arn         = "arn"\n',
        "aws_iam_role decides arn itself",
    ),
    "a function that is not there": (AWS, "main.tf", "filebase64sha256(", "filebase64sha257(", "unknown function"),
    "a variable that is not there": (
        AWS,
        "main.tf",
        "var.memory_mb",
        "var.memory",
        "Reference to undeclared input variable",
    ),
    "a value that the API does not know": (
        AWS,
        "main.tf",
        '"python${var.python}"',
        '"python3.99"',
        "runtime cannot be 'python3.99'",
    ),
    "an input that is not there": (
        EXAMPLE,
        "main.tf",
        "  region          = ",
        "  regions         = ",
        "Unsupported argument",
    ),
    "an input that is missing": (
        EXAMPLE,
        "main.tf",
        '  watched_regions = ["us-east-1", "us-west-2"]\n',
        "",
        "Missing required argument",
    ),
    "a list's field without an index": (
        GCP,
        "main.tf",
        "service_config[0].uri",
        "service_config.uri",
        "must be indexed",
    ),
    "a resource that the provider gave up": (
        AZURE,
        "main.tf",
        '"azurerm_service_plan"',
        '"azurerm_app_service_plan"',
        "does not support resource type",
    ),
    "a plan without its system": (
        AZURE,
        "main.tf",
        '  os_type             = "Linux"\n',
        "",
        'argument "os_type" is required',
    ),
}

# What a module promises, by the run of its own tests that holds it to that. After a refusal that did not come,
# terraform runs nothing more, so only the last of a module's may be one.
BROKEN_PROMISES = {
    AWS: {
        "one_function_at_a_time_called_once_a_minute": (
            "main.tf",
            "reserved_concurrent_executions = 1",
            "reserved_concurrent_executions = 2",
        ),
        "a_table_in_three_regions_is_strongly_consistent": ("store.tf", '"STRONG"', '"EVENTUAL"'),
        "a_store_in_a_region_that_may_be_evacuated_is_refused": (
            "variables.tf",
            "!contains(var.watched_regions, var.store.regions[0])",
            'var.store.regions[0] != ""',
        ),
    },
    GCP: {
        "one_function_at_a_time_called_once_a_minute": ("main.tf", "tostring(local.limit_seconds)", '"55"'),
        "a_store_in_a_region_that_may_be_evacuated_is_refused": (
            "variables.tf",
            "!contains(var.watched_regions, var.store.location)",
            'var.store.location != ""',
        ),
    },
    AZURE: {
        "an_account_that_nobody_deletes": ("store.tf", '"CanNotDelete"', '"ReadOnly"'),
        "a_store_that_is_copied_later_is_refused": ("variables.tf", '["LRS", "ZRS"]', '["LRS", "ZRS", "GRS"]'),
    },
}


@contextmanager
def spoilt(folder: Path, root: Path, file: str, written: str, instead: str) -> Iterator[Path]:
    """The copy's root, with something in a file replaced until the end of the block."""
    path = folder / root / file
    text = path.read_text(encoding="utf-8")
    assert written in text, f"{file} has no {written!r}: the mistake would not be made"
    path.write_text(text.replace(written, instead), encoding="utf-8")
    try:
        yield folder / root
    finally:
        path.write_text(text, encoding="utf-8")


def validated(workplace: Workplace, root: Path) -> Said:
    said = workplace.terraform(root, "validate")
    return Said(said.status, re.sub(r"\s+", " ", said.text))


@pytest.fixture(scope="module")
def copied(workplace: Workplace) -> Path:
    return workplace.copy("spoilt")


@pytest.mark.parametrize("workplace", ["ceiling"], indirect=True)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_and_named(workplace: Workplace, copied: Path, mistake: str) -> None:
    root, file, written, instead, words = MISTAKES[mistake]
    workplace.init(copied / root)
    with spoilt(copied, root, file, written, instead) as place:
        said = validated(workplace, place)
    assert said.status == 1, said.text
    assert words in said.text


@pytest.mark.parametrize("workplace", ENDS, indirect=True)
def test_what_a_newer_provider_dropped_is_refused_by_its_schema_alone(
    workplace: Workplace, copied: Path, request: pytest.FixtureRequest
) -> None:
    """So that the two ends are two."""
    by_id = "storage_account_id    = azurerm_storage_account.host.id"
    by_name = "storage_account_name  = azurerm_storage_account.host.name"
    workplace.init(copied / AZURE)
    with spoilt(copied, AZURE, "main.tf", by_id, by_name) as place:
        said = validated(workplace, place)
    is_old = request.node.callspec.params["workplace"] == "floor"
    assert said.status == (0 if is_old else 1), said.text


@pytest.mark.parametrize("workplace", ["ceiling"], indirect=True)
@pytest.mark.parametrize("root", BROKEN_PROMISES, ids=str)
def test_a_module_that_promises_less_fails_its_own_tests(workplace: Workplace, copied: Path, root: Path) -> None:
    broken = BROKEN_PROMISES[root]
    workplace.init(copied / root)
    with ExitStack() as stack:
        for file, written, instead in broken.values():
            stack.enter_context(spoilt(copied, root, file, written, instead))
        said = workplace.terraform(copied / root, "test")
    assert said.status == 1
    assert set(re.findall(r'^ *run "(\w+)"\.\.\. fail$', said.text, re.M)) == set(broken), said.text


def test_every_module_has_a_mistake_of_its_own() -> None:
    assert {TERRAFORM / root for root, *_ in MISTAKES.values()} >= {TERRAFORM / root for root in (AWS, GCP, AZURE)}
