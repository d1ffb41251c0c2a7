"""Writes the tables of inputs and outputs in the modules' READMEs: `python terraform/tables.py`. A test says when they
are out of date.

The .tf files are read by their form, which `terraform fmt` gives them: a block ends at a brace in the first column, and
what belongs to it is indented by two. A table stands between `<!-- inputs -->` and `<!-- /inputs -->`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).resolve().parent / "modules"
_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}$', re.M | re.S)
_ARGUMENT = re.compile(r"^  (\w+) += (.*(?:\n(?:    .*|  [}\])]+))*)$", re.M)
_TABLE = re.compile(r"(<!-- (inputs|outputs) -->\n).*?(<!-- /\2 -->)", re.S)


@dataclass(frozen=True)
class Block:
    """A variable or an output. arguments: what it says of itself, as it is written."""

    name: str
    arguments: dict[str, str]

    @property
    def description(self) -> str:
        said: str = json.loads(self.arguments.get("description", '""'))
        return said

    @property
    def type(self) -> str:
        """The type; of objects their fields, which is what one has to know to write them."""
        first, _, rest = self.arguments.get("type", "").partition("\n")
        fields = re.findall(r"^    +(\w+) += (optional\()?", rest, re.M)
        named = ", ".join(name + ("?" if optional else "") for name, optional in fields)
        shapes = {"object({": "object", "list(object({": "list of objects", "map(object({": "map of objects"}
        return f"{shapes[first]}: {named}" if named else first

    @property
    def default(self) -> str:
        return f"`{self.arguments['default']}`" if "default" in self.arguments else "–"


def blocks(module: Path, kind: str) -> Iterator[Block]:
    """The module's variables, or outputs, in their order."""
    for file in sorted(module.glob("*.tf")):
        for found in _BLOCK.finditer(file.read_text(encoding="utf-8")):
            if found[1] == kind:
                yield Block(found[2], dict(_ARGUMENT.findall(found[3])))


def inputs(module: Path) -> str:
    rows = (f"| `{one.name}` | {one.type} | {one.default} | {one.description} |" for one in blocks(module, "variable"))
    return "\n".join(["", "| input | type | default | |", "|---|---|---|---|", *rows, "", ""])


def outputs(module: Path) -> str:
    rows = (f"| `{one.name}` | {one.description} |" for one in blocks(module, "output"))
    return "\n".join(["", "| output | |", "|---|---|", *rows, "", ""])


def written(module: Path, text: str) -> str:
    """`text` with both tables as the module has them now."""
    tables = {"inputs": inputs, "outputs": outputs}
    return _TABLE.sub(lambda found: found[1] + tables[found[2]](module) + found[3], text)


def main() -> int:
    for page in sorted(MODULES.glob("*/README.md")):
        text = page.read_text(encoding="utf-8")
        if (new := written(page.parent, text)) != text:
            page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"wrote {page.relative_to(MODULES)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
