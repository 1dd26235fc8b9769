"""The parts that an enrolled unit has. One that cannot be had is a doubt, and is tried again; it ends nothing."""

from overt.warden.config import UnitConfig
from overt.warden.devices import Devices, Indicator
from overt.warden.gps import Receiver
from overt.warden.indicator import GpioIndicator, NoIndicator, Reopened
from overt.warden.place import GpsPlace, attested
from overt.warden.steering import Kernel, SteeredClock
from overt.warden.thermometer import SysfsThermometer
from overt.warden.vault import Vault


def fitted(vault: Vault) -> Devices:
    """Return the parts of an enrolled unit, at work."""
    config, floor = vault.config, vault.charter.issued
    lamp, heat = _lamp(config), SysfsThermometer()
    closing = [lamp.close] if isinstance(lamp, Reopened) else []
    if config.gps is None:
        return Devices(SteeredClock(Kernel(), floor), attested(config.site), lamp, heat, tuple(closing))
    receiver = Receiver(config.gps.device, config.gps.baud)
    receiver.start()
    clock = SteeredClock(Kernel(), floor, receiver.times)
    return Devices(clock, GpsPlace(receiver, config.site), lamp, heat, (*closing, receiver.close))


def _lamp(config: UnitConfig) -> Indicator:
    lines = config.indicator
    if lines is None:
        return NoIndicator()
    return Reopened(lambda: GpioIndicator(lines.chip, lines.lamp, lines.read_back))
