"""Draw a plan: times, ways and clips, tried until every passage of the volunteer is fair and people cross."""

import random
from dataclasses import dataclass

import msgspec

from .clips import CLIP_RATE, Clip, Person, Stretch
from .errors import BadRequestError, SceneError
from .plan import OPPORTUNITY_SECONDS, PASSER_GAP, VOLUNTEER_GAP, Options, Passage, Plan, Stroller
from .sight import opportunity, visible_shares
from .view import HALF_WIDTH_M, Camera, Walk

ATTEMPTS = 200
COATS = 6
# Nominal lengths of a passage in seconds: what fits is counted with them; a way may take a little less or more.
VOLUNTEER_SECONDS, PASSER_SECONDS = 8.2, 7.4


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of walk: distances of its start, bend and end (metres), the bend's place and the end's side (-1 to 1)."""

    start_z: float
    bend_z: float
    end_z: float
    bend_x: float
    end_side: int


# Every walk starts at the left edge here; half of them are turned round. The sign of `end_side` is against the start.
APPROACH = Way(12.6, 8.4, 4.4, 0.0, 1)
TOWARDS = Way(12.4, 7.2, 3.7, 1.6, -1)
ACROSS = Way(8.6, 6.8, 5.4, 0.0, 1)
FAR = Way(11.6, 11.0, 10.4, 0.0, 1)
VOLUNTEER_WAYS = (APPROACH, TOWARDS, APPROACH, ACROSS)
PASSER_WAYS = (APPROACH, FAR, TOWARDS, ACROSS, FAR)


def make_plan(options: Options, clips: tuple[Clip, ...]) -> Plan:
    """Draw the plan of a scene.

    Args:
        options: what is asked for.
        clips: what people can be cut from.

    Returns:
        The plan; the same for the same arguments.

    Raises:
        BadRequestError: so many people don't fit into so short a time, or an option is out of its range.
        SceneError: no fair plan was found.
    """
    options.check()
    volunteers, passers = _how_many(options)
    best: tuple[int, Plan] | None = None
    for attempt in range(ATTEMPTS):
        rng = random.Random(f"{options.seed}/{attempt}")  # noqa: S311 - choices of a drawing, nothing secret
        plan = _draw(options, clips, volunteers, passers, rng)
        merit = _merit(plan)
        if merit is not None and (best is None or merit > best[0]):
            best = (merit, plan)
        if best and best[0] >= (volunteers + passers) // 2:
            break
    if best is None:
        raise SceneError(f"no fair plan was found in {ATTEMPTS} attempts; try another --seed or fewer --people")
    return best[1]


def _how_many(options: Options) -> tuple[int, int]:
    """The passages of the volunteer and of the passer-by."""
    window = options.seconds - 2 * options.lead
    most_volunteers = max(1, int((window + VOLUNTEER_GAP) / (VOLUNTEER_SECONDS + VOLUNTEER_GAP)))
    most_passers = max(1, int((window + PASSER_GAP) / (PASSER_SECONDS + PASSER_GAP)))
    if options.people is None:
        return most_volunteers, most_passers
    volunteers = min(options.people // 2, most_volunteers)
    passers = options.people - volunteers
    if passers > most_passers:
        raise BadRequestError(
            f"--people: at most {most_volunteers + most_passers} passages fit into {options.seconds:g} s, "
            f"found {options.people}; ask for fewer, or for more --seconds"
        )
    return volunteers, passers


def _merit(plan: Plan) -> int | None:
    """How lively a plan is: how many faces somebody else hides on the way; None when a passage is unfair."""
    merit = 0
    shares = visible_shares(plan)
    by_people = visible_shares(msgspec.structs.replace(plan, pillar=(0, 0)))
    for passage in plan.passages:
        visible = shares[passage.id]
        if passage.listed:
            chance = opportunity(plan, passage, visible)
            # In a scene of a few seconds everybody runs: there the opportunity is a share of the passage.
            least = min(OPPORTUNITY_SECONDS * plan.options.fps, 0.15 * passage.frames)
            if chance is None or chance[1] - chance[0] + 1 < least:
                return None
        inner = by_people[passage.id][len(visible) // 5 : -len(visible) // 5]
        merit += bool(len(inner)) and bool(inner.min() < 0.5)  # noqa: PLR2004 - half hidden
    return merit


def _draw(options: Options, clips: tuple[Clip, ...], volunteers: int, passers: int, rng: random.Random) -> Plan:
    """One plan at random."""
    wide = options.width
    middle = rng.choice((0.36, 0.63)) * wide
    pillar = (int(middle - 0.03 * wide) // 4 * 4, int(middle + 0.03 * wide) // 4 * 4)
    passages = [
        *_passages("volunteer", volunteers, options, clips, rng),
        *_passages("passer-by", passers, options, clips, rng),
    ]
    passages.sort(key=lambda passage: (passage.first, passage.id))
    return Plan(options, pillar, passages, _strollers(options, rng))


def _passages(
    person: Person, count: int, options: Options, clips: tuple[Clip, ...], rng: random.Random
) -> list[Passage]:
    """All passages of one person, one after the other."""
    listed = person == "volunteer"
    nominal, gap, ways = (
        (VOLUNTEER_SECONDS, VOLUNTEER_GAP, VOLUNTEER_WAYS) if listed else (PASSER_SECONDS, PASSER_GAP, PASSER_WAYS)
    )
    sources = [(clip, stretch) for clip in clips if clip.person == person for stretch in clip.stretches]
    turn = rng.randrange(len(ways))
    passages = []
    for index, (start, seconds) in enumerate(_times(options, count, nominal, gap, rng, early=listed)):
        clip, stretch = sources[index % len(sources)]
        frames = round(seconds * options.fps)
        walk = _walk(options.camera, ways[(turn + index) % len(ways)], rng)
        passages.append(
            Passage(
                id=f"{person}-{index + 1}",
                person=person,
                clip=clip.name,
                listed=listed,
                clip_first=_clip_first(clip, stretch, frames, options, rng),
                first=round(start * options.fps),
                frames=frames,
                walk=walk,
                pace=_pace(walk, seconds),
                coat=(index * 2 + (0 if listed else 1)) % COATS,
            )
        )
    return passages


def _clip_first(clip: Clip, stretch: Stretch, frames: int, options: Options, rng: random.Random) -> int:
    """Where in a stretch a passage's frames begin."""
    needed = clip_index(frames - 1, options.fps) + 1
    room = stretch.length - needed
    if room < 0:
        raise SceneError(
            f"clip {clip.name}: {needed} frames are needed, the stretch from {stretch.first} has {stretch.length}"
        )
    return stretch.first + rng.randint(0, min(room, 40))


