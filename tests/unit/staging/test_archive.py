"""Valid CIFAR-100 archives are read. Invalid and malicious archives are rejected with an error in one line."""

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


class CallOnLoad:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def rejection(path: Path, error: type[ArchiveError]) -> str:
    """Check that an archive is rejected with an error of one line that contains the path, and return the message."""
    with pytest.raises(error) as caught:
        read_archive(path)
    line = str(caught.value)
    assert type(caught.value) is error
    assert "\n" not in line
    assert str(path) in line
    return line


def test_valid_archive_is_read(tmp_path: Path) -> None:
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


def test_pickle_from_python_2_is_read() -> None:
    # GIVEN a pickle like those in the official archive, with byte strings and NumPy's old module names
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
def test_unpickled_array_equals_the_pickled_array(protocol: int, order: Any) -> None:
    # GIVEN
    array = np.array([[1, 2, 3], [4, 5, 60000]], dtype=">i4", order=order)

    # WHEN
    read = read_pickle(pickle.dumps({b"data": array}, protocol=protocol))["data"]

    # THEN
    assert np.array_equal(read, array)


def strided(values: list[Any]) -> Any:
    """Return a view of every second element of an array; pickle protocol 5 stores the view as older protocols do."""
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
def test_archive_that_python_3_wrote_is_read(tmp_path: Path, protocol: int, make: Callable[[list[Any]], Any]) -> None:
    # GIVEN keys and names of the type str, and labels and names as a list, a tuple or an array
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
    # GIVEN an OrderedDict whose images are a memory-mapped array
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
        # an array of objects whose elements are memory addresses
        b"\x80\x05}\x8c\x04datacnumpy.core.multiarray\n_reconstruct\nK\x00\x85R(K\x01K\x01\x85cnumpy\ndtype\n"
        b"\x8c\x02O8\x85R\x89C\x08AAAAAAAAtbs.",
        # a scalar object that is a memory address
        b"\x80\x05}\x8c\x04datacnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02O8\x85RC\x08AAAAAAAA\x86Rs.",
    ],
    ids=["array", "scalar"],
)
def test_memory_addresses_are_not_read_as_objects(tmp_path: Path, pickled: bytes) -> None:
    message = rejection(write_archive(tmp_path / "a.tar.gz", train=pickled), ArchiveError)
    assert "cannot create an OBJECT array from memory buffer" in message


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", ">i8", "u8"])
def test_labels_can_be_an_array_of_any_integer_type(tmp_path: Path, kind: str) -> None:
    # GIVEN
    train = {**examples([BICYCLE, MOTORCYCLE]), b"fine_labels": np.array([BICYCLE, MOTORCYCLE], dtype=kind)}

    # WHEN / THEN
    labels = read_archive(write_archive(tmp_path / "a.tar.gz", train=train)).train.fine_labels
    assert labels.dtype == np.int64
    assert labels.tolist() == [BICYCLE, MOTORCYCLE]


def test_surrogate_in_a_file_name_is_replaced(tmp_path: Path) -> None:
    train = {**examples([BICYCLE]), b"filenames": ["bike\ud800.png"]}
    assert read_archive(write_archive(tmp_path / "a.tar.gz", train=train)).train.filenames == ("bike?.png",)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("echo malicious",), "posix.system"),
        (eval, ("1 + 1",), "__builtin__.eval"),
        (getattr, ("text", "upper"), "__builtin__.getattr"),
        (bytes, (), "__builtin__.bytes"),
        (np.load, ("a.npy",), "numpy.load"),
        (np.frombuffer, (b"a",), "numpy._core.multiarray.frombuffer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_error_names_a_function_that_a_pickle_must_not_call(
    tmp_path: Path, function: Callable[..., Any], arguments: tuple[Any, ...], name: str
) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", train={b"data": CallOnLoad(function, *arguments)})

    # WHEN
    line = rejection(path, UnsafeArchiveError)

    # THEN
    assert name in line or name.replace("numpy._core.multiarray", "numpy") in line


def test_pickle_that_calls_os_system_by_name_is_rejected(tmp_path: Path) -> None:
    # GIVEN a pickle that names os.system, whereas the pickle module writes posix.system
    path = write_archive(tmp_path / "a.tar.gz", meta=b"cos\nsystem\n(S'touch malicious'\ntR.")

    # WHEN / THEN
    assert "os.system" in rejection(path, UnsafeArchiveError)


@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (pickle.dumps({b"data": np.array([object], dtype=object)}, protocol=2), "object"),
        (pickle.dumps({b"time": datetime(2026, 1, 1)}), "datetime.datetime"),
        (pickle.dumps({b"data": CallOnLoad(np.dtype, "V8")}, protocol=2), "'V8'"),
        (pickle.dumps({b"data": np.array([1j])}), "'c16'"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "'hex'"),
        (b"\x80\x02}r\xff\xff\xff\xff.", "memo"),
    ],
    ids=["objects", "time", "raw-memory", "complex", "other-encoding", "memo-bomb"],
)
def test_pickle_with_more_than_numbers_and_strings_is_rejected(tmp_path: Path, pickled: bytes, words: str) -> None:
    assert words in rejection(write_archive(tmp_path / "a.tar.gz", test=pickled), UnsafeArchiveError)


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
def test_damaged_pickle_is_rejected(tmp_path: Path, pickled: bytes) -> None:
    assert "the pickle" in rejection(write_archive(tmp_path / "a.tar.gz", train=pickled), ArchiveError)


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
        entry("/etc/cron.d/malicious"),
    ],
    ids=lambda member: member[0].name,
)
def test_links_devices_and_paths_outside_the_archive_are_rejected(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes]
) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", extra=[member])

    # WHEN / THEN
    assert repr(member[0].name) in rejection(path, UnsafeArchiveError)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9, 0.999], ids=str)
