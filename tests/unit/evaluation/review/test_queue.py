"""The queue shows each image without an answer once, stores one answer per image, and can continue after a crash."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evaluation.review.answers import AnswerExistsError, make_answer, put_answer
from evaluation.review.entries import read_entry
from evaluation.review.queue import Queue, Shown
from tests.support.waiting import eventually
from tests.unit.evaluation.review.fakes import FakeS3, add_photograph, add_selected, error, make_store, photograph_id


def make_queue(s3: Any, reviewer: str = "ana") -> Queue:
    """Return a queue that shows the images in the order of their keys."""
    return Queue(make_store(s3), reviewer, shuffle=lambda keys: None)


def take(queue: Queue, *held: str) -> str:
    """Return the entry key of the next image, when the page already has the images `held`."""
    shown = queue.next(held)
    assert shown is not None
    return shown.entry.key


@pytest.fixture
def s3() -> FakeS3:
    """A bucket with three images to review."""
    s3 = FakeS3()
    for record_id in ("a", "b", "c"):
        add_selected(s3, record_id)
    return s3


def raising(code: str) -> Any:
    """Return a function that raises an S3 error."""

    def fail(**request: Any) -> None:
        raise error(code)

    return fail


A, B, C = (f"review/selected/{name}.json" for name in "abc")


def test_images_are_shown_one_after_the_other_until_all_have_an_answer(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)

    # WHEN
    for label in ("bicycle", "motorcycle", "neither"):
        queue.answer(take(queue), label, 1.0)

    # THEN
    assert queue.next() is None
    assert [key for key in s3.objects if key.startswith("labels/")] == [f"labels/answers/{name}.json" for name in "abc"]
    assert (queue.progress.answered, queue.progress.total, queue.given) == (3, 3, 3)


def test_images_that_the_page_already_has_are_not_sent_again(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)

    # WHEN / THEN
    assert [take(queue), take(queue, A), take(queue, A, B)] == [A, B, C]
    assert queue.next([A, B, C]) is None


def test_skipped_image_is_shown_again_after_all_other_images(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)

    # WHEN / THEN
    assert [take(queue) for _ in range(4)] == [A, B, C, A]


def test_undo_deletes_the_latest_answer_and_shows_its_image_again(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)
    queue.answer(take(queue), "bicycle", 1.0)
    queue.answer(take(queue), "bicycle", 1.0)

    # WHEN
    shown = [queue.undo(), queue.undo(), queue.undo()]

    # THEN
    assert [each and each.entry.key for each in shown] == [B, A, None]
    assert not [key for key in s3.objects if key.startswith("labels/")]
    assert (queue.progress.answered, queue.progress.total, queue.given) == (0, 3, 0)


def test_new_process_continues_after_a_process_was_killed(s3: FakeS3) -> None:
    # GIVEN two answers of ana's process that was killed, and a newer answer of ben
    killed = make_queue(s3)
    killed.answer(take(killed), "bicycle", 1.0)
    killed.answer(take(killed), "bicycle", 1.0)
    ben = make_queue(s3, "ben")
    ben.answer(take(ben), "motorcycle", 1.0)

    # WHEN
    queue = make_queue(s3)

    # THEN ana's new queue has no further image, and can undo the newest answer of ana
    assert queue.next() is None
    undone = queue.undo()
    assert undone is not None
    assert undone.entry.key == B
    assert sorted(key for key in s3.objects if key.startswith("labels/")) == [
        "labels/answers/a.json",
        "labels/answers/c.json",
    ]
    assert (queue.progress.answered, queue.progress.total) == (2, 3)


def test_second_answer_for_an_image_is_refused_and_the_next_image_is_shown(s3: FakeS3) -> None:
    # GIVEN two reviewers who see the same image, which ben answers first
    ana, ben = make_queue(s3), make_queue(s3, "ben")
    assert take(ana) == take(ben) == A
    ben.answer(A, "motorcycle", 1.0)

    # WHEN
    with pytest.raises(AnswerExistsError, match="ben has answered"):
        ana.answer(A, "bicycle", 1.0)

    # THEN
    assert take(ana) == B
    assert (ana.progress.answered, ana.given) == (1, 0)


def test_image_that_another_reviewer_answered_meanwhile_is_not_shown(s3: FakeS3) -> None:
    # GIVEN ben's answer for the second image
    queue, ben = make_queue(s3), make_queue(s3, "ben")
    assert take(queue, B, C) == A
    ben.answer(take(ben, A, C), "bicycle", 1.0)

    # WHEN / THEN
    assert [take(queue, A), queue.next([A, C])] == [C, None]


def test_images_that_cannot_be_shown_are_skipped_and_counted(s3: FakeS3) -> None:
    # GIVEN a file that is not an image, an invalid entry, and an entry whose image was deleted
    add_selected(s3, "d", image=b"broken")
    s3.put_object(Bucket="bucket", Key="review/selected/e.json", Body=b"{")
    add_selected(s3, "f")
    del s3.versions["review/selected/f"]
    queue = make_queue(s3)

    # WHEN / THEN
    assert take(queue, A, B) == C
    assert queue.next([A, B, C]) is None
    assert (queue.progress.total, queue.progress.hidden) == (3, 3)


def test_answer_for_a_photograph_is_stored_under_its_inference_id() -> None:
    # GIVEN
    s3 = FakeS3()
    add_photograph(s3, "1.jpg", "a")
    queue = make_queue(s3)

    # WHEN
    queue.answer(take(queue), "bicycle", 1.0)

    # THEN
    assert f"labels/answers/{photograph_id('1.jpg', 'a')}.json" in s3.objects
    assert make_queue(s3).next() is None


def test_answer_for_an_image_that_was_not_shown_is_refused(s3: FakeS3) -> None:
    # WHEN / THEN
    with pytest.raises(KeyError):
        make_queue(s3).answer("incoming/zoe/1.jpg", "bicycle", 1.0)


def test_first_image_of_a_long_queue_is_shown_before_the_listing_ends() -> None:
    # GIVEN 3,000 images, and a listing that waits after its first page
    s3, may_continue = FakeS3(), threading.Event()
    for number in range(3000):
        add_selected(s3, f"{number:05}", image=b"" if number else None)
    listing = s3.paginate

    def slow(*, Bucket: str, Prefix: str) -> Any:  # noqa: N803
        for number, page in enumerate(listing(Bucket=Bucket, Prefix=Prefix)):
            assert number == 0 or may_continue.wait(10)
            yield page

    s3.paginate = slow  # type: ignore[method-assign]

    # WHEN
    queue = make_queue(s3)

    # THEN
    assert take(queue) == "review/selected/00000.json"
    assert (queue.progress.total, queue.progress.is_complete) == (500, False)
    assert s3.requests["get_object"] <= 3
    may_continue.set()
    assert eventually(lambda: queue.progress.is_complete)
    assert queue.progress.total == 3000


def test_images_are_shown_in_random_order() -> None:
    # GIVEN
    s3 = FakeS3()
    keys = [add_selected(s3, f"{number:03}") for number in range(12)]

    # WHEN
    queue = Queue(make_store(s3), "ana")
    found = [take(queue) for _ in keys]

    # THEN
    assert sorted(found) == keys
    assert found != keys


def test_listing_that_failed_is_repeated_when_the_page_is_loaded_again(s3: FakeS3) -> None:
    # GIVEN a queue whose listing failed because the credentials had expired, and renewed credentials
    listing = s3.paginate

    def refuse(**_: Any) -> Any:
        raise error("ExpiredToken")

    s3.paginate = refuse  # type: ignore[method-assign]
    queue = make_queue(s3)
    with pytest.raises(ClientError, match="ExpiredToken"):
        queue.next()
    s3.paginate = listing  # type: ignore[method-assign]

    # WHEN
    queue.reload()

    # THEN
    assert take(queue) == A


def test_reload_finds_new_images(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)
    for _ in "abc":
        queue.answer(take(queue), "bicycle", 1.0)
    add_selected(s3, "d")

    # WHEN
    queue.reload()

    # THEN
    assert take(queue) == "review/selected/d.json"


def test_each_image_has_one_answer_with_several_reviewers_at_the_same_time() -> None:
    # GIVEN three reviewers and 20 images
    s3 = FakeS3()
    keys = [add_selected(s3, f"{number:03}") for number in range(20)]
    given: list[tuple[str, str]] = []

    def work(reviewer: str) -> None:
        queue = Queue(make_store(s3), reviewer)
        while shown := queue.next():
            try:
                queue.answer(shown.entry.key, "bicycle", 1.0)
            except AnswerExistsError:
                continue
            given.append((shown.entry.key, reviewer))

    people = [threading.Thread(target=work, args=(name,)) for name in ("ana", "ben", "cem")]

    # WHEN
    for person in people:
        person.start()
    for person in people:
        person.join()

    # THEN
    assert sorted(key for key, _ in given) == keys


def test_undo_does_not_delete_an_answer_of_another_reviewer(s3: FakeS3) -> None:
    # GIVEN ana's answer, which was deleted by another process, and ben's answer for the same image
    store, queue = make_store(s3), make_queue(s3)
    queue.answer(take(queue), "bicycle", 1.0)
    del s3.versions["labels/answers/a.json"]
    put_answer(store, "a", make_answer(read_entry(store, A), "motorcycle", "ben"))

    # WHEN
    undone: Shown | None = queue.undo()

    # THEN
    assert undone is None
    assert b'"ben"' in s3.objects["labels/answers/a.json"]


def test_undo_that_failed_deletes_the_same_answer_when_it_is_repeated(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN two answers of a process that has ended
    ended = make_queue(s3)
    ended.answer(take(ended), "bicycle", 1.0)
    ended.answer(take(ended), "bicycle", 1.0)
    queue = make_queue(s3)
    take(queue)

    # WHEN S3 refuses first a read and then a deletion
    for operation in ("get_object", "delete_object"):
        with monkeypatch.context() as patch:
            patch.setattr(s3, operation, raising("SlowDown"))
            with pytest.raises(ClientError):
                queue.undo()
    undone = queue.undo()

    # THEN only the latest answer is deleted
    assert undone is not None
    assert undone.entry.key == B
    assert [key for key in s3.objects if key.startswith("labels/")] == ["labels/answers/a.json"]


def test_undo_just_after_the_start_waits_for_the_listing_of_answers(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an answer of a process that has ended, and a listing that starts later
    ended = make_queue(s3)
    ended.answer(take(ended), "bicycle", 1.0)
    begin, paginate = threading.Event(), s3.paginate
    monkeypatch.setattr(s3, "paginate", lambda **request: begin.wait(10) and paginate(**request))
    queue = make_queue(s3)

    # WHEN
    threading.Timer(0.1, begin.set).start()
    undone = queue.undo()

    # THEN
    assert undone is not None
    assert undone.entry.key == A
