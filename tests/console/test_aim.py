"""A technician looks through the lens: the real warden, console and vision, with footage for a camera."""

import re
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from overt.protocol import envelope
from overt.protocol.cable import aim
from overt.protocol.cable.aim import View
from overt.protocol.reports import Inspection
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Act, Cause, Part, State
from overt.warden.cooler import EVERY_S as COOLER_S
from overt_provisioning.unit.session import Session, UnitSaysNo
from tests.console.unit_at_cable import Enrolled
from tests.vision.daemon import MODELS, start

SCENE = Path(__file__).parents[2] / "build" / "demo" / "scene.mp4"
pytestmark = pytest.mark.skipif(
    not (SCENE.is_file() and (MODELS / "catalogue.toml").is_file()),
    reason="the models or the footage are not built: run `make footage`",
)


class AtLens(Enrolled):
    """An enrolled unit with a camera."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.visions: list[subprocess.Popen[str]] = []

    def start_vision(self) -> "subprocess.Popen[str]":
        vision = start(self.run, f"file:{SCENE}", "--loop", "--size", "640x352", "--threads", "1")
        self.visions.append(vision)
        return vision

    def begin(self, session: Session) -> None:
        """Ask for a preview until the camera's process is there."""
        deadline = time.monotonic() + 15
        while True:
            try:
                session.ask("aim", act=Act.AIM)
                return
            except UnitSaysNo:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def end(self) -> None:
        for vision in self.visions:
            vision.kill()
            vision.communicate()
        super().end()


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[AtLens]:
    with AtLens(tmp_path) as made:
        yield made


def view_of(session: Session) -> View:
    return session.ask_for(View, "aim.view")


def view_until_over(session: Session) -> None:
    while True:
        view_of(session)


def pixels_of(view: View) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    grey = np.frombuffer(zlib.decompress(view.picture), np.uint8)
    return grey.reshape(view.picture_height, view.picture_width)


def test_a_technician_sees_what_the_lens_sees_and_no_template_is_made(unit: AtLens) -> None:
    vision = unit.start_vision()
    with unit.session(unit.technician) as session:
        unit.begin(session)
        views = [view_of(session) for _ in range(4)]
        while not any(view.outlines for view in views):
            views.append(view_of(session))
        assert unit.bench.status().state is State.MAINTENANCE
        assert unit.bench.world.lit, "whoever passes sees that the camera looks"
        for view in views:
            assert view.picture_width <= aim.PICTURE_WIDTH
            assert pixels_of(view).shape == (view.picture_height, view.picture_width)
            assert 0 < view.focus <= view.focus_peak
            assert view.templates_made == 0
        session.ask("aim.end")
        unit.bench.wait_for(State.IDLE)
    assert vision.wait(10) == 75, "what could not recognise is started anew"
    assert not unit.bench.world.lit
    events = unit.events()
    assert [facts["state"] for event, facts in events if event == "state.changed"] == ["maintenance", "idle"]
    assert sum(event == "technician.acted" and facts["act"] == "aim" for event, facts in events) >= 1
    assert not [event for event, _ in events if event == "templates.wiped"]


@pytest.mark.slow
def test_a_preview_ends_when_the_cable_is_pulled(unit: AtLens) -> None:
    vision = unit.start_vision()
    with unit.session(unit.technician) as session:
        unit.begin(session)
        view_of(session)
    unit.console.kill()
    unit.console.wait()
    unit.bench.wait_for(State.IDLE)
    assert vision.wait(10) == 75


@pytest.mark.slow
def test_a_preview_ends_by_itself(unit: AtLens) -> None:
    vision = unit.start_vision()
    with unit.session(unit.technician) as session:
        unit.begin(session)
        view_of(session)
        unit.bench.world.set(elapsed_s=500.0)
        view_of(session)  # whoever looks on is not taken for gone
        unit.bench.world.set(elapsed_s=901.0)
        unit.bench.wait_for(State.IDLE)
        assert vision.wait(10) == 75
        with pytest.raises(UnitSaysNo, match="the preview is over"):
            view_until_over(session)


def test_an_order_ends_a_preview_and_a_preview_waits_for_the_end_of_an_order(unit: AtLens) -> None:
    vision = unit.start_vision()
    with unit.session(unit.technician) as session:
        unit.begin(session)
        view_of(session)
        order = unit.bench.order(model=_model())
        assert unit.bench.deliver(Down.ORDER, order.data).accepted
        unit.bench.wait_for(State.ARMED)
        assert vision.wait(10) == 75
        unit.start_vision()
        with pytest.raises(UnitSaysNo, match="recognition excludes a preview"):
            session.ask("aim", act=Act.AIM)
        assert unit.bench.status().state is State.ARMED
        with pytest.raises(UnitSaysNo, match="a deployment is in hand"):
            session.ask("test", act=Act.TEST)


@pytest.mark.slow
def test_the_unit_signs_what_it_finds_of_itself(unit: AtLens) -> None:
    unit.start_vision()
    with unit.session(unit.technician) as session:
        unit.begin(session)
        unit.bench.world.set(celsius=51.0, place=False)
        time.sleep(COOLER_S)
        for _ in range(5):
            view_of(session)
        signed = session.ask("test", act=Act.TEST)
    found = envelope.verify(signed, Inspection, unit.bench.ref.key)
    checks = {check.part: check for check in found.checks}
    assert set(checks) == set(Part)
    assert checks[Part.CAMERA].well, checks[Part.CAMERA]
    assert checks[Part.INDICATOR].well
    assert re.fullmatch(r"51 °C after \d+ s at work, 45 °C before", checks[Part.TEMPERATURE].found)
    assert re.fullmatch(r"mean \d\d%, \d+% black, \d+% burnt out", checks[Part.LIGHT].found)
    assert checks[Part.LIGHT].well
    assert (checks[Part.PLACE].well, checks[Part.PLACE].cause) == (False, Cause.RECEIVER_SILENT)
    assert (checks[Part.BROKER].well, checks[Part.BROKER].cause) == (False, Cause.UPLINK_ABSENT)


def _model() -> str:
    from overt.vision import models

    chosen = models.choose(MODELS, (640, 352))
    return models.load(MODELS, chosen, 1, None).digest
