"""A bench's lamp, where there is no board: a CP2112, a USB chip with GPIO lines, played to the kernel through uhid(4).

Line 0 is the lamp, line 1 reads back whether it shines. The kernel's own driver drives the chip; the unit's firmware
sees lines like any others. In images for a bench alone (`overt-tools image build
--bench`), which take no unit's updates.
"""

import os
import struct

DESTROY, GET, GET_REPLY, CREATE, SET, SET_REPLY = 1, 9, 10, 11, 13, 14
"""Kinds of events, as linux/uhid.h numbers them."""
CONFIG, READ, WRITE, VERSION, SMBUS = 2, 3, 4, 5, 6
"""Feature reports of a CP2112 (Silicon Labs AN495)."""
VENDOR, PRODUCT, USB = 0x10C4, 0xEA90, 3
LAMP, READ_BACK = 1, 2
DESCRIPTOR = bytes.fromhex("0600ff0901a10185010901150026ff0075089501b102c0")
ANSWERS = {VERSION: bytes([VERSION, 0x0C, 1]), SMBUS: bytes([SMBUS]) + bytes(13)}


def main() -> None:
    """Play the chip until the machine stops."""
    config, levels = bytes([CONFIG, 0, 0, 0, 0]), 0
    device = os.open("/dev/uhid", os.O_RDWR | os.O_CLOEXEC)
    head = struct.pack(
        "<I128s64s64sHHIIII", CREATE, b"bench lamp", b"", b"", len(DESCRIPTOR), USB, VENDOR, PRODUCT, 0, 0
    )
    os.write(device, head + DESCRIPTOR.ljust(4096, b"\0"))
    while True:
        event = os.read(device, 8192)
        kind, number = struct.unpack_from("<II", event)
        if kind == GET:
            report = event[8]
            lit = levels & LAMP
            answer = {CONFIG: config, READ: bytes([READ, lit | (READ_BACK if lit else 0)]), **ANSWERS}.get(report, b"")
            os.write(device, struct.pack("<IIHH", GET_REPLY, number, 0 if answer else 5, len(answer)) + answer)
        elif kind == SET:
            size = struct.unpack_from("<H", event, 10)[0]
            data = event[12 : 12 + size]
            if data[0] == CONFIG:
                config = data
            elif data[0] == WRITE:
                levels = (levels & ~data[2]) | (data[1] & data[2])
            os.write(device, struct.pack("<IIH", SET_REPLY, number, 0))


if __name__ == "__main__":
    main()
