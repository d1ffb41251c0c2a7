"""As much of protocol buffers' wire format as Terraform's plugin protocol 5 needs (protobuf.dev, "Encoding").

A message is its fields, each a key (number and wire type) and a value. Nothing here knows any message: who writes one
says the numbers, which are those of tfplugin5.proto.
"""

from __future__ import annotations

_VARINT, _BYTES = 0, 2

Message = dict[int, list[bytes | int]]


def field(number: int, value: bytes | str | bool | int) -> bytes:
    """One field; nothing for zero and false, which are what an absent field means."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(int(value)) if value else b""
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def parse(content: bytes) -> Message:
    """Every field's values, by its number. Raises ValueError for what is no message."""
    fields: Message = {}
    at = 0
    while at < len(content):
        key, at = _read_varint(content, at)
        value: bytes | int
        match key & 7:
            case 0:
                value, at = _read_varint(content, at)
            case 1:
                value, at = content[at : at + 8], at + 8
            case 2:
                size, at = _read_varint(content, at)
                value, at = content[at : at + size], at + size
            case 5:
                value, at = content[at : at + 4], at + 4
            case other:
                raise ValueError(f"wire type {other}")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def content_of(message: Message, number: int) -> bytes:
    """The field's bytes; none where it is absent."""
    value = message.get(number, [b""])[0]
    assert isinstance(value, bytes)
    return value


def text_of(message: Message, number: int) -> str:
    return content_of(message, number).decode()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