def test_truncated_archive_is_rejected(tmp_path: Path, fraction: float) -> None:
    line = rejection(truncate(write_archive(tmp_path / "a.tar.gz"), fraction), ArchiveError)
    assert "truncated" in line or "not an intact .tar.gz" in line


def test_file_that_is_not_an_archive_is_rejected(tmp_path: Path) -> None:
    # GIVEN an HTML page, a folder, a missing file, and gzip without tar
    page = tmp_path / "page.html"
    page.write_text("<html>not found</html>")
    text = tmp_path / "text.gz"
    text.write_bytes(gzip.compress(b"not tar" * 1000))

    # WHEN / THEN
    assert "does not exist" in rejection(tmp_path / "none.tar.gz", ArchiveError)
    for path in (page, tmp_path, text):
        assert "not an intact .tar.gz" in rejection(path, ArchiveError)


def test_archive_with_a_wrong_gzip_checksum_is_rejected(tmp_path: Path) -> None:
    # GIVEN an archive in which one byte of the gzip checksum has changed
    path = write_archive(tmp_path / "a.tar.gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)

    # WHEN / THEN
    assert "not an intact .tar.gz" in rejection(path, ArchiveError)


def test_member_whose_header_states_a_huge_size_is_rejected(tmp_path: Path) -> None:
    # GIVEN a member whose header states 1 TiB, in a file of 1 MiB
    header = tarfile.TarInfo("cifar-100-python/train")
    header.size = 1 << 40
    path = zeros_in_gzip(tmp_path / "a.tar.gz", head=header.tobuf(), mebibytes=1)

    # WHEN / THEN
    assert "has more than 256 MiB" in rejection(path, UnsafeArchiveError)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE], ids=["long-name", "pax-header"])
def test_decompression_bomb_in_a_header_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    # GIVEN a header of 3 MiB, which tarfile would read into memory as a whole, and a limit of 1 MiB
    monkeypatch.setattr(module, "MAX_ARCHIVE_BYTES", 1 << 20)
    header = tarfile.TarInfo("bomb")
    header.type, header.size = kind, 3 << 20
    path = zeros_in_gzip(tmp_path / "a.tar.gz", head=header.tobuf(tarfile.USTAR_FORMAT), mebibytes=4)

    # WHEN / THEN
    assert "unpacks to more than 1 MiB" in rejection(path, UnsafeArchiveError)


def test_decompression_bomb_after_the_end_of_the_archive_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a valid archive, followed by 3 MiB of zeros, and a limit of 1 MiB
    monkeypatch.setattr(module, "MAX_ARCHIVE_BYTES", 1 << 20)
    valid = gzip.decompress(write_archive(tmp_path / "a.tar.gz").read_bytes())
    path = zeros_in_gzip(tmp_path / "b.tar.gz", head=valid, mebibytes=3)

    # WHEN / THEN
    assert "unpacks to more than 1 MiB" in rejection(path, UnsafeArchiveError)


def test_archive_with_too_many_members_is_rejected(tmp_path: Path) -> None:
    members = [entry(f"cifar-100-python/{number}") for number in range(module.MAX_MEMBERS)]
    path = write_archive(tmp_path / "a.tar.gz", extra=members)
    assert "more than 100 members" in rejection(path, UnsafeArchiveError)


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_error_names_the_missing_member(tmp_path: Path, name: str) -> None:
    path = write_archive(tmp_path / "a.tar.gz", omit=name)
    assert f"no {name}" in rejection(path, ArchiveError)


def test_archive_with_two_members_of_the_same_name_is_rejected(tmp_path: Path) -> None:
    # GIVEN a second member named train, in a different folder
    body = io.BytesIO(pickle.dumps(examples([BICYCLE]), protocol=2)).getvalue()
    info = tarfile.TarInfo("elsewhere/train")
    info.size = len(body)

    # WHEN / THEN
    assert "train twice" in rejection(write_archive(tmp_path / "a.tar.gz", extra=[(info, body)]), ArchiveError)


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
def test_invalid_examples_are_rejected(tmp_path: Path, change: dict[bytes, Any], words: str) -> None:
    # GIVEN
    path = write_archive(tmp_path / "a.tar.gz", test={**examples([BICYCLE, MOTORCYCLE]), **change})

    # WHEN
    line = rejection(path, ArchiveError)

    # THEN
    assert words in line
    assert "test" in line


def test_archive_of_a_different_data_set_is_rejected(tmp_path: Path) -> None:
    # GIVEN the keys of CIFAR-10
    cifar_10 = {b"labels": [0], b"data": np.zeros((1, 3072), np.uint8), b"filenames": [b"a.png"]}

    # WHEN / THEN
    assert "fine_labels" in rejection(write_archive(tmp_path / "a.tar.gz", train=cifar_10), ArchiveError)
    assert "fine_label_names" in rejection(
        write_archive(tmp_path / "b.tar.gz", meta={b"label_names": META[b"fine_label_names"]}),
        ArchiveError,
    )
