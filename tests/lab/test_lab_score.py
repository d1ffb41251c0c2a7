"""The score is pure, so it is tested with writes that were never made."""

from __future__ import annotations

import pytest

from cloudfail.lab import names
from cloudfail.lab.load import judge
from cloudfail.lab.score import (
    Write,
    counts,
    longest_gap,
    lost,
    read,
    score,
    window,
    writer_changes,
    writers_at_once_max,
)


def ack(identifier: str, sent: float, done: float, region: str = "east", group: str = "edge") -> Write:
    return Write(identifier, group, sent, done, "acknowledged", region)


def steady(began: float, ended: float, region: str, step: float = 0.1) -> list[Write]:
    count = round((ended - began) / step)
    return [ack(f"{region}{began}{n}", began + n * step, began + n * step + 0.01, region) for n in range(count)]


def test_the_outage_is_the_longest_time_between_two_acknowledgements():
    gap = longest_gap([*steady(0, 1, "east"), *steady(3, 4, "west")])
    assert gap is not None
    assert gap.seconds == pytest.approx(2.1)
    assert (gap.began, gap.ended) == (pytest.approx(0.91), pytest.approx(3.01))


def test_refused_and_unknown_writes_do_not_shorten_the_outage():
    noise = [Write("r", "edge", 1.5, 1.6, "refused"), Write("u", "edge", 1.7, 1.9, "unknown")]
    gap = longest_gap([*steady(0, 1, "east"), *noise, *steady(3, 4, "west")])
    assert gap is not None and gap.seconds == pytest.approx(2.1)


def test_clients_that_never_recover_have_a_gap_to_the_end_of_the_window():
    gap = longest_gap(steady(0, 1, "east"), 0.0, 10.0)
    assert gap is not None
    assert gap.seconds == pytest.approx(9.09)
    assert gap.ended is None


def test_a_window_without_any_acknowledgement_is_one_gap():
    gap = longest_gap([], 2.0, 5.0)
    assert gap is not None and gap.seconds == 3.0 and gap.ended is None


def test_the_first_acknowledgement_ends_the_gap_from_the_windows_beginning():
    gap = longest_gap(steady(3, 4, "east"), 0.0, 4.0)
    assert gap is not None and gap.seconds == pytest.approx(3.01) and gap.ended == pytest.approx(3.01)


def test_no_window_and_no_acknowledgement_is_no_gap_and_not_zero():
    assert longest_gap([Write("r", "edge", 0, 1, "refused")]) is None


def test_only_acknowledged_writes_can_be_lost():
    writes = [ack("a", 0, 1), ack("b", 1, 2), Write("c", "edge", 2, 3, "unknown"), Write("d", "edge", 3, 4, "refused")]
    assert lost(writes, {"a"}) == ["b"]


def test_unknown_writes_that_are_found_were_recovered_and_refused_ones_are_reported_as_lies():
    writes = [ack("a", 0, 1), Write("c", "edge", 2, 3, "unknown"), Write("d", "edge", 3, 4, "refused")]
    result = score(writes, {"a", "c", "d"})
    assert result["unknown_writes_recovered"] == 1
    assert result["refused_writes_present"] == 1
    assert result["acknowledged_writes_lost"] == 0


def test_one_hand_over_is_one_writer():
    writes = [*steady(0, 1, "east"), *steady(2, 3, "west")]
    assert writer_changes(writes) == 1
    assert writers_at_once_max(writes) == 1


def test_a_frozen_primary_that_acknowledges_once_more_is_a_second_writer():
    writes = [*steady(0, 1, "east"), *steady(2, 3, "west"), ack("woken", 2.5, 2.51, "east")]
    assert writers_at_once_max(writes) == 2


def test_a_late_answer_to_a_write_sent_before_the_hand_over_is_not_a_second_writer():
    writes = [*steady(0, 1, "east"), ack("slow", 0.95, 2.6, "east"), *steady(2, 3, "west")]
    assert writers_at_once_max(writes) == 1


def test_a_failback_needs_a_second_hand_over_and_its_own_window():
    writes = [*steady(0, 1, "east"), *steady(2, 3, "west"), *steady(4, 5, "east")]
    assert writers_at_once_max(writes) == 2
    assert writers_at_once_max(writes, hand_overs=2) == 1
    assert score(writes, set(), 0.0, 2.9)["writers_at_once_max"] == 1
    assert score(writes, set(), 2.9, 5.0)["writers_at_once_max"] == 1


def test_two_regions_that_alternate_are_two_writers_however_the_instants_are_chosen():
    writes = [ack(f"{n}", n, n + 0.5, "east" if n % 2 else "west") for n in range(10)]
    assert writer_changes(writes) == 9


def test_without_acknowledgements_there_is_no_writer():
    assert writers_at_once_max([Write("r", "edge", 0, 1, "refused")]) == 0


def test_neighbouring_windows_share_no_write():
    writes = steady(0, 2, "east")
    assert len(window(writes, None, 1.0)) + len(window(writes, 1.0, None)) == len(writes)


def test_the_outage_of_a_window_is_that_of_outside_clients():
    writes = [*steady(0, 1, "east"), *steady(1.2, 3, "east"), ack("i", 2.9, 2.95, "east", "inside-east")]
    result = score(writes, set(), 0.0, 3.0)
    assert result["write_outage_seconds"] == pytest.approx(0.3)
    assert result["groups"]["inside-east"]["write_outage_seconds"] == pytest.approx(2.95)


def test_a_record_cut_off_in_its_last_line_is_read_up_to_there(tmp_path):
    path = tmp_path / "writes.jsonl"
    path.write_text(ack("a", 0, 1).line() + ack("b", 1, 2).line()[:20])
    assert [write.id for write in read(path)] == ["a"]
    assert counts(read(path)) == {"acknowledged": 1, "refused": 0, "unknown": 0}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("HTTP/1.1 200 x\r\nX-Region: east\r\n\r\nid-1", "acknowledged"),
        ("HTTP/1.1 200 x\r\nX-Region: east\r\n\r\nid-2", "unknown"),
        ("HTTP/1.1 200 x\r\nX-Region: east\r\n\r\nid", "unknown"),
        ("HTTP/1.1 500 x\r\n\r\nunknown", "unknown"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "unknown"),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n<html>", "refused"),
        ("HTTP/1.1 503 x\r\n\r\nrefused: 25006", "refused"),
        ("HTTP/1.1 503", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_answer_is_an_acknowledgement_only_with_the_writes_own_id(answer, outcome):
    assert judge(answer, "id-1")[0] == outcome


def test_an_address_is_taken_only_from_the_answer_to_ones_own_question():
    asked = names.question("www.shop.lab")
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04\xc6\x12\x0a\x01"
    answer = asked[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + asked[12:] + record
    assert names.first_address(asked, answer) == "198.18.10.1"
    assert names.first_address(asked, bytes([answer[0] ^ 1]) + answer[1:]) is None
    assert names.first_address(asked, answer[:3] + b"\x82" + answer[4:]) is None
