"""What can go wrong between a published model and an artefact, as one family of errors."""


class ModelsError(Exception):
    """The models cannot be built, read or trusted. The message says what was expected, what was found, what to do."""


class CannotConvert(ModelsError):
    """The source model holds something that this converter does not know, or knows not to be exact."""


class WrongArtefact(ModelsError):
    """A built file is not the one that the catalogue pins."""


class NotEqual(ModelsError):
    """A built file does not compute what its original does."""
