"""A laboratory as the command line asks for it."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from .cache import Cache
from .engine import find_models
from .laboratory import Laboratory


@contextmanager
def laboratory(arguments: argparse.Namespace) -> Iterator[Laboratory]:
    """Open the cache and the models that the arguments name.

    Raises:
        CannotMeasureError: One of them cannot be had.
    """
    models = find_models(arguments.models, arguments.model_set)
    with Cache(arguments.cache) as cache:
        yield Laboratory(models, cache, arguments.jobs)
