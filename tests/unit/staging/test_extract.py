"""Fetching: resumed, retried, checked, and whole or not there at all."""

import gzip
import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from staging import download, extract
from staging.download import ChecksumError, DownloadError, NotGzipError
from staging.errors import StagingError
from staging.extract import ArchiveMissingError, ArchiveNotWritableError, UnknownSchemeError, extract_cifar_data
from tests.unit.staging.fakes import Site, serve

CONTENT = gzip.compress(random.Random(0).randbytes(700_000), mtime=0)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
CHANGED = gzip.compress(random.Random(1).randbytes(700_000), mtime=0)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    """A factory of web servers."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serve(Site(**{"content": CONTENT, **settings})))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_fetched_whole(site: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN
    target = tmp_path / "new" / "folder" / "cifar.tar.gz"

    # WHEN
    path = extract_cifar_data(site().url, str(target))

    # THEN
    assert path == target
    assert path.read_bytes() == CONTENT


def test_the_file_is_called_cifar_tar_gz_unless_named(
    site: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert extract_cifar_data(site().url) == Path("cifar.tar.gz")
    assert Path("cifar.tar.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("failures", [["503"], ["429", "500"], ["cut"], ["cut", "502", "cut"]], ids=str)
def test_what_fails_in_passing_is_tried_again(site: Callable[..., Site], tmp_path: Path, failures: list[str]) -> None:
    # GIVEN
    server = site(failures=list(failures))

    # WHEN
    path = extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == len(failures) + 1


def test_an_interrupted_download_goes_on_where_it_stopped(site: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN a run that got a half and then nothing more
    server = site(failures=["cut", "503", "503", "503"])
    target = tmp_path / "a.tar.gz"
    with pytest.raises(DownloadError, match="503"):
        extract_cifar_data(server.url, str(target))
    assert not target.exists()

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN
    assert target.read_bytes() == CONTENT
    assert server.requests[-1] == ("GET", f"bytes={len(CONTENT) // 2}-")
    assert not (tmp_path / "a.tar.gz.part").exists()


@pytest.mark.parametrize("ranges", [True, False], ids=["by-range", "server-without-ranges"])
def test_a_remote_that_changed_is_fetched_anew(site: Callable[..., Site], tmp_path: Path, ranges: bool) -> None:
    # GIVEN half of what was there before
    server = site(failures=["cut", "503", "503", "503"], ranges=ranges)
    target = tmp_path / "a.tar.gz"
    with pytest.raises(DownloadError):
        extract_cifar_data(server.url, str(target))
    server.content, server.etag = CHANGED, '"two"'

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN nothing of the two is mixed
    assert target.read_bytes() == CHANGED


@pytest.mark.parametrize("etag", [None, 'W/"weak"'], ids=["no-etag", "weak-etag"])
def test_what_cannot_be_told_apart_is_not_continued(
    site: Callable[..., Site], tmp_path: Path, etag: str | None
) -> None:
    # GIVEN
    server = site(failures=["cut"], etag=etag)

    # WHEN
    path = extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert path.read_bytes() == CONTENT
    assert server.requests == [("GET", None), ("GET", None)]


def test_a_part_that_is_already_whole_does_no_harm(site: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN a run that was killed between the last byte and the renaming
    server = site()
    target = extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))
    target.rename(tmp_path / "a.tar.gz.part")
    (tmp_path / "a.tar.gz.origin.json").rename(tmp_path / "a.tar.gz.part.origin.json")

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN
    assert target.read_bytes() == CONTENT


def test_what_is_here_already_is_not_fetched_again(site: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN
    server = site()
    target = str(tmp_path / "a.tar.gz")
    extract_cifar_data(server.url, target)

    # WHEN
    extract_cifar_data(server.url, target)

    # THEN
    assert [method for method, _ in server.requests] == ["GET", "HEAD"]

    # WHEN it changes there
    server.content, server.etag = CHANGED, '"two"'
    path = extract_cifar_data(server.url, target)

    # THEN
    assert path.read_bytes() == CHANGED


def test_a_known_checksum_is_enough_to_leave_the_network_alone(
    site: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    server = site()
    monkeypatch.setitem(extract.CHECKSUMS, server.url, MD5)
    target = tmp_path / "a.tar.gz"
    target.write_bytes(CONTENT)

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN
    assert server.requests == []


@pytest.mark.parametrize("before", [None, b"something older"], ids=["nothing", "another"])
def test_a_wrong_checksum_leaves_nothing_under_the_name(
    site: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    # GIVEN
    server = site()
    monkeypatch.setitem(extract.CHECKSUMS, server.url, "0" * 32)
    target = tmp_path / "a.tar.gz"
    if before:
        target.write_bytes(before)

    # WHEN
    with pytest.raises(ChecksumError, match=MD5):
        extract_cifar_data(server.url, str(target))

    # THEN
    assert names(tmp_path) == set()


def test_the_official_checksum_is_known() -> None:
    assert extract.CHECKSUMS[extract.OFFICIAL_URL] == "eb9058c3a382ffc7106e4002c42a8d85"


def test_a_page_in_place_of_the_archive_is_refused(site: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN a portal that answers everything with its own page
    server = site(content=b"<html>please log in</html>")

    # WHEN
    with pytest.raises(NotGzipError):
        extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert names(tmp_path) == set()


def test_what_will_not_get_better_is_not_tried_again(site: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN
    server = site(failures=["404"])

    # WHEN
    with pytest.raises(DownloadError, match="404"):
        extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert len(server.requests) == 1


def test_a_server_that_is_gone_is_reported_in_one_line(tmp_path: Path) -> None:
    # GIVEN a port that was free a moment ago
    with serve(Site(CONTENT)) as closed:
        url = closed.url

    # WHEN
    with pytest.raises(DownloadError) as caught:
        extract_cifar_data(url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert "refused" in str(caught.value).lower()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("as_url", [False, True], ids=["path", "file-url"])
def test_a_local_file_is_copied(tmp_path: Path, as_url: bool) -> None:
    # GIVEN
    source = tmp_path / "my archive.tar.gz"
    source.write_bytes(CONTENT)

    # WHEN
    path = extract_cifar_data(source.as_uri() if as_url else str(source), str(tmp_path / "copy.tar.gz"))

    # THEN
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == {"my archive.tar.gz", "copy.tar.gz"}


def test_a_file_may_be_brought_to_where_it_is(tmp_path: Path) -> None:
    source = tmp_path / "a.tar.gz"
    source.write_bytes(CONTENT)
    assert extract_cifar_data(str(source), str(source)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("none.tar.gz", ArchiveMissingError),
        (".", ArchiveMissingError),
        ("file:///nowhere/none.tar.gz", ArchiveMissingError),
        ("s3://bucket/none.tar.gz", UnknownSchemeError),
        ("ftp://host/none.tar.gz", UnknownSchemeError),
        ("text.txt", NotGzipError),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_address_that_names_no_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, error: type[StagingError]
) -> None:
    # GIVEN
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("text")

    # WHEN
    with pytest.raises(error):
        extract_cifar_data(address, "copy.tar.gz")

    # THEN
    assert names(tmp_path) == {"text.txt"}


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    # GIVEN a file where a folder should be
    (tmp_path / "file").write_bytes(CONTENT)

    # WHEN / THEN
    with pytest.raises(ArchiveNotWritableError):
        extract_cifar_data(str(tmp_path / "file"), str(tmp_path / "file" / "a.tar.gz"))
