"""What the figures of a view mean to whoever turns the lens. Pure: a view in, words and marks out."""

from typing import Final

import msgspec

from overt.protocol import light
from overt.protocol.cable.aim import Outline, View
from overt.protocol.light import Exposure, Light
from overt.recognition.advice import GOOD_EYES_PX, MINIMUM_EYES_PX, FaceSize, judge_size

IN_FOCUS: Final = 0.9
"""Of the sharpest so far. Noise moves the meter by a few per cent."""
LIGHT: Final = {
    Light.GOOD: "good",
    Light.TOO_DARK: "too dark: more light on faces",
    Light.TOO_BRIGHT: "too bright: give it shade, or turn away from the sky",
    Light.BURNT_OUT: "too bright: turn away from lamps and low sun",
}
SIZES: Final = {
    FaceSize.GOOD: "good",
    FaceSize.ENOUGH: "enough, nearer is better",
    FaceSize.TOO_SMALL: "too small: go nearer, or use a longer lens",
}


class Meter(msgspec.Struct, frozen=True):
    """One meter.

    Attributes:
        name: What it measures.
        level: 0 to 1, how far the needle is.
        figure: In figures.
        advice: In words.
        well: Whether there is nothing to do.
    """

    name: str
    level: float
    figure: str
    advice: str
    well: bool


def meters(view: View) -> list[Meter]:
    """Return the meters of a view: focus, exposure, faces."""
    return [_focus(view), _exposure(view), _faces(view)]


def face_advice(outline: Outline) -> tuple[FaceSize, str]:
    """Return what a face's size is worth, and that in words."""
    size = judge_size(outline.eyes_px)
    return size, f"{outline.eyes_px:.0f} px between the eyes, {SIZES[size]}"


def _focus(view: View) -> Meter:
    share = view.focus / view.focus_peak if view.focus_peak else 0.0
    well = share >= IN_FOCUS
    advice = "at its sharpest so far" if well else "was sharper: turn back"
    if view.focus_peak == 0:
        advice = "nothing to focus on: the middle of the view is empty"
    return Meter("focus", share, f"{view.focus:.0f} of {view.focus_peak:.0f}", advice, well)


def _exposure(view: View) -> Meter:
    exposure = Exposure(mean=view.mean, dark=view.dark, bright=view.bright)
    found = light.judge(exposure)
    return Meter("exposure", view.mean, light.in_figures(exposure), LIGHT[found], found is Light.GOOD)


def _faces(view: View) -> Meter:
    count = len(view.outlines)
    if not count:
        text = f"have somebody stand where people pass ({MINIMUM_EYES_PX:.0f} px enough, {GOOD_EYES_PX:.0f} good)"
        return Meter("faces", 0.0, "none in view", text, well=False)
    size, _ = face_advice(view.outlines[0])
    figure = f"{count} in view, the largest {view.outlines[0].eyes_px:.0f} px"
    level = min(1.0, view.outlines[0].eyes_px / (2 * GOOD_EYES_PX))
    return Meter("faces", level, figure, SIZES[size], size is not FaceSize.TOO_SMALL)
