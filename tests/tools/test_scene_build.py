"""A whole small scene, rendered and decoded for real from recordings that are drawn here."""

import argparse
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from overt.runtime.cli import BAD_INPUT, NEGATIVE, OK, UNAVAILABLE, Failure, Parser
from overt_tools.scene.build import Progress, Studio, build, find_faces, scene_key, up_to_date
from overt_tools.scene.clips import CLIPS, Clip, Stretch, digest, read_frames
from overt_tools.scene.command import add_parser
from overt_tools.scene.errors import SceneError
from overt_tools.scene.faces import Face, follow
from overt_tools.scene.matte import cut_head
from overt_tools.scene.plan import OPPORTUNITY_VISIBLE, Options
from overt_tools.scene.schedule import make_plan
from overt_tools.scene.sprite import Canvas, Patch, sprite_of
from overt_tools.scene.truth import Truth, check_footage, load_truth, truth_path
from overt_tools.scene.window import Window

Image = NDArray[np.uint8]

SKIN, BLUE, WALL = (224, 172, 150), (50, 110, 255), (190, 184, 170)
CAST = (
    Clip("blue", "blue.mp4", "volunteer", "blue screen", (1.0, 1.0, 1.0), (Stretch(5, 59),)),
    Clip("wall", "wall.mp4", "passer-by", "plain wall", (1.0, 1.0, 1.0), (Stretch(5, 59),)),
)
SMALL = Options(seconds=2.0, width=320, height=180)


def drawn_frame(ground: tuple[int, int, int], number: int) -> Image:
    """A plain oval of skin with hair and two eyes, that sways a little; no more of a face than the cut-out needs."""
    picture = np.full((144, 180, 3), ground, np.uint8)
    x = 90 + round(4 * np.sin(number / 9))
    cv2.ellipse(picture, (x, 62), (30, 36), 0, 0, 360, (60, 46, 36), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (x - 18, 80), (x + 18, 143), SKIN, -1)
    cv2.ellipse(picture, (x, 72), (25, 32), 0, 0, 360, SKIN, -1, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.circle(picture, (x + side * 11, 66), 3, (30, 30, 30), -1, cv2.LINE_AA)
    return picture


def find_oval(rgb: Image) -> Face | None:
    """The drawn face, by its eyes."""
    dark = (rgb[50:82].astype(int).sum(axis=2) < 170) & (rgb[50:82, :, 0] < 50)
    columns = np.flatnonzero(dark[12:20].any(axis=0))
    if len(columns) < 4:
        return None
    left, right = columns[columns < columns.mean()].mean(), columns[columns > columns.mean()].mean()
    middle = (left + right) / 2
    points = ((left, 66.0), (right, 66.0), (middle, 78.0), (middle - 8, 90.0), (middle + 8, 90.0))
    return Face((middle - 25, 40.0, 50.0, 64.0), points, 0.95)


def write_clip(path: Path, ground: tuple[int, int, int], frames: int = 60) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 180, 144, "yuv420p"
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn_frame(ground, number), format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "blue.mp4", BLUE)
    write_clip(folder / "wall.mp4", WALL)
    return folder


def studio(folder: Path, cache: Path | None = None) -> Studio:
    return Studio(CAST, folder, lambda: find_oval, "drawn eyes", cache)


