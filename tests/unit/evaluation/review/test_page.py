"""The review page in a browser: keyboard, touch, two people, a phone, a screen reader, and a server that ends."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser import GROUP, overflowing, watch
from tests.support.waiting import eventually
from tests.unit.evaluation.review.conftest import Serve, Served
from tests.unit.evaluation.review.fakes import FakeS3, error

pytestmark = pytest.mark.xdist_group(GROUP)

PHONE = {"width": 360, "height": 640}
TWO = ("bicycle", "motorcycle")
TEN = (*TWO, "bus", "pickup_truck", "tractor", "lawn_mower", "rocket", "streetcar", "tank", "train")


class Opened:
    """A review page in a browser, and what goes wrong in it."""

    def __init__(self, browser: Browser, served: Served, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.problems = watch(self.page, served.origin)
        self.page.goto(served.address.url)
        self.shows("image to classify")

    def shows(self, name: str) -> None:
        expect(self.page.get_by_role("img", name=name)).to_be_visible()

    def press(self, *keys: str) -> None:
        self.page.wait_for_selector("#image:not([hidden]), #finished:not([hidden])")  # before, keys do nothing
        for key in keys:
            self.page.keyboard.press(key)

    def look(self) -> None:
        """Wait about as long as a person looks at an image, before a click."""
        self.page.wait_for_timeout(300)

    def says(self, text: str) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(text)

    def progress(self, text: str) -> None:
        expect(self.page.get_by_label(re.compile("answered"))).to_be_visible()
        expect(self.page.locator("#progress-text")).to_have_text(text)


@pytest.fixture
def opened(browser: Browser) -> Iterator[Any]:
    """A function that opens the page of a server; the pages must be free of errors and of requests to other places."""
    pages: list[Opened] = []

    def opened(served: Served, **options: Any) -> Opened:
        pages.append(Opened(browser, served, **options))
        return pages[-1]

    yield opened
    for each in pages:
        each.context.close()
    assert [problem for each in pages for problem in each.problems] == []


def labels(s3: FakeS3) -> dict[str, str]:
    """Return the stored labels by ID."""
    found = {key: body.decode() for key, body in s3.objects.items() if key.startswith("labels/")}
    return {key[-6]: body.partition('"label": "')[2].partition('"')[0] for key, body in found.items()}


def test_keys_answer_skip_and_undo(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN
    here = opened(serve())
    here.progress("0 of 3 answered")

    # WHEN the first image is answered, the second one skipped, and the third one answered and taken back
    here.press("1")
    here.says("Stored: bicycle.\nThe model: motorcycle, confidence 0.60.\nWhy you were asked: low confidence.")
    here.press("s")
    here.says("Skipped")
    here.press("n")
    here.says("Stored: neither.")
    assert labels(s3) == {"a": "bicycle", "c": "neither"}
    here.press("u")
    here.says("The last answer is deleted")
    here.progress("1 of 3 answered")
    here.press("2")
    here.says("Stored: motorcycle.")
    here.press("2")

    # THEN
    expect(here.page.get_by_role("heading", name="No image is left")).to_be_visible()
    here.progress("3 of 3 answered")
    assert labels(s3) == {"a": "bicycle", "b": "motorcycle", "c": "motorcycle"}


def test_undo_says_that_the_answer_is_deleted_when_keys_work_again(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN a browser that takes half a second to decode an image
    here = opened(serve())
    here.page.evaluate("HTMLImageElement.prototype.decode = () => new Promise((done) => setTimeout(done, 500))")
    here.press("1")
    here.says("Stored: bicycle.")

    # WHEN
    here.press("u")
    here.says("The last answer is deleted")
    here.press("2")

    # THEN
    here.says("Stored: motorcycle.")
    assert labels(s3) == {"a": "motorcycle"}


def test_next_image_appears_without_another_request(serve: Serve, opened: Any) -> None:
    # GIVEN a page that has loaded the images ahead
    here = opened(serve())
    image = here.page.locator("#image")
    first = image.get_attribute("src")
    here.page.wait_for_load_state("networkidle")
    here.page.route("**/next", lambda route: None)  # never answered

    # WHEN
    here.press("1")

    # THEN
    assert eventually(lambda: image.get_attribute("src") != first)
    here.shows("image to classify")


@pytest.mark.parametrize("is_late", [True, False])
def test_image_that_is_loaded_during_undo_comes_once(serve: Serve, s3: FakeS3, opened: Any, is_late: bool) -> None:
    # GIVEN an answer that is taken back while the page asks for the next image
    here = opened(serve())
    here.page.wait_for_load_state("networkidle")
    requests: dict[str, Any] = {}
    for name in ("next", "undo"):
        here.page.route(f"**/{name}", lambda route: requests.setdefault(route.request.url.rpartition("/")[2], route))
    here.press("1")
    here.says("Stored: bicycle.")
    assert eventually(lambda: here.page.wait_for_timeout(20) or requests)
    here.press("u")
    assert eventually(lambda: here.page.wait_for_timeout(20) or len(requests) == 2)

    # WHEN both responses bring the image, one after the other
    undone, loaded = (requests[name].fetch() for name in ("undo", "next"))
    responses = [("undo", undone), ("next", loaded)]
    for name, response in responses if is_late else responses[::-1]:
        requests[name].fulfill(response=response)
        here.look()
    here.page.unroute_all()

    # THEN
    here.press("2")
    here.says("Stored: motorcycle.")
    here.press("2", "2")
    here.look()
    here.press("2")
    expect(here.page.get_by_role("heading", name="No image is left")).to_be_visible()
    assert labels(s3) == dict.fromkeys("abc", "motorcycle")


def test_class_with_several_digits_is_typed_completely(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN ten classes
    here = opened(serve("ana", TEN))

    # WHEN digits without a class, digits that another key interrupts, and the digits of two classes are typed
    here.press("9", "9", "1", "x", "0", "4")
    here.says("Stored: pickup truck.")
    here.press("1", "0")
    here.says("Stored: train.")

    # THEN
    assert labels(s3) == {"a": "pickup_truck", "b": "train"}


def test_keys_of_the_browser_and_keys_that_are_off_do_not_answer(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN
    here = opened(serve())

    # WHEN
    here.press("Control+1", "Alt+2")
    here.page.get_by_label("The keys on the buttons work").uncheck()
    here.press("1", "n")
    here.look()
    here.page.get_by_role("button", name="motorcycle").press("Enter")

    # THEN
    here.says("Stored: motorcycle.")
    assert labels(s3) == {"a": "motorcycle"}


def test_double_click_answers_for_one_image(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN
    here = opened(serve())
    button = here.page.get_by_role("button", name="motorcycle")
    here.look()

    # WHEN
    button.click(click_count=2, delay=60)
    here.says("Stored: motorcycle.")
    here.look()

    # THEN
    assert labels(s3) == {"a": "motorcycle"}
    button.click()
    here.progress("2 of 3 answered")


def test_two_people_label_each_image_once(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN two people who look at the same image
    ana, ben = opened(serve()), opened(serve("ben"))

    # WHEN
    ana.press("1")
    ana.says("Stored: bicycle.")
    ben.press("2")

    # THEN ben gets a message and sees the next image
    ben.says("Not stored: ana has answered for this image")
    ben.progress("1 of 3 answered")
    ben.press("2")
    ben.says("Stored: motorcycle.")
    assert labels(s3) == {"a": "bicycle", "b": "motorcycle"}
    ben.problems.clear()  # Chromium reports the response 409


def test_answer_that_cannot_be_stored_keeps_the_image(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN credentials that expire for a moment
    here, put = opened(serve()), s3.put_object

    def refuse(**_: Any) -> Any:
        raise error("ExpiredToken")

    s3.put_object = refuse  # type: ignore[method-assign]

    # WHEN
    here.press("1")
    expect(here.page.get_by_role("alert")).to_contain_text(re.compile("Not stored.*ExpiredToken"))
    s3.put_object = put  # type: ignore[method-assign]
    here.press("2")

    # THEN
    here.says("Stored: motorcycle.")
    expect(here.page.get_by_role("alert")).to_be_hidden()
    assert labels(s3) == {"a": "motorcycle"}
    here.problems.clear()  # Chromium reports the response 502


def test_image_comes_again_after_an_undo_whose_image_could_not_be_read(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN a finished queue, and credentials that expire after the deletion of the last answer
    here, get = opened(serve()), s3.get_object
    for key, label in (("1", "bicycle"), ("2", "motorcycle"), ("n", "neither")):
        here.press(key)
        here.says(f"Stored: {label}.")
    expect(here.page.get_by_role("heading", name="No image is left")).to_be_visible()

    def refuse(**_: Any) -> Any:
        s3.get_object = get  # type: ignore[method-assign]
        raise error("ExpiredToken")

    s3.get_object = refuse  # type: ignore[method-assign]

    # WHEN
    here.press("u")

    # THEN
    here.shows("image to classify")
    assert labels(s3) == {"a": "bicycle", "b": "motorcycle"}
    here.problems.clear()  # Chromium reports the response 502


def test_ended_server_is_reported_and_another_one_continues(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN
    served = serve()
    here = opened(served)
    here.press("1")
    here.says("Stored: bicycle.")
    served.stop()

    # WHEN
    here.press("2")

    # THEN
    expect(here.page.get_by_role("alert")).to_contain_text("Run make review again")
    here.page.close()
    here.problems.clear()  # Chromium reports the refused connections, the last of them after the alert
    again = opened(serve())
    again.progress("1 of 3 answered")
    again.press("2")
    again.says("Stored: motorcycle.")
    assert labels(s3) == {"a": "bicycle", "b": "motorcycle"}


def test_answer_whose_response_is_lost_is_perhaps_stored(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN a server that ends after it stored an answer
    here = opened(serve())

    def lose_response(route: Route) -> None:
        route.fetch()
        route.abort()

    here.page.route("**/answers", lose_response)

    # WHEN
    here.press("1")

    # THEN
    expect(here.page.get_by_role("alert")).to_contain_text("Perhaps not stored: the image comes again if it has no")
    assert labels(s3) == {"a": "bicycle"}
    here.page.unroute("**/answers")
    here.press("2")
    here.says("Not stored: ana has answered for this image")
    assert labels(s3) == {"a": "bicycle"}
    here.page.close()
    here.problems.clear()  # Chromium reports the lost response, and the refused answer


@pytest.mark.parametrize(("classes", "scheme"), [(TWO, "light"), (TEN, "dark")])
def test_page_fits_a_phone_and_is_used_by_touch(
    serve: Serve, s3: FakeS3, opened: Any, classes: tuple[str, ...], scheme: str
) -> None:
    # GIVEN
    here = opened(serve("ana", classes), viewport=PHONE, has_touch=True, is_mobile=True, color_scheme=scheme)

    # WHEN
    buttons = here.page.get_by_role("button").all()
    heights = [box["height"] for button in buttons if (box := button.bounding_box())]
    here.look()
    here.page.get_by_role("button", name="motorcycle").tap()

    # THEN the buttons are at least 44 pixels high: https://www.w3.org/WAI/WCAG22/Understanding/target-size-enhanced.html
    here.says("Stored: motorcycle.")
    assert overflowing(here.page) == []
    assert min(heights) >= 44
    assert labels(s3) == {"a": "motorcycle"}


def test_screen_reader_gets_roles_names_and_messages(serve: Serve, opened: Any) -> None:
    # WHEN
    here = opened(serve())
    page = here.page

    # THEN
    group = page.get_by_role("region", name="What does the image show?")
    assert [button.text_content() for button in group.get_by_role("button").all()] == [
        "1bicycle",
        "2motorcycle",
        "nneither",
        "sSkip",
        "uUndo",
    ]
    # the keys are hidden from the name
    expect(group.get_by_role("button", name="bicycle", exact=True)).to_have_attribute("aria-keyshortcuts", "1")
    expect(page.get_by_role("progressbar", name="0 of 3 answered")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review of images")
    assert page.locator("html").get_attribute("lang") == "en"
    here.press("Tab")
    expect(group.get_by_role("button", name="bicycle")).to_be_focused()
    here.look()
    here.press("Enter")
    here.says("Stored: bicycle.")
    expect(group.get_by_role("button", name="bicycle")).to_be_focused()


def test_nothing_on_the_page_reveals_the_prediction(serve: Serve, opened: Any) -> None:
    # WHEN
    here = opened(serve())

    # THEN
    assert "0.60" not in here.page.content()
    assert "low_confidence" not in here.page.content()
    assert here.page.get_by_role("img").get_attribute("alt") == "The image to classify"
