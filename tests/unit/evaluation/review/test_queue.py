"""The queue shows each open image once, to two people different ones, and survives the end of its process."""

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
    """Return a queue in the order of the listing."""
    return Queue(make_store(s3), reviewer, shuffle=lambda keys: None)


def take(queue: Queue, *held: str) -> str:
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
    """Return a function that raises an error of S3."""

    def fail(**request: Any) -> None:
        raise error(code)

    return fail


A, B, C = (f"review/selected/{name}.json" for name in "abc")


def test_images_come_one_after_the_other_until_all_have_an_answer(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)

    # WHEN
    for label in ("bicycle", "motorcycle", "neither"):
        queue.answer(take(queue), label, 1.0)

    # THEN
    assert queue.next() is None
    assert [key for key in s3.objects if key.startswith("labels/")] == [f"labels/answers/{name}.json" for name in "abc"]
    assert (queue.progress.answered, queue.progress.total, queue.given) == (3, 3, 3)


def test_images_that_the_page_holds_do_not_come_again(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)

    # WHEN / THEN
    assert [take(queue), take(queue, A), take(queue, A, B)] == [A, B, C]
    assert queue.next([A, B, C]) is None


def test_skipped_image_comes_again_after_all_others(s3: FakeS3) -> None:
    # GIVEN
    queue = make_queue(s3)

    # WHEN / THEN
    assert [take(queue) for _ in range(4)] == [A, B, C, A]


def test_undo_deletes_the_answer_and_shows_the_image(s3: FakeS3) -> None:
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


def test_another_process_continues_where_the_first_was_killed(s3: FakeS3) -> None:
    # GIVEN a process that stored two answers, and somebody else's newer answer
    killed = make_queue(s3)
    killed.answer(take(killed), "bicycle", 1.0)
    killed.answer(take(killed), "bicycle", 1.0)
    ben = make_queue(s3, "ben")
    ben.answer(take(ben), "motorcycle", 1.0)

    # WHEN
    queue = make_queue(s3)

    # THEN it has no further image, and can undo the newest answer of its own reviewer
    assert queue.next() is None
    undone = queue.undo()
    assert undone is not None
    assert undone.entry.key == B
    assert sorted(key for key in s3.objects if key.startswith("labels/")) == [
        "labels/answers/a.json",
        "labels/answers/c.json",
    ]
    assert (queue.progress.answered, queue.progress.total) == (2, 3)


def test_lost_race_is_reported_and_the_next_image_is_shown(s3: FakeS3) -> None:
    # GIVEN two people who look at the same image
    ana, ben = make_queue(s3), make_queue(s3, "ben")
    assert take(ana) == take(ben) == A
    ben.answer(A, "motorcycle", 1.0)

    # WHEN
    with pytest.raises(AnswerExistsError, match="ben has answered"):
        ana.answer(A, "bicycle", 1.0)

    # THEN
    assert take(ana) == B
    assert (ana.progress.answered, ana.given) == (1, 0)


def test_image_that_somebody_answered_meanwhile_is_not_shown(s3: FakeS3) -> None:
    # GIVEN
    queue, ben = make_queue(s3), make_queue(s3, "ben")
    assert take(queue, B, C) == A
    ben.answer(take(ben, A, C), "bicycle", 1.0)

    # WHEN / THEN
    assert [take(queue, A), queue.next([A, C])] == [C, None]


def test_images_that_cannot_be_shown_are_left_out_and_counted(s3: FakeS3) -> None:
    # GIVEN a file that is not an image, a broken entry, and an entry whose image was deleted
    add_selected(s3, "d", image=b"broken")
    s3.put_object(Bucket="bucket", Key="review/selected/e.json", Body=b"{")
    add_selected(s3, "f")
    del s3.versions["review/selected/f"]
    queue = make_queue(s3)

    # WHEN / THEN
    assert take(queue, A, B) == C
    assert queue.next([A, B, C]) is None
    assert (queue.progress.total, queue.progress.hidden) == (3, 3)


