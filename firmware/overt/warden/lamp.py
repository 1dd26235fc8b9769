"""The lamp, proven: a reading counts only if it follows what the lamp was told, dark as well as lit."""

from overt.warden.devices import Indicator


class Lamp:
    """Drives the indicator and reads it back. A read-back that says lit while the lamp is told dark proves nothing."""

    def __init__(self, indicator: Indicator) -> None:
        self._indicator = indicator
        self._told = False
        self._proven_dark = False
        self._lost = False

    def show(self, lit: bool, *, watching: bool = False) -> None:
        """Switch it. It is lit only once it was seen dark, so that a read-back that is stuck is found out.

        A reading that could not be had takes that proof away, for what answers afterwards may be stuck, or another
        lamp: it has to be seen dark anew.

        Args:
            lit: Whether it is to be lit.
            watching: Whether vision may still hold something; then it is not darkened for a proof.
        """
        reading = self._indicator.is_lit()
        self._lost = self._lost or reading is None
        if self._lost and reading is not None and not watching:
            lit = self._told = self._lost = False
        if not self._told and reading is not None:
            self._proven_dark = reading is False
        self._told = lit and self._proven_dark
        self._indicator.show(self._told)

    def is_lit(self) -> bool | None:
        """Return whether it is lit as told; None when that is not known."""
        reading = self._indicator.is_lit()
        return None if self._lost or (reading and not self._told) else reading
