"""One file as a tree whose every node knows its line and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where something stands, and the text there."""

    file: str
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(slots=True)
class Scalar:
    """One word or text. `value` is what it means by YAML 1.2's core rules; `text` is what was written."""

    line: int
    column: int
    text: str
    value: str | int | float | bool | None
    size: int = 1


@dataclass(slots=True)
class Items:
    """A list."""

    line: int
    column: int
    nodes: list[Node] = field(default_factory=list)
    size: int = 1


@dataclass(slots=True)
class Keys:
    """A mapping. Of a key that stands twice, the first counts (the second is a mistake already)."""

    line: int
    column: int
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    size: int = 1

    def node(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry[1] if entry else None


Node = Scalar | Items | Keys


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars. Bounded, since the tree's size with all aliases expanded is."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.nodes]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


def text_of(node: Node) -> str:
    """What to repeat of a node in a message."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return f"[{', '.join(text_of(item) for item in node.nodes[:3])}{', …' if len(node.nodes) > 3 else ''}]"
    return f"{{{', '.join(list(node.entries)[:3])}{', …' if len(node.entries) > 3 else ''}}}"


def scalars(node: Node, path: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    """Every scalar value below `node`, with its path."""
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Items):
        for index, item in enumerate(node.nodes):
            yield from scalars(item, (*path, index))
    else:
        for key, (_, value) in node.entries.items():
            yield from scalars(value, (*path, key))


@dataclass(frozen=True)
class Document:
    """A file that could be parsed."""

    file: str
    root: Node

    def find(self, path: Path) -> tuple[Node, Scalar | None, bool]:
        """The node at `path` and its key; where the path ends early, the last node on it and False. Parts of a path
        that name no key here (pydantic's names of alternatives) are skipped."""
        node, key, whole = self.root, None, True
        for part in path:
            if isinstance(node, Keys) and isinstance(part, str) and part in node.entries:
                key, node = node.entries[part]
            elif isinstance(node, Items) and isinstance(part, int) and 0 <= part < len(node.nodes):
                key, node = None, node.nodes[part]
            else:
                whole = False
        return node, key, whole

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where `path` stands: its value, or with `key` its key. The nearest parent where the path does not exist."""
        node, key_node, _ = self.find(path)
        at: Node = key_node if key and key_node is not None else node
        return Place(self.file, at.line, at.column, text_of(at))
