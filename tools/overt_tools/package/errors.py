"""What can go wrong when a package is built."""


class PackageError(Exception):
    """The package cannot be built: the message says what was expected, what was found and what to do."""


class Unavailable(PackageError):
    """Something that it is built from cannot be had."""
