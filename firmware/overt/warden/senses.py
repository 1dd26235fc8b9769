"""What the unit knows of its world at a moment: what `core` decides by, and what people are told of it."""

from dataclasses import dataclass

from overt.protocol import limits, places
from overt.protocol.documents import FixedSite
from overt.protocol.vocabulary import Cause, Doubt, Engine
from overt.warden.causes import Known
from overt.warden.cooler import Cooler
from overt.warden.core import Conditions, standing
from overt.warden.devices import Devices
from overt.warden.journal import Journal
from overt.warden.lamp import Lamp
from overt.warden.lid import Watch
from overt.warden.sight import Sight
from overt.warden.thermal import Cooling, Step
from overt.warden.vault import Deployment, Vault


@dataclass(frozen=True, slots=True)
class Bearing:
    """What reports say of the unit's parts.

    Attributes:
        lit: The lamp is proven lit.
        cooling: The temperature, and what is done about it.
        engine: What computes the networks.
        known: What is behind the doubts, and besides.
        place: Where the unit is, as far as it is known.
        measured: A receiver measures that.
        standing: The doubts that there would be about any order.
    """

    lit: bool
    cooling: Cooling
    engine: Engine
    known: Known
    standing: frozenset[Doubt]
    place: FixedSite | None
    measured: bool


class Senses:
    """Asks every part."""

    def __init__(self, vault: Vault, devices: Devices, journal: Journal, sight: Sight, lamp: Lamp) -> None:
        self._vault, self._devices, self._journal = vault, devices, journal
        self._sight, self._lamp, self._cooler = sight, lamp, Cooler(devices.thermometer)
        self._watch = Watch()
        self._link: Cause | None = Cause.UPLINK_ABSENT

    @property
    def effort(self) -> int:
        """How seldom vision is to look for faces: 0 is as often as it wants to."""
        return self._cooler.effort

    def link(self, trouble: Cause | None) -> None:
        """Take note of what keeps the uplink from the broker; None while nothing does."""
        self._link = trouble

    def tampered(self) -> bool:
        """Look at the lid; tell whether it has been opened. To be asked once a tick."""
        return self._watch.opened(self._devices.lid.is_closed())

    def conditions(self, held: Deployment | None, *, resting: bool) -> Conditions:
        """Return what the world is like now.

        Args:
            held: The deployment in hand.
            resting: The warden is about to stop, so vision counts as absent.
        """
        at, place, cooling = self._journal.moment(), self._devices.place.where(), self._cooler.look()
        return Conditions(
            now=at.time,
            at_least=self._journal.at_least(),
            clock_trusted=at.trusted,
            clock_error=self._devices.clock.error(),
            place_right=place is not None and (held is None or places.is_at(place, held.order.place)),
            lamp_lit=self._lamp.is_lit(),
            vision_model=None if resting else self._sight.model,
            vision_doubts=frozenset(self._sight.doubts),
            storage_sound=self._journal.sound,
            cool=cooling.step is not Step.OFF,
            shut=self._devices.lid.is_closed() is True,
        )

    @property
    def cool(self) -> bool:
        """Whether the board is not too hot to look, and that is known."""
        return self._cooler.look().step is not Step.OFF

    def bearing(self) -> Bearing:
        """Return what reports say of the parts."""
        progress = self._sight.progress
        engine = progress.engine if progress else Engine.CPU
        doubts = standing(self.conditions(None, resting=False))
        place = self._devices.place
        return Bearing(
            lit=self._lamp.is_lit() is True,
            cooling=self._cooler.look(),
            engine=engine,
            known=self._known(engine),
            standing=doubts,
            place=place.where(),
            measured=place.measures,
        )

    def _known(self, engine: Engine) -> Known:
        cooling = self._cooler.look()
        behind = dict(self._sight.doubts)
        found = {
            Doubt.CLOCK: self._clock(),
            Doubt.PLACE: self._devices.place.trouble(),
            Doubt.INDICATOR: self._indicator(),
            Doubt.STORAGE: self._journal.trouble,
            Doubt.ENCLOSURE: Cause.ENCLOSURE_UNREADABLE if self._devices.lid.is_closed() is None else None,
            Doubt.TEMPERATURE: None if cooling.readable else Cause.TEMPERATURE_UNKNOWN,
        }
        behind |= {doubt: cause for doubt, cause in found.items() if cause is not None}
        besides = (
            self._link,
            Cause.SUPPLY_WEAK if cooling.under_voltage else None,
            Cause.ACCELERATOR_LOST if engine is Engine.FALLBACK else None,
        )
        return Known(behind, tuple(cause for cause in besides if cause is not None))

    def _clock(self) -> Cause | None:
        clock, before = self._devices.clock, self._journal.not_before
        if clock.now() - clock.correction() < self._vault.charter.issued - limits.CLOCK_TOLERANCE:
            return Cause.CLOCK_UNSET
        return Cause.CLOCK_BACKWARDS if before is not None and clock.now() < before - limits.CLOCK_TOLERANCE else None

    def _indicator(self) -> Cause | None:
        if self._lamp.is_lit() is not None:
            return None
        return Cause.LAMP_UNREADABLE if self._devices.indicator.fitted else Cause.LAMP_ABSENT
