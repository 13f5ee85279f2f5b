"""Valid archives are read, and all others are refused with an error in one line."""

import gzip
import io
import os
import pickle
import tarfile
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from staging import archive as module
from staging.archive import ArchiveError, UnsafeArchiveError, read_archive
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.unpickle import read_pickle
from tests.unit.staging.archives import (
    BICYCLE,
    META,
    MOTORCYCLE,
    entry,
    examples,
    truncate,
    write_archive,
    zeros_in_gzip,
)


class Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def refusal(path: Path, error: type[ArchiveError]) -> str:
    """Return the message with which an archive is refused, after checking that it is one line with the path."""
    with pytest.raises(error) as caught:
        read_archive(path)
    line = str(caught.value)
    assert type(caught.value) is error
    assert "\n" not in line
    assert str(path) in line
    return line


def test_a_valid_archive_is_read(tmp_path: Path) -> None:
    # GIVEN
    train = examples([BICYCLE, MOTORCYCLE, BICYCLE], ["bike_s_1.png", "bike_s_2.png", "cycle_s_3.png"])
    path = write_archive(tmp_path / "a.tar.gz", train=train)

    # WHEN
    read = read_archive(path)

    # THEN
    assert np.array_equal(read.train.data, train[b"data"])
    assert read.train.fine_labels.tolist() == [BICYCLE, MOTORCYCLE, BICYCLE]
    assert read.train.filenames == ("bike_s_1.png", "bike_s_2.png", "cycle_s_3.png")
    assert len(read.test.data) == 6
    assert read.meta.fine_names[BICYCLE] == "bicycle"


def test_a_pickle_of_python_2_is_read() -> None:
    # GIVEN the opcodes of the official archive: byte strings, and NumPy's old module names
    pickled = (
        b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x06\x00\x01\x02\x03\x04\x05tbs."
    )

    # WHEN
    read = read_pickle(pickled)

    # THEN
    assert read["data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read["data"].dtype == np.uint8


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
def test_unpickled_arrays_equal_the_pickled_ones(protocol: int, order: Any) -> None:
    # GIVEN
    array = np.array([[1, 2, 3], [4, 5, 60000]], dtype=">i4", order=order)

    # WHEN
    read = read_pickle(pickle.dumps({b"data": array}, protocol=protocol))["data"]

    # THEN
    assert np.array_equal(read, array)


def strided(values: list[Any]) -> Any:
    """Return a view of every second element of an array. Protocol 5 stores it in the same way as older protocols."""
    return np.repeat(np.array(values), 2)[::2]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        np.array,
        strided,
        lambda values: list(np.array(values)),
        lambda values: np.array(values, dtype=object),
    ],
    ids=["list", "tuple", "array", "view", "list of scalars", "array of objects"],
)
def test_an_archive_that_python_3_wrote_is_read(
    tmp_path: Path, protocol: int, make: Callable[[list[Any]], Any]
) -> None:
    # GIVEN keys and names of type str, and labels and names in a list, a tuple or an array
    names = ["bike_s_1.png", "Fährrad.png"]
    written = {
        "data": np.arange(2, dtype=np.uint8)[:, None].repeat(3072, axis=1),
        "fine_labels": make([BICYCLE, MOTORCYCLE]),
        "coarse_labels": make([18, 18]),
        "filenames": make(names),
    }
    meta = {"fine_label_names": make(list(FINE_NAMES)), "coarse_label_names": make(list(COARSE_NAMES))}

    # WHEN
    member = pickle.dumps(written, protocol=protocol)
    path = write_archive(tmp_path / "a.tar.gz", train=member, test=member, meta=pickle.dumps(meta, protocol=protocol))
    read = read_archive(path)

    # THEN
    assert read.train.data[:, 0].tolist() == [0, 1]
    assert read.train.fine_labels.tolist() == [BICYCLE, MOTORCYCLE]
    assert read.train.filenames == tuple(names)
    assert read.meta.fine_names == FINE_NAMES


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_ordered_dictionary_with_a_memory_mapped_array_is_read(tmp_path: Path, protocol: int) -> None:
    # GIVEN
    train = OrderedDict(examples([BICYCLE, MOTORCYCLE]))
    mapped = np.memmap(tmp_path / "data", dtype=np.uint8, mode="w+", shape=train[b"data"].shape)
    mapped[:] = train[b"data"]
    train[b"data"] = mapped

    # WHEN
    read = read_archive(write_archive(tmp_path / "a.tar.gz", train=pickle.dumps(train, protocol=protocol))).train

    # THEN
    assert read.data[:, 0].tolist() == [0, 1]
    assert type(read.data) is np.ndarray


