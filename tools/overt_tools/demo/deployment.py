"""One deployment, from beginning to end: prepare, start, watch, end, prove the erasure, count."""

import contextlib
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from overt.runtime.cli import NEGATIVE, OK, UNAVAILABLE, Failure
from overt_tools.demo import stage
from overt_tools.demo.commands import CommandFailed, program, type_in
from overt_tools.demo.display import Display
from overt_tools.demo.feed import Event, Feed
from overt_tools.demo.processes import ChildDied, Family
from overt_tools.demo.score import Score
from overt_tools.demo.story import Story, read_footage
from overt_tools.scene.errors import SceneError

_START_PATIENCE_S = 30.0
_ERASURE_PATIENCE_S = 15.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to demonstrate, and where."""

    models: Path
    scene: Path
    stills: Path
    work: Path
    broker: str
    port: int
    minutes: int
    threshold: float
    once: bool


class Cast:
    """The processes of a deployment."""

    rooms: tuple[str, ...] = (stage.ROOM,)

    def __init__(self, plan: Plan, folders: stage.Folders) -> None:
        self._plan, self._folders = plan, folders
        self.family = Family(folders.logs)
        self.feed: Feed | None = None

    def start_broker(self, port: int) -> None:
        """Start the broker and wait until it answers.

        Raises:
            ChildDied: It did not start; the message says why.
        """
        pki = self._folders.broker
        self.family.start(
            "broker",
            [
                *(program("overt-tools"), "broker", "--kind", self._plan.broker, "--folder", str(pki / "state")),
                *("--port", str(port), "--authority", str(self._folders.office / "pki" / "ca.pem")),
                *("--certificate", str(pki / "broker.crt"), "--key", str(pki / "broker.key"), "--force", stage.FORCE),
                *("--unit", stage.UNIT, *(word for room in self.rooms for word in ("--room", room))),
            ],
        )
        self.family.wait_for(lambda: _answers(port), _START_PATIENCE_S, "the broker to answer")

    def start_room(self) -> None:
        """Start the control room's subscriber."""
        watch = [program("overt-controlroom"), "watch", "--home", str(self._folders.room), "--json"]
        self.feed = Feed(self.family.start("control-room", watch, piped=True).output)

    def start_unit(self) -> None:
        """Start the unit's daemons, each a process of its own."""
        state, run = str(self._folders.unit), str(self._folders.run)
        camera, loop = f"file:{self._plan.scene}", [] if self._plan.once else ["--loop"]
        self.family.start("warden", [sys.executable, "-m", "overt_tools.bench_unit", "--state", state, "--run", run])
        uplink_state = str(self._folders.unit / "uplink")
        self.family.start("uplink", [program("overt-camera"), "uplink", "--state", uplink_state, "--run", run])
        vision = [program("overt-camera"), "vision", "--run", run, "--models", str(self._plan.models)]
        self.family.start("vision", [*vision, "--source", camera, *loop])


def run(plan: Plan, cast_of: Callable[[Plan, stage.Folders], Cast] = Cast) -> int:
    """Play a whole deployment.

    Args:
        plan: What to demonstrate.
        cast_of: Makes the processes.

    Returns:
        0 when every listed passage raised one alert, nothing else did, and the erasure is proven; else 1.

    Raises:
        Failure: It cannot be played; the message says what is missing.
    """
    for number in _ENDING:  # a shell starts what runs in its background with SIGINT ignored
        signal.signal(number, _interrupt)
    try:
        story = Story(read_footage(plan.scene))
    except SceneError as error:
        raise Failure(f"{error} ('make footage')", UNAVAILABLE) from error
    folders = stage.clear(plan.work)
    cast = cast_of(plan, folders)
    try:
        with Display() as display:
            outcome = _play(plan, folders, cast, story, display)
    except (ChildDied, CommandFailed, TimeoutError) as error:
        raise Failure(f"the demonstration stopped: {error} (logs: {folders.logs})", UNAVAILABLE) from error
    except OSError as error:
        raise Failure(f"the demonstration stopped: {error} (is the disk full?)", UNAVAILABLE) from error
    finally:
        with _uninterrupted():
            cast.family.stop()
            _tidy(folders)
    print(outcome.line(), flush=True)
    enough = outcome.passages > 0 or story.interrupted
    return OK if enough and outcome.faultless else NEGATIVE


