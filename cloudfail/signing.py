"""Detached signatures in OpenSSH's own form (PROTOCOL.sshsig), so that a person makes one offline with

    ssh-keygen -Y sign -f KEY -n NAMESPACE FILE

also with a key in hardware, and anybody checks one with `ssh-keygen -Y verify`, without this program.

What is signed is the namespace and the hash of the payload, never the payload alone: a signature that was given for an
anchor is none for an approval. The key that made it is looked up among the allowed signers before anything is computed
with it, so a signature cannot bring a key of its own.

The primitives are those of the library `cryptography` (extra `signing`), loaded when the first signature is made or
checked. `verify`, `sign` and `public_line` raise Refused where it is missing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, NamedTuple

from cloudfail.errors import Refused
from cloudfail.signers import (
    ECDSA,
    ED25519,
    RSA,
    SK_ECDSA,
    SK_ED25519,
    AllowedSigner,
    AllowedSigners,
    Malformed,
    PublicKey,
    Signer,
    Wire,
    fingerprint_of,
    string,
)

__all__ = ["AllowedSigner", "AllowedSigners", "BadSignature", "Namespace", "Signer", "public_line", "sign", "verify"]

MAGIC = b"SSHSIG"
VERSION = 1
BEGIN = "-----BEGIN SSH SIGNATURE-----"
END = "-----END SSH SIGNATURE-----"
LINE = 70
ARMOR_BYTES_MAX = 1 << 16
"""A signature by the largest RSA key that is taken is 6 KB long."""
HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
USER_PRESENT = 0x01
"""Flag of a key in hardware: somebody touched it. Without it, malware on that person's machine can sign."""


class Namespace(StrEnum):
    """What a signature was given for. `-n` of ssh-keygen."""

    ANCHOR = "anchor@cloudfail"
    APPROVAL = "approval@cloudfail"
    BUNDLE = "bundle@cloudfail"


class BadSignature(Refused):
    """The signature does not show that an allowed signer signed this payload for this purpose."""

    def __init__(self, happened: str, to_do: str) -> None:
        super().__init__(happened, "It is taken as not signed.", to_do)


class _Signature(NamedTuple):
    key: bytes
    namespace: bytes
    hash_name: str
    algorithm: str
    body: bytes
    flags: int
    counter: int


def verify(payload: bytes, signature: str, namespace: str, allowed: AllowedSigners, at: float) -> Signer:
    """Who signed `payload` for `namespace`, as of wall time `at`. Raises BadSignature for everything but a signature
    that is whole, by an allowed key, for this namespace, of these bytes; Refused without the library."""
    parts = _parts(signature)
    if parts.namespace != namespace.encode():
        raise BadSignature(
            f"The signature was made for {parts.namespace.decode(errors='replace')!r}, not for '{namespace}'.",
            f"Sign it again with: ssh-keygen -Y sign -n {namespace} -f KEY FILE",
        )
    signer = _signer_of(parts, namespace, allowed, at)
    problem = _problem(parts, signer.key, signed_bytes(payload, namespace, parts.hash_name))
    if problem:
        raise BadSignature(
            f"The signature in the name of {signer} does not hold: {problem}.",
            "Compare what was signed, byte for byte, with what is shown here; then sign it again.",
        )
    return signer


def sign(payload: bytes, namespace: str, key_text: str) -> str:
    """A signature by a private key in OpenSSH's form without a passphrase: a runner's own key. Raises Refused for every
    other key. (A person's key stays with ssh-keygen.)"""
    key, public = _private(key_text)
    tosign = signed_bytes(payload, namespace, "sha512")
    algorithm, body = _signed(key, public, tosign)
    blob = b"".join(
        (
            MAGIC,
            VERSION.to_bytes(4, "big"),
            string(public.blob),
            string(namespace.encode()),
            string(b""),
            string(b"sha512"),
            string(string(algorithm.encode()) + string(body)),
        )
    )
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + LINE] for at in range(0, len(text), LINE)]
    return "\n".join((BEGIN, *lines, END, ""))


