"""Who may sign: OpenSSH's `allowed_signers` file (ssh-keygen(1), ALLOWED SIGNERS), and the public keys in it.

One line for each key, as `ssh-keygen -Y verify -f` reads it too:

    NAME[,NAME…] [namespaces="…",valid-after="…",valid-before="…"] KEYTYPE BASE64 [COMMENT]

This reader is stricter than OpenSSH, and says so for each line that it refuses. Names and namespaces are literal: a
pattern that lets in more than its writer thought of is no list of persons. Certificates (`cert-authority`) are refused,
since revoking one needs a list that must be fetched. A date ends with `Z`: OpenSSH reads one without it in the time
zone of whoever checks, and two who check would not agree.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudfail.errors import Refused

ED25519 = "ssh-ed25519"
RSA = "ssh-rsa"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
ECDSA = {f"ecdsa-sha2-{curve}": curve for curve in ("nistp256", "nistp384", "nistp521")}
KEY_TYPES = frozenset({ED25519, RSA, SK_ED25519, SK_ECDSA, *ECDSA})
POINT_BYTES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}

RSA_BITS_MIN = 2048
RSA_BITS_MAX = 16384
"""OpenSSH's own ceiling; above it, checking one signature takes seconds."""
FILE_BYTES_MAX = 1 << 20

_DATES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"\\]*)")?(,|$)')


class Malformed(Exception):
    """Bytes that are not what the format says. Never leaves this module and `cloudfail.signing`."""


