"""Entries of selected images and of drivers' photographs are listed once per image, and their content is checked."""

import pytest

from evaluation.review.entries import (
    Entry,
    EntryError,
    ImageNames,
    Prediction,
    list_entry_keys,
    read_entry,
)
from tests.unit.evaluation.review.fakes import FakeS3, add_photograph, add_selected, make_store, photograph_id
from training.container.classifier.captured_records import object_name


def test_image_with_entries_of_make_select_and_of_the_state_machine_is_listed_once() -> None:
    # GIVEN
    s3 = FakeS3()
    both, other = add_selected(s3, photograph_id("1.jpg", "a")), add_selected(s3, "5c0e")
    add_photograph(s3, "1.jpg", "a")
    only = add_photograph(s3, "2.jpg", "b")

    # WHEN
    found = list(list_entry_keys(make_store(s3), ImageNames()))

    # THEN
    assert sorted(found) == sorted([(both, False), (other, False), (only, False)])


def test_only_photographs_with_low_confidence_are_listed() -> None:
    # GIVEN photographs whose executions failed with other errors, before there was a prediction
    s3 = FakeS3()
    add_photograph(s3, "1.jpg", "a", error="ImageInvalidError")
    add_photograph(s3, "2.jpg", "b", error="EndpointMissingError")

    # WHEN / THEN
    assert list(list_entry_keys(make_store(s3), ImageNames())) == []


def test_images_with_an_answer_are_recognised_without_reading_the_entries() -> None:
    # GIVEN answers for one of two selected images, and for one of two photographs
    s3, answered = FakeS3(), ImageNames()
    add_selected(s3, "5c0e")
    add_selected(s3, "77aa")
    add_photograph(s3, "1.jpg", "a")
    add_photograph(s3, "2.jpg", "b")
    answered.add("5c0e")
    answered.add(photograph_id("2.jpg", "b"))

    # WHEN
    found = dict(list_entry_keys(make_store(s3), answered))

    # THEN
    assert [key for key, is_answered in found.items() if is_answered] == [
        "review/selected/5c0e.json",
        "review/THRESHOLD_CONFIDENCE_NOT_MET/zoe/b.json",
    ]
    assert s3.requests["get_object"] == 0


def test_images_without_a_version_id_are_distinguished_by_key() -> None:
    # GIVEN an answer for one of two images that were classified without a version ID
    s3, answered = FakeS3(), ImageNames()
    first, second = photograph_id("1.jpg", "latest"), photograph_id("2.jpg", "latest")
    add_selected(s3, first)
    add_selected(s3, second)
    answered.add(first)

    # WHEN
    found = dict(list_entry_keys(make_store(s3), answered))

    # THEN
    assert found == {f"review/selected/{first}.json": True, f"review/selected/{second}.json": False}


def test_entries_of_selected_images_and_photographs_have_id_reasons_and_prediction() -> None:
    # GIVEN
    s3 = FakeS3()
    selected = add_selected(s3, "5c0e", reasons=["audit", "drift"])
    photograph = add_photograph(s3, "1.jpg", "a")

    # WHEN / THEN
    assert read_entry(make_store(s3), selected) == Entry(
        selected, "5c0e", ("audit", "drift"), Prediction("motorcycle", 0.6)
    )
    assert read_entry(make_store(s3), photograph) == Entry(
        photograph, photograph_id("1.jpg", "a"), ("low_confidence",), Prediction("bicycle", 0.5123)
    )


@pytest.mark.parametrize("probabilities", [None, [], ["1", "0"], [0.4, 0.3, 0.3], {"bicycle": 1}, [float("nan"), 0]])
def test_entry_without_a_valid_prediction_can_be_reviewed(probabilities: object) -> None:
    # GIVEN
    s3 = FakeS3()
    key = add_selected(s3, "5c0e", probabilities=probabilities)

    # WHEN / THEN
    assert read_entry(make_store(s3), key).prediction is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"{}", b"\xff", b'{"id": "1", "reasons": 7}', b"[" * 9999])
@pytest.mark.parametrize("folder", ["selected", "THRESHOLD_CONFIDENCE_NOT_MET/zoe"])
def test_error_names_an_object_that_is_not_an_entry(content: bytes, folder: str) -> None:
    # GIVEN
    s3 = FakeS3()
    s3.put_object(Bucket="bucket", Key=f"review/{folder}/1.json", Body=content)

    # WHEN / THEN
    with pytest.raises(EntryError, match=rf"s3://bucket/review/{folder}/1\.json is not a review entry"):
        read_entry(make_store(s3), f"review/{folder}/1.json")


def test_missing_entry_is_an_error() -> None:
    # WHEN / THEN
    with pytest.raises(EntryError, match="does not exist"):
        read_entry(make_store(FakeS3()), "review/selected/1.json")


@pytest.mark.parametrize("record_id", ["../x y", "", "..", "-x", "a\nb", "ü", "\ud800", "a" * 2000, ".json", "a.json"])
def test_any_id_becomes_a_valid_object_name(record_id: str) -> None:
    # WHEN
    name = object_name(record_id)

    # THEN
    assert len(name) == 64
    assert name.isalnum()
    assert name.isascii()


def test_object_name_of_one_of_several_images_in_a_request_stays_readable() -> None:
    # WHEN / THEN
    assert object_name("5c0e/12") == "5c0e.12"


@pytest.mark.parametrize(("one", "other"), [("a/1", "a-1"), ("a/1", "a.1"), ("a", "a.json")])
def test_objects_of_different_ids_have_different_keys(one: str, other: str) -> None:
    # WHEN each ID has an image, and an entry with the suffix `.json`
    names = object_name(one), object_name(other)

    # THEN the four keys are different
    assert len({f"{name}{suffix}" for name in names for suffix in ("", ".json")}) == 4
