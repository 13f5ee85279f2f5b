"""The pytest plugin `sagelocal` in a test session of its own."""

import subprocess
import sys
from pathlib import Path

TEST_WITHOUT_FIXTURES = """
import sys

def test_nothing():
    assert not {"boto3", "botocore", "moto", "cheroot", "sagelocal.core.background"} & set(sys.modules)
    assert "sagelocal.pytest_plugin" in sys.modules
"""


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_unused_plugin_imports_no_heavy_module(tmp_path: Path) -> None:
    # GIVEN a test that does not use the plugin's fixtures
    (tmp_path / "test_nothing.py").write_text(TEST_WITHOUT_FIXTURES)
    # WHEN
    ended = run_pytest(tmp_path)
    # THEN
    assert ended.returncode == 0, ended.stdout


def test_pytest_lists_the_fixtures_with_their_scope(tmp_path: Path) -> None:
    # WHEN
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    # THEN
    for name in ("sagelocal", "sagelocal_images", "sagelocal_quotas"):
        assert f"\n{name} [session scope] -- " in listing
