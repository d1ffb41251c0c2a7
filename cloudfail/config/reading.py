"""Bytes → a tree with positions, from the parser's events. Everything is bounded, and YAML's own traps are refused.

Events, not PyYAML's composer: it recurses as deep as the file nests, resolves by YAML 1.1, keeps the last of two equal
keys, and knows nothing of how large a file is once its aliases are expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from cloudfail.config.document import Document, Items, Keys, Node, Scalar
from cloudfail.config.mistakes import Mistakes
from cloudfail.config.scalars import value_of

BYTES_MAX = 1 << 20
DEPTH_MAX = 64
NODES_MAX = 50_000
"""Nodes of one file with every alias expanded: a dozen lines of aliases can stand for billions."""

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
TAB_INDENT = re.compile(r"^[ ]*\t[ \t]*(?=\S)", re.MULTILINE)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

SYNTAX_ADVICE = (
    ("mapping values are not allowed", "put text that holds `: ` in quotes, or check the indentation of this line"),
    ("could not find expected ':'", "write `key: value`, with a space after the colon"),
    ("did not find expected key", "check the indentation: keys of one mapping begin in one column"),
    ("cannot start any token", "put text that begins with this character in quotes"),
    ("found undefined alias", "write the value out, or set the anchor (&name) above its first use"),
    ("unexpected end of stream", "close the quote or bracket that is open"),
    ("did not find expected ',' or", "close the bracket, or put a comma between the items"),
    ("did not find expected '-' indicator", "begin every item of the list with `- ` in one column"),
    ("block sequence entries are not allowed", "put the list on lines of its own, or write it in [brackets]"),
    ("unknown escape character", r"write \\ for a backslash, or use 'single quotes'"),
)


class _StopReadingError(Exception):
    """The rest of this file cannot be read; the mistake has been noted."""


def read(path: Path, mistakes: Mistakes) -> Document | None:
    """The document of one file, or None when there is none to speak of. Mistakes are noted in either case."""
    file = str(path)
    try:
        with path.open("rb") as opened:
            raw = opened.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        mistakes.add(file, 1, 1, "", f"the file cannot be read: {reason}", "check the path and its permissions")
        return None
    return parse(file, raw, mistakes)


def parse(file: str, raw: bytes, mistakes: Mistakes) -> Document | None:
    """The document in `raw`."""
    text = _text(file, raw, mistakes)
    if text is None:
        return None
    reader = _Reader(file, mistakes)
    try:
        root = reader.tree(text)
    except _StopReadingError:
        return None
    except yaml.YAMLError as error:
        _syntax_mistake(file, text, error, mistakes)
        return None
    if root is None or (isinstance(root, Scalar) and root.value is None):
        mistakes.add(file, 1, 1, "", "the file is empty", "begin with the keys that the documentation shows")
        return None
    return Document(file, root)


def _text(file: str, raw: bytes, mistakes: Mistakes) -> str | None:
    if len(raw) > BYTES_MAX:
        mistakes.add(file, 1, 1, "", "the file is larger than 1 MiB", "split it; configuration is written by people")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        byte = raw[error.start : error.start + 1].hex()
        mistakes.add(file, line, column, f"byte 0x{byte}", "the file is not UTF-8", "save it as UTF-8")
        return None
    refused = False
    for found in UNPRINTABLE.finditer(text):
        line, column = _place(text, found.start())
        name = "a NUL byte" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
        mistakes.add(file, line, column, found[0], f"the file holds {name}", "remove it")
        refused = True
        break
    for found in TAB_INDENT.finditer(text):
        line, column = _place(text, found.start() + found[0].index("\t"))
        rest = text[found.end() : found.end() + 60].split("\n", 1)[0]
        mistakes.add(file, line, column, rest, "this line is indented with a tab", "indent with spaces")
        refused = True
    return None if refused else text


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _syntax_mistake(file: str, text: str, error: yaml.YAMLError, mistakes: Mistakes) -> None:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    lines = text.splitlines()
    if line > len(lines):
        line, column = max(len(lines), 1), len(lines[-1]) + 1 if lines else 1
    there = lines[line - 1].strip() if lines else ""
    instead = next(
        (cure for words, cure in SYNTAX_ADVICE if words in problem), "check quotes, brackets and indentation"
    )
    mistakes.add(file, line, column, there, f"this is not YAML: {problem}", instead)


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    node: Items | Keys
    anchor: str | None
    key: Scalar | None = None
    expects_key: bool = True


@dataclass
class _Reader:
    """Builds the tree with a stack of its own, so that no file can exhaust Python's."""

    file: str
    mistakes: Mistakes
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)
    root: Node | None = None
    nodes: int = 0
    documents: int = 0

    def tree(self, text: str) -> Node | None:
        events: Iterator[yaml.Event] = yaml.parse(text, Loader=LOADER)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._document(event)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                ended = self.stack.pop()
                if ended.anchor is not None:
                    self.anchors[ended.anchor] = ended.node
                self._put(ended.node)
        return self.root

    def _note(self, event: yaml.Event, text: str, problem: str, instead: str) -> None:
        line, column = _start(event)
        self.mistakes.add(self.file, line, column, text, problem, instead)

    def _stop(self, event: yaml.Event, text: str, problem: str, instead: str) -> None:
        self._note(event, text, problem, instead)
        raise _StopReadingError

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            self._stop(event, "---", "a second document begins here", "write one document per file")
        if event.version is not None and tuple(event.version) != (1, 2):
            self._note(event, "%YAML", "files are read by the rules of YAML 1.2", "remove the %YAML line")

    def _count(self, event: yaml.Event, size: int) -> None:
        self.nodes += size
        if self.nodes > NODES_MAX:
            what = "this alias makes the file" if isinstance(event, yaml.AliasEvent) else "the file is"
            self._stop(event, "", f"{what} larger than {NODES_MAX:,} values", "write fewer, or split the file")

    def _check_tag_and_anchor(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._note(event, str(tag), "tags are not read", "remove the tag; put text in quotes")
        if event.anchor is not None and event.anchor in self.anchors:
            self._note(event, f"&{event.anchor}", "this anchor is set twice", "give every anchor a name of its own")

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._check_tag_and_anchor(event)
        self._count(event, 1)
        if len(self.stack) >= DEPTH_MAX:
            self._stop(event, "", f"this is nested more than {DEPTH_MAX} deep", "write it flatter")
        line, column = _start(event)
        kind = Keys if isinstance(event, yaml.MappingStartEvent) else Items
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(kind(line, column), event.anchor))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag_and_anchor(event)
        self._count(event, 1)
        if CONTROL.search(event.value):
            self._note(event, event.value, "this text holds a control character", "remove it")
        line, column = _start(event)
        value = value_of(event.value) if event.implicit[0] else event.value
        node = Scalar(line, column, event.value, value)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self._put(node)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = str(event.anchor)
        target = self.anchors.get(name)
        if target is None:
            if name in self.anchors:
                self._stop(event, f"*{name}", "this alias contains itself", "write the value out")
            self._stop(event, f"*{name}", f"there is no anchor &{name} above", "set the anchor first, or write it out")
            return
        self._count(event, target.size)
        if len(self.stack) + _depth(target) > DEPTH_MAX:
            self._stop(event, f"*{name}", f"this is nested more than {DEPTH_MAX} deep", "write it flatter")
        self._put(target)

    def _put(self, node: Node) -> None:
        """Hand a finished node to the list or mapping that it stands in."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.node.size += node.size
        if isinstance(top.node, Items):
            top.node.nodes.append(node)
        elif top.expects_key:
            top.key, top.expects_key = self._key(node), False
        else:
            top.expects_key = True
            if top.key is not None:
                self._entry(top.node, top.key, node)

    def _key(self, node: Node) -> Scalar | None:
        """The key, None (and a mistake) where it may not be one. Its value is still read, for its own mistakes."""
        if not isinstance(node, Scalar):
            self.mistakes.add(self.file, node.line, node.column, "", "a key must be one word", "write `key: value`")
            return None
        if not isinstance(node.value, str):
            what = "empty" if node.text == "" else f"not text but {_sort(node.value)}"
            cure = f'put it in quotes: "{node.text[:40]}"' if node.text else "write `key: value`"
            self.mistakes.add(self.file, node.line, node.column, node.text, f"this key is {what}", cure)
            return None
        if node.value == "<<":
            problem = "merge keys (<<) are not read"
            self.mistakes.add(self.file, node.line, node.column, "<<", problem, "write the keys out")
            return None
        return node

    def _entry(self, mapping: Keys, key: Scalar, value: Node) -> None:
        name = str(key.value)
        if name in mapping.entries:
            first = mapping.entries[name][0].line
            problem = f'the key "{name[:60]}" stands twice in this mapping, first in line {first}'
            self.mistakes.add(self.file, key.line, key.column, key.text, problem, "remove or rename one of the two")
            return
        mapping.entries[name] = (key, value)


def _start(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _sort(value: object) -> str:
    return {bool: "true or false", type(None): "nothing"}.get(type(value), "a number")


def _depth(node: Node) -> int:
    """How deep a finished node nests: at most DEPTH_MAX, since it was built under that bound."""
    if isinstance(node, Scalar):
        return 0
    inner = node.nodes if isinstance(node, Items) else [value for _, value in node.entries.values()]
    return 1 + max((_depth(one) for one in inner), default=0)
