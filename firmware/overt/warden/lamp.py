"""The lamp, proven: a reading counts only if it follows what the lamp was told, dark as well as lit."""

from overt.warden.devices import Indicator


class Lamp:
    """Drives the indicator and reads it back. A read-back that says lit while the lamp is told dark proves nothing."""

    def __init__(self, indicator: Indicator) -> None:
        self._indicator = indicator
        self._told = False
        self._proven_dark = False

    def show(self, lit: bool) -> None:
        """Switch it. It is lit only once it was seen dark, so that a read-back that is stuck is found out."""
        if not self._told and self._indicator.is_lit() is not None:
            self._proven_dark = self._indicator.is_lit() is False
        self._told = lit and self._proven_dark
        self._indicator.show(self._told)

    def is_lit(self) -> bool | None:
        """Return whether it is lit as told; None when that is not known."""
        reading = self._indicator.is_lit()
        return None if reading and not self._told else reading
