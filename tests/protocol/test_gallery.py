import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol import gallery, limits
from overt.protocol.errors import Malformed
from tests import builders


def packed(counts: list[int]) -> tuple[bytearray, list[bytes]]:
    templates = [[os.urandom(limits.TEMPLATE_BYTES) for _ in range(count)] for count in counts]
    entries = [builders.make_entry(f"e{n}", templates=tuple(some)) for n, some in enumerate(templates)]
    buffer = bytearray(gallery.layout_for(entries).size)
    gallery.pack(entries, memoryview(buffer))
    return buffer, [template for some in templates for template in some]


@given(st.lists(st.integers(min_value=1, max_value=limits.WATCHLIST_MAX_TEMPLATES_PER_ENTRY), min_size=1, max_size=6))
def test_what_is_packed_is_found_where_the_layout_says(counts: list[int]) -> None:
    buffer, templates = packed(counts)
    layout = gallery.read_layout(memoryview(buffer))
    assert (layout.templates, layout.entries) == (sum(counts), len(counts))
    assert bytes(buffer[layout.matrix_offset :]) == b"".join(templates)
    indices = memoryview(buffer)[layout.index_offset : layout.index_offset + 4 * layout.templates].cast("i")
    assert list(indices) == [entry for entry, count in enumerate(counts) for _ in range(count)]
    assert layout.matrix_offset % 64 == 0


def test_a_file_of_another_size_is_refused() -> None:
    buffer, _ = packed([2])
    for changed in (buffer[:-1], buffer + b"\0", buffer[:4], b""):
        with pytest.raises(Malformed):
            gallery.read_layout(memoryview(bytes(changed)))


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        gallery.read_layout(memoryview(data))


def test_an_entrys_repr_shows_no_template() -> None:
    entry = builders.make_entry("e1", templates=(b"\x41" * limits.TEMPLATE_BYTES,))
    assert "AAAA" not in repr(entry)
