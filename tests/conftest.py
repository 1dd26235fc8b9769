"""What all tests stand on."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Begun in a shell's background. Programs that the tests begin would ignore Ctrl-C too, and some are to heed it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
