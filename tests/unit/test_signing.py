"""Signatures against the real ssh-keygen, both ways; and everything that must not pass for one."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.errors import Refused
from cloudfail.signers import POINT_BYTES, SK_ECDSA, SK_ED25519, PublicKey, string
from cloudfail.signing import (
    BEGIN,
    END,
    MAGIC,
    AllowedSigners,
    BadSignature,
    Namespace,
    public_line,
    sign,
    signed_bytes,
    verify,
)

PAYLOAD = b"shop 41 0123456789abcdef\n"
NOON = 1_800_000_000.0  # 2027-01-15 08:00:00Z
KINDS = {
    "ed25519": ["-t", "ed25519"],
    "nistp256": ["-t", "ecdsa", "-b", "256"],
    "nistp384": ["-t", "ecdsa", "-b", "384"],
    "nistp521": ["-t", "ecdsa", "-b", "521"],
    "rsa": ["-t", "rsa", "-b", "2048"],
}

with_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine")


def run(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *words], input=stdin, capture_output=True, timeout=60, check=False)


def made(private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


KEY = made(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ALLOWED = AllowedSigners.parse(f"runner {public_line(KEY)}")
SIGNED = sign(PAYLOAD, Namespace.ANCHOR, KEY)


def refused(
    signature: str = SIGNED,
    payload: bytes = PAYLOAD,
    namespace: str = Namespace.ANCHOR,
    allowed: AllowedSigners = ALLOWED,
    at: float = NOON,
) -> str:
    with pytest.raises(BadSignature) as caught:
        verify(payload, signature, namespace, allowed, at)
    assert caught.value.happened
    assert caught.value.true_now == "It is taken as not signed."
    assert caught.value.to_do
    return caught.value.happened


# ---- with OpenSSH


@with_ssh_keygen
@pytest.mark.parametrize("kind", KINDS)
def test_what_ssh_keygen_signs_is_verified_here_and_the_other_way_round(kind: str, tmp_path: Path) -> None:
    key, payload, listed = tmp_path / "key", tmp_path / "payload", tmp_path / "allowed"
    assert run(*KINDS[kind], "-N", "", "-q", "-C", "a comment", "-f", str(key)).returncode == 0
    payload.write_bytes(PAYLOAD)
    listed.write_text(f'ada,ops namespaces="{Namespace.APPROVAL}" {key.with_suffix(".pub").read_text()}')
    allowed = AllowedSigners.parse(listed.read_text())

    for hash_name in ("sha256", "sha512"):
        signing = run(
            "-Y", "sign", "-O", f"hashalg={hash_name}", "-n", Namespace.APPROVAL, "-f", str(key), str(payload)
        )
        assert signing.returncode == 0, signing.stderr
        signature = Path(f"{payload}.sig")
        signer = verify(PAYLOAD, signature.read_text(), Namespace.APPROVAL, allowed, NOON)
        assert signer.names == ("ada", "ops")
        assert signer.key.fingerprint in run("-l", "-f", str(key)).stdout.decode()
        assert "not of these bytes" in refused(signature.read_text(), PAYLOAD + b"!", Namespace.APPROVAL, allowed)
        signature.unlink()

    ours = tmp_path / "ours.sig"
    ours.write_text(sign(PAYLOAD, Namespace.APPROVAL, key.read_text()))
    words = ["-Y", "verify", "-f", str(listed), "-I", "ada", "-n", Namespace.APPROVAL, "-s", str(ours)]
    checked = run(*words, stdin=PAYLOAD)
    assert checked.returncode == 0, checked.stderr
    assert run(*words, stdin=PAYLOAD + b"!").returncode != 0


@with_ssh_keygen
def test_ssh_keygen_and_this_reader_agree_on_times_and_namespaces(tmp_path: Path) -> None:
    """The same line, the same signature, the same moment: the same answer."""
    signature = tmp_path / "payload.sig"
    signature.write_text(SIGNED)
    listed = tmp_path / "allowed"
    for options, good in {
        "": True,
        f'namespaces="{Namespace.ANCHOR}"': True,
        f'namespaces="file,{Namespace.ANCHOR}"': True,
        'namespaces="file"': False,
        'valid-after="20270115Z"': True,
        'valid-after="20270115080001Z"': False,
        'valid-before="20270115080000Z"': True,
        'valid-before="202701150759Z"': False,
        'valid-after="20260101Z",valid-before="20280101Z"': True,
    }.items():
        listed.write_text(f"runner {options} {public_line(KEY)} a comment\n".replace("  ", " "))
        theirs = run(
            "-Y", "verify", "-f", str(listed), "-I", "runner", "-n", Namespace.ANCHOR, "-s", str(signature),
            "-O", "verify-time=20270115080000Z", stdin=PAYLOAD,
        )  # fmt: skip
        assert (theirs.returncode == 0) is good, (options, theirs.stderr)
        allowed = AllowedSigners.parse(listed.read_text())
        if good:
            assert verify(PAYLOAD, SIGNED, Namespace.ANCHOR, allowed, NOON).name == "runner"
        else:
            assert "may not sign" in refused(allowed=allowed)


# ---- what must not pass


def test_a_signature_for_another_purpose_is_none_for_this_one() -> None:
    assert "made for 'anchor@cloudfail', not for 'approval@cloudfail'" in refused(namespace=Namespace.APPROVAL)


def test_an_unknown_key_is_refused_by_its_fingerprint() -> None:
    other = made(ed25519.Ed25519PrivateKey.generate())
    text = refused(sign(PAYLOAD, Namespace.ANCHOR, other))
    assert PublicKey.read(base64.b64decode(public_line(other).split()[1])).fingerprint in text
    assert refused(allowed=AllowedSigners())


def test_a_key_that_is_listed_twice_signs_where_either_line_lets_it() -> None:
    two = AllowedSigners.parse(
        f'old namespaces="file" {public_line(KEY)}\nnew namespaces="{Namespace.ANCHOR}" {public_line(KEY)}'
    )
    assert verify(PAYLOAD, SIGNED, Namespace.ANCHOR, two, NOON).name == "new"


def test_the_name_of_another_in_a_signature_is_not_believed() -> None:
    """The key inside of a signature is data: another's key in its place is a signature that does not hold."""
    other = made(ed25519.Ed25519PrivateKey.generate())
    both = AllowedSigners.parse(f"runner {public_line(KEY)}\nada {public_line(other)}")
    mine, hers = (base64.b64decode(public_line(key).split()[1]) for key in (KEY, other))
    blob = base64.b64decode("".join(SIGNED.split("\n")[1:-2]))
    swapped = armored(blob.replace(mine, hers))
    assert "in the name of ada" in refused(swapped, allowed=both)