class Wire:
    """Reads the fields of RFC 4251 §5, with a bound on each; Malformed instead of a field that is not all there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise Malformed("it ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def name(self) -> str:
        try:
            return self.string().decode("ascii")
        except UnicodeDecodeError:
            raise Malformed("a name in it is not ASCII") from None

    def integer(self) -> int:
        """An `mpint` that is positive, written in the one shortest way."""
        body = self.string()
        if not body or body[0] & 0x80 or (body[0] == 0 and not (len(body) > 1 and body[1] & 0x80)):
            raise Malformed("a number in it is not positive, or not in its shortest form")
        return int.from_bytes(body, "big")

    def end(self) -> None:
        if self._at != len(self._data):
            raise Malformed("there is more behind its end")


def string(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@dataclass(frozen=True)
class PublicKey:
    """A public key as OpenSSH writes it. `point` is the raw Ed25519 key or the curve's point; `modulus`, `exponent` of
    RSA; `application` of a key in hardware (what it was made for, `ssh:` unless one chose)."""

    blob: bytes
    type: str
    point: bytes = b""
    curve: str = ""
    modulus: int = 0
    exponent: int = 0
    application: bytes = b""

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return fingerprint_of(self.blob)

    @property
    def in_hardware(self) -> bool:
        return self.type in {SK_ED25519, SK_ECDSA}

    @classmethod
    def read(cls, blob: bytes) -> PublicKey:
        """Raises Malformed for anything but one whole key of a kind and size that may sign."""
        wire = Wire(blob)
        kind = wire.name()
        if kind in {ED25519, SK_ED25519}:
            key = cls(blob, kind, point=wire.string(), application=wire.string() if kind == SK_ED25519 else b"")
            if len(key.point) != 32:
                raise Malformed("an Ed25519 key has 32 bytes")
        elif kind in ECDSA or kind == SK_ECDSA:
            curve = wire.name()
            if curve != ECDSA.get(kind, "nistp256"):
                raise Malformed(f"{kind} is on another curve than {curve}")
            key = cls(blob, kind, wire.string(), curve, application=wire.string() if kind == SK_ECDSA else b"")
            if len(key.point) != POINT_BYTES[curve] or key.point[0] != 4:
                raise Malformed("its point is not in the uncompressed form")
        elif kind == RSA:
            key = cls(blob, kind, exponent=wire.integer(), modulus=wire.integer())
            if not RSA_BITS_MIN <= key.modulus.bit_length() <= RSA_BITS_MAX:
                raise Malformed(
                    f"an RSA key needs {RSA_BITS_MIN} to {RSA_BITS_MAX} bits; it has {key.modulus.bit_length()}"
                )
            if key.exponent < 3 or key.exponent % 2 == 0 or key.exponent.bit_length() > 64:
                raise Malformed("its RSA exponent is not a usable one")
        else:
            raise Malformed(f"{kind!r} is no kind of key that is taken here: {', '.join(sorted(KEY_TYPES))}")
        wire.end()
        return key


def fingerprint_of(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Signer:
    """Who signed. `name` is the first of `names`, as the allowed_signers file has them."""

    names: tuple[str, ...]
    key: PublicKey

    @property
    def name(self) -> str:
        return self.names[0]

    def __str__(self) -> str:
        return f"{self.name} ({self.key.fingerprint})"


@dataclass(frozen=True)
class AllowedSigner:
    """One line: who, with which key, for what and when. `namespaces` empty: for all. Times in wall seconds; a signature
    is good from `valid_after` to `valid_before`, both included."""

    names: tuple[str, ...]
    key: PublicKey
    namespaces: tuple[str, ...] = ()
    valid_after: float = float("-inf")
    valid_before: float = float("inf")
    line: int = 0

    def reason_against(self, namespace: str, at: float) -> str:
        """Why this line does not let its key sign for `namespace` at that time; "" where it does."""
        if self.namespaces and namespace not in self.namespaces:
            return f"line {self.line} lets it sign for {', '.join(self.namespaces)} only"
        if at < self.valid_after:
            return f"line {self.line} lets it sign from {_said(self.valid_after)} on, and the time is {_said(at)}"
        if at > self.valid_before:
            return f"line {self.line} lets it sign until {_said(self.valid_before)}, and the time is {_said(at)}"
        return ""


@dataclass(frozen=True)
class AllowedSigners:
    """A whole allowed_signers file, as a value."""

    lines: tuple[AllowedSigner, ...] = ()

    @classmethod
    def parse(cls, text: str) -> AllowedSigners:
        """Raises Refused at the first line that this reader does not take, with what to write instead."""
        if len(text) > FILE_BYTES_MAX:
            raise _refused("The file of allowed signers is longer than 1 MiB.", "Name another file.")
        return cls(tuple(_lines(text)))

    def of(self, blob: bytes) -> tuple[AllowedSigner, ...]:
        return tuple(line for line in self.lines if line.key.blob == blob)


def _lines(text: str) -> Iterator[AllowedSigner]:
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            yield _signer(line, number)


def _signer(line: str, number: int) -> AllowedSigner:
    where = f"Line {number} of the allowed signers"
    names, _, rest = line.replace("\t", " ").partition(" ")
    rest = rest.strip()
    options = ""
    if rest.split(" ", 1)[0] not in KEY_TYPES:
        options, rest = _options_of(rest)
    kind, _, rest = rest.strip().partition(" ")
    people = tuple(names.split(","))
    if not all(people) or any(mark in names for mark in '*?!"'):
        raise _refused(
            f"{where} names {names!r}; names are literal here, with no *, ? or ! and no quotes.",
            "Write each person's or runner's own name, with commas between two names of one key.",
        )
    found = _options(options, where)
    if kind not in KEY_TYPES:
        raise _refused(
            f"{where} has {kind!r} where the kind of a key stands.",
            f"One of these can sign: {', '.join(sorted(KEY_TYPES))}.",
        )
    try:
        key = PublicKey.read(base64.b64decode(rest.strip().split(" ", 1)[0], validate=True))
    except (Malformed, binascii.Error, ValueError) as error:
        raise _refused(f"{where} has a key that cannot be used: {error}.", "Copy the whole .pub file again.") from None
    if key.type != kind:
        raise _refused(f"{where} says {kind}, and the key is {key.type}.", "Copy the whole .pub file again.")
    namespaces = tuple(found["namespaces"].split(",")) if "namespaces" in found else ()
    if "namespaces" in found and (not all(namespaces) or any(mark in found["namespaces"] for mark in "*?!")):
        raise _refused(
            f"{where} has namespaces={found['namespaces']!r}; namespaces are literal here, with no *, ? or !.",
            "Write them out, with commas between.",
        )
    after = _time(found["valid-after"], where) if "valid-after" in found else float("-inf")
    before = _time(found["valid-before"], where) if "valid-before" in found else float("inf")
    if before <= after:
        raise _refused(f"{where} ends before it begins.", "Set valid-before to a time after valid-after.")
    return AllowedSigner(people, key, namespaces, after, before, number)


def _options_of(rest: str) -> tuple[str, str]:
    """The options end at the first space outside of quotes."""
    quoted = False
    for at, mark in enumerate(rest):
        if mark == '"':
            quoted = not quoted
        elif mark == " " and not quoted:
            return rest[:at], rest[at:]
    return rest, ""


def _options(text: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        name = match.group(1).lower() if match else ""
        if name == "cert-authority":
            raise _refused(
                f"{where} is a certificate authority; certificates are not taken here.",
                "List the key of each person or runner itself.",
            )
        if match is None or name not in {"namespaces", "valid-after", "valid-before"} or match.group(2) is None:
            raise _refused(
                f"{where} has the option {text[at:]!r}, which is not known here.",
                'Known are namespaces="…", valid-after="…" and valid-before="…".',
            )
        if name in found:
            raise _refused(f"{where} says {name} twice.", "Say it once.")
        found[name] = match.group(2)
        at = match.end()
    return found


def _time(text: str, where: str) -> float:
    digits = text[:-1]
    form = _DATES.get(len(digits))
    try:
        if form is None or text[-1] not in "zZ" or not digits.isascii() or not digits.isdecimal():
            raise ValueError(text)
        return datetime.strptime(digits, form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _refused(
            f"{where} has the time {text!r}.", "Write it in UTC: 20270131Z, or 202701311200Z, or 20270131120000Z."
        ) from None


def _said(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"


def _refused(happened: str, to_do: str) -> Refused:
    return Refused(happened, "No signature was checked; nothing was changed.", to_do)