@pytest.mark.parametrize(
    "pickled",
    [
        # a buffer of addresses, as elements of an array of objects
        b"\x80\x05}\x8c\x04datacnumpy.core.multiarray\n_reconstruct\nK\x00\x85R(K\x01K\x01\x85cnumpy\ndtype\n"
        b"\x8c\x02O8\x85R\x89C\x08AAAAAAAAtbs.",
        # the same with one element of an array
        b"\x80\x05}\x8c\x04datacnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02O8\x85RC\x08AAAAAAAA\x86Rs.",
    ],
    ids=["array", "scalar"],
)
def test_bytes_are_not_taken_for_objects(tmp_path: Path, pickled: bytes) -> None:
    message = refusal(write_archive(tmp_path / "a.tar.gz", train=pickled), ArchiveError)
    assert "cannot create an OBJECT array from memory buffer" in message


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", ">i8", "u8"])
def test_labels_can_be_an_array_of_any_integers(tmp_path: Path, kind: str) -> None:
    # GIVEN
    train = {**examples([BICYCLE, MOTORCYCLE]), b"fine_labels": np.array([BICYCLE, MOTORCYCLE], dtype=kind)}

    # WHEN / THEN
    labels = read_archive(write_archive(tmp_path / "a.tar.gz", train=train)).train.fine_labels
    assert labels.dtype == np.int64
    assert labels.tolist() == [BICYCLE, MOTORCYCLE]


def test_half_a_surrogate_pair_in_a_name_is_replaced(tmp_path: Path) -> None:
    train = {**examples([BICYCLE]), b"filenames": ["bike\ud800.png"]}
    assert read_archive(write_archive(tmp_path / "a.tar.gz", train=train)).train.filenames == ("bike?.png",)


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
def test_any_other_global_is_refused_and_named(
    tmp_path: Path, function: Callable[..., Any], arguments: tuple[Any, ...], name: str
) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", train={b"data": Calls(function, *arguments)})

    # WHEN
    line = refusal(path, UnsafeArchiveError)

    # THEN
    assert name in line or name.replace("numpy._core.multiarray", "numpy") in line


def test_a_global_named_directly_is_refused(tmp_path: Path) -> None:
    # GIVEN a pickle that only an attacker writes
    path = write_archive(tmp_path / "a.tar.gz", meta=b"cos\nsystem\n(S'touch hostile'\ntR.")

    # WHEN / THEN
    assert "os.system" in refusal(path, UnsafeArchiveError)


@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (pickle.dumps({b"data": np.array([object], dtype=object)}, protocol=2), "object"),
        (pickle.dumps({b"time": datetime(2026, 1, 1)}), "datetime.datetime"),
        (pickle.dumps({b"data": Calls(np.dtype, "V8")}, protocol=2), "'V8'"),
        (pickle.dumps({b"data": np.array([1j])}), "'c16'"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "'hex'"),
        (b"\x80\x02}r\xff\xff\xff\xff.", "memo"),
    ],
    ids=["objects", "time", "raw-memory", "complex", "other-encoding", "memo-bomb"],
)
def test_anything_but_numbers_and_strings_is_refused(tmp_path: Path, pickled: bytes, words: str) -> None:
    assert words in refusal(write_archive(tmp_path / "a.tar.gz", test=pickled), UnsafeArchiveError)


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"not a pickle",
        b"\x80\x02}q\x00",
        pickle.dumps([1, 2]),
        pickle.dumps(examples([1] * 9))[:-2000],
        b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b".",
        pickle.dumps({"data": pickle.PickleBuffer(b"abc")}, protocol=5, buffer_callback=lambda buffer: None),
    ],
    ids=["empty", "text", "truncated", "a-list", "truncated-array", "huge-buffer", "missing-buffer"],
)
def test_a_damaged_pickle_is_refused(tmp_path: Path, pickled: bytes) -> None:
    assert "the pickle" in refusal(write_archive(tmp_path / "a.tar.gz", train=pickled), ArchiveError)


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
def test_links_devices_and_paths_outside_the_archive_are_refused(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes]
) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", extra=[member])

    # WHEN / THEN
    assert repr(member[0].name) in refusal(path, UnsafeArchiveError)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9, 0.999], ids=str)
def test_a_truncated_archive_is_refused(tmp_path: Path, fraction: float) -> None:
    line = refusal(truncate(write_archive(tmp_path / "a.tar.gz"), fraction), ArchiveError)
    assert "truncated" in line or "not an intact .tar.gz" in line


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    # GIVEN an HTML page, a folder, a missing file, and gzip without tar
    page = tmp_path / "page.html"
    page.write_text("<html>not found</html>")
    text = tmp_path / "text.gz"
    text.write_bytes(gzip.compress(b"not tar" * 1000))

    # WHEN / THEN
    assert "does not exist" in refusal(tmp_path / "none.tar.gz", ArchiveError)
    for path in (page, tmp_path, text):
        assert "not an intact .tar.gz" in refusal(path, ArchiveError)


def test_a_wrong_gzip_checksum_is_found(tmp_path: Path) -> None:
    # GIVEN an archive with a changed byte in gzip's checksum
    path = write_archive(tmp_path / "a.tar.gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)

    # WHEN / THEN
    assert "not an intact .tar.gz" in refusal(path, ArchiveError)


def test_a_member_with_a_huge_declared_size_is_refused_unread(tmp_path: Path) -> None:
    # GIVEN
    claim = tarfile.TarInfo("cifar-100-python/train")
    claim.size = 1 << 40
    path = zeros_in_gzip(tmp_path / "a.tar.gz", head=claim.tobuf(), mebibytes=1)

    # WHEN / THEN
    assert "has more than 256 MiB" in refusal(path, UnsafeArchiveError)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE], ids=["long-name", "pax-header"])