@pytest.fixture(scope="module")
def scene(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    footage = tmp_path_factory.mktemp("scene") / "scene.mp4"
    build(footage, SMALL, studio(clips))
    return footage


@pytest.fixture(scope="module")
def truth(scene: Path) -> Truth:
    return load_truth(truth_path(scene))


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_the_footage_has_the_length_and_size_asked_for(scene: Path) -> None:
    frames = decoded(scene)
    assert len(frames) == 50
    assert {(frame.width, frame.height) for frame in frames} == {(320, 180)}


def test_the_footage_is_h264_in_limited_range_bt709_and_says_so(scene: Path) -> None:
    with av.open(str(scene)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 25
        frame = next(container.decode(stream))
    assert frame.format.name == "yuv420p"
    assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)


def test_footage_can_be_entered_every_second(scene: Path) -> None:
    keys = [number for number, frame in enumerate(decoded(scene)) if frame.key_frame]
    assert keys == [0, 25]


def test_people_really_come_into_the_picture(scene: Path, truth: Truth) -> None:
    frames = decoded(scene)
    empty = frames[0].to_ndarray(format="rgb24").astype(int)
    sighting = max(truth.passages[0].sightings, key=lambda s: s.eyes * (s.visible > 0.99))
    x, y, wide, high = (round(value) for value in sighting.box)
    busy = frames[sighting.frame].to_ndarray(format="rgb24").astype(int)
    assert np.abs(busy - empty)[y : y + high, x : x + wide].mean() > 20
    assert np.abs(busy - empty)[:, : x - 60].mean() < 20 or np.abs(busy - empty)[:, x + wide + 60 :].mean() < 20


def test_a_face_is_where_the_ground_truth_says(scene: Path, truth: Truth) -> None:
    frames = decoded(scene)
    for passage in truth.passages:
        best = max(passage.sightings, key=lambda s: s.eyes * (s.visible > 0.99))
        picture = frames[best.frame].to_ndarray(format="rgb24").astype(int)
        (ax, ay), (bx, by), (nx, ny) = (best.points[2 * i : 2 * i + 2] for i in range(3))
        skin = picture[round(ny), round(nx)]
        for x, y in ((ax, ay), (bx, by)):
            assert picture[round(y), round(x)].sum() < skin.sum() - 60  # dark eyes in light skin
        assert skin[0] > skin[2]


def test_the_ground_truth_stays_within_its_bounds(truth: Truth) -> None:
    assert truth.version == 1
    assert (truth.frames, truth.fps, truth.size) == (50, 25, (320, 180))
    for passage in truth.passages:
        numbers = [sighting.frame for sighting in passage.sightings]
        assert numbers == list(range(passage.in_view.first, passage.in_view.last + 1))
        assert 0 <= numbers[0] <= numbers[-1] < truth.frames
        for sighting in passage.sightings:
            left, top, wide, high = sighting.box
            assert left < 320
            assert top < 180
            assert left + wide > 0
            assert top + high > 0
            assert 0 <= sighting.visible <= 1
            assert sighting.eyes > 0
            assert len(sighting.points) == 10
        for crossing in passage.crossings:
            assert passage.in_view.first <= crossing.span.first <= crossing.span.last <= passage.in_view.last
            assert crossing.behind != passage.id


def test_an_opportunity_is_near_unobstructed_and_sure_from_end_to_end(truth: Truth) -> None:
    listed = [passage for passage in truth.passages if passage.listed]
    assert listed
    assert [passage.person for passage in listed] == ["volunteer"] * len(listed)
    for passage in listed:
        assert passage.opportunity is not None
        during = [s for s in passage.sightings if passage.opportunity.first <= s.frame <= passage.opportunity.last]
        assert len(during) == passage.opportunity.length
        assert all(s.eyes >= truth.least_eyes and s.visible >= OPPORTUNITY_VISIBLE and s.confident for s in during)


def test_the_same_seed_gives_the_same_scene_byte_for_byte(clips: Path, truth: Truth, tmp_path: Path) -> None:
    again = build(tmp_path / "scene.mp4", SMALL, studio(clips))
    assert again == truth


def test_a_scene_that_stands_is_left_alone(clips: Path, scene: Path, truth: Truth) -> None:
    before = scene.stat().st_mtime_ns
    told: list[Progress] = []
    assert build(scene, SMALL, studio(clips), told.append) == truth
    assert told == []
    assert scene.stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["footage", "truth", "options", "clip"])
def test_a_scene_made_from_anything_else_is_not_up_to_date(
    clips: Path, scene: Path, tmp_path: Path, change: str
) -> None:
    copy = tmp_path / "scene.mp4"
    copy.write_bytes(scene.read_bytes() + (b"x" if change == "footage" else b""))
    sidecar = truth_path(scene).read_bytes()
    truth_path(copy).write_bytes(b"{" if change == "truth" else sidecar)
    folder = tmp_path / "clips"
    folder.mkdir()
    write_clip(folder / "blue.mp4", BLUE, frames=61)
    (folder / "wall.mp4").write_bytes((clips / "wall.mp4").read_bytes())
    options = Options(seconds=2.0, width=320, height=180, seed=9) if change == "options" else SMALL
    assert up_to_date(copy, scene_key(options, studio(folder if change == "clip" else clips))) is None