def clip_index(frame: int, fps: int) -> int:
    """Which of a passage's clip frames, from 0, is shown in its `frame`-th frame of the scene."""
    return int(frame * CLIP_RATE / fps)


def _times(
    options: Options, count: int, nominal: float, gap: float, rng: random.Random, *, early: bool
) -> list[tuple[float, float]]:
    """Start and length of each passage in seconds. The `early` person enters first and leaves last."""
    window = options.seconds - 2 * options.lead
    longest = (window - (count - 1) * gap) / count
    lengths = [min(nominal * rng.uniform(0.96, 1.06), longest) for _ in range(count)]
    slack = max(0.0, window - sum(lengths) - (count - 1) * gap)
    places = count - 1 if early else count + 1
    shares = [rng.uniform(0.2, 1) for _ in range(places)]
    waits = [slack * share / sum(shares) for share in shares]
    before = 0.0 if early else waits.pop(0)
    start, times = options.lead + before, []
    for index, length in enumerate(lengths):
        times.append((start, length))
        start += length + gap + (waits[index] if index < len(waits) else 0.0)
    return times


def _walk(camera: Camera, way: Way, rng: random.Random) -> Walk:
    """A walk of a kind, from outside the view to outside the view."""
    side = rng.choice((-1, 1))
    start_z, bend_z, end_z = (z * rng.uniform(0.97, 1.03) for z in (way.start_z, way.bend_z, way.end_z))
    return Walk(
        start=(side * (camera.half_view(start_z) + HALF_WIDTH_M), start_z),
        bend=(-side * way.bend_x + rng.uniform(-0.3, 0.3), bend_z),
        end=(-side * way.end_side * (camera.half_view(end_z) + HALF_WIDTH_M), end_z),
    )


def _pace(walk: Walk, seconds: float) -> float:
    """Steps a second for a walk: a step is some 70 cm, and nobody walks in slow motion or sprints."""
    return min(2.0, max(1.2, walk.length() / seconds / 0.7))


def _strollers(options: Options, rng: random.Random) -> list[Stroller]:
    """People seen from behind: they liven up the far end of the street."""
    strollers = []
    every = 13.0
    for index in range(int((options.seconds + 4) / every)):
        seconds = rng.uniform(10, 12)
        start = index * every + rng.uniform(-3.0, 1.0)
        side = rng.choice((-1, 1))
        near, far = rng.uniform(8.5, 10.5), rng.uniform(14, 16)
        camera = options.camera
        walk = Walk(
            start=(side * (camera.half_view(near) + HALF_WIDTH_M), near),
            bend=(side * rng.uniform(-0.5, 0.8), rng.uniform(10.5, 12)),
            end=(-side * (camera.half_view(far) + HALF_WIDTH_M), far),
        )
        strollers.append(
            Stroller(
                id=f"stroller-{index + 1}",
                first=round(start * options.fps),
                frames=round(seconds * options.fps),
                walk=walk,
                pace=_pace(walk, seconds),
                coat=rng.randrange(COATS),
            )
        )
    return strollers
