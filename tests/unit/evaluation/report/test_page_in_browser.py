"""The report in Chromium: no errors, no requests, valid links, and no content that is too wide for phone or paper."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from common.files import write_json
from evaluation import figures
from evaluation.report.page import render
from evaluation.report.results import Results
from tests.support.browser import GROUP, overflowing, watch
from tests.unit.evaluation.report.pages import TRAINING, all_results, results_of

pytestmark = pytest.mark.xdist_group(GROUP)
WRITTEN = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
WIDTHS = (360, 1440)
A4_WIDTH = 680  # pixels between margins of 1.5 cm
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="648" height="273" viewBox="0 0 648 273">'
    '<rect width="648" height="273" fill="{}"/></svg>'
)


def training_results(directory: Path) -> Results:
    """Write the result file of `make train`, and return results without those of other commands."""
    write_json(directory / "training.json", TRAINING)
    return results_of(directory)


@pytest.fixture(scope="module", params=[all_results, training_results], ids=["all results", "one result"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a report, with empty drawings of a figure's size, because drawing the figures is slow."""
    make: Callable[[Path], Results] = request.param
    directory = tmp_path_factory.mktemp("report")
    path = directory / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "as_svg", lambda draw, theme: SVG.format(theme.accent))
        path.write_text(render(make(directory), written=WRITTEN))
    return path.as_uri()


@contextmanager
def opened(browser: Browser, address: str, width: int, scheme: Literal["dark", "light"] = "light") -> Iterator[Page]:
    """Open the report in a browser page of this width in pixels."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(address)
    yield page
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_errors_requests_no_other_files_and_follows_the_theme(
    browser: Browser, address: str, scheme: Literal["dark", "light"]
) -> None:
    # GIVEN
    page = browser.new_page(color_scheme=scheme)
    problems = watch(page, "file://")

    # WHEN
    page.goto(address)

    # THEN there are no problems, all images are shown and have a text, and the background is that of the theme
    assert problems == []
    broken = "[...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.alt)"
    assert page.evaluate(broken) == []
    assert page.evaluate("[...document.images].every(image => image.alt)")
    background = {"light": "rgb(244, 246, 248)", "dark": "rgb(15, 19, 24)"}[scheme]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_content_is_wider_than_the_page(browser: Browser, address: str, width: int) -> None:
    with opened(browser, address, width) as page:
        assert overflowing(page) == []
        page.emulate_media(media="print")
        assert overflowing(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_figure_has_a_hint_if_and_only_if_it_scrolls_sideways(browser: Browser, address: str, width: int) -> None:
    with opened(browser, address, width) as page:
        mismatch = "figure => (figure.scrollWidth > figure.clientWidth) !== /scroll it sideways/.test(figure.innerText)"
        assert (
            page.evaluate(f"[...document.querySelectorAll('figure')].filter({mismatch}).map(each => each.innerText)")
            == []
        )


def test_every_link_leads_to_a_section_of_the_page(browser: Browser, address: str) -> None:
    with opened(browser, address, 360) as page:
        dangling = "[...document.links].filter(link => !document.querySelector(link.hash)).map(link => link.href)"
        assert page.evaluate(dangling) == []
        page.locator("nav a").last.click()
        assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top < innerHeight")


def test_no_table_or_figure_is_wider_than_paper(browser: Browser, address: str) -> None:
    with opened(browser, address, A4_WIDTH) as page:
        page.emulate_media(media="print")
        cut = "[...document.querySelectorAll('.scroll, figure')].filter(each => each.scrollWidth > each.clientWidth)"
        assert page.evaluate(f"{cut}.map(each => each.innerText)") == []
        assert overflowing(page) == []


def test_the_page_is_printed_in_the_light_theme(browser: Browser, address: str) -> None:
    with opened(browser, address, 1440, "dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.wait_for_function("[...document.images].every(image => image.currentSrc === image.src)")
