"""The file as a tree with places, in which an expression of a template is a value of its own that nobody evaluates.

The project's own reader does the reading, since its bounds and refusals (size, depth, aliases, duplicate keys, binary)
are wanted here as well. Two of its refusals are not: CloudFormation's short forms (`!Ref`) are tags, and JSON may be
indented with tabs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cloudfail.config.document import Document, Items, Keys, Node, Place, Scalar
from cloudfail.config.mistakes import Mistake, Mistakes
from cloudfail.config.reading import BYTES_MAX, parse
from cloudfail.drafting import said, tidy_name
from cloudfail.errors import ConfigError

FILL_IN = "fill-in-"
"""What a value begins with that stands for an expression: easily searched for, and no identifier that any cloud has."""
EXPRESSION_CHARACTERS = 160
_TAGS = "tags are not read"
_KEY = "this key is "
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


class Placeholder(str):
    """Stands in the draft for an expression of the template. `expression` is how it was written, `template` the text
    of a `!Sub`, whose literal parts may say something (a region in an ARN)."""

    expression: str
    template: str

    def __new__(cls, name: str, expression: str, template: str = "") -> Placeholder:
        made = super().__new__(cls, name)
        made.expression = expression
        made.template = template
        return made


@dataclass
class _Reading(Mistakes):
    """Sorts out what the reader calls a mistake and a template may hold: tags anywhere; keys that are no text, where
    they do not belong to the plan."""

    tags: dict[tuple[int, int], str] = field(default_factory=dict)
    keys: list[Mistake] = field(default_factory=list)

    def add(self, file: str, line: int, column: int, text: str, problem: str, instead: str) -> None:
        if problem == _TAGS and text.startswith("!") and not text.startswith("!!"):
            self.tags[(line, column)] = text[1:200]
            return
        before = len(self.found)
        super().add(file, line, column, text, problem, instead)
        if problem.startswith(_KEY) and len(self.found) > before:
            self.keys.append(self.found.pop())


@dataclass
class Source:
    """One file. `names` gives every distinct expression one name, in the order in which they are met."""

    document: Document
    tags: dict[tuple[int, int], str]
    keys: list[Mistake]
    names: dict[str, Placeholder] = field(default_factory=dict)

    @property
    def root(self) -> Part:
        return Part(self, self.document.root)

    def expression(self, node: Node) -> tuple[str, Node] | None:
        """An expression's function and what it is of, None for a plain value."""
        tag = self.tags.get((node.line, node.column))
        if tag is not None:
            return tag, node
        if isinstance(node, Keys) and len(node.entries) == 1:
            name, (_, inner) = next(iter(node.entries.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return name.removeprefix("Fn::"), inner
        return None

    def written(self, node: Node, *, inside: bool = False) -> str:
        """A value or expression on one line; the short and the long form of an expression give the same text."""
        found = None if inside else self.expression(node)
        if found is not None:
            function, inner = found
            if function == "GetAtt" and isinstance(inner, Items):
                return f"!GetAtt {'.'.join(self.written(one) for one in inner.nodes)}"
            return f"!{function} {self.written(inner, inside=inner is node)}".rstrip()
        if isinstance(node, Scalar):
            return node.text
        if isinstance(node, Items):
            return f"[{', '.join(self._quoted(one) for one in node.nodes)}]"
        return f"{{{', '.join(f'{key}: {self._quoted(value)}' for key, (_, value) in node.entries.items())}}}"

    def _quoted(self, node: Node) -> str:
        if isinstance(node, Scalar) and self.expression(node) is None and not re.fullmatch(r"[\w.-]+", node.text):
            return json.dumps(node.text, ensure_ascii=False)
        return self.written(node)

    def placeholder(self, node: Node) -> Placeholder | None:
        """The name that stands for the expression at `node`, None for a plain value."""
        found = self.expression(node)
        if found is None:
            return None
        written = self.written(node)
        if written not in self.names:
            words = written.partition(" ")[2] if found[0] in ("Ref", "GetAtt", "Sub") else written
            stem = FILL_IN + (tidy_name(words, 40) or "value")
            name, count = stem, 1
            while name in self.names.values():
                count += 1
                name = f"{stem}-{count}"
            inner = found[1].nodes[0] if isinstance(found[1], Items) and found[1].nodes else found[1]
            template = inner.text if found[0] == "Sub" and isinstance(inner, Scalar) else ""
            self.names[written] = Placeholder(name, said(written, EXPRESSION_CHARACTERS), template)
        return self.names[written]


@dataclass(frozen=True)
class Part:
    """A value in the file, asked for by the names of the API. CloudFormation writes them with a capital letter."""

    source: Source
    node: Node

    @property
    def place(self) -> Place:
        return Place(self.source.document.file, self.node.line, self.node.column)

    @property
    def expression(self) -> Placeholder | None:
        return self.source.placeholder(self.node)

    def get(self, name: str) -> Part | None:
        """The value under a name, None where there is none, or null."""
        if self.expression is not None or not isinstance(self.node, Keys):
            return None
        for key, (_, value) in self.node.entries.items():
            if key == name or key.lower() == name.lower():
                return None if isinstance(value, Scalar) and value.value is None else Part(self.source, value)
        return None

    def key_place(self, name: str) -> Place:
        """Where a key stands; this value's own place if it has none."""
        if isinstance(self.node, Keys) and name in self.node.entries:
            key = self.node.entries[name][0]
            return Place(self.source.document.file, key.line, key.column, key.text)
        return self.place

    def entries(self) -> list[tuple[str, Part]]:
        """Name → value of a mapping; none of anything else."""
        if self.expression is not None or not isinstance(self.node, Keys):
            return []
        return [(key, Part(self.source, value)) for key, (_, value) in self.node.entries.items()]

    def items(self) -> list[Part]:
        """The values of a list; none of anything else."""
        if self.expression is not None or not isinstance(self.node, Items):
            return []
        return [Part(self.source, one) for one in self.node.nodes]

    @property
    def is_mapping(self) -> bool:
        return self.expression is None and isinstance(self.node, Keys)

    @property
    def is_list(self) -> bool:
        return self.expression is None and isinstance(self.node, Items)

    def text(self) -> str | None:
        """Text as it was written (an account number keeps its zeros), a Placeholder, or None."""
        if (expression := self.expression) is not None:
            return expression
        return self.node.text if isinstance(self.node, Scalar) and self.node.value is not None else None

    def text_of(self, name: str) -> str | None:
        part = self.get(name)
        return part.text() if part is not None else None

    def number_of(self, name: str) -> float | None:
        """A number (or the text of one, as CloudFormation allows), None for anything else."""
        text = self.text_of(name)
        if text is None or isinstance(text, Placeholder) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
            return None
        return float(text)

    def expressions(self) -> Iterator[Placeholder]:
        """Every expression in this value, those inside of others apart."""
        waiting: list[Part] = [self]
        while waiting:
            part = waiting.pop()
            if (found := part.expression) is not None:
                yield found
            else:
                waiting += reversed([*part.items(), *(value for _, value in part.entries())])


def read_source(path: Path) -> Source:
    """The file as a tree. Raises ConfigError with every mistake's place."""
    reading = _Reading()
    document = None
    try:
        with path.open("rb") as opened:
            raw = opened.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reading.add(str(path), 1, 1, "", f"the file cannot be read: {reason}", "check the path and its permissions")
    else:
        document = parse(str(path), _as_yaml(raw), reading)
    if document is None:
        reading.found += reading.keys
    if document is None or reading.found:
        raise ConfigError(reading.in_order([str(path)]))
    return Source(document, reading.tags, reading.keys)


def _as_yaml(raw: bytes) -> bytes:
    """JSON's two liberties that YAML does not have: lines indented with tabs, and characters beyond the sixteenth bit
    written as two halves. Anything that is not JSON is left as it is, for the reader to judge."""
    begins = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1]
    if begins not in (b"{", b"[") or len(raw) > BYTES_MAX:
        return raw
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw
    text = re.sub(r"^[ \t]+", lambda indent: " " * len(indent[0]), text, flags=re.MULTILINE)

    def joined(halves: re.Match[str]) -> str:
        high, low = int(halves[2], 16), int(halves[3], 16)
        return halves[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))

    return _PAIR.sub(joined, text).encode("utf-8", "surrogatepass")
