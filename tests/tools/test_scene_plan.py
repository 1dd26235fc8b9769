"""The plan of a scene: fair to the listed volunteer, plausible to the eye, the same for the same seed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt_tools.scene.clips import CLIPS
from overt_tools.scene.errors import BadRequestError
from overt_tools.scene.plan import Options, Passage, Plan, heads_of, longest_run
from overt_tools.scene.schedule import clip_index, make_plan
from overt_tools.scene.sight import opportunity, visible_shares
from overt_tools.scene.view import EYES_TO_FLOOR, HALF_WIDTH_M, Camera

seeds = st.integers(0, 2**32 - 1)
scenes = st.builds(
    Options,
    seconds=st.sampled_from([2.0, 6.0, 14.0, 30.0, 60.0]),
    seed=seeds,
    width=st.sampled_from([320, 1280, 1920]),
    height=st.sampled_from([180, 720, 1080]),
    fps=st.sampled_from([10, 25, 30]),
).filter(lambda options: 1.3 <= options.width / options.height <= 2.2)
plans = settings(max_examples=6, deadline=None)


def of_person(plan: Plan, person: str) -> list[Passage]:
    return [passage for passage in plan.passages if passage.person == person]


@plans
@given(seeds)
def test_a_minute_has_four_passages_of_the_volunteer_and_four_of_the_passer_by(seed: int) -> None:
    plan = make_plan(Options(seed=seed), CLIPS)
    assert len(of_person(plan, "volunteer")) >= 4
    assert len(of_person(plan, "passer-by")) >= 4


@plans
@given(scenes)
def test_nobody_is_in_view_twice_at_once_and_the_volunteer_stays_away_for_five_seconds(options: Options) -> None:
    plan = make_plan(options, CLIPS)
    for person, gap in (("volunteer", 5.0), ("passer-by", 2.0)):
        for one, next_one in itertools.pairwise(of_person(plan, person)):
            assert (next_one.first - one.first - one.frames) / options.fps >= gap


@plans
@given(scenes)
def test_the_scene_begins_and_ends_without_a_face(options: Options) -> None:
    plan = make_plan(options, CLIPS)
    first = min(passage.first for passage in plan.passages)
    last = max(passage.first + passage.frames for passage in plan.passages)
    assert first / options.fps == pytest.approx(options.lead, abs=0.2)
    assert (options.frames - last) / options.fps >= options.lead - 0.2


@plans
@given(seeds)
def test_of_a_minute_the_first_and_the_last_two_seconds_are_without_a_face(seed: int) -> None:
    plan = make_plan(Options(seed=seed), CLIPS)
    assert min(p.first for p in plan.passages) == pytest.approx(2 * 25, abs=5)
    assert max(p.first + p.frames for p in plan.passages) == pytest.approx(58 * 25, abs=5)


@plans
@given(scenes)
def test_people_come_and_go_at_the_edges_and_heads_stay_in_the_picture_between(options: Options) -> None:
    plan = make_plan(options, CLIPS)
    for passage in plan.passages:
        x, y, eyes, z = heads_of(passage, options).T
        outside = HALF_WIDTH_M * options.camera.focal / z - 0.02 * options.camera.focal / z
        for end in (0, -1):
            assert x[end] <= -outside[end] or x[end] >= options.width + outside[end]
        assert (y - 2.2 * eyes > 0).all()
        assert (y + 2.2 * eyes < options.height).all()
        assert ((x > 0) & (x < options.width)).any()


@plans
@given(scenes)
def test_every_passage_of_the_volunteer_offers_a_fair_recognition_opportunity(options: Options) -> None:
    plan = make_plan(options, CLIPS)
    shares = visible_shares(plan)
    for passage in of_person(plan, "volunteer"):
        assert passage.listed
        chance = opportunity(plan, passage, shares[passage.id])
        assert chance is not None
        first, last = chance
        length = (last - first + 1) / options.fps
        assert length >= min(1.0, 0.1 * passage.frames / options.fps)
        near = heads_of(passage, options)[first - passage.first : last - passage.first + 1, 2]
        assert (near >= plan.least_eyes).all()
        assert (shares[passage.id][first - passage.first : last - passage.first + 1] > 0.95).all()


@plans
@given(seeds)
def test_people_hide_one_another_and_the_pillar_hides_somebody(seed: int) -> None:
    plan = make_plan(Options(seed=seed), CLIPS)
    hidden = [share[30:-30].min() < 0.5 for share in visible_shares(plan).values()]
    assert sum(hidden) >= 3


@plans
@given(scenes)
def test_clip_frames_lie_in_stretches_that_were_found_fit(options: Options) -> None:
    plan = make_plan(options, CLIPS)
    stretches = {clip.name: clip.stretches for clip in CLIPS}
    for passage in plan.passages:
        last = passage.clip_first + clip_index(passage.frames - 1, options.fps)
        assert any(s.first <= passage.clip_first and last <= s.last for s in stretches[passage.clip])


def test_the_volunteers_passages_show_different_stretches_of_the_recording() -> None:
    plan = make_plan(Options(), CLIPS)
    shown = [
        set(range(p.clip_first, p.clip_first + clip_index(p.frames - 1, 25) + 1)) for p in of_person(plan, "volunteer")
    ]
    assert all(not (one & other) for one, other in itertools.combinations(shown, 2))


def test_no_frame_of_the_scene_is_one_that_an_enrolment_still_was_taken_from() -> None:
    stills = (1829, 2045, 2159, 2221, 2683, 2888, 3909, 3979, 4000, 4035, 4117)
    (volunteer,) = (clip for clip in CLIPS if clip.person == "volunteer")
    for stretch, still in itertools.product(volunteer.stretches, stills):
        assert not stretch.first - 50 <= still <= stretch.last + 50


@plans
@given(scenes)
def test_the_same_seed_gives_the_same_plan(options: Options) -> None:
    assert make_plan(options, CLIPS) == make_plan(options, CLIPS)


def test_another_seed_gives_another_plan() -> None:
    assert make_plan(Options(seed=1), CLIPS) != make_plan(Options(seed=2), CLIPS)


def test_the_number_of_people_asked_for_is_the_number_of_passages() -> None:
    assert [len(make_plan(Options(people=n), CLIPS).passages) for n in (2, 5, 9)] == [2, 5, 9]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(people=40), "at most 9 passages fit into 60 s, found 40"),
        (Options(people=1), "--people must lie between 2 and 100"),
        (Options(seconds=1), "--seconds must lie between 2 and 600"),
        (Options(seconds=float("nan")), "--seconds must lie between"),
        (Options(fps=0), "--fps must lie between 5 and 60"),
        (Options(width=1921), "divisible by 4"),
        (Options(width=1000, height=1000), "1.3 and 2.2"),
        (Options(width=100000), "--size"),
    ],
)
def test_a_scene_that_cannot_be_is_refused_with_the_reason(options: Options, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        make_plan(options, CLIPS)


def test_a_face_is_as_large_as_a_pinhole_camera_would_show_it() -> None:
    camera = Camera(1920, 1080)
    # 25 degrees of view over 1920 pixels: at 10 m, 1 mm is about 0.43 pixels, and 63 mm about 27.
    assert camera.eyes_at(10) == pytest.approx(27.3, abs=0.1)
    head = camera.heads(np.array([[0.0, 10.0]]), np.array([0.25]), 1.0)[0]
    assert camera.floor_row(10) - head[1] == pytest.approx(EYES_TO_FLOOR * camera.eyes_at(10), rel=0.01)


def test_the_longest_run_is_found() -> None:
    assert longest_run(np.array([0, 1, 1, 0, 1, 1, 1, 0], np.bool_)) == (4, 6)
    assert longest_run(np.array([1], np.bool_)) == (0, 0)
    assert longest_run(np.zeros(5, np.bool_)) is None
