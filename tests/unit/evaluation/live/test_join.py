"""Captured predictions are joined with labels by inference ID or object key."""

from common.inference_ids import inference_id, key_digits
from evaluation.live.join import join
from evaluation.live.labels import Label
from tests.unit.evaluation.live.images import make_prediction

CLASSES = ("bicycle", "motorcycle")
ONE, ONE_AGAIN = inference_id("one.png", "1"), inference_id("one.png", "2")


def by_id(record_id: str, name: str, **changes: object) -> Label:
    """Return a label for an inference ID; `changes` set further fields."""
    return Label(record_id, record_id, None, name, f"labels/{name}.csv, line 2", **changes)  # type: ignore[arg-type]


def by_key(key: str, name: str) -> Label:
    """Return a label for all versions of an object."""
    return Label(key, None, key_digits(key), name, f"labels/{name}.csv, line 2")


def test_a_label_with_an_id_applies_to_one_version_and_a_label_with_a_key_to_all_versions() -> None:
    # GIVEN two versions of an object, and the second image of a batch request
    predictions = [make_prediction(each) for each in (ONE, ONE_AGAIN, "request/2")]

    # WHEN / THEN
    joined = join(predictions, [by_id(ONE, "motorcycle"), by_id("request/2", "neither")], CLASSES)
    assert [(image.prediction.id, image.label) for image in joined.images] == [(ONE, 1), ("request/2", 2)]
    joined = join(predictions, [by_key("one.png", "motorcycle")], CLASSES)
    assert [(image.prediction.id, image.label) for image in joined.images] == [(ONE, 1), (ONE_AGAIN, 1)]


def test_labels_of_images_that_are_not_captured_are_counted_and_named() -> None:
    # WHEN
    joined = join([make_prediction(ONE)], [by_id("\x1bunknown", "bicycle"), by_key("two.png", "bicycle")], CLASSES)

    # THEN
    assert (joined.images, joined.unmatched) == ([], 2)
    assert joined.messages == [
        "labels/bicycle.csv, line 2: no captured image '\\x1bunknown'",
        "labels/bicycle.csv, line 2: no captured image 'two.png'",
    ]


def test_an_image_with_contradictory_labels_is_not_used_and_is_named() -> None:
    # GIVEN
    labels = [by_id(ONE, "bicycle"), by_key("one.png", "motorcycle")]

    # WHEN
    joined = join([make_prediction(ONE), make_prediction(ONE_AGAIN)], labels, CLASSES)

    # THEN the other version of the object, which has only one label, is used
    assert [image.prediction.id for image in joined.images] == [ONE_AGAIN]
    assert (joined.contradictions, joined.unmatched) == (1, 0)
    assert "bicycle (labels/bicycle.csv, line 2), motorcycle (labels/motorcycle.csv" in joined.messages[0]


def test_equal_labels_of_an_image_count_once_and_the_inclusion_probability_is_kept() -> None:
    # GIVEN
    labels = [by_key("one.png", "bicycle"), by_id(ONE, "bicycle", inclusion_probability=0.02, audit_rate=0.02)]

    # WHEN
    (image,) = join([make_prediction(ONE)], labels, CLASSES).images

    # THEN
    assert (image.label, image.inclusion_probability, image.audit_rate) == (0, 0.02, 0.02)


def test_an_id_that_the_state_machine_did_not_send_matches_no_key() -> None:
    # GIVEN an ID that another caller chose, and which starts like the ID of an S3 object
    record_id = f"{key_digits('one.png')}-mine"

    # WHEN / THEN
    assert join([make_prediction(record_id)], [by_key("one.png", "bicycle")], CLASSES).images == []
