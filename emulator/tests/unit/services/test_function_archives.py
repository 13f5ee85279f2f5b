"""Zip archives of Lambda functions: unpacking, and refusal of unsafe, large or invalid archives."""

import hashlib
import io
import stat
import zipfile
from pathlib import Path

import pytest

from sagelocal.services.awslambda import archives
from sagelocal.services.awslambda.archives import Archives
from sagelocal.services.awslambda.errors import InvalidZipError
from sagelocal.services.awslambda.function import Archive

HEADER_BYTES = 30  # length of a member's header in a zip file, without the member's name


def make_archive(*members: tuple[str | zipfile.ZipInfo, bytes]) -> Archive:
    """Return a zip archive with files, each of which has a name and a content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in members:
            opened.writestr(name, content)
    return Archive(hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue())


def member(name: str, mode: int) -> zipfile.ZipInfo:
    """Return the name and the file mode of an archive's member."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def test_directories_and_permissions_are_preserved(tmp_path: Path) -> None:
    # GIVEN
    archive = make_archive(("a/b/c.py", b"1"), ("empty/", b""), (member("run.sh", 0o755), b"x"))
    # WHEN
    path = Archives(tmp_path).path(archive)
    # THEN
    assert (path / "a" / "b" / "c.py").read_bytes() == b"1"
    assert (path / "empty").is_dir()
    assert (path / "run.sh").stat().st_mode & stat.S_IXUSR


def test_archive_is_unpacked_only_once(tmp_path: Path) -> None:
    # GIVEN an unpacked archive, to whose directory a file was added
    store, archive = Archives(tmp_path), make_archive(("a", b"1"))
    (store.path(archive) / "mark").touch()
    # WHEN the directory is requested again, THEN the file still exists
    assert (store.path(archive) / "mark").exists()


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../../b", "/a", member("link", stat.S_IFLNK | 0o777)],
    ids=["parent", "deep-parent", "absolute", "link"],
)
def test_archive_with_a_link_or_a_path_outside_its_directory_is_refused(
    tmp_path: Path, name: str | zipfile.ZipInfo
) -> None:
    # GIVEN
    store = Archives(tmp_path / "code")
    # WHEN / THEN
    with pytest.raises(InvalidZipError, match="is a link or is outside the archive"):
        store.path(make_archive(("good.py", b""), (name, b"good.py")))
    assert list((tmp_path / "code").iterdir()) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "code"]


def test_content_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(archives, "MAX_BYTES", 10)
    # WHEN / THEN
    with pytest.raises(InvalidZipError, match=r"must not exceed 10 bytes \(got \d+\)"):
        Archives(tmp_path).path(make_archive(("a", b"x" * 11)))


def damaged(compression: int, *, offset: int = 0) -> bytes:
    """Return an archive whose compressed data is damaged, beginning at `offset` in this data."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        opened.writestr("module.py", bytes(range(256)))
    content = bytearray(buffer.getvalue())
    start = HEADER_BYTES + len("module.py") + offset
    content[start : start + 10] = b"\xff" * 10
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a zip", "not a zip"),
        (damaged(zipfile.ZIP_DEFLATED), "invalid block type"),
        (damaged(zipfile.ZIP_BZIP2), "Invalid data stream"),
        (damaged(zipfile.ZIP_LZMA, offset=9), "Corrupt input data"),
        (make_archive(("a/b", b""), ("a", b"")).content, "Is a directory"),
        (make_archive(("a", b""), ("a/b", b"")).content, "File exists"),
    ],
    ids=["not a zip", "damaged deflate", "damaged bzip2", "damaged lzma", "file after folder", "folder after file"],
)
def test_invalid_archive_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    # WHEN / THEN
    with pytest.raises(InvalidZipError, match=rf"Lambda was not able to unzip the file: .*{reason}"):
        Archives(tmp_path).path(Archive("digest", content))
    assert list(tmp_path.iterdir()) == []
