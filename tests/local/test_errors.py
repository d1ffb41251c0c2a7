"""Every row of the local provider's error tables, and what is in none of them."""

from __future__ import annotations

import errno
import socket

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_local import errors
from cloudfail_local.argv import Finished, NotStarted, TimedOut
from cloudfail_postgres import errors as sql
from cloudfail_postgres.session import Lost, Silent, SqlError, Unreachable, mutation_error

SQLSTATES = {
    "57P03": Transient, "57014": Transient, "57P01": OutcomeUnknown, "57P02": OutcomeUnknown, "57P04": Permanent,
    "57P05": Transient, "25006": Conflict, "25P02": Transient, "25P03": Transient, "40003": OutcomeUnknown,
    "53100": Permanent, "55P03": Transient, "55000": Conflict,
}  # fmt: skip
CLASSES = {
    "08006": OutcomeUnknown, "0A000": Permanent, "22001": Permanent, "23505": Permanent, "25001": Permanent,
    "28000": Permanent, "3D000": Permanent, "3F000": Permanent, "40001": Transient, "42P01": Permanent,
    "53300": Transient, "54000": Permanent, "55006": Permanent, "58030": OutcomeUnknown, "F0000": Permanent,
    "XX000": OutcomeUnknown,
}  # fmt: skip
RCODES = {
    "FORMERR": Permanent, "SERVFAIL": Transient, "NXDOMAIN": Conflict, "NOTIMP": Permanent, "REFUSED": Permanent,
    "YXDOMAIN": Conflict, "YXRRSET": Conflict, "NXRRSET": Conflict, "NOTAUTH": Permanent, "NOTZONE": Permanent,
    "BADSIG": Permanent, "BADKEY": Permanent, "BADTIME": Permanent, "BADTRUNC": Permanent,
}  # fmt: skip
# As HAProxy 2.6 words them.
REPLIES = {
    "No such server.": Permanent,
    "No such backend.": Permanent,
    "Can't find backend.": Permanent,
    "Permission denied": Permanent,
    "Unknown command, but maybe one of the following ones is a better match:": Permanent,
    "Require 'backend/server'.": Permanent,
    "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.": Permanent,
    "Invalid format.": Permanent,
    "Relative weight can only be positive.": Permanent,
    "Absolute weight can only be between 0 and 256 inclusive.": Permanent,
    "Empty weight string empty or preceded by garbage": Permanent,
    "'set server <srv> state' expects 'ready', 'drain' and 'maint'.": Permanent,
    "malformed request": Permanent,
    "This is not allowed": Permanent,
    "Proxy is disabled": Conflict,
    "The proxy has been disabled": Conflict,
    "a sentence nobody has seen": Permanent,
}


def test_the_rows_of_the_tests_are_the_rows_of_the_tables() -> None:
    assert set(SQLSTATES) == set(sql.SQLSTATE)
    assert {state[:2] for state in CLASSES} == set(sql.SQLSTATE_CLASS)
    assert set(RCODES) == set(errors.RCODE)
    for row in errors.HAPROXY:
        assert any(row in reply.lower() for reply in REPLIES), row


@pytest.mark.parametrize(("sqlstate", "kind"), [*SQLSTATES.items(), *CLASSES.items(), ("ZZ999", OutcomeUnknown)])
def test_each_sqlstate_has_its_class(sqlstate: str, kind: type[Exception]) -> None:
    assert type(sql.from_sqlstate(sqlstate, "m")) is kind


@pytest.mark.parametrize(("rcode", "kind"), [*RCODES.items(), ("RCODE99", OutcomeUnknown)])
def test_each_rcode_has_its_class(rcode: str, kind: type[Exception]) -> None:
    assert type(errors.from_rcode(rcode, "server")) is kind


@pytest.mark.parametrize(("reply", "kind"), list(REPLIES.items()))
def test_each_reply_of_haproxy_has_its_class(reply: str, kind: type[Exception]) -> None:
    assert type(errors.from_haproxy(reply + "\n\n", "socket")) is kind


def test_an_empty_reply_of_haproxy_means_that_it_obeyed() -> None:
    assert errors.from_haproxy("\n", "socket") is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Transient),
        (TimeoutError("timed out"), Transient),
        (OSError(errno.EHOSTUNREACH, "no route"), Transient),
        (socket.gaierror(-2, "name not known"), Transient),
        (FileNotFoundError(errno.ENOENT, "no socket"), Transient),
        (PermissionError(errno.EACCES, "denied"), Permanent),
        (PermissionError(errno.EPERM, "not permitted"), Permanent),
        (OSError(errno.EAFNOSUPPORT, "family"), Permanent),
        (OSError(errno.EINVAL, "invalid"), Permanent),
    ],
)
def test_a_socket_that_failed_before_sending_changed_nothing_and_after_sending_nobody_knows(
    error: OSError, kind: type[Exception]
) -> None:
    assert type(errors.from_os_error(error, sent=False, peer="p")) is kind
    assert type(errors.from_os_error(error, sent=True, peer="p")) is OutcomeUnknown


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (TimedOut("late"), OutcomeUnknown),
        (NotStarted("no such file"), Permanent),
        (Finished(75, "", "try later"), Transient),
        (Finished(126, "", ""), Permanent),
        (Finished(127, "", ""), Permanent),
        (Finished(255, "", "ssh"), OutcomeUnknown),
        (Finished(-9, "", ""), OutcomeUnknown),
        (Finished(1, "", "no"), Permanent),
    ],
)
def test_each_ending_of_a_command_has_its_class(how: object, kind: type[Exception]) -> None:
    assert type(errors.from_command(how, "it")) is kind  # type: ignore[arg-type]


def test_a_command_that_ended_well_is_no_error() -> None:
    assert errors.from_command(Finished(0, "", ""), "it") is None


def test_a_statement_that_was_never_sent_may_be_tried_again_and_a_silent_one_may_not() -> None:
    assert type(mutation_error(Unreachable("x"), "it")) is Transient
    assert type(mutation_error(Silent("x"), "it")) is OutcomeUnknown
    assert type(mutation_error(Lost("x"), "it")) is OutcomeUnknown
    assert type(mutation_error(SqlError("25006", "read-only"), "it")) is Conflict