def test_found_faces_are_kept_for_the_next_time(clips: Path, tmp_path: Path) -> None:
    plan = make_plan(SMALL, CAST)
    first = find_faces(plan, studio(clips, tmp_path))
    kept = Studio(CAST, clips, lambda: pytest.fail("looked again"), "drawn eyes", tmp_path)
    assert find_faces(plan, kept) == first


@contextmanager
def nothing_is_left_in(folder: Path) -> Iterator[None]:
    before = sorted(path.name for path in folder.iterdir())
    yield
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_corrupt_recording_is_one_clear_error_and_nothing_is_left_behind(clips: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "clips", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (folder / "wall.mp4").write_bytes((clips / "wall.mp4").read_bytes())
    (folder / "blue.mp4").write_bytes(b"no video at all")
    with nothing_is_left_in(out), pytest.raises(SceneError, match=r"blue\.mp4 cannot be decoded .*delete it and build"):
        build(out / "scene.mp4", SMALL, studio(folder))


def test_a_recording_cut_short_is_refused(clips: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "blue.mp4", BLUE, frames=20)
    (tmp_path / "wall.mp4").write_bytes((clips / "wall.mp4").read_bytes())
    with nothing_is_left_in(tmp_path), pytest.raises(SceneError, match=r"blue\.mp4 ends too early"):
        build(tmp_path / "scene.mp4", SMALL, studio(tmp_path))


def test_a_missing_recording_is_refused(tmp_path: Path) -> None:
    with nothing_is_left_in(tmp_path), pytest.raises(SceneError, match=r"blue\.mp4 cannot be read: No such file"):
        build(tmp_path / "scene.mp4", SMALL, studio(tmp_path))


def test_a_recording_without_a_face_is_refused(clips: Path, tmp_path: Path) -> None:
    blind = Studio(CAST, clips, lambda: lambda _: None, "blind")
    with nothing_is_left_in(tmp_path), pytest.raises(SceneError, match="no face was found"):
        build(tmp_path / "scene.mp4", SMALL, blind)


def test_an_interruption_leaves_the_old_scene_as_it_was(clips: Path, scene: Path, truth: Truth, tmp_path: Path) -> None:
    footage = tmp_path / "scene.mp4"
    footage.write_bytes(scene.read_bytes())
    truth_path(footage).write_bytes(truth_path(scene).read_bytes())

    def interrupt(progress: Progress) -> None:
        if progress.step == "frames" and progress.done > 20:
            raise KeyboardInterrupt

    other = Options(seconds=2.0, width=320, height=180, seed=4)
    with nothing_is_left_in(tmp_path), pytest.raises(KeyboardInterrupt):
        build(footage, other, studio(clips), interrupt)
    assert check_footage(footage) == truth


def test_a_full_disk_is_one_clear_error_and_nothing_is_left_behind(clips: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with nothing_is_left_in(tmp_path), pytest.raises(SceneError, match=r"cannot be written .*free some disk"):
            build(tmp_path / "scene.mp4", SMALL, studio(clips))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_frames_are_read_from_anywhere_as_if_from_the_start(clips: Path) -> None:
    whole = list(read_frames(clips / "blue.mp4", 0, 60))
    assert np.array_equal(next(read_frames(clips / "blue.mp4", 37, 1)), whole[37])


def test_a_face_is_followed_between_looks_and_doubted_where_it_was_lost() -> None:
    frames = [np.full((4, 4, 3), number, np.uint8) for number in range(31)]

    def find(rgb: Image) -> Face | None:
        number = float(rgb[0, 0, 0])
        if number == 16:
            return None
        points = ((number, 10.0), (number + 20, 10.0), (number + 10, 20.0), (number + 3, 30.0), (number + 17, 30.0))
        return Face((number - 5, 0.0, 30.0, 40.0), points, 0.9)

    track = follow(frames, 100, find)
    assert (track.first, len(track.rows)) == (100, 31)
    assert track.face(10).middle == pytest.approx((20.0, 10.0), abs=0.3)
    assert track.face(10).eyes == pytest.approx(20.0, abs=0.1)
    assert track.face(16).middle == pytest.approx((26.0, 10.0), abs=0.5)
    assert track.face(16).score < 0.1
    assert track.face(8).score > 0.8


@pytest.mark.parametrize(("ground", "kind"), [(BLUE, "blue screen"), (WALL, "plain wall")])
def test_a_head_is_cut_out_softly_and_keeps_its_colour(ground: tuple[int, int, int], kind: str) -> None:
    frame = drawn_frame(ground, 0)
    face = find_oval(frame)
    assert face is not None
    head = cut_head(frame, face, kind, (1.0, 1.0, 1.0))  # type: ignore[arg-type]  # one of the two literals
    left, top = head.origin
    assert head.alpha[78 - top, 90 - left] > 250
    assert head.alpha[: 18 - top].max(initial=0) < 10
    assert head.alpha[78 - top, 0] < 10
    assert tuple(head.rgb[78 - top, 90 - left]) == pytest.approx(SKIN, abs=12)
    assert len(np.unique(head.alpha[30 - top])) > 4  # the edge is soft
    seen = head.alpha > 128
    assert (head.rgb[..., 2][seen].astype(int) - head.rgb[..., 0][seen] < 30).all()  # no blue rim


def test_a_half_size_cut_covers_the_same_place() -> None:
    frame = drawn_frame(BLUE, 0)
    face = find_oval(frame)
    assert face is not None
    whole, half = (cut_head(frame, face, "blue screen", (1, 1, 1), shrink) for shrink in (1, 2))
    doubled = cv2.resize(half.alpha, None, fx=2, fy=2)
    rows, columns = (min(a, b) for a, b in zip(doubled.shape, whole.alpha.shape, strict=True))
    difference = doubled[:rows, :columns].astype(int) - whole.alpha[:rows, :columns]
    assert half.origin == whole.origin
    assert np.abs(difference).mean() < 12


def window(left: int, top: int, wide: int, high: int) -> Window:
    face = Face((left, top, wide, high), ((0.0, 0.0),) * 5, 1.0)
    return Window(face, left, top, float(wide * high), np.full((high, wide), 255, np.uint8))


def test_a_face_half_behind_something_is_half_visible() -> None:
    face = window(100, 50, 40, 60)
    face.cover("somebody", Patch(120, 0, np.full((200, 200), 255, np.uint8)))
    assert face.visible == pytest.approx(0.5)
    assert face.hidden == {"somebody": pytest.approx(0.5)}


def test_what_two_things_hide_is_not_counted_twice() -> None:
    face = window(0, 0, 40, 40)
    face.cover("one", Patch(0, 0, np.full((40, 20), 255, np.uint8)))
    face.cover("two", Patch(10, 0, np.full((40, 20), 255, np.uint8)))
    assert face.visible == pytest.approx(0.25)
    assert face.hidden["two"] == pytest.approx(0.25)


def test_soft_edges_hide_by_their_coverage_and_what_is_elsewhere_hides_nothing() -> None:
    face = window(10, 10, 20, 20)
    face.cover("far away", Patch(200, 200, np.full((9, 9), 255, np.uint8)))
    assert face.visible == 1
    face.cover("glass", Patch(0, 0, np.full((100, 100), 51, np.uint8)))
    assert face.visible == pytest.approx(0.8, abs=0.01)


def test_a_sprite_is_drawn_where_its_matrix_says_and_only_there() -> None:
    canvas = Canvas.of_rgb(np.full((60, 80, 3), 100, np.uint8))
    before = canvas.copy()
    sprite = sprite_of(np.full((10, 10, 3), 255.0), np.full((10, 10), 255.0))
    patch = canvas.draw(sprite, np.array([[1.0, 0, 20], [0, 1.0, 30]]))
    assert patch is not None
    assert (canvas.y[31:39, 21:29] == 235).all()  # limited range white
    outside = np.ones((60, 80), np.bool_)
    outside[29:41, 19:31] = False
    assert np.abs(canvas.y.astype(int) - before.y)[outside].max() <= 1
    assert canvas.draw(sprite, np.array([[1.0, 0, 500], [0, 1.0, 30]])) is None


def command(*arguments: str) -> int:
    parser = Parser(prog="overt-tools")
    add_parser(parser.add_subparsers(parser_class=Parser))
    chosen: argparse.Namespace = parser.parse_args(["scene", *arguments])
    return int(chosen.handler(chosen))


def test_check_tells_sound_footage_from_another_file(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("check", str(scene), "--json") == OK
    assert json.loads(capsys.readouterr().out)["sound"] is True
    other = tmp_path / "scene.mp4"
    other.write_bytes(b"something else")
    truth_path(other).write_bytes(truth_path(scene).read_bytes())
    assert command("check", str(other)) == NEGATIVE
    said = capsys.readouterr().out
    assert digest(scene) in said
    assert digest(other) in said


def test_show_lists_every_passage(scene: Path, truth: Truth, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("show", str(scene)) == OK
    said = capsys.readouterr().out
    assert all(passage.id in said for passage in truth.passages)
    assert command("show", str(scene), "--json") == OK
    assert len(json.loads(capsys.readouterr().out)["passages"]) == len(truth.passages)


def test_show_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="build the scene first") as refused:
        command("show", str(tmp_path / "none.mp4"))
    assert refused.value.exit_code == UNAVAILABLE


def test_a_ground_truth_with_an_unknown_field_is_refused(truth: Truth, tmp_path: Path) -> None:
    sidecar = json.loads(msgspec.json.encode(truth))
    (tmp_path / "scene.json").write_text(json.dumps({**sidecar, "surprise": 1}))
    with pytest.raises(SceneError, match="not a scene's ground truth of version 1"):
        load_truth(tmp_path / "scene.json")


def test_build_without_models_or_with_absurd_options_exits_with_the_reason(clips: Path, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "s.mp4"), "--clips", str(clips), "--models", str(tmp_path))
    with pytest.raises(Failure, match=r"expected built models in .* build the models first") as refused:
        command("build", *out)
    assert refused.value.exit_code == UNAVAILABLE
    with pytest.raises(Failure, match="at most 9 passages fit") as refused:
        command("build", *out, "--people", "90")
    assert refused.value.exit_code == BAD_INPUT
    with pytest.raises(SystemExit) as bad:
        command("build", "--size", "huge")
    assert bad.value.code == BAD_INPUT


@pytest.mark.slow
def test_the_products_own_detector_finds_the_faces_of_the_real_scene() -> None:
    from overt_tools.scene.command import DEFAULT_OUT
    from overt_tools.scene.finder import detector_finder

    model = Path("build/models/yunet-640x352.tflite")
    if not (DEFAULT_OUT.is_file() and model.is_file()):
        pytest.skip("needs the built scene and models: make models footage")
    truth = check_footage(DEFAULT_OUT)
    assert {clip.name for clip in CLIPS} >= {passage.clip for passage in truth.passages}
    find = detector_finder(model)
    wanted = {
        sighting.frame: sighting
        for passage in truth.passages
        if passage.opportunity
        for sighting in passage.sightings[::5]
        if passage.opportunity.first <= sighting.frame <= passage.opportunity.last
    }
    found = 0
    with av.open(str(DEFAULT_OUT)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number not in wanted:
                continue
            x, y, wide, high = (round(value) for value in wanted[number].box)
            picture = frame.to_ndarray(format="rgb24")
            left, top = max(0, x - wide), max(0, y - high // 2)
            face = find(np.ascontiguousarray(picture[top : y + 2 * high, left : x + 2 * wide]))
            if face is None:
                continue
            middle = np.array(face.middle) + np.array((left, top))
            truly = np.array(wanted[number].points[:4]).reshape(2, 2).mean(axis=0)
            found += bool(np.hypot(*(middle - truly)) < 0.25 * wanted[number].eyes)
    assert len(wanted) > 50
    assert found >= 0.97 * len(wanted)
