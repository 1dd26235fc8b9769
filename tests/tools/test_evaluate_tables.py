"""What is read from the user's files: sets, labels, pairs; and what is wrong with them, said in one sentence."""

import hashlib
from pathlib import Path

import pytest

from overt_tools.evaluate.errors import EvaluateError
from overt_tools.evaluate.labels import counted, read_labels
from overt_tools.evaluate.pairs import read_pairs
from overt_tools.evaluate.stills import read_set

IMAGES = ("a/1.jpg", "a/2.jpg", "b/1.jpg", "c/1.jpg")


def table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def small_set(folder: Path) -> Path:
    for image in IMAGES:
        path = folder / "set" / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.encode())
    return folder / "set"


def test_a_set_is_its_images_by_subject_and_its_digest_that_of_all_paths_and_files(tmp_path: Path) -> None:
    folder = small_set(tmp_path)
    (folder / "README.md").write_text("not an image")
    (folder / "a" / ".hidden.jpg").write_bytes(b"")
    found = read_set(folder)
    assert found.by_subject() == {"a": ("a/1.jpg", "a/2.jpg"), "b": ("b/1.jpg",), "c": ("c/1.jpg",)}
    lines = "".join(f"{image} {hashlib.sha256(image.encode()).hexdigest()}\n" for image in IMAGES)
    assert found.digest == hashlib.sha256(lines.encode()).hexdigest()
    assert set(read_set(folder, 2).by_subject()) == {"a", "b"}
    (folder / "b" / "1.jpg").write_bytes(b"another")
    assert read_set(folder).digest != found.digest


def test_a_folder_that_is_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluateError, match="found no folder"):
        read_set(tmp_path / "nowhere")
    with pytest.raises(EvaluateError, match="no image in 0 folders"):
        read_set(tmp_path)
    (tmp_path / "1.jpg").write_bytes(b"")
    with pytest.raises(EvaluateError, match="1 images that lie in no subject's folder"):
        read_set(tmp_path)


def test_labels_may_name_several_characteristics_and_leave_some_empty(tmp_path: Path) -> None:
    path = table(
        tmp_path, "image,subject,sex,skin\na/1.jpg,a,female,3\na/2.jpg,a,female,\nb/1.jpg,b,,\nx/9.jpg,x,male,1\n"
    )
    labels = read_labels(path, IMAGES)
    assert labels.characteristics == ("sex", "skin")
    assert labels.group("a/1.jpg", "skin") == "3"
    assert labels.group("a/2.jpg", "skin") is None
    assert labels.unlabelled == ("b/1.jpg", "c/1.jpg")
    assert labels.unknown == ("x/9.jpg",)
    assert counted(labels, IMAGES) == {"images": {"sex": {"female": 2}, "skin": {"3": 1}}, "unlabelled": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected columns image"),
        ("image,subject\na/1.jpg,a\n", "at least one characteristic"),
        ("subject,sex\na,male\n", "expected columns image"),
        ("image,sex,sex\n", "a name of its own"),
        ("image,sex\na/1.jpg\n", "expected 2 values in line 2"),
        ("image,sex\na/1.jpg,male\na/1.jpg,female\n", "found another in line 3"),
        ("image,sex\n1.jpg,male\n", r"found 1 for others, such as 1.jpg"),
        ("image,sex\n", "found 0 for others"),
        ('image,sex\n"a/1.jpg,male\n', "comma-separated"),
    ],
)
def test_labels_that_make_no_sense_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(EvaluateError, match=words):
        read_labels(table(tmp_path, text), IMAGES)


PAIRS = (
    "fold,image_a,image_b,same\n0,a/1.jpg,a/2.jpg,1\n0,a/1.jpg,b/1.jpg,0\n1,a/1.jpg,a/2.jpg,1\n1,b/1.jpg,c/1.jpg,0\n"
)


def test_pairs_are_read_with_their_folds(tmp_path: Path) -> None:
    pairs = read_pairs(table(tmp_path, PAIRS), IMAGES)
    assert [(pair.fold, pair.image_b, pair.same) for pair in pairs[:2]] == [
        ("0", "a/2.jpg", True),
        ("0", "b/1.jpg", False),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fold,a,b,same\n", "image_a, image_b missing"),
        (PAIRS + "1,a/1.jpg,z/1.jpg,0\n", "line 6 .* found z/1.jpg"),
        (PAIRS + "1,a/1.jpg,b/1.jpg,maybe\n", "same as 1 or 0 in line 6"),
        (PAIRS.replace("\n1,", "\n0,"), "at least two folds"),
        (PAIRS.replace("1,a/1.jpg,a/2.jpg,1\n1,", "1,"), "outside fold 0"),
    ],
)
def test_pairs_that_make_no_sense_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(EvaluateError, match=words):
        read_pairs(table(tmp_path, text), IMAGES)


def test_a_look_at_a_part_of_a_set_leaves_out_the_pairs_of_the_rest(tmp_path: Path) -> None:
    path = table(tmp_path, PAIRS + "1,a/1.jpg,z/1.jpg,0\n")
    assert len(read_pairs(path, IMAGES, quick=True)) == 4


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluateError, match=r"nowhere.csv, could not read it: No such file"):
        read_pairs(tmp_path / "nowhere.csv", IMAGES)
