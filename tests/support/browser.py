"""Chromium, driven by Playwright, for tests of HTML pages.

Playwright's synchronous API keeps an event loop running in the thread of the tests, so a process that has used the
fixture cannot call `asyncio.run`. Put the tests of pages into the `xdist_group` named by GROUP: they share one browser.
"""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

GROUP = "browser"
TIMEOUT_MS = 30_000  # on a busy machine


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; without one, the test is skipped."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no chromium on the PATH (Debian and Ubuntu: apt-get install chromium)")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        # without Chromium's sandbox, which neither root nor Ubuntu's users can start; the pages are the project's own
        chromium = playwright.chromium.launch(executable_path=executable, chromium_sandbox=False)
        yield chromium
        chromium.close()


def watch(page: Page, *allowed: str) -> list[str]:
    """Return a list that grows with the page's console errors, exceptions, and requests to other places.

    Parameters
    ----------
    allowed : beginnings of the URLs that the page may request, such as `file://` or the address of its own server
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
    """Return the elements that reach beyond the right edge of the page, and make it scroll sideways."""
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