def public_line(key_text: str) -> str:
    """The public half of a private key, as it stands in a .pub file and in a line of allowed_signers: `TYPE BASE64`."""
    public = _private(key_text)[1]
    return f"{public.type} {base64.b64encode(public.blob).decode()}"


def signed_bytes(payload: bytes, namespace: str, hash_name: str) -> bytes:
    """What the key itself signs (PROTOCOL.sshsig §3)."""
    digest = HASHES[hash_name](payload).digest()
    return b"".join((MAGIC, string(namespace.encode()), string(b""), string(hash_name.encode()), string(digest)))


# ---- reading a signature


def _parts(armor: str) -> _Signature:
    try:
        wire = Wire(_dearmored(armor))
        if wire.take(len(MAGIC)) != MAGIC:
            raise Malformed("it does not begin as one")
        version = wire.number()
        if version != VERSION:
            raise Malformed(f"its version is {version}, and {VERSION} is known here")
        key, namespace = wire.string(), wire.string()
        if wire.string():
            raise Malformed("a field that is reserved is in use")
        hash_name = wire.name()
        if hash_name not in HASHES:
            raise Malformed(f"its hash is {hash_name!r}; known are {', '.join(HASHES)}")
        inner = Wire(wire.string())
        wire.end()
        algorithm, body, flags, counter = inner.name(), inner.string(), 0, 0
        if algorithm in {SK_ED25519, SK_ECDSA}:
            flags, counter = inner.take(1)[0], inner.number()
        inner.end()
        return _Signature(key, namespace, hash_name, algorithm, body, flags, counter)
    except Malformed as error:
        raise BadSignature(
            f"The signature cannot be read: {error}.",
            f"Copy the whole of it, from {BEGIN} to {END}.",
        ) from None


