"""Makes the JSON files beside it again: what the providers take, in the form of `terraform providers schema -json`.

    python -m tests.terraform.schemas.extract DIRECTORY

DIRECTORY holds the wheels of PINS (`pip download --no-deps -d DIRECTORY cdktn-provider-aws==25.0.0 …`). No plugin of a
provider can be had from pip or apt; these wheels can. They hold bindings that were generated from the providers'
schemas, and the generated JavaScript still says of every attribute whether it is computed, optional or required, of
which type it is, and how blocks nest. NOTICE says under which licence, and what is lost on the way.

Only the types that a .tf file under terraform/ names are kept: a test fails when one is missing, and says to run this.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TERRAFORM = HERE.parents[2] / "terraform"

PINS = {
    ("aws", "floor"): "25.0.0",
    ("aws", "ceiling"): "25.8.1",
    ("google", "floor"): "20.0.0",
    ("google", "ceiling"): "21.1.0",
    ("azurerm", "floor"): "17.0.0",
    ("azurerm", "ceiling"): "18.9.0",
}
"""The package's version for each end of what `required_providers` allows: the oldest whose bindings carry the comments
that are read here, and the newest there was."""

# The generated code, line by line. All of it is machine-made, so its form does not vary.
_CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{$(.*?)^\}$", re.M | re.S)
_FLAGS = re.compile(
    r"^ +// ([a-z0-9_]+) - computed: (true|false), optional: (true|false), required: (true|false)$", re.M
)
_WRITER = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{$(.*?)^\}$", re.M | re.S)
_WRITTEN = re.compile(
    r'^ +([a-z0-9_]+): \{\n +value: (.*?),\n +isBlock: (true|false),\n +type: "(\w+)",\n +storageClassType: "(\w+)",\n',
    re.M,
)
_TYPE_NAME = re.compile(r'tfResourceType = "([^"]+)"')
_NESTED = re.compile(r'= new (\w+?)(List|Map|OutputReference)\(this, "[a-z0-9_]+"(?:, (true|false))?\)')
_MADE_IN_CONSTRUCTOR = re.compile(r'this\._\w+ (= new [\w.]+\(this, "([a-z0-9_]+)"[^;]*);')
_USED = re.compile(r'^\s*(resource|data)\s+"([a-z0-9_]+)"', re.M)

_SCALARS = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
# How an attribute that nobody writes is read back.
_READ = (
    ("cdktn.Fn.tolist(this.getListAttribute", ["set", "string"]),
    ("getStringAttribute", "string"),
    ("getBooleanAttribute", "bool"),
    ("getNumberListAttribute", ["list", "number"]),
    ("getNumberAttribute", "number"),
    ("getListAttribute", ["list", "string"]),
    ("getStringMapAttribute", ["map", "string"]),
    ("getNumberMapAttribute", ["map", "number"]),
    ("getBooleanMapAttribute", ["map", "bool"]),
    (".StringMapList(", ["list", ["map", "string"]]),
    (".StringMap(", ["map", "string"]),
    (".NumberMap(", ["map", "number"]),
    (".BooleanMap(", ["map", "bool"]),
    ("interpolationForAttribute", "dynamic"),
)

Json = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """How one attribute or block is written into a configuration: the row of a `ToHclTerraform` table."""

    value: str
    is_block: bool
    kind: str
    storage: str

    @property
    def type(self) -> Any:
        if self.kind == "simple":
            return _SCALARS[self.storage]
        element: Any = _SCALARS.get(re.sub(r"(List|Map|Set)+$", "", self.storage), "string")
        for outer in re.findall(r"List|Map|Set", self.storage)[:-1]:
            element = [outer.lower(), element]
        return [self.kind, element]


@dataclass(frozen=True)
class Attribute:
    name: str
    computed: bool
    optional: bool
    required: bool
    code: str

    @property
    def flags(self) -> Json:
        said = {"computed": self.computed, "optional": self.optional, "required": self.required}
        return {name: True for name, value in said.items() if value}


class Bindings:
    """The classes and tables of one resource's or data source's files."""

    def __init__(self, text: str) -> None:
        self.classes = {found[1]: (found[2], found[3]) for found in _CLASS.finditer(text)}
        self.written = {_lower(found[1]): _rows(found[2]) for found in _WRITER.finditer(text)}

    def block(self, body: str, written: Mapping[str, Written]) -> Json:
        attributes: Json = {}
        blocks: Json = {}
        for one in _attributes(body):
            nested = self._nested(one)
            row = written.get(one.name)
            if nested and not one.computed and row and nested[1] != "map":
                blocks[one.name] = self._nested_block(*nested, row, one)
            elif nested:
                attributes[one.name] = {"type": self._objects(*nested), **one.flags}
            else:
                attributes[one.name] = {"type": row.type if row else _read_type(one), **one.flags}
        return {"attributes": attributes, **({"block_types": blocks} if blocks else {})}

    def _nested_block(self, name: str, nesting: str, row: Written, one: Attribute) -> Json:
        kind = nesting
        if nesting == "at most one":
            kind = row.kind if row.kind in {"list", "set"} else "list"
        return {
            "nesting_mode": kind,
            "block": self.block(self.classes[f"{name}OutputReference"][1], self.written.get(_lower(name), {})),
            **({"max_items": 1} if nesting == "at most one" else {}),
            **({"min_items": 1} if one.required else {}),
        }

    def _nested(self, one: Attribute) -> tuple[str, str] | None:
        """The name of what is nested there, and how: set, list, map, single, or a list of at most one."""
        found = _NESTED.search(one.code)
        if not found or found[1] == "cdktn" or "= new cdktn." in one.code:
            return None
        name, kind, is_set = found.groups()
        if kind == "Map":
            return name, "map"
        if kind == "List":
            return name, "set" if is_set == "true" else "list"
        handed_on = re.search(r"super\(terraformResource, terraformAttribute(.*?)\);", self._reference(name))
        at_most_one = handed_on is not None and handed_on[1].strip(", ").endswith("0")
        return name, "at most one" if at_most_one else "single"

    def _objects(self, name: str, nesting: str) -> Any:
        written = self.written.get(_lower(name), {})
        fields: Json = {}
        for one in _attributes(self._reference(name)):
            nested, row = self._nested(one), written.get(one.name)
            if nested:
                fields[one.name] = self._objects(*nested)
            else:
                fields[one.name] = row.type if row and not row.is_block and row.kind != "struct" else _read_type(one)
        whole = ["object", fields]
        return {"at most one": ["list", whole], "single": whole}.get(nesting) or [nesting, whole]

    def _reference(self, name: str) -> str:
        return self.classes[f"{name}OutputReference"][1]

    def provider(self, body: str, written: Mapping[str, Written]) -> Json:
        """A provider has nothing to read back, so only its table says what it takes."""
        required = {one.name for one in _attributes(body) if one.required}
        whole = self._provider_block(written, required)
        whole["attributes"].pop("alias", None)  # Terraform's own
        return whole

    def _provider_block(self, written: Mapping[str, Written], required: set[str]) -> Json:
        attributes: Json = {}
        blocks: Json = {}
        for name, row in written.items():
            if row.is_block:
                inner = re.search(r"(\w+)ToHclTerraform", row.value)
                assert inner is not None, row
                blocks[name] = {
                    "nesting_mode": row.kind if row.kind in {"list", "set"} else "single",
                    "block": self._provider_block(self.written.get(_lower(inner[1]), {}), set()),
                    **({"min_items": 1} if name in required else {}),
                }
            else:
                attributes[name] = {"type": row.type, ("required" if name in required else "optional"): True}
        return {"attributes": attributes, "block_types": blocks}


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _rows(table: str) -> dict[str, Written]:
    return {row[1]: Written(row[2], row[3] == "true", row[4], row[5]) for row in _WRITTEN.finditer(table)}


def _attributes(body: str) -> Iterator[Attribute]:
    """Every attribute and block of a class. code: what the class does with it."""
    made = {found[2]: found[1] for found in _MADE_IN_CONSTRUCTOR.finditer(body)}
    found = list(_FLAGS.finditer(body))
    for one, end in zip(found, [*(after.start() for after in found[1:]), len(body)], strict=False):
        code = body[one.end() : end]
        name, computed, optional, required = one.groups()
        yield Attribute(name, computed == "true", optional == "true", required == "true", made.get(name, "") + code)


def _read_type(one: Attribute) -> Any:
    return next(kind for code, kind in _READ if code in one.code)


def _strings_in_sets(block: Json, inside: bool = False) -> None:
    """Terraform allows no `dynamic` inside of a set; the bindings have `any` for a string there."""
    for attribute in block["attributes"].values():
        if inside and attribute["type"] == "dynamic":
            attribute["type"] = "string"
    for nested in block.get("block_types", {}).values():
        _strings_in_sets(nested["block"], inside or nested["nesting_mode"] == "set")


def _files(wheel: Path) -> Iterator[str]:
    """The JavaScript of each resource, data source and provider in a wheel, joined where it is in parts."""
    with zipfile.ZipFile(wheel) as outer:
        packed = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        parts: dict[str, list[str]] = {}
        with tarfile.open(fileobj=io.BytesIO(outer.read(packed))) as inner:
            for member in sorted(inner.getmembers(), key=lambda one: one.name):
                folders = member.name.split("/")
                if folders[:2] == ["package", "lib"] and len(folders) > 3 and folders[-1].endswith(".js"):
                    source = inner.extractfile(member)
                    assert source is not None
                    parts.setdefault(folders[2], []).append(source.read().decode())
    for texts in parts.values():
        joined = re.sub(r"^//# sourceMappingURL.*$", "", "\n".join(texts), flags=re.M)
        yield re.sub(r"\b(index|structs\d*|index_structs|struct)_\d+\.", "", joined)


def used(folder: Path = TERRAFORM) -> set[tuple[str, str]]:
    """("resource" or "data", type) of every block in the .tf and .tftest.hcl files."""
    files = [*folder.rglob("*.tf"), *folder.rglob("*.tftest.hcl")]
    return {found for file in files for found in _USED.findall(file.read_text(encoding="utf-8"))}


def kept(provider: str, end: str) -> Json:
    """One of the files beside this one."""
    document: Json = json.loads((HERE / f"{provider}-{end}.json").read_text(encoding="utf-8"))
    return document


def held(provider: str, end: str) -> set[tuple[str, str]]:
    """What `used` gives, of the types that a file holds."""
    (schemas,) = kept(provider, end)["provider_schemas"].values()
    return {("resource", name) for name in schemas["resource_schemas"]} | {
        ("data", name) for name in schemas["data_source_schemas"]
    }


def schema(wheel: Path, provider: str, wanted: set[tuple[str, str]]) -> Json:
    resources: Json = {}
    data: Json = {}
    own: Json = {}
    version = ""
    for text in _files(wheel):
        names = set(_TYPE_NAME.findall(text))
        if not names & {provider, *(name for _, name in wanted)}:
            continue
        bindings = Bindings(text)
        for base, body in bindings.classes.values():
            if base not in {"TerraformResource", "TerraformDataSource", "TerraformProvider"}:
                continue
            named = _TYPE_NAME.search(body)
            assert named is not None
            name = named[1]
            rows = _rows(body[body.find("synthesizeHclAttributes") :])
            said = re.search(r"providerVersion: '([^']+)'", text)
            version = version or (said[1] if said else "")
            if base == "TerraformProvider":
                own = bindings.provider(body, rows)
                continue
            kind = "resource" if base == "TerraformResource" else "data"
            if (kind, name) in wanted:
                block = bindings.block(body, rows)
                _strings_in_sets(block)
                (resources if kind == "resource" else data)[name] = {"version": 0, "block": block}
    return {
        "format_version": "1.0",
        "provider_version": version,
        "made_from": wheel.name,
        "provider_schemas": {
            f"registry.terraform.io/hashicorp/{provider}": {
                "provider": {"version": 0, "block": own},
                "resource_schemas": resources,
                "data_source_schemas": data,
            }
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the schemas beside this file again.")
    parser.add_argument("wheels", type=Path, help="where the wheels of PINS are")
    directory = parser.parse_args().wheels
    for (provider, end), pin in PINS.items():
        [wheel] = directory.glob(f"cdktn_provider_{provider}-{pin}-*.whl")
        made = schema(wheel, provider, {one for one in used() if one[1].startswith(f"{provider}_")})
        text = json.dumps(made, separators=(",", ":"), sort_keys=True)
        (HERE / f"{provider}-{end}.json").write_text(text + "\n", encoding="utf-8")
        print(provider, end, made["provider_version"], f"{len(text) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
