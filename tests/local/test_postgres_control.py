"""What pg_controldata says of a primary that died soon after its promotion."""

from __future__ import annotations

from cloudfail_local.postgres_control import parse_control, position_of

PROMOTED = """\
Database system identifier:           7711190811002634284
Database cluster state:               in production
Latest checkpoint location:           0/1500708
Latest checkpoint's REDO location:    0/1500708
Latest checkpoint's TimeLineID:       1
Latest checkpoint's PrevTimeLineID:   1
Minimum recovery ending location:     0/198C3F8
Min recovery ending loc's timeline:   3
wal_log_hints setting:                on
Bytes per WAL segment:                16777216
Data page checksum version:           0
"""


def test_the_timeline_is_the_one_that_was_written_and_not_that_of_the_last_checkpoint() -> None:
    """Taken for timeline 1, its divergence was looked for there, found to be kept already from the time before, and
    rewound without a copy."""
    control = parse_control(PROMOTED, running=False)
    assert control is not None
    assert control.timeline == 3
    assert control.checkpoint == position_of("0/1500708")
    settled = PROMOTED.replace("0/198C3F8", "0/0").replace("timeline:   3", "timeline:   0")
    control = parse_control(settled, running=False)
    assert control is not None
    assert control.timeline == 1
