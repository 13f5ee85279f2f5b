"""Packing and unpacking of `tar.gz` archives of models and job outputs."""

import io
import random
import tarfile
from pathlib import Path

import pytest

from sagelocal.services.sagemaker.archives import ArchiveError, pack, unpack


def archive(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "") -> io.BytesIO:
    """Return a `tar.gz` archive with one empty member.

    kind : tarfile's type of the member
    link : target of a symbolic link
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as made:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        made.addfile(member, io.BytesIO())
    stream.seek(0)
    return stream


def damaged(compression: str) -> io.BytesIO:
    """Return a compressed archive whose second half is damaged."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as made:  # type: ignore[call-overload]
        member = tarfile.TarInfo("model")
        member.size = 100_000
        made.addfile(member, io.BytesIO(random.Random(0).randbytes(member.size)))
    content = bytearray(stream.getvalue())
    content[len(content) // 2 :: 100] = bytes(len(content[len(content) // 2 :: 100]))
    return io.BytesIO(bytes(content))


def test_unpacked_folder_has_the_files_of_the_packed_folder(tmp_path: Path) -> None:
    # GIVEN
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "code").mkdir(parents=True)
    (source / "model.onnx").write_bytes(bytes(range(256)))
    (source / "code" / "inference.py").write_text("pass\n")
    # WHEN
    packed = pack(source)
    unpack(io.BytesIO(packed), target)
    # THEN
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as members:
        assert members.getnames() == ["code", "code/inference.py", "model.onnx"]
    assert (target / "model.onnx").read_bytes() == bytes(range(256))
    assert (target / "code" / "inference.py").read_text() == "pass\n"


def test_empty_folder_becomes_an_empty_archive(tmp_path: Path) -> None:
    # WHEN
    packed = pack(tmp_path)
    # THEN
    with tarfile.open(fileobj=io.BytesIO(packed)) as members:
        assert members.getnames() == []


@pytest.mark.parametrize(
    "stream",
    [
        archive("../outside"),
        archive("link", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        archive("pipe", kind=tarfile.FIFOTYPE),
        io.BytesIO(b"not an archive"),
        io.BytesIO(archive("model").getvalue()[:40]),
        damaged("gz"),
        damaged("xz"),
    ],
    ids=["parent", "link", "pipe", "not an archive", "truncated", "damaged gz", "damaged xz"],
)
def test_invalid_or_unsafe_archive_is_refused(tmp_path: Path, stream: io.BytesIO) -> None:
    # GIVEN
    folder = tmp_path / "model"
    folder.mkdir()
    # WHEN / THEN
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(stream, folder)
    assert not (tmp_path / "outside").exists()