def test_photograph_of_the_workflow_is_answered_under_its_id() -> None:
    # GIVEN
    s3 = FakeS3()
    add_photograph(s3, "1.jpg", "a")
    queue = make_queue(s3)

    # WHEN
    queue.answer(take(queue), "bicycle", 1.0)

    # THEN
    assert f"labels/answers/{photograph_id('1.jpg', 'a')}.json" in s3.objects
    assert make_queue(s3).next() is None


def test_only_images_that_were_shown_are_answered(s3: FakeS3) -> None:
    # WHEN / THEN
    with pytest.raises(KeyError):
        make_queue(s3).answer("incoming/zoe/1.jpg", "bicycle", 1.0)


def test_long_queue_is_shown_before_it_is_listed() -> None:
    # GIVEN 3,000 images, and a listing that stops after its first page
    s3, more = FakeS3(), threading.Event()
    for number in range(3000):
        add_selected(s3, f"{number:05}", image=b"" if number else None)
    listing = s3.paginate

    def slow(*, Bucket: str, Prefix: str) -> Any:  # noqa: N803
        for number, page in enumerate(listing(Bucket=Bucket, Prefix=Prefix)):
            assert number == 0 or more.wait(10)
            yield page

    s3.paginate = slow  # type: ignore[method-assign]

    # WHEN
    queue = make_queue(s3)

    # THEN
    assert take(queue) == "review/selected/00000.json"
    assert (queue.progress.total, queue.progress.is_complete) == (500, False)
    assert s3.requests["get_object"] <= 3
    more.set()
    assert eventually(lambda: queue.progress.is_complete)
    assert queue.progress.total == 3000


def test_images_come_in_random_order() -> None:
    # GIVEN
    s3 = FakeS3()
    keys = [add_selected(s3, f"{number:03}") for number in range(12)]

    # WHEN
    queue = Queue(make_store(s3), "ana")
    found = [take(queue) for _ in keys]

    # THEN
    assert sorted(found) == keys
    assert found != keys


def test_error_of_the_listing_is_raised_until_the_page_is_loaded_again(s3: FakeS3) -> None:
    # GIVEN credentials that have expired
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


def test_many_people_never_answer_for_the_same_image() -> None:
    # GIVEN
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


def test_undo_does_not_delete_an_answer_of_somebody_else(s3: FakeS3) -> None:
    # GIVEN ana's answer, which she has deleted elsewhere, and ben's answer for the same image
    store, queue = make_store(s3), make_queue(s3)
    queue.answer(take(queue), "bicycle", 1.0)
    del s3.versions["labels/answers/a.json"]
    put_answer(store, "a", make_answer(read_entry(store, A), "motorcycle", "ben"))

    # WHEN
    undone: Shown | None = queue.undo()

    # THEN
    assert undone is None
    assert b'"ben"' in s3.objects["labels/answers/a.json"]


def test_undo_that_fails_deletes_the_same_answer_when_it_is_repeated(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN two answers of a process that has ended
    ended = make_queue(s3)
    ended.answer(take(ended), "bicycle", 1.0)
    ended.answer(take(ended), "bicycle", 1.0)
    queue = make_queue(s3)
    take(queue)

    # WHEN S3 refuses the read or the deletion once
    for operation in ("get_object", "delete_object"):
        with monkeypatch.context() as patch:
            patch.setattr(s3, operation, raising("SlowDown"))
            with pytest.raises(ClientError):
                queue.undo()
    undone = queue.undo()

    # THEN only the last answer is deleted
    assert undone is not None
    assert undone.entry.key == B
    assert [key for key in s3.objects if key.startswith("labels/")] == ["labels/answers/a.json"]


def test_undo_right_after_the_start_waits_for_the_list_of_answers(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an answer of a process that has ended, and a listing that has not begun
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
