"""What can go wrong when measuring."""


class BenchError(Exception):
    """Something needed is missing or damaged. The message says what was expected, what was found, what to do."""
