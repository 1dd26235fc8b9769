"""Frames on a line that loses, changes and tears: what comes out is what was sent, or nothing."""

from hypothesis import given
from hypothesis import strategies as st

from overt.protocol.cable import frames
from overt.protocol.cable.frames import BODY_MAX_BYTES, STUFFED_MAX_BYTES, Frame, Framer, Part

BODIES = st.binary(max_size=BODY_MAX_BYTES)
FRAMES = st.builds(Frame, st.sampled_from(Part), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), BODIES)


@given(st.binary(max_size=5000))
def test_stuffed_bytes_hold_no_zero_and_come_back_as_they_were(data: bytes) -> None:
    stuffed = frames.stuff(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + len(data) // 254 + 1
    assert frames.unstuff(stuffed) == data


@given(st.binary(max_size=3000))
def test_any_bytes_are_unstuffed_or_refused_and_never_fall_over(data: bytes) -> None:
    frames.unstuff(data)
    frames.decode(data)


@given(FRAMES)
def test_the_longest_frame_is_within_its_bound(frame: Frame) -> None:
    assert len(frames.encode(frame)) <= STUFFED_MAX_BYTES + 2


@given(st.lists(FRAMES, max_size=5), st.data())
def test_frames_arrive_in_whatever_chunks_a_line_brings_them(sent: list[Frame], data: st.DataObject) -> None:
    line, framer, found = b"".join(map(frames.encode, sent)), Framer(), []
    while line:
        length = data.draw(st.integers(1, len(line)))
        found += framer.feed(line[:length])
        line = line[length:]
    assert found == sent


@given(FRAMES, st.binary(max_size=6000), FRAMES)
def test_after_any_noise_the_next_frame_is_found(before: Frame, noise: bytes, after: Frame) -> None:
    framer = Framer()
    found = framer.feed(frames.encode(before) + noise + frames.encode(after))
    assert found[0] == before
    assert found[-1] == after


@given(FRAMES, FRAMES, st.data())
def test_a_frame_torn_at_any_byte_is_lost_and_nothing_else(torn: Frame, after: Frame, data: st.DataObject) -> None:
    line = frames.encode(torn)
    at = data.draw(st.integers(0, len(line) - 2))
    framer = Framer()
    framer.feed(line[:at])
    assert framer.feed(frames.encode(after)) == [after]


@given(FRAMES, st.data())
def test_a_flipped_bit_is_never_taken_for_what_was_sent(frame: Frame, data: st.DataObject) -> None:
    line = bytearray(frames.encode(frame))
    bit = data.draw(st.integers(8, len(line) * 8 - 9))
    line[bit // 8] ^= 1 << bit % 8
    assert Framer().feed(bytes(line)) == []


@given(st.binary(min_size=1, max_size=4000).map(lambda data: data.replace(b"\0", b"x")))
def test_a_flood_without_an_end_takes_no_memory(chunk: bytes) -> None:
    framer = Framer()
    for _ in range(20):
        assert framer.feed(chunk) == []
    assert len(framer._held) <= STUFFED_MAX_BYTES
    assert len(framer.heard) <= 400