def armored(blob: bytes) -> str:
    return f"{BEGIN}\n{base64.b64encode(blob).decode()}\n{END}\n"


def parts(public: bytes, inner: bytes, *, version: int = 1, reserved: bytes = b"", hash_name: bytes = b"sha512") -> str:
    head = MAGIC + version.to_bytes(4, "big") + string(public) + string(Namespace.ANCHOR.encode())
    return armored(head + string(reserved) + string(hash_name) + string(inner))


def test_versions_fields_hashes_and_algorithms_that_are_not_known_are_refused() -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = base64.b64decode(public_line(KEY).split()[1])
    body = private.sign(signed_bytes(PAYLOAD, Namespace.ANCHOR, "sha512"))
    inner = string(b"ssh-ed25519") + string(body)
    assert verify(PAYLOAD, parts(public, inner), Namespace.ANCHOR, ALLOWED, NOON).name == "runner"
    assert "version is 2" in refused(parts(public, inner, version=2))
    assert "reserved" in refused(parts(public, inner, reserved=b"x"))
    assert "'sha1'" in refused(parts(public, inner, hash_name=b"sha1"))
    assert "algorithm is 'ssh-rsa'" in refused(parts(public, string(b"ssh-rsa") + string(body)))
    assert "more behind its end" in refused(parts(public, inner + b"\0"))
    assert "not of these bytes" in refused(parts(public, string(b"ssh-ed25519") + string(body[:-1])))