def _play(plan: Plan, folders: stage.Folders, cast: Cast, story: Story, display: Display) -> Score:
    display.say(
        "Overt: a blue watchlist exercise on this machine. Everyone in the footage is a volunteer or its author."
    )
    port = plan.port or _free_port()
    broker = f"127.0.0.1:{port}"
    stage.found_force(folders, display.step)
    cast.start_broker(port)
    stage.enrol_unit(folders, broker, display.step)
    recipient = stage.furnish_room(folders, broker, display.step)
    order = stage.authorise(folders, recipient, plan.models, plan.minutes, plan.threshold, display.step)
    try:
        cast.start_room()
        cast.start_unit()
        _wait_for_unit(cast, story, display)
        receipt = stage.send_order(folders, order, broker, display.step)
        story.ordered = True
        watchlist = stage.list_volunteer(folders, order, receipt, plan.stills, plan.models, display.step)
        stage.send_watchlist(folders, order, watchlist, broker, display.step)
        _follow(cast, story, display)
    except KeyboardInterrupt:
        if not story.ordered:
            raise
        story.interrupted = True
        display.say("  interrupted: ending the deployment (once more ends it at once)")
    _end(folders, cast, order, broker, story, display)
    return story.score(stage.ENTRY)


def _wait_for_unit(cast: Cast, story: Story, display: Display) -> None:
    """Wait until the control room hears from the unit.

    Raises:
        ChildDied: A process ended meanwhile.
        TimeoutError: Nothing was heard.
    """
    deadline = time.monotonic() + _START_PATIENCE_S
    while not story.heard_of:
        cast.family.check()
        if time.monotonic() > deadline:
            raise TimeoutError("waited for the unit's first word, and none came")
        _take(cast, story, display, 0.25)


def _follow(cast: Cast, story: Story, display: Display) -> None:
    """Show what happens until the footage or the order is over."""
    while not story.over:
        cast.family.check()
        _take(cast, story, display, 0.25)


def _end(folders: stage.Folders, cast: Cast, order: Path, broker: str, story: Story, display: Display) -> None:
    """Cancel the order and wait for proof that the watchlist is gone."""
    if not story.erased:
        display.say("  the exercise is over: an officer cancels the order")
        stage.cancel(folders, order, broker)
    deadline = time.monotonic() + _ERASURE_PATIENCE_S
    while not story.erased:
        if time.monotonic() > deadline:
            raise TimeoutError("waited for the unit's erasure certificate, and none came")
        _take(cast, story, display, 0.25)
    while _take(cast, story, display, 0.5):
        pass  # what was still on its way
    certificate = folders.work / "erasure.json"
    certificate.write_bytes(story.certificate)
    type_in("overt-controlroom", "verify", certificate, "--home", folders.room)
    display.say(f"  erased: {story.erasure_words()}; the unit's certificate is verified ({certificate})", "green")
    left = sorted(str(path) for path in (folders.unit / "deployments").glob("*/*"))
    if left:
        raise CommandFailed(f"expected nothing left of the deployment on the unit, found {', '.join(left)}")


def _take(cast: Cast, story: Story, display: Display, seconds: float) -> Event | None:
    event = cast.feed.next(seconds) if cast.feed else None
    if event is not None:
        story.hear(event)
        display.show(event)
    return event


def _tidy(folders: stage.Folders) -> None:
    """Remove every secret: keys, passphrase, sockets. Logs, papers and the certificate stay to be read."""
    shutil.rmtree(folders.run, ignore_errors=True)
    for party in (folders.office, folders.unit, folders.room, folders.broker):
        shutil.rmtree(party, ignore_errors=True)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let nothing interrupt the clean-up: it is short, and it is what takes the processes and the keys away."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
