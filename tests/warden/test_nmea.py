"""Sentences of a receiver: whole ones with a right checksum are read, and nothing else is, whatever comes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.warden.nmea import SENTENCE_MAX, Framer, Gga, Rmc, Sentence, frame, parse
from tests.simulators.gps import epoch, gga, rmc

AT = datetime(2026, 6, 1, 10, 20, 30, 250_000, tzinfo=UTC)
HERE = (52.1356, -0.4669)


def read(data: bytes) -> Sentence | None:
    return parse(data.strip())


def test_the_standards_own_examples_are_read() -> None:
    found = parse(b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47")
    assert found == Gga((12, 35, 19, 0), (pytest.approx(48.1173), pytest.approx(11.516667)), 8, 0.9)
    # Of 1994: a year that this century's receivers do not write.
    old = parse(b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A")
    assert old == Rmc(None, (pytest.approx(48.1173), pytest.approx(11.516667)))


@pytest.mark.parametrize("talker", ["GP", "GL", "GA", "GN"])
def test_every_satellite_talker_is_read(talker: str) -> None:
    found = read(rmc(AT, HERE, talker=talker))
    assert isinstance(found, Rmc)
    assert found.time == AT
    assert found.position == pytest.approx(HERE, abs=1e-6)
    assert read(gga(AT, HERE, talker=talker)) == Gga(
        (10, 20, 30, 250_000), (pytest.approx(HERE[0], abs=1e-6), pytest.approx(HERE[1], abs=1e-6)), 9, 0.9
    )


@pytest.mark.parametrize("talker", ["II", "XX", "P", "GPX", "gp"])
def test_another_instruments_sentences_are_not(talker: str) -> None:
    assert read(rmc(AT, HERE, talker=talker)) is None


@pytest.mark.parametrize(
    "line",
    [
        b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*48",
        b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*4",
        b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47 ",
        b"GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47",
        b"",
        b"$",
        b"$*00",
    ],
    ids=["wrong", "none", "short", "more after it", "no beginning", "nothing", "a dollar", "empty"],
)
def test_without_a_right_checksum_there_is_no_sentence(line: bytes) -> None:
    assert parse(line) is None


def test_noise_before_a_sentence_does_not_hide_it() -> None:
    assert parse(b"\xff\x00$GPRM" + rmc(AT, HERE).strip()) is not None


@pytest.mark.parametrize("mode", ["N", "E", "M", "S", "", "X", "AA"])
def test_a_position_that_is_guessed_typed_in_or_simulated_is_none(mode: str) -> None:
    assert read(rmc(AT, HERE, mode=mode)) == Rmc(None, None)


@pytest.mark.parametrize("quality", [0, 6, 7, 8, 9, 12])
def test_nor_is_one_whose_quality_says_so(quality: int) -> None:
    found = read(gga(AT, HERE, quality=quality))
    assert isinstance(found, Gga)
    assert found.position is None


@pytest.mark.parametrize(
    "place",
    [
        "9000.001,N,00000.000,E",
        "5260.000,N,00000.000,E",
        "5208.000,N,18000.001,E",
        "5208.000,E,00028.000,W",
        "5208.000,N,0028.000,W",
        "5208.000,NS,00028.000,W",
        "-208.000,N,00028.000,W",
        "nan,N,nan,E",
        "5208.000,,00028.000,",
        ",,,",
    ],
)
def test_a_position_that_is_nowhere_on_earth_is_none(place: str) -> None:
    assert parse(frame(f"GPRMC,102030.00,A,{place},0.0,,010626,,,A").strip()) == Rmc(AT.replace(microsecond=0), None)


@pytest.mark.parametrize(
    ("clock", "date"),
    [("102060.00", "010626"), ("252030", "010626"), ("102030", "310226"), ("102030", "010680"), ("", ""), ("1", "2")],
    ids=["leap second", "hour", "no such day", "the last century", "empty", "short"],
)
def test_a_time_that_is_none_is_none(clock: str, date: str) -> None:
    found = parse(frame(f"GPRMC,{clock},A,5208.0,N,00028.0,W,0.0,,{date},,,A").strip())
    assert isinstance(found, Rmc)
    assert found.time is None


def test_an_old_receivers_sentence_without_a_mode_is_read() -> None:
    found = parse(frame("GPRMC,102030,A,5208.0,N,00028.0,W,0.0,,010626,,").strip())
    assert isinstance(found, Rmc)
    assert found.position is not None


def test_a_sentence_that_is_too_long_is_none() -> None:
    filler = "0" * SENTENCE_MAX
    assert parse(frame(f"GPGGA,102030,5208.0,N,00028.0,W,1,08,0.9,{filler}").strip()) is None


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything(line: bytes) -> None:
    parse(line)


@given(st.integers(0, 80), st.integers(0, 255))
def test_a_changed_byte_never_changes_what_is_read(at: int, byte: int) -> None:
    """One wrong byte is caught by the checksum, or leaves the sentence as it was (noise before it, a case of hex)."""
    line = bytearray(rmc(AT, HERE).strip())
    right = parse(bytes(line))
    line[at % len(line)] = byte
    assert parse(bytes(line)) in (right, None)


@given(st.text("0123456789.,ANSEWV-+ $*\x00é", max_size=90).map(lambda text: text.encode("latin-1")))
def test_fields_of_any_kind_under_a_right_checksum_raise_nothing(fields: bytes) -> None:
    for address in (b"GPRMC,", b"GNGGA,"):
        body = address + fields
        total = 0
        for value in body:
            total ^= value
        found = parse(b"$%s*%02X" % (body, total))
        if found is not None and found.position is not None:
            assert -90 <= found.position[0] <= 90
            assert -180 <= found.position[1] <= 180


@given(st.lists(st.integers(1, 60), max_size=40))
def test_however_a_line_is_cut_the_same_sentences_come_out(cuts: list[int]) -> None:
    data, framer, lines = epoch(AT, HERE) * 2, Framer(), []
    for cut in [*cuts, len(data)]:
        piece, data = data[:cut], data[cut:]
        lines += framer.feed(piece)
    assert [found for line in lines if (found := parse(line))] == [
        *(read(rmc(AT, HERE)), read(gga(AT, HERE))) * 2,
    ]


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_a_line_that_never_ends_fills_nothing_and_the_next_sentence_is_read(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        framer.feed(piece)
        assert len(framer._rest) <= 512
    assert any(parse(line) == read(rmc(AT, HERE)) for line in framer.feed(b"\r\n" + rmc(AT, HERE)))
