"""Reading archives: sound ones as they are, all others with one clear line."""

import gzip
import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from staging import archive as module
from staging.archive import (
    ArchiveContentError,
    ArchiveDamagedError,
    ArchiveTooLargeError,
    ArchiveUnsafeError,
    read_archive,
)
from staging.errors import StagingError
from staging.unpickle import DamagedPickleError, HostilePickleError, read_pickle
from tests.unit.staging.archives import BICYCLE, META, MOTORCYCLE, cut, entry, rows, write_archive, zeros_in_gzip


class Calls:
    """An object whose pickle calls a function when it is read."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def refusal(path: Path, error: type[StagingError]) -> str:
    """The line with which an archive is refused; it names the archive."""
    with pytest.raises(error) as caught:
        read_archive(path)
    line = str(caught.value)
    assert type(caught.value) is error
    assert "\n" not in line
    assert str(path) in line
    return line


def test_a_sound_archive_is_read_as_it_is(tmp_path: Path) -> None:
    # GIVEN
    train = rows([BICYCLE, MOTORCYCLE, BICYCLE], ["bike_s_1.png", "bike_s_2.png", "cycle_s_3.png"])
    path = write_archive(tmp_path / "a.tar.gz", train=train)

    # WHEN
    read = read_archive(path)

    # THEN
    assert np.array_equal(read.train.data, train[b"data"])
    assert read.train.fine_labels.tolist() == [BICYCLE, MOTORCYCLE, BICYCLE]
    assert read.train.filenames == ("bike_s_1.png", "bike_s_2.png", "cycle_s_3.png")
    assert len(read.test.data) == 6
    assert read.meta.fine_names[BICYCLE] == "bicycle"


def test_the_pickle_that_python_2_wrote_is_read() -> None:
    # GIVEN the opcodes of the official archive: byte strings, and NumPy under its old names
    pickled = (
        b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x06\x00\x01\x02\x03\x04\x05tbs."
    )

    # WHEN
    read = read_pickle(pickled)

    # THEN
    assert read[b"data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read[b"data"].dtype == np.uint8


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back_as_they_were_pickled(protocol: int, order: Any) -> None:
    # GIVEN
    array = np.array([[1, 2, 3], [4, 5, 60000]], dtype=">i4", order=order)

    # WHEN
    read = read_pickle(pickle.dumps({b"data": array}, protocol=protocol))[b"data"]

    # THEN
    assert np.array_equal(read, array)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("echo hostile",), "posix.system"),
        (eval, ("1 + 1",), "__builtin__.eval"),
        (getattr, ("text", "upper"), "__builtin__.getattr"),
        (bytes, (), "__builtin__.bytes"),
        (np.load, ("a.npy",), "numpy.load"),
        (np.frombuffer, (b"a",), "numpy._core.multiarray.frombuffer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_global_is_refused_by_its_name(
    tmp_path: Path, function: Callable[..., Any], arguments: tuple[Any, ...], name: str
) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", train={b"data": Calls(function, *arguments)})

    # WHEN
    line = refusal(path, HostilePickleError)

    # THEN
    assert name in line or name.replace("numpy._core.multiarray", "numpy") in line


def test_a_global_named_directly_is_refused(tmp_path: Path) -> None:
    # GIVEN what no Python writes, but an attacker
    path = write_archive(tmp_path / "a.tar.gz", meta=b"cos\nsystem\n(S'touch hostile'\ntR.")

    # WHEN / THEN
    assert "os.system" in refusal(path, HostilePickleError)


@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (pickle.dumps({b"data": np.array([object], dtype=object)}, protocol=2), "'O8'"),
        (pickle.dumps({b"data": Calls(np.dtype, "V8")}, protocol=2), "'V8'"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "'hex'"),
        (b"\x80\x02}r\xff\xff\xff\xff.", "memo"),
    ],
    ids=["objects", "raw-memory", "other-encoding", "memo-bomb"],
)
def test_more_than_numbers_and_text_is_refused(tmp_path: Path, pickled: bytes, words: str) -> None:
    assert words in refusal(write_archive(tmp_path / "a.tar.gz", test=pickled), HostilePickleError)


@pytest.mark.parametrize(
    "pickled",
    [b"", b"no pickle", b"\x80\x02}q\x00", pickle.dumps([1, 2]), pickle.dumps(rows([1] * 9))[:-2000]],
    ids=["empty", "other", "cut", "a-list", "cut-in-the-array"],
)
def test_a_damaged_pickle_is_refused(tmp_path: Path, pickled: bytes) -> None:
    refusal(write_archive(tmp_path / "a.tar.gz", train=pickled), DamagedPickleError)


@pytest.mark.parametrize(
    "member",
    [
        entry("cifar-100-python/link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("cifar-100-python/hard", tarfile.LNKTYPE, "cifar-100-python/train"),
        entry("train", tarfile.SYMTYPE, "/etc/passwd"),
        entry("cifar-100-python/device", tarfile.CHRTYPE),
        entry("cifar-100-python/pipe", tarfile.FIFOTYPE),
        entry("../outside"),
        entry("cifar-100-python/../../outside"),
        entry("..\\outside"),
        entry("/etc/cron.d/hostile"),
    ],
    ids=lambda member: member[0].name,
)
def test_links_devices_and_paths_that_lead_outside_are_refused(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes]
) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", extra=[member])

    # WHEN / THEN
    assert repr(member[0].name) in refusal(path, ArchiveUnsafeError)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999], ids=str)
def test_a_truncated_archive_is_refused(tmp_path: Path, share: float) -> None:
    refusal(cut(write_archive(tmp_path / "a.tar.gz"), share), ArchiveDamagedError)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    # GIVEN a page, an unpacked folder, nothing, and gzip that holds no tar
    page = tmp_path / "page.html"
    page.write_text("<html>not found</html>")
    text = tmp_path / "text.gz"
    text.write_bytes(gzip.compress(b"no tar" * 1000))

    # WHEN / THEN
    for path in (page, tmp_path, tmp_path / "none.tar.gz", text):
        refusal(path, ArchiveDamagedError)


def test_damage_in_the_middle_is_found(tmp_path: Path) -> None:
    # GIVEN an archive whose last bytes, gzip's checksum, do not fit
    path = write_archive(tmp_path / "a.tar.gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)

    # WHEN / THEN
    refusal(path, ArchiveDamagedError)


def test_a_member_that_claims_to_be_huge_is_refused_unread(tmp_path: Path) -> None:
    # GIVEN
    claim = tarfile.TarInfo("cifar-100-python/train")
    claim.size = 1 << 40
    path = zeros_in_gzip(tmp_path / "a.tar.gz", head=claim.tobuf(), mebibytes=1)

    # WHEN / THEN
    refusal(path, ArchiveTooLargeError)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE], ids=["long-name", "pax-header"])
def test_a_bomb_in_a_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes) -> None:
    # GIVEN a header that tarfile itself would read whole into memory
    monkeypatch.setattr(module, "LARGEST_ARCHIVE", 1 << 20)
    header = tarfile.TarInfo("bomb")
    header.type, header.size = kind, 3 << 20
    path = zeros_in_gzip(tmp_path / "a.tar.gz", head=header.tobuf(tarfile.USTAR_FORMAT), mebibytes=4)

    # WHEN / THEN
    refusal(path, ArchiveTooLargeError)


def test_a_bomb_behind_the_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a sound archive, followed by more than its gzip may hold
    monkeypatch.setattr(module, "LARGEST_ARCHIVE", 1 << 20)
    sound = gzip.decompress(write_archive(tmp_path / "a.tar.gz").read_bytes())
    path = zeros_in_gzip(tmp_path / "b.tar.gz", head=sound, mebibytes=3)

    # WHEN / THEN
    refusal(path, ArchiveTooLargeError)


def test_an_archive_of_countless_members_is_refused(tmp_path: Path) -> None:
    crowd = [entry(f"cifar-100-python/{number}") for number in range(module.MOST_MEMBERS)]
    refusal(write_archive(tmp_path / "a.tar.gz", extra=crowd), ArchiveTooLargeError)


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_a_missing_member_is_named(tmp_path: Path, name: str) -> None:
    path = write_archive(tmp_path / "a.tar.gz", leave_out=name)
    assert f"no {name}" in refusal(path, ArchiveContentError)


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    # GIVEN two answers to one question
    body = io.BytesIO(pickle.dumps(rows([BICYCLE]), protocol=2)).getvalue()
    info = tarfile.TarInfo("elsewhere/train")
    info.size = len(body)

    # WHEN / THEN
    assert "train twice" in refusal(write_archive(tmp_path / "a.tar.gz", extra=[(info, body)]), ArchiveContentError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({b"data": np.zeros((2, 3071), np.uint8)}, "(2, 3071)"),
        ({b"data": np.zeros((2, 3072), np.float32)}, "float32"),
        ({b"data": np.zeros(3072, np.uint8)}, "(3072,)"),
        ({b"data": [[0] * 3072] * 2}, "list"),
        ({b"data": np.zeros((3, 3072), np.uint8)}, "3 rows of data, but 2 fine_labels"),
        ({b"fine_labels": [BICYCLE, 100]}, "0 to 99"),
        ({b"fine_labels": [BICYCLE, -1]}, "0 to 99"),
        ({b"fine_labels": [BICYCLE, True]}, "0 to 99"),
        ({b"fine_labels": [BICYCLE, 8.0]}, "0 to 99"),
        ({b"coarse_labels": [0, 20]}, "0 to 19"),
        ({b"coarse_labels": [0]}, "but 1 coarse_labels"),
        ({b"filenames": [b"a.png"]}, "but 1 filenames"),
        ({b"filenames": [b"a.png", 7]}, "filenames"),
        ({b"filenames": None}, "filenames"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, change: dict[bytes, Any], words: str) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", test={**rows([BICYCLE, MOTORCYCLE]), **change})

    # WHEN
    line = refusal(path, ArchiveContentError)

    # THEN
    assert words in line
    assert "test" in line


def test_another_data_set_is_refused(tmp_path: Path) -> None:
    # GIVEN CIFAR-10's keys
    cifar_10 = {b"labels": [0], b"data": np.zeros((1, 3072), np.uint8), b"filenames": [b"a.png"]}

    # WHEN / THEN
    assert "fine_labels" in refusal(write_archive(tmp_path / "a.tar.gz", train=cifar_10), ArchiveContentError)
    assert "fine_label_names" in refusal(
        write_archive(tmp_path / "b.tar.gz", meta={b"label_names": META[b"fine_label_names"]}),
        ArchiveContentError,
    )
