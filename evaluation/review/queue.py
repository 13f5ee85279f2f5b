"""The queue of images without an answer, which a reviewer gets one at a time.

Entries and answers are stored only in S3. The queue is this process's list of the entries that have no answer. The
order is random, so that two people seldom review the same image at the same time, and so that the answered images are
a random sample of the queue at any time.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from random import SystemRandom

from botocore.exceptions import BotoCoreError, ClientError

from evaluation.review.answers import (
    Answer,
    AnswerExistsError,
    delete_answer,
    list_answers,
    make_answer,
    put_answer,
    read_answer,
)
from evaluation.review.entries import Entry, EntryError, ImageNames, ReviewStore, list_entry_keys, read_entry
from evaluation.review.pictures import PictureError, read_picture

SHUFFLE = SystemRandom().shuffle
PAGE = 500  # number of entries in a page of 1000 keys, because half of the keys are images
EARLIER_ANSWERS = 100  # maximum number of answers that are read after a restart to find the reviewer's last answer


class Listing:
    """A list of all entries, which a thread reads from S3 while the first images are already shown.

    Attributes
    ----------
    open : keys of entries without an answer
    total : number of all entries that were read, with and without an answer
    hidden : number of entries whose image cannot be shown
    is_complete : whether the thread has ended
    """

    def __init__(self, store: ReviewStore, shuffle: Callable[[list[str]], None]) -> None:
        self.open: deque[str] = deque()
        self.total = 0
        self.hidden = 0
        self.is_complete = False
        self.error: BotoCoreError | ClientError | None = None
        self._store, self._shuffle = store, shuffle
        self._answers: list[tuple[str, datetime]] | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            answers = list(list_answers(self._store))
            answered = ImageNames()
            for name, _ in answers:
                answered.add(name)
            with self._changed:
                self._answers = answers
                self._changed.notify_all()
            entries = list_entry_keys(self._store, answered)
            while page := list(islice(entries, PAGE)):
                self._add(page)
        except (BotoCoreError, ClientError) as error:
            self.error = error
        finally:
            with self._changed:
                self.is_complete = True
                self._changed.notify_all()

    def _add(self, page: Sequence[tuple[str, bool]]) -> None:
        keys = [key for key, is_answered in page if not is_answered]
        self._shuffle(keys)
        with self._changed:
            self.open.extend(keys)
            self.total += len(page)
            self._changed.notify_all()

    def answers(self) -> list[tuple[str, datetime]]:
        """Wait until the answers are listed, and return the name and the time of each answer.

        Raises
        ------
        BotoCoreError, ClientError
            The answers could not be listed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.is_complete or self._answers is not None)
            if self.error:
                raise self.error
            return self._answers or []

    def take(self, held: Collection[str]) -> str | None:
        """Return the next key that is not in `held`, or None if there is none; move the key to the end of the queue.

        While the thread may find more keys, wait for a key that is not in `held`.

        Raises
        ------
        BotoCoreError, ClientError
            The entries could not be listed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.is_complete or any(key not in held for key in self.open))
            if self.error:
                raise self.error
            for _ in range(len(self.open)):
                key = self.open[0]
                self.open.rotate(-1)
                if key not in held:
                    return key
        return None

    def remove(self, key: str, *, hidden: bool = False) -> None:
        """Remove an entry, because it has an answer or because its image cannot be shown."""
        with self._changed:
            if key in self.open:
                self.open.remove(key)
                self.hidden += hidden

    def put_back(self, key: str) -> None:
        """Add an entry again, because its answer was deleted."""
        with self._changed:
            if key not in self.open:
                self.open.append(key)


@dataclass(frozen=True)
class Shown:
    """An entry with its image as a JPEG file."""

    entry: Entry
    picture: bytes


@dataclass(frozen=True)
class Progress:
    """The progress of the review. If `is_complete` is False, not all entries have been counted yet."""

    answered: int
    total: int
    hidden: int
    is_complete: bool


class Queue:
    """The entries that one reviewer goes through.

    Parameters
    ----------
    store : location of entries and answers
    reviewer : name of the reviewer, which is stored in the answers
    shuffle : function that puts a list of keys into the order in which the images are shown
    """

    def __init__(self, store: ReviewStore, reviewer: str, *, shuffle: Callable[[list[str]], None] = SHUFFLE) -> None:
        self.reviewer = reviewer
        self._store, self._shuffle = store, shuffle
        self._listing = Listing(store, shuffle)
        self._shown: dict[str, Entry] = {}
        self._own: list[tuple[str, Answer]] = []  # name of the image and answer, oldest first
        self._undoing = threading.Lock()

    def reload(self) -> None:
        """List the entries again, unless a listing is in progress."""
        if self._listing.is_complete:
            self._listing = Listing(self._store, self._shuffle)

    @property
    def given(self) -> int:
        """The number of answers that were stored through this queue and not deleted again."""
        return len(self._own)

    @property
    def progress(self) -> Progress:
        """The progress of the review."""
        listing = self._listing
        total = listing.total - listing.hidden
        return Progress(total - len(listing.open), total, listing.hidden, listing.is_complete)

    def next(self, held: Collection[str] = ()) -> Shown | None:
        """Return the next image without an answer, or None if there is none.

        An image that is not answered is returned again after all other images.

        Parameters
        ----------
        held : keys of entries that the reviewer's page already has
        """
        while (key := self._listing.take(held)) is not None:
            shown = self._load(key)
            if shown is not None:
                return shown
        return None

    def _load(self, key: str) -> Shown | None:
        """Return an entry with its image. If it has an answer or no valid image, remove it and return None."""
        try:
            entry = read_entry(self._store, key)
            if read_answer(self._store, entry.name):
                self._listing.remove(key)
                return None
            picture = read_picture(self._store, entry)
        except (EntryError, PictureError):
            self._listing.remove(key, hidden=True)
            return None
        self._shown[key] = entry
        return Shown(entry, picture)

    def answer(self, key: str, label: str, seconds: float | None = None) -> Entry:
        """Store an answer about an image that was shown, and return the image's entry.

        Raises
        ------
        KeyError
            The entry was not shown.
        AnswerExistsError
            Somebody else has answered for the image.
        """
        entry = self._shown[key]
        try:
            stored = put_answer(self._store, entry.name, make_answer(entry, label, self.reviewer, seconds))
        except AnswerExistsError:
            self._listing.remove(key)
            raise
        self._listing.remove(key)
        self._own.append((entry.name, stored))
        return entry

    def undo(self) -> Shown | None:
        """Delete the reviewer's last answer, and return its image to be answered again.

        Return None if there is no answer to delete, or if the image cannot be shown any more.
        """
        with self._undoing:
            last = self._own[-1] if self._own else self._last_before_start()
            if last is None:
                return None
            name, answer = last
            delete_answer(self._store, name, answer.version)
            if last in self._own:  # remove by value, because another tab may have appended an answer meanwhile
                self._own.remove(last)
        self._listing.put_back(answer.entry)
        return self._load(answer.entry)

    def _last_before_start(self) -> tuple[str, Answer] | None:
        """Return the newest answer that the reviewer gave before this process started."""
        answers = self._listing.answers()
        newest = sorted(answers, key=lambda pair: pair[1])[-EARLIER_ANSWERS:]
        for given in reversed(newest):
            answer = read_answer(self._store, given[0])
            if answer and answer.reviewer == self.reviewer:
                return given[0], answer
            answers.remove(given)
        return None
