"""What can stop an evaluation."""


class EvaluateError(Exception):
    """The set, a table or the choice of sizes does not do. The message says expected, found, what to do."""


class CannotMeasureError(EvaluateError):
    """Models, cache or workers fail: nothing that other input would mend."""
