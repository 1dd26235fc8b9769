"""Stills made worse on purpose: as much as is said, the same every time, and looked at as a unit would."""

import json
from pathlib import Path

import numpy as np
import pytest

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.frame import crop_rgb
from overt.runtime.cli import run
from overt_tools.cli import parser
from overt_tools.evaluate import conditions, views
from overt_tools.evaluate.conditions import Judge, poses
from overt_tools.evaluate.degrade import DEGRADE, EYES, cover, random_of, shrunk
from overt_tools.evaluate.engine import Engine, find_models
from overt_tools.evaluate.measured import Found, Measured, Pose
from overt_tools.evaluate.misses import misses
from overt_tools.evaluate.pictures import read_picture
from overt_tools.evaluate.trials import NO_FACE
from tests.tools.evaluation import MEDIA, MODELS, STILLS, make_set, needs_models
from tests.tools.test_evaluate_plots import some_trials

POINTS = np.array([[60, 60], [120, 64], [92, 95], [66, 130], [114, 132]], np.float32)


def picture() -> Bytes:
    """Smooth spots, dark and light, with a white dot on each point."""
    random = np.random.default_rng(3)
    coarse = np.kron(random.integers(40, 160, (20, 20, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    for x, y in POINTS.astype(int):
        coarse[y - 2 : y + 3, x - 2 : x + 3] = 255
    return coarse


def test_a_shrunk_picture_has_its_points_where_they_were_and_its_eyes_as_far_apart_as_wanted() -> None:
    made = shrunk(picture(), POINTS, 20.0)
    assert made is not None
    small, points = made
    assert float(np.hypot(*(points[1] - points[0]))) == pytest.approx(20, rel=0.02)
    for x, y in points:
        column, row = round(float(x)), round(float(y))
        around = small[row - 3 : row + 4, column - 3 : column + 4].mean(axis=2)
        brightest = np.unravel_index(int(around.argmax()), around.shape)
        assert abs(brightest[0] - 3) <= 1
        assert abs(brightest[1] - 3) <= 1


def test_nothing_is_enlarged() -> None:
    assert shrunk(picture(), POINTS, 70.0) is None


@pytest.mark.parametrize("condition", sorted(DEGRADE))
def test_what_is_done_keeps_the_size_is_repeatable_and_grows_with_the_level(condition: str) -> None:
    rgb = picture()
    harsh = conditions.LEVELS[condition]

    def done(level: str) -> Bytes:
        return DEGRADE[condition](rgb, POINTS, float(level), random_of(rgb.tobytes(), condition))

    def change(level: str) -> float:
        return float(np.abs(done(level).astype(int) - rgb.astype(int)).mean())

    levels = sorted(harsh, key=lambda level: abs(float(level)), reverse=condition in {"noise", "jpeg"})
    assert done(levels[0]).shape == rgb.shape
    assert done(levels[0]).dtype == np.uint8
    assert (done(levels[-1]) == done(levels[-1])).all()
    assert change(levels[-1]) > change(levels[0]) > 0


@pytest.mark.parametrize(
    ("what", "hidden"), [("mask", [2, 3, 4]), ("sunglasses", [0, 1]), ("half", [1, 2, 4]), ("cap", [])]
)
def test_a_cover_hides_the_points_under_it_and_no_others(what: str, hidden: list[int]) -> None:
    covered = cover(picture(), POINTS, what)
    dark = [n for n, (x, y) in enumerate(POINTS.astype(int)) if covered[y, x].max() < 100]
    assert dark == hidden


@pytest.mark.parametrize("size", [(60, 80), (61, 83), (62, 81)])
def test_a_picture_in_a_view_is_the_picture(size: tuple[int, int]) -> None:
    coarse = np.random.default_rng(4).integers(30, 220, (size[0] // 8 + 1, size[1] // 8 + 1, 3))
    small = np.kron(coarse, np.ones((8, 8, 1)))[: size[0], : size[1]].astype(np.uint8)
    frame = views.frame_of((960, 544), small, 400, 300, 110)
    assert (frame.width, frame.height) == (1920, 1080)
    assert frame.scale == 2
    back = crop_rgb(frame, 400, 300, 400 + size[1], 300 + size[0])
    inner = np.abs(back.astype(int) - small.astype(int)).reshape(*size, 3)
    assert np.median(inner) <= 2
    grey = crop_rgb(frame, 0, 0, 300, 1080)
    assert np.ptp(grey) == 0


def pose(eyes: float = 40, yaw: float = 0.0, pitch: float = 0.57) -> Pose:
    return Pose(eyes, yaw, pitch, 0, 0, 0.5, 120, 40, 0, 0, 0.9)


def face(direction: int, own: float = 1.0, seen: Pose | None = None) -> Measured:
    vector = np.zeros(4, np.float32)
    vector[direction], vector[3] = own, np.sqrt(1 - own**2)
    return Measured(template=vector.astype("<f4").tobytes(), found=Found(faces=1, pose=seen or pose()))


def test_a_step_counts_faces_found_let_through_and_recognised() -> None:
    judge = Judge(["a", "b"], {"a": face(0), "b": face(1)}, threshold=0.5)
    step = judge.step(
        "7",
        {
            "a/1": face(0, 0.9),
            "a/2": face(0, 0.4),
            "a/3": face(1, 0.9),
            "b/1": face(1, 0.8, pose(eyes=5)),
            "b/2": Measured(found=Found()),
            "b/3": Measured(found=Found(problem=views.TOO_SMALL)),
        },
    )
    assert (step.level, step.probes, step.found, step.passed, step.hits, step.passed_hits) == ("7", 5, 4, 3, 2, 1)
    assert step.mean_score == pytest.approx((0.9 + 0.4 + 0 + 0.8) / 4)
    figures = step.figures()
    assert (figures["detection"], figures["tpir"], figures["tpir_with_gates"]) == (4 / 5, 2 / 5, 1 / 5)


def test_a_level_for_which_every_still_is_too_small_has_no_share() -> None:
    judge = Judge(["a"], {"a": face(0)}, threshold=0.5)
    figures = judge.step("60", {"a/1": Measured(found=Found(problem=views.TOO_SMALL))}).figures()
    assert figures["probes"] == 0
    assert figures["tpir"] is None


def test_poses_are_those_of_the_probes_as_they_are() -> None:
    trials = some_trials()
    found = {
        image: Found(faces=1, pose=pose(yaw=0.25 if n < 150 else -0.7)) if n < 199 else Found()
        for n, image in enumerate(trials.probe_image)
    }
    steps = {step.level: step for step in poses(trials, found, 0.5)["yaw"]}
    hit = trials.correct & (trials.genuine >= 0.5)
    assert (steps["0.2 to 0.3"].probes, steps["0.2 to 0.3"].hits) == (150, int(hit[:150].sum()))
    assert (steps["0.6 to 0.8"].probes, steps["0.6 to 0.8"].hits) == (49, int(hit[150:199].sum()))
    assert sum(step.probes for step in steps.values()) == 199


def test_misses_are_told_with_what_was_unusual() -> None:
    trials = some_trials()
    images = (*trials.probe_image, *trials.listed_image)
    found = {image: Found(faces=1, pose=pose(yaw=0.9)) for image in images}
    lowest = int(np.argmin(np.where(trials.genuine > NO_FACE, trials.genuine, 2)))
    told = misses(trials, found, float(trials.genuine[lowest]) + 0.01)
    assert told["count"] == len(told["images"]) >= 2
    (row,) = (row for row in told["images"] if row["image"] == trials.probe_image[lowest])
    assert {"less than 0.1 below the threshold", "turned probe", "turned listed still"} <= set(row["kinds"])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(find_models(MODELS, "standard"))


@needs_models
def test_a_face_is_found_in_the_view_where_it_was_put_and_is_the_same_person(engine: Engine) -> None:
    rgb = read_picture(MEDIA / STILLS[0])
    found = engine.find(rgb)
    own = template(engine.probe(rgb, found))

    def look(condition: str, level: str) -> Measured:
        return views.view(engine, rgb, found, views.kind_of(condition, level))

    whole, small = look("none", "0"), look("size", "22")
    assert whole.found is not None
    assert small.found is not None
    assert whole.found.pose is not None
    assert small.found.pose is not None
    assert whole.found.pose.eyes == pytest.approx(EYES, rel=0.1)
    assert small.found.pose.eyes == pytest.approx(22, rel=0.15)
    assert float(template(whole) @ own) > float(template(look("blur", "3")) @ own) > 0.3
    assert look("size", "1000").found == Found(problem=views.TOO_SMALL)
    assert look("none", "0") == whole


def template(measured: Measured) -> Floats:
    vector = measured.vector()
    assert vector is not None
    return vector


@pytest.mark.slow
@needs_models
def test_the_command_measures_what_is_asked_and_draws_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "LEVELS", {"size": ("20", "30"), "cover": ("mask",)})
    images = make_set(tmp_path / "images")
    out, plots = tmp_path / "out.json", tmp_path / "plots"
    arguments = ["conditions", str(images), "--watchlist-size", "1", "--models", str(MODELS), "--probes", "2"]
    arguments += ["--cache", str(tmp_path / "cache"), "--json", str(out), "--plots", str(plots)]
    assert run(parser(), ["evaluate", *arguments]) == 0
    result = json.loads(out.read_text())
    assert list(result["conditions"]) == ["size", "cover", "yaw", "pitch"]
    assert result["reference"]["tpir"] == 1.0
    assert [step["level"] for step in result["conditions"]["size"]["steps"]] == ["20", "30"]
    assert {path.name for path in plots.iterdir()} == {"conditions.svg", "conditions.png"}
