"""The HTML reports: well formed, self-contained, safe with any text; a picture in which no label meets another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest

from cloudfail.report.html import drill_html, run_html
from cloudfail.report.html_style import STYLE
from cloudfail.report.outcome import Client, Event
from cloudfail.report.phases import Span
from cloudfail.report.timeline import LETTER, WIDTH, Mark, Picture, fitted, svg, ticks
from tests.kit import Stage, load_local
from tests.unit.test_report_drill import drilled

SCRIPT = "<script>alert('1')</script>\"&"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Tags(HTMLParser):
    """Every tag that a browser would see; complains where they do not nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(document: str) -> Tags:
    parser = Tags()
    parser.feed(document)
    parser.close()
    assert parser.open == []
    return parser


def poisoned(value: Any) -> Any:
    """The same value with a script in every text that it holds."""
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: poisoned(getattr(value, field.name)) for field in fields(value)}
        return replace(value, **changed)
    if type(value) is str:
        return value + SCRIPT
    if isinstance(value, Mapping):
        return {poisoned(key): poisoned(one) for key, one in value.items()}
    if type(value) is tuple:
        return tuple(poisoned(one) for one in value)
    return value


def at_the_gate() -> Any:
    stage = Stage(load_local())
    run = stage.open("failback-local", "east", "west", preapproved="")
    stage.drive(seconds=60)
    return stage.run(run)


def documents() -> Iterator[str]:
    made = drilled()
    yield drill_html(made)
    yield drill_html(poisoned(replace(made, about={"PostgreSQL": "15"})))
    run = at_the_gate()
    yield run_html(run, "abc")
    story = tuple(poisoned(line) for line in run.story)
    yield run_html(
        replace(
            run, id=run.id + SCRIPT, reason=SCRIPT, opened_by=SCRIPT, halted_because=SCRIPT, to_do=SCRIPT, story=story
        ),
        SCRIPT,
    )


def test_every_document_nests_and_holds_no_script_whatever_its_texts_say() -> None:
    for document in documents():
        seen = tags(document).seen
        assert "script" not in {tag for tag, _ in seen}
        assert not [name for _, attributes in seen for name in attributes if name.startswith("on")]
        assert "<script" not in document


def test_nothing_is_fetched_from_anywhere() -> None:
    for document in documents():
        seen = tags(document).seen
        assert not [attributes for _, attributes in seen if {"src", "href", "xlink:href"} & set(attributes)]
        assert "url(" not in document
        assert "@import" not in document
        assert "default-src 'none'" in document


def test_the_picture_has_a_title_and_a_description_and_the_tables_have_headings() -> None:
    for document in documents():
        parser = tags(document)
        names = [tag for tag, _ in parser.seen]
        identifiers = {attributes.get("id") for _, attributes in parser.seen}
        for tag, attributes in parser.seen:
            if tag == "svg":
                assert attributes["role"] == "img"
                assert set((attributes["aria-labelledby"] or "").split()) <= identifiers
            if tag == "th":
                assert attributes["scope"] in {"row", "col"}
        assert names.count("table") == names.count("caption")
        assert names.count("h1") == 1
        found = [attributes["id"] for _, attributes in parser.seen if "id" in attributes]
        assert len(found) == len(set(found))


def test_the_drill_says_its_verdict_table_story_and_evidence() -> None:
    made = drilled()
    document = drill_html(made)
    assert '<p class="verdict passed">PASSED</p>' in document
    for text in ("outage as clients felt it", "Story of the failover", made.journal_head, made.failover.plan):
        assert text in document
    assert "point of no return" in document
    failed = drill_html(replace(made, failover=replace(made.failover, writers_at_once_max=None)))
    assert '<p class="verdict failed">FAILED</p>' in failed


def test_the_run_says_its_headline_and_commands() -> None:
    document = run_html(at_the_gate(), "abc")
    assert "HOLDS A FENCE" in document
    assert "<code>cloudfail approve r1 --reason TEXT</code>" in document


