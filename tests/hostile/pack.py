"""msgpack as the protocol uses it, written from the format's specification alone: numbers, text, binary,
booleans and arrays. Nothing here is shared with the node, so that a fault of its codec is not ours, too."""

import struct


def number(value):
    if value < 0x80:
        return bytes([value])
    for tag, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if value < 1 << (8 * size):
            return bytes([tag]) + value.to_bytes(size, "big")
    raise ValueError(value)


def text(value):
    data = value.encode()
    head = bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xd9" + bytes([len(data)])
    return head + data


def binary(data):
    for tag, size in ((0xC4, 1), (0xC5, 2), (0xC6, 4)):
        if len(data) < 1 << (8 * size):
            return bytes([tag]) + len(data).to_bytes(size, "big") + data
    raise ValueError(len(data))


def array_head(count):
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + struct.pack(">H", count)


def pack(value):
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return number(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes):
        return binary(value)
    return array_head(len(value)) + b"".join(pack(each) for each in value)


def _item(data, at):
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag & 0xF0 == 0x90:
        return _array(data, at, tag & 0x0F)
    if tag & 0xE0 == 0xA0:
        return data[at:at + (tag & 0x1F)].decode(), at + (tag & 0x1F)
    if tag in (0xC2, 0xC3):
        return tag == 0xC3, at
    if 0xCC <= tag <= 0xCF:
        size = 1 << (tag - 0xCC)
        return int.from_bytes(data[at:at + size], "big"), at + size
    if 0xC4 <= tag <= 0xC6 or 0xD9 <= tag <= 0xDB:
        wide = 1 << (tag - 0xC4 if tag <= 0xC6 else tag - 0xD9)
        size = int.from_bytes(data[at:at + wide], "big")
        at += wide
        value = bytes(data[at:at + size])
        return (value if tag <= 0xC6 else value.decode()), at + size
    if tag in (0xDC, 0xDD):
        wide = 2 if tag == 0xDC else 4
        return _array(data, at + wide, int.from_bytes(data[at:at + wide], "big"))
    raise ValueError(f"tag {tag:#x}")


def _array(data, at, count):
    items = []
    for _ in range(count):
        item, at = _item(data, at)
        items.append(item)
    return items, at


def unpack(data):
    value, end = _item(data, 0)
    if end != len(data):
        raise ValueError("bytes after the value")
    return value