def _dearmored(armor: str) -> bytes:
    text = armor.strip()
    if len(text) > ARMOR_BYTES_MAX:
        raise Malformed("it is longer than a signature can be")
    if not text.startswith(BEGIN) or not text.endswith(END) or len(text) < len(BEGIN) + len(END):
        raise Malformed("it is not one in OpenSSH's armor")
    try:
        return base64.b64decode("".join(text[len(BEGIN) : -len(END)].split()), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("what stands between its first and its last line is not base64") from None


def _signer_of(parts: _Signature, namespace: str, allowed: AllowedSigners, at: float) -> Signer:
    lines = allowed.of(parts.key)
    if not lines:
        raise BadSignature(
            f"The signature was made with the key {fingerprint_of(parts.key)}, which is no allowed signer's.",
            "Sign with a listed key, or let whoever keeps the list add this one.",
        )
    against = [line.reason_against(namespace, at) for line in lines]
    if "" not in against:
        raise BadSignature(
            f"The key of {lines[0].names[0]} may not sign for {namespace} then: {'; '.join(against)}.",
            "Sign with another key, or let whoever keeps the list of allowed signers change the line.",
        )
    line = lines[against.index("")]
    return Signer(line.names, line.key)


def _problem(parts: _Signature, key: PublicKey, tosign: bytes) -> str:
    """What is wrong with the signature itself; "" where it holds."""
    expected = {"rsa-sha2-256", "rsa-sha2-512"} if key.type == RSA else {key.type}
    if parts.algorithm not in expected:
        return f"its algorithm is {parts.algorithm!r}, and such a key signs with {' or '.join(sorted(expected))}"
    if key.in_hardware:
        if not parts.flags & USER_PRESENT:
            return "the key in hardware was not touched"
        # PROTOCOL.u2f: what the token signs.
        tosign = b"".join(
            (
                hashlib.sha256(key.application).digest(),
                bytes([parts.flags]),
                parts.counter.to_bytes(4, "big"),
                hashlib.sha256(tosign).digest(),
            )
        )
    try:
        return "" if _holds(parts, key, tosign) else "it is not of these bytes, or not by this key"
    except Malformed as error:
        return str(error)


# ---- the primitives


def _crypto() -> Any:
    try:
        from cryptography import exceptions
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
    except ImportError as error:
        raise Refused(
            f"Signatures need the library cryptography, which is not here ({error}).",
            "Nothing was signed or checked.",
            "Install it: pip install 'cloudfail[signing]'",
        ) from error

    return SimpleNamespace(
        ec=ec,
        ed25519=ed25519,
        hashes=hashes,
        padding=padding,
        rsa=rsa,
        serialization=serialization,
        utils=utils,
        InvalidSignature=exceptions.InvalidSignature,
        UnsupportedAlgorithm=exceptions.UnsupportedAlgorithm,
    )


def _curves(crypto: Any) -> dict[str, tuple[Any, Any]]:
    hashes, ec = crypto.hashes, crypto.ec
    return {
        "nistp256": (ec.SECP256R1(), hashes.SHA256()),
        "nistp384": (ec.SECP384R1(), hashes.SHA384()),
        "nistp521": (ec.SECP521R1(), hashes.SHA512()),
    }


def _holds(parts: _Signature, key: PublicKey, tosign: bytes) -> bool:
    crypto = _crypto()
    try:
        if key.curve:
            curve, digest = _curves(crypto)[key.curve]
            numbers = Wire(parts.body)
            body = crypto.utils.encode_dss_signature(numbers.integer(), numbers.integer())
            numbers.end()
            point = crypto.ec.EllipticCurvePublicKey.from_encoded_point(curve, key.point)
            point.verify(body, tosign, crypto.ec.ECDSA(digest))
        elif key.type == RSA:
            digest = crypto.hashes.SHA512() if parts.algorithm == "rsa-sha2-512" else crypto.hashes.SHA256()
            size = (key.modulus.bit_length() + 7) // 8
            public = crypto.rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
            public.verify(parts.body.rjust(size, b"\0"), tosign, crypto.padding.PKCS1v15(), digest)
        else:
            crypto.ed25519.Ed25519PublicKey.from_public_bytes(key.point).verify(parts.body, tosign)
    except crypto.InvalidSignature:
        return False
    except (ValueError, crypto.UnsupportedAlgorithm) as error:
        raise Malformed(f"it cannot be checked ({error})") from None
    return True


def _private(key_text: str) -> tuple[Any, PublicKey]:
    crypto = _crypto()
    try:
        key = crypto.serialization.load_ssh_private_key(key_text.strip().encode() + b"\n", password=None)
        line = key.public_key().public_bytes(
            crypto.serialization.Encoding.OpenSSH, crypto.serialization.PublicFormat.OpenSSH
        )
        return key, PublicKey.read(base64.b64decode(line.split(b" ")[1]))
    # TypeError: the key has a passphrase. None of these messages repeats the key.
    except (ValueError, TypeError, AttributeError, crypto.UnsupportedAlgorithm, Malformed) as error:
        raise Refused(
            f"The private key cannot be used ({type(error).__name__}).",
            "Nothing was signed.",
            "Give a runner a key of its own, in OpenSSH's form and without a passphrase: ssh-keygen -t ed25519 -N ''",
        ) from None


def _signed(key: Any, public: PublicKey, tosign: bytes) -> tuple[str, bytes]:
    crypto = _crypto()
    if public.type == ED25519:
        return public.type, key.sign(tosign)
    if public.type in ECDSA:
        numbers = crypto.utils.decode_dss_signature(key.sign(tosign, crypto.ec.ECDSA(_curves(crypto)[public.curve][1])))
        return public.type, b"".join(string(_mpint(number)) for number in numbers)
    return "rsa-sha2-512", key.sign(tosign, crypto.padding.PKCS1v15(), crypto.hashes.SHA512())


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
