"""Chromium, driven by Playwright, for tests of HTML pages.

Playwright's synchronous API keeps an event loop running in the thread of the tests, so a process that has used the
fixture `browser` cannot call `asyncio.run`. Therefore put all tests of pages into the `xdist_group` GROUP, whose tests
run in one process and share one browser.
"""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

GROUP = "browser"
TIMEOUT_MS = 30_000  # long enough for a busy machine


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. If Chromium is not installed, the test is skipped."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no chromium on the PATH (Debian and Ubuntu: apt-get install chromium)")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        # Neither root nor users on Ubuntu can start Chromium's sandbox. The tests open only pages of this project.
        chromium = playwright.chromium.launch(executable_path=executable, chromium_sandbox=False)
        yield chromium
        chromium.close()


def watch(page: Page, *allowed: str) -> list[str]:
    """Return a list to which the page's console errors, exceptions and requests to forbidden URLs are added.

    Parameters
    ----------
    page : browser page to watch
    allowed : prefixes of the URLs that the page may request, such as `file://` or the URL of the page's server
    """
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((*allowed, "data:", "blob:")) else problems.append(request.url),
    )
    return problems


def overflowing(page: Page) -> list[str]:
    """Return the HTML elements that are too wide for the page; an empty list if the page does not scroll sideways."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            return [...document.body.querySelectorAll("*")]
                .filter(element => element.getBoundingClientRect().right > width + 0.5)
                .map(element => element.outerHTML.slice(0, 120));
        }"""
    )
    return found
