"""What can go wrong when a scene is made or read."""


class SceneError(Exception):
    """The scene cannot be made, or is not what it claims to be.

    The message says what was expected, what was found, and what to do about it.
    """


class BadRequestError(SceneError):
    """The options ask for a scene that cannot exist; another seed, length or size is needed."""