def picture(count: int, name: str) -> Picture:
    steps = tuple(
        Span(f"{name}{i}", i * 0.05, None if i == count - 1 else i * 0.05 + (9 if i % 40 == 0 else 0.2), "done", name)
        for i in range(count)
    )
    marks = tuple(Mark(4 + i * 0.02, f"{name} happened for the {i}th time") for i in range(12))
    edge = (Mark(-1.0, "at the left"), Mark(count * 0.05 + 0.2, "at the right edge of all that there is"))
    client = Client(1.0, 1, 0, outage_began=4.0, outage_ended=5.0, bucket_began=-1.0, per_bucket=(3, 0, 7) * 60)
    phases = (Span("detect", 0.0, 1.0, "phase"), Span("promote", 1.0, 2.0, "phase"))
    return Picture("t", "d", phases, steps, marks + edge, client)


def boxes(drawn: str) -> list[tuple[float, float, float, float, str]]:
    """The box of every text, as wide as a wide font would make it."""
    root = ElementTree.fromstring(drawn)
    found = []
    for text in root.iter("text"):
        said = text.text or ""
        wide = len(said) * 6.2 if said.isascii() else sum(6.2 if ord(letter) < 0x2E80 else 13.0 for letter in said)
        x, y = float(text.get("x", "0")), float(text.get("y", "0"))
        left = {"end": x - wide, "middle": x - wide / 2}.get(text.get("text-anchor", ""), x)
        found.append((left, y - 10, left + wide, y + 3, said))
    return found


@pytest.mark.parametrize("count", [1, 12, 200])
@pytest.mark.parametrize("name", ["step-", "a-step-with-a-very-long-name-indeed-", "漢字の段階"])
def test_no_label_meets_another_or_leaves_the_picture(count: int, name: str) -> None:
    drawn = svg(picture(count, name))
    height = float(re.findall(r'viewBox="0 0 \d+ (\d+)"', drawn)[0])
    found = boxes(drawn)
    for left, top, right, bottom, said in found:
        assert left >= -1, said
        assert right <= WIDTH + 1, said
        assert top >= -1, said
        assert bottom <= height, said
    for one, other in combinations(found, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)


def test_every_bar_lies_inside_of_the_picture() -> None:
    root = ElementTree.fromstring(svg(picture(200, "step-")))
    for bar in root.iter("rect"):
        x, wide = float(bar.get("x", "-1")), float(bar.get("width", "-1"))
        assert x >= 0
        assert wide > 0
        assert x + wide <= WIDTH


def test_an_empty_picture_is_drawn_too() -> None:
    ElementTree.fromstring(svg(Picture("nothing", "nothing happened")))
    made = drilled()
    bare = replace(
        made.failover, client=Client(None, None, None), steps=(), phase_spans=(), events=(), phases={}, story=()
    )
    tags(drill_html(replace(made, failover=bare, failback=None)))


def test_a_long_tail_gets_a_picture_of_the_outage_of_its_own() -> None:
    made = drilled()
    assert drill_html(replace(made, failback=None)).count("<svg") == 1
    late = replace(made.failover, events=(*made.failover.events, Event(600.0, "late", "the region is back")))
    assert drill_html(replace(made, failover=late, failback=None)).count("<svg") == 2


@pytest.mark.parametrize(("began", "ended"), [(0.0, 0.2), (-2.1, 7.3), (0.0, 5000.0), (1e6, 1e6 + 3)])
def test_ticks_are_few_and_round(began: float, ended: float) -> None:
    found = ticks(began, ended)
    assert 2 <= len(found) <= 11
    assert all(began <= at <= ended for at in found)


def test_what_does_not_fit_is_cut_with_an_ellipsis() -> None:
    assert fitted("freeze", 200) == "freeze"
    said = fitted("漢字" * 20, 100)
    assert said.endswith("…")
    assert len(said) * LETTER <= 100


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_contrast_in_light_in_dark_and_on_paper() -> None:
    palettes = [dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in re.findall(r":root \{([^}]*)\}", STYLE)]
    assert len(palettes) == 3
    for palette in palettes:
        for ink in ("ink", "soft", "good", "bad", "warn"):
            for ground in ("ground", "panel", "outage"):
                if ground != "outage" or ink in {"ink", "soft", "bad"}:
                    assert contrast(palette[ink], palette[ground]) >= 4.5, (ink, ground, palette)
        for bar in ("acks", "felt", "phase", "step", "owed"):
            assert contrast(palette[bar], palette["panel"]) >= 3.0, (bar, palette)