def test_a_decompression_bomb_in_a_header_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    # GIVEN a header that tarfile reads into memory as a whole
    monkeypatch.setattr(module, "MAX_ARCHIVE_BYTES", 1 << 20)
    header = tarfile.TarInfo("bomb")
    header.type, header.size = kind, 3 << 20
    path = zeros_in_gzip(tmp_path / "a.tar.gz", head=header.tobuf(tarfile.USTAR_FORMAT), mebibytes=4)

    # WHEN / THEN
    assert "unpacks to more than 1 MiB" in refusal(path, UnsafeArchiveError)


def test_a_decompression_bomb_after_the_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a valid archive, followed by more bytes than allowed
    monkeypatch.setattr(module, "MAX_ARCHIVE_BYTES", 1 << 20)
    valid = gzip.decompress(write_archive(tmp_path / "a.tar.gz").read_bytes())
    path = zeros_in_gzip(tmp_path / "b.tar.gz", head=valid, mebibytes=3)

    # WHEN / THEN
    assert "unpacks to more than 1 MiB" in refusal(path, UnsafeArchiveError)


def test_an_archive_with_too_many_members_is_refused(tmp_path: Path) -> None:
    members = [entry(f"cifar-100-python/{number}") for number in range(module.MAX_MEMBERS)]
    path = write_archive(tmp_path / "a.tar.gz", extra=members)
    assert "more than 100 members" in refusal(path, UnsafeArchiveError)


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_a_missing_member_is_named(tmp_path: Path, name: str) -> None:
    path = write_archive(tmp_path / "a.tar.gz", omit=name)
    assert f"no {name}" in refusal(path, ArchiveError)


def test_a_duplicate_member_is_refused(tmp_path: Path) -> None:
    # GIVEN another member named train
    body = io.BytesIO(pickle.dumps(examples([BICYCLE]), protocol=2)).getvalue()
    info = tarfile.TarInfo("elsewhere/train")
    info.size = len(body)

    # WHEN / THEN
    assert "train twice" in refusal(write_archive(tmp_path / "a.tar.gz", extra=[(info, body)]), ArchiveError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({b"data": np.zeros((2, 3071), np.uint8)}, "(2, 3071)"),
        ({b"data": np.zeros((2, 3072), np.float32)}, "float32"),
        ({b"data": np.zeros(3072, np.uint8)}, "(3072,)"),
        ({b"data": [[0] * 3072] * 2}, "list"),
        ({b"data": np.zeros((3, 3072), np.uint8)}, "3 images, but 2 fine_labels"),
        ({b"fine_labels": [BICYCLE, 100]}, "0 to 99"),
        ({b"fine_labels": [BICYCLE, -1]}, "0 to 99"),
        ({b"fine_labels": [BICYCLE, True]}, "0 to 99"),
        ({b"fine_labels": [BICYCLE, 8.0]}, "0 to 99"),
        ({b"fine_labels": np.array([BICYCLE, 8.0])}, "0 to 99"),
        ({b"fine_labels": np.array([True, False])}, "0 to 99"),
        ({b"fine_labels": np.array([[BICYCLE], [BICYCLE]])}, "0 to 99"),
        ({b"fine_labels": np.array([BICYCLE, 100])}, "0 to 99"),
        ({b"fine_labels": {BICYCLE: 1, MOTORCYCLE: 2}}, "0 to 99"),
        ({b"coarse_labels": [0, 20]}, "0 to 19"),
        ({b"coarse_labels": [0]}, "but 1 coarse_labels"),
        ({b"filenames": [b"a.png"]}, "but 1 filenames"),
        ({b"filenames": [b"a.png", 7]}, "filenames"),
        ({b"filenames": None}, "filenames"),
        ({b"filenames": np.array([1, 2])}, "filenames"),
        ({b"filenames": np.array(["a.png", ""])}, "filenames"),
        ({b"filenames": "a.png"}, "filenames"),
    ],
)
def test_invalid_examples_are_refused(tmp_path: Path, change: dict[bytes, Any], words: str) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", test={**examples([BICYCLE, MOTORCYCLE]), **change})

    # WHEN
    line = refusal(path, ArchiveError)

    # THEN
    assert words in line
    assert "test" in line


def test_an_archive_of_another_data_set_is_refused(tmp_path: Path) -> None:
    # GIVEN CIFAR-10's keys
    cifar_10 = {b"labels": [0], b"data": np.zeros((1, 3072), np.uint8), b"filenames": [b"a.png"]}

    # WHEN / THEN
    assert "fine_labels" in refusal(write_archive(tmp_path / "a.tar.gz", train=cifar_10), ArchiveError)
    assert "fine_label_names" in refusal(
        write_archive(tmp_path / "b.tar.gz", meta={b"label_names": META[b"fine_label_names"]}),
        ArchiveError,
    )
