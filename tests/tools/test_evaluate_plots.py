"""Plots are drawn without a display, in two formats, and are the same file whenever they show the same."""

from pathlib import Path

import numpy as np
import pytest

from overt.runtime.cli import Failure
from overt_tools.evaluate import identification, plots, verification
from overt_tools.evaluate.trials import NO_FACE, Trials


def some_trials() -> Trials:
    random = np.random.default_rng(1)
    genuine = np.append(random.normal(0.6, 0.1, 199), NO_FACE).astype(np.float32)
    impostor = random.normal(0.3, 0.05, 500).astype(np.float32)
    probes, impostors = (tuple(f"s/{n}.jpg" for n in range(count)) for count in (200, 500))
    return Trials(
        listed=("s",),
        probe_subject=("s",) * 200,
        probe_image=probes,
        genuine=genuine,
        correct=genuine > 0.3,
        best=genuine,
        impostor_subject=("t",) * 500,
        impostor_image=impostors,
        impostor=impostor,
        model_digest="m",
        data_set_digest="d",
        listed_image=("s/listed.jpg",),
    )


def test_each_evaluation_draws_its_two_plots_to_print_and_to_look_at(tmp_path: Path) -> None:
    trials = some_trials()
    plots.identification(tmp_path, trials, identification.figures(trials))
    scores, same = np.append(trials.genuine, trials.impostor), np.arange(700) < 200
    result = verification.figures(scores, same, [str(n % 10) for n in range(700)])
    plots.verification(tmp_path, scores, same, result)
    names = ("identification-tpir", "identification-scores", "verification-det", "verification-scores")
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}


@pytest.mark.slow
def test_what_shows_the_same_is_the_same_file(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        with plots.figure(tmp_path / folder, "p", ("svg",)) as axes:
            axes.plot([1, 2], [3, 4])
    assert (tmp_path / "a" / "p.svg").read_bytes() == (tmp_path / "b" / "p.svg").read_bytes()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_bytes(b"")
    with pytest.raises(Failure, match=r"cannot write plots into .*file"), plots.figure(taken, "p", ("svg",)):
        pass