def test_rsa_with_sha_1_is_refused_also_where_it_would_hold() -> None:
    from cryptography.hazmat.primitives.asymmetric import padding

    private = rsa.generate_private_key(65537, 2048)
    line = public_line(made(private))
    body = private.sign(signed_bytes(PAYLOAD, Namespace.ANCHOR, "sha512"), padding.PKCS1v15(), hashes.SHA1())
    signature = parts(base64.b64decode(line.split()[1]), string(b"ssh-rsa") + string(body))
    assert "algorithm is 'ssh-rsa'" in refused(signature, allowed=AllowedSigners.parse(f"ada {line}"))


@given(st.integers(0, len(SIGNED) - 1), st.sampled_from("A/+=\n -\0é"), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_signature_that_was_cut_or_garbled_is_refused_in_our_own_words(at: int, mark: str, cut: bool) -> None:
    garbled = SIGNED[:at] if cut else SIGNED[:at] + mark + SIGNED[at + 1 :]
    if "".join(garbled.split()) != "".join(SIGNED.split()):
        assert refused(garbled)


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_in_an_armor_are_refused_in_our_own_words(blob: bytes) -> None:
    assert refused(armored(MAGIC + (1).to_bytes(4, "big") + blob))
    assert refused(armored(blob))


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_refused_as_a_signature_and_as_a_list_in_our_own_words(text: str) -> None:
    assert refused(text)
    assert refused(BEGIN + text + END)
    for tried in (text, f"ada {text} {public_line(KEY)}", f"ada ssh-ed25519 {text}"):
        try:
            assert isinstance(AllowedSigners.parse(tried), AllowedSigners)
        except Refused as error:
            assert error.to_do


# ---- keys in hardware: the token signs for the application, the flags and the counter


def hardware(kind: str, flags: int = 1, counter: int = 7, application: bytes = b"ssh:") -> tuple[str, str]:
    """(the line of its public key, a signature), as a token makes them; its private half is in software here."""
    inner_hash = hashes.Hash(hashes.SHA256())
    inner_hash.update(signed_bytes(PAYLOAD, Namespace.ANCHOR, "sha512"))
    app_hash = hashes.Hash(hashes.SHA256())
    app_hash.update(application)
    tosign = app_hash.finalize() + bytes([flags]) + counter.to_bytes(4, "big") + inner_hash.finalize()
    if kind == SK_ED25519:
        private = ed25519.Ed25519PrivateKey.generate()
        point = private.public_key().public_bytes_raw()
        public = string(kind.encode()) + string(point) + string(application)
        body = private.sign(tosign)
    else:
        curve = ec.generate_private_key(ec.SECP256R1())
        point = curve.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        public = string(kind.encode()) + string(b"nistp256") + string(point) + string(application)
        numbers = utils.decode_dss_signature(curve.sign(tosign, ec.ECDSA(hashes.SHA256())))
        body = b"".join(string(number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers)
    inner = string(kind.encode()) + string(body) + bytes([flags]) + counter.to_bytes(4, "big")
    return f"{kind} {base64.b64encode(public).decode()}", parts(public, inner)


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
def test_a_key_in_hardware_signs_where_it_was_touched(kind: str, tmp_path: Path) -> None:
    line, signature = hardware(kind)
    allowed = AllowedSigners.parse(f"ada {line}")
    signer = verify(PAYLOAD, signature, Namespace.ANCHOR, allowed, NOON)
    assert signer.name == "ada"
    assert signer.key.in_hardware

    untouched_line, untouched = hardware(kind, flags=0)
    assert "not touched" in refused(untouched, allowed=AllowedSigners.parse(f"ada {untouched_line}"))
    blob = base64.b64decode("".join(signature.split("\n")[1:-2]))
    assert "not of these bytes" in refused(armored(blob[:-5] + bytes([5]) + blob[-4:]), allowed=allowed)
    assert "not of these bytes" in refused(armored(blob[:-1] + bytes([blob[-1] ^ 1])), allowed=allowed)
    assert "ends too early" in refused(parts(allowed.lines[0].key.blob, string(kind.encode()) + string(b"x")))


@with_ssh_keygen
@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
def test_ssh_keygen_takes_the_same_signature_of_a_key_in_hardware(kind: str, tmp_path: Path) -> None:
    line, signature = hardware(kind)
    (tmp_path / "allowed").write_text(f"ada {line}\n")
    (tmp_path / "payload.sig").write_text(signature)
    words = ["-f", str(tmp_path / "allowed"), "-I", "ada", "-n", Namespace.ANCHOR, "-s", str(tmp_path / "payload.sig")]
    theirs = run("-Y", "verify", *words, stdin=PAYLOAD)
    assert theirs.returncode == 0, theirs.stderr


# ---- the list of those who may sign


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"* {public_line(KEY)}", "names are literal"),
        (f"ada,!bob {public_line(KEY)}", "names are literal"),
        (f'"ada lovelace" {public_line(KEY)}', "names are literal"),
        (f"ada, {public_line(KEY)}", "names are literal"),
        (f"ada cert-authority {public_line(KEY)}", "certificates are not taken"),
        (f'ada cert-authority,namespaces="file" {public_line(KEY)}', "certificates are not taken"),
        (f'ada namespaces="*" {public_line(KEY)}', "namespaces are literal"),
        (f'ada namespaces="" {public_line(KEY)}', "namespaces are literal"),
        (f"ada namespaces {public_line(KEY)}", "has the option"),
        (f"ada no-touch-required {public_line(KEY)}", "has the option"),
        (f'ada valid-after="20270101" {public_line(KEY)}', "has the time '20270101'"),
        (f'ada valid-after="20271301Z" {public_line(KEY)}', "has the time"),
        (f'ada valid-after="20280101Z",valid-before="20270101Z" {public_line(KEY)}', "ends before it begins"),
        (f'ada valid-after="20280101Z",valid-after="20270101Z" {public_line(KEY)}', "twice"),
        ("ada", "where the kind of a key stands"),
        ("ada ssh-dss AAAA", "has the option"),
        ("ada ssh-ed25519 AAAA", "ends too early"),
        (f"ada ssh-ed25519 {public_line(KEY).split()[1][:-4]}", "cannot be used"),
        (f"ada ssh-rsa {public_line(KEY).split()[1]}", "says ssh-rsa, and the key is ssh-ed25519"),
    ],
)
def test_a_line_that_is_not_taken_is_refused_with_its_number(line: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        AllowedSigners.parse(f"# who may sign\n\n{line}\n")
    assert caught.value.happened.startswith("Line 3 of the allowed signers")
    assert said in caught.value.happened
    assert caught.value.true_now
    assert caught.value.to_do


def test_a_short_rsa_key_is_refused() -> None:
    numbers = rsa.generate_private_key(65537, 1024).public_key()
    line = numbers.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    with pytest.raises(Refused, match="2048 to 16384 bits; it has 1024"):
        AllowedSigners.parse(f"ada {line}")


def test_a_compressed_point_is_refused() -> None:
    point = ec.generate_private_key(ec.SECP384R1()).public_key()
    body = point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    blob = string(b"ecdsa-sha2-nistp384") + string(b"nistp384") + string(body)
    assert len(body) < POINT_BYTES["nistp384"]
    with pytest.raises(Refused, match="uncompressed"):
        AllowedSigners.parse(f"ada ecdsa-sha2-nistp384 {base64.b64encode(blob).decode()}")


# ---- private keys


def test_a_private_key_that_cannot_be_used_is_refused_and_not_repeated() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pkcs8 = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    for text in (pkcs8, "", "not a key", KEY.replace("b3BlbnNzaC1rZXk", "b3BlbnNzaC1rZXa")):
        with pytest.raises(Refused) as caught:
            sign(PAYLOAD, Namespace.ANCHOR, text)
        assert caught.value.true_now == "Nothing was signed."
        assert not [line for line in text.splitlines()[1:-1] if line in str(caught.value)]


@with_ssh_keygen
def test_a_private_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    assert run("-t", "ed25519", "-N", "a passphrase", "-q", "-f", str(tmp_path / "key")).returncode == 0
    with pytest.raises(Refused, match="cannot be used"):
        sign(PAYLOAD, Namespace.ANCHOR, (tmp_path / "key").read_text())


def test_a_key_survives_the_loss_of_its_last_newline() -> None:
    """As environment variables and secret stores hand it on."""
    assert verify(PAYLOAD, sign(PAYLOAD, Namespace.ANCHOR, f"\n{KEY.strip()}"), Namespace.ANCHOR, ALLOWED, NOON)
