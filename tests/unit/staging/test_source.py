"""The option SOURCE of `make stage` is resolved to an archive, with a description that identifies the data set.

The sample is a synthetic data set that this project draws.
"""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from staging import source as module
from staging.checksum import file_md5
from staging.errors import StagingError
from staging.extract import CHECKSUMS
from staging.source import Source, resolve
from staging.stage import stage
from staging.synthetic.sample import draw_archive
from tests.unit.staging.archives import write_archive
from tests.unit.staging.fakes import FakeS3, Site, serve


@pytest.fixture(autouse=True)
def drawn_samples(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replace the slow drawing of samples by writing a small archive, and return the list of written archives."""
    drawn = []

    def draw(path: Path, *, seed: int, classes: tuple[str, ...]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.append(write_archive(path))
        return path

    monkeypatch.setattr(module, "draw_archive", draw)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return drawn


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A local server that replaces the official server, and whose small archive counts as the official archive."""
    content = write_archive(tmp_path / "small.tar.gz").read_bytes()
    with serve(Site(content)) as site:
        address = site.url.replace("cifar.tar.gz", "cifar-100-python.tar.gz")
        md5 = file_md5(tmp_path / "small.tar.gz")
        monkeypatch.setattr(module, "OFFICIAL_URL", address)
        monkeypatch.setattr(module, "OFFICIAL_MD5", md5)
        monkeypatch.setitem(CHECKSUMS, address, md5)
        yield site


def test_auto_downloads_the_official_archive_once(
    official: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # WHEN SOURCE=auto is resolved twice
    first = resolve("auto", directory=tmp_path / "archives")
    requests = len(official.requests)
    second = resolve("auto", directory=tmp_path / "archives")

    # THEN
    assert first == second
    assert first.description == f"CIFAR-100 (cifar-100-python.tar.gz, md5 {first.md5})"
    assert len(official.requests) == requests
    assert "WARNING" not in capsys.readouterr().err


def test_auto_without_a_network_warns_and_uses_the_sample(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # GIVEN the URL of a server that has stopped
    with serve(Site(b"")) as stopped:
        monkeypatch.setattr(module, "OFFICIAL_URL", stopped.url)

    # WHEN
    source = resolve("auto", directory=tmp_path)

    # THEN
    assert source.description == "synthetic sample drawn by this project (seed 0)"
    assert source.synthetic
    assert "SYNTHETIC SAMPLE drawn by this project" in capsys.readouterr().err


def test_auto_uses_the_sample_after_a_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a request to the official URL that does not return within the timeout
    is_resolved = threading.Event()
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(module, "_probe", lambda url: is_resolved.wait(30) and None)

    # WHEN
    source = resolve("auto", directory=tmp_path)
    is_resolved.set()

    # THEN
    assert source.synthetic
    assert "no response" in capsys.readouterr().err


def test_auto_uses_the_sample_if_the_official_url_returns_an_error(
    official: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_probe", lambda url: "it returned 403")
    assert resolve("auto", directory=tmp_path / "archives").synthetic


@pytest.mark.parametrize("source", ["auto", "sample"])
def test_unknown_classes_are_rejected_before_anything_is_downloaded_or_drawn(
    official: Site, tmp_path: Path, drawn_samples: list[Path], source: str
) -> None:
    # WHEN
    with pytest.raises(StagingError, match="most similar: bicycle"):
        resolve(source, directory=tmp_path / "archives", classes=("bicicle", "bus"))

    # THEN
    assert official.requests == []
    assert drawn_samples == []


def test_sample_is_drawn_once_for_each_seed(tmp_path: Path, drawn_samples: list[Path]) -> None:
    # WHEN
    first = resolve("sample", directory=tmp_path)
    second = resolve("sample", directory=tmp_path)
    different_seed = resolve("sample", directory=tmp_path, seed=3)

    # THEN
    assert first == second
    assert len(drawn_samples) == 2
    assert different_seed.description == "synthetic sample drawn by this project (seed 3)"


def test_local_archive_with_the_official_name_is_described_as_not_official(tmp_path: Path) -> None:
    # GIVEN a different archive with the name of the official archive
    path = write_archive(tmp_path / "cifar-100-python.tar.gz")

    # WHEN
    source = resolve(str(path), directory=tmp_path / "archives")

    # THEN
    assert source.path == path
    assert source.md5 in source.description
    assert "not the official" in source.description
    assert not source.synthetic
    assert not (tmp_path / "archives").exists()


def test_archives_with_the_same_name_from_two_urls_are_both_kept(tmp_path: Path) -> None:
    # GIVEN two servers whose archives differ, but have the same name
    first_content = write_archive(tmp_path / "one.tar.gz").read_bytes()
    second_content = write_archive(tmp_path / "two.tar.gz", meta=b"other").read_bytes()

    # WHEN
    with serve(Site(first_content)) as first, serve(Site(second_content)) as second:
        sources = [resolve(site.url, directory=tmp_path / "archives") for site in (first, second)]

    # THEN
    assert [source.path.read_bytes() for source in sources] == [first_content, second_content]


def test_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match=r"nowhere\.tar\.gz' is not a file: SOURCE must be auto, sample"):
        resolve(str(tmp_path / "nowhere.tar.gz"), directory=tmp_path)


def test_manifest_describes_the_source_and_lists_all_objects(tmp_path: Path) -> None:
    # GIVEN
    source = resolve("sample", directory=tmp_path)
    s3 = FakeS3()

    # WHEN
    manifest = stage(
        source,
        classes=["motorcycle", "bicycle"],
        bucket="b",
        s3=s3,
        directory=tmp_path / "images",
        seed=5,
    )

    # THEN
    assert (manifest.source, manifest.source_md5, manifest.seed) == (source.description, source.md5, 5)
    assert manifest.synthetic
    assert manifest.classes == ("motorcycle", "bicycle")
    assert set(manifest.objects) == set(s3.list_keys()) - {"manifest.json"}


def test_nothing_is_uploaded_from_an_archive_with_a_malicious_pickle(tmp_path: Path) -> None:
    # GIVEN an archive with a pickle that calls os.system
    path = write_archive(tmp_path / "a.tar.gz", test=b"cos\nsystem\n(S'true'\ntR.")
    s3 = FakeS3()

    # WHEN
    with pytest.raises(StagingError, match=r"os\.system"):
        stage(
            Source(path, "malicious", md5="", synthetic=False),
            classes=["bicycle", "motorcycle"],
            bucket="b",
            s3=s3,
            directory=tmp_path / "images",
        )

    # THEN
    assert s3.objects == {}
    assert not (tmp_path / "images").exists()


def test_sample_for_pretraining_has_images_of_other_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a sample with few images
    monkeypatch.setattr(module, "draw_archive", partial(draw_archive, train=4, test=1))

    # WHEN
    source = resolve("sample", directory=tmp_path, other_classes=True)
    manifest = stage(
        source,
        classes=("bicycle", "motorcycle"),
        bucket="bucket",
        directory=tmp_path / "images",
        other_classes=True,
        s3=FakeS3(),
    )

    # THEN
    assert manifest.has_pretraining_data
    assert manifest.splits["train"].per_class == {"bicycle": 3, "motorcycle": 3}
