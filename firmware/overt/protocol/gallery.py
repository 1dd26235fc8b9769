"""The layout of the memory file in which the warden hands the templates of a watchlist to vision.

Little-endian: magic (8 bytes), templates N (u32), entries E (u32), then N entry indices (i32), padding to 64 bytes,
then N templates of 128 float32. Entry indices rise from 0 to E - 1 in the watchlist's order. Nothing else about a
listed person is in it: vision knows an entry by its index alone.
"""

import struct
from collections.abc import Sequence

import msgspec

from overt.protocol import limits
from overt.protocol.documents import Entry
from overt.protocol.errors import Malformed

MAGIC = b"OVRTGAL1"
_HEADER = struct.Struct("<8sII")
_ALIGNMENT = 64


class Layout(msgspec.Struct, frozen=True):
    """Where things are in the memory file. Offsets and sizes in bytes."""

    templates: int
    entries: int
    index_offset: int
    matrix_offset: int
    size: int


def layout_of(templates: int, entries: int) -> Layout:
    """Return the layout for so many templates of so many entries.

    Raises:
        Malformed: Not a possible number.
    """
    most = limits.WATCHLIST_MAX_ENTRIES * limits.WATCHLIST_MAX_TEMPLATES_PER_ENTRY
    if not 1 <= entries <= templates <= most or entries > limits.WATCHLIST_MAX_ENTRIES:
        raise Malformed(f"expected 1 to {most:,} templates of at least one entry each, found {templates} of {entries}")
    index_offset = _HEADER.size
    matrix_offset = -(-(index_offset + 4 * templates) // _ALIGNMENT) * _ALIGNMENT
    return Layout(templates, entries, index_offset, matrix_offset, matrix_offset + templates * limits.TEMPLATE_BYTES)


def layout_for(entries: Sequence[Entry]) -> Layout:
    """Return the layout that a watchlist's entries need."""
    return layout_of(sum(len(entry.templates) for entry in entries), len(entries))


def pack(entries: Sequence[Entry], into: memoryview) -> None:
    """Write the entries' templates into a writable buffer of `layout_for(entries).size` bytes.

    Raises:
        Malformed: The buffer has another size.
    """
    layout = layout_for(entries)
    if into.nbytes != layout.size:
        raise Malformed(f"expected a buffer of {layout.size} bytes, found {into.nbytes}")
    _HEADER.pack_into(into, 0, MAGIC, layout.templates, layout.entries)
    row = 0
    for index, entry in enumerate(entries):
        for template in entry.templates:
            struct.pack_into("<i", into, layout.index_offset + 4 * row, index)
            start = layout.matrix_offset + row * limits.TEMPLATE_BYTES
            into[start : start + limits.TEMPLATE_BYTES] = template
            row += 1


def read_layout(data: memoryview) -> Layout:
    """Return the layout that a memory file states, after checking it against the file's size.

    Raises:
        Malformed: Not such a file.
    """
    if data.nbytes < _HEADER.size:
        raise Malformed("expected a gallery, found too few bytes")
    magic, templates, entries = _HEADER.unpack_from(data, 0)
    if magic != MAGIC:
        raise Malformed("expected a gallery, found other bytes")
    layout = layout_of(templates, entries)
    if data.nbytes != layout.size:
        raise Malformed(f"expected a gallery of {layout.size} bytes, found {data.nbytes}")
    return layout
