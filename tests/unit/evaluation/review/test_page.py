"""The review page in a browser: keyboard, touch, two reviewers, a phone, a screen reader, and a server that stops."""

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
    """A review page in a browser, and the problems that the browser reports."""

    def __init__(self, browser: Browser, served: Served, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.problems = watch(self.page, served.origin)
        self.page.goto(served.address.url)
        self.shows("image to classify")

    def shows(self, name: str) -> None:
        """Wait until the page shows an image with this accessible name."""
        expect(self.page.get_by_role("img", name=name)).to_be_visible()

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        # until the page shows an image or the end of the queue, keys do nothing
        self.page.wait_for_selector("#image:not([hidden]), #finished:not([hidden])")
        for key in keys:
            self.page.keyboard.press(key)

    def look(self) -> None:
        """Wait until the page accepts clicks. It ignores clicks in the first 250 ms because of double clicks."""
        self.page.wait_for_timeout(300)

    def says(self, text: str) -> None:
        """Wait until the page's status message contains a text."""
        expect(self.page.get_by_role("status")).to_contain_text(text)

    def progress(self, text: str) -> None:
        """Wait until the page shows this progress."""
        expect(self.page.get_by_label(re.compile("answered"))).to_be_visible()
        expect(self.page.locator("#progress-text")).to_have_text(text)


@pytest.fixture
def opened(browser: Browser) -> Iterator[Any]:
    """A function that opens a server's page; at the end, the test fails if a page reported a problem."""
    pages: list[Opened] = []

    def opened(served: Served, **options: Any) -> Opened:
        pages.append(Opened(browser, served, **options))
        return pages[-1]

    yield opened
    for each in pages:
        each.context.close()
    assert [problem for each in pages for problem in each.problems] == []


def labels(s3: FakeS3) -> dict[str, str]:
    """Return the label of each stored answer by the image's ID, which has one character."""
    found = {key: body.decode() for key, body in s3.objects.items() if key.startswith("labels/")}
    return {key[-6]: body.partition('"label": "')[2].partition('"')[0] for key, body in found.items()}


def test_keys_answer_skip_and_undo(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN
    here = opened(serve())
    here.progress("0 of 3 answered")

    # WHEN the first image is labelled, the second is skipped, and the label of the third is undone and given again
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


def test_page_says_that_the_answer_is_deleted_only_when_it_accepts_keys_again(
    serve: Serve, s3: FakeS3, opened: Any
) -> None:
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


def test_image_that_is_loaded_while_undo_decodes_it_is_shown_once(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN a page that waits for a response, and a browser that takes half a second to decode an image
    here = opened(serve())
    here.page.wait_for_load_state("networkidle")
    requests: list[Route] = []
    here.page.route("**/next", lambda route: route.continue_() if requests else requests.append(route))
    here.press("1")
    here.says("Stored: bicycle.")
    assert eventually(lambda: here.page.wait_for_timeout(20) or requests)
    response = requests[0].fetch()
    here.page.evaluate("HTMLImageElement.prototype.decode = () => new Promise((done) => setTimeout(done, 500))")

    # WHEN the page asks for another image after the answer is deleted, and before the image of this answer is decoded
    with here.page.expect_response("**/undo"):
        here.press("u")
    requests[0].fulfill(response=response)
    here.says("The last answer is deleted")
    here.press("2")
    here.says("Stored: motorcycle.")
    here.page.wait_for_timeout(700)

    # THEN
    here.press("2")
    here.progress("2 of 3 answered")
    here.press("2")
    expect(here.page.get_by_role("heading", name="No image is left")).to_be_visible()
    assert labels(s3) == dict.fromkeys("abc", "motorcycle")


def test_skipped_image_comes_after_the_image_that_is_being_loaded(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN a page that shows the second image, and waits for the third one
    here = opened(serve())
    here.page.wait_for_load_state("networkidle")
    requests: list[Route] = []

    def hold_third(route: Route) -> None:
        requests.append(route)
        if len(requests) != 3:
            route.continue_()

    here.page.route("**/next", hold_third)
    here.page.reload()
    here.press("1")
    here.says("Stored: bicycle.")
    assert eventually(lambda: here.page.wait_for_timeout(20) or len(requests) == 3)

    # WHEN
    here.press("s")
    requests[2].fulfill(response=requests[2].fetch())
    here.press("n")
    here.says("Stored: neither.")

    # THEN
    assert labels(s3) == {"a": "bicycle", "c": "neither"}


def test_next_image_appears_without_waiting_for_a_response(serve: Serve, opened: Any) -> None:
    # GIVEN a page that has loaded the next images in advance, and a server that no longer sends images
    here = opened(serve())
    image = here.page.locator("#image")
    first = image.get_attribute("src")
    here.page.wait_for_load_state("networkidle")
    here.page.route("**/next", lambda route: None)  # no response

    # WHEN
    here.press("1")

    # THEN
    assert eventually(lambda: image.get_attribute("src") != first)
    here.shows("image to classify")


@pytest.mark.parametrize("is_late", [True, False])
def test_image_that_is_loaded_during_undo_is_shown_once(serve: Serve, s3: FakeS3, opened: Any, is_late: bool) -> None:
    # GIVEN an answer that is undone while the page requests the next image
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

    # WHEN both responses contain the same image, and arrive one after the other
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


def test_number_of_a_class_can_have_several_digits(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN ten classes
    here = opened(serve("ana", TEN))

    # WHEN numbers without a class, digits that another key separates, and the numbers of two classes are typed
    here.press("9", "9", "1", "x", "0", "4")
    here.says("Stored: pickup truck.")
    here.press("1", "0")
    here.says("Stored: train.")

    # THEN
    assert labels(s3) == {"a": "pickup_truck", "b": "train"}


def test_browser_shortcuts_and_disabled_keys_store_no_label(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN
    here = opened(serve())

    # WHEN
    here.press("Control+1", "Alt+2")
    here.page.get_by_label("Use the keys on the buttons").uncheck()
    here.press("1", "n")
    here.look()
    here.page.get_by_role("button", name="motorcycle").press("Enter")

    # THEN
    here.says("Stored: motorcycle.")
    assert labels(s3) == {"a": "motorcycle"}


def test_double_click_labels_only_one_image(serve: Serve, s3: FakeS3, opened: Any) -> None:
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


def test_image_that_another_reviewer_has_labelled_is_not_labelled_again(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN two reviewers whose pages show the same image
    ana, ben = opened(serve()), opened(serve("ben"))

    # WHEN
    ana.press("1")
    ana.says("Stored: bicycle.")
    ben.press("2")

    # THEN ben's page shows a message and the next image
    ben.says("Not stored: ana has answered for this image")
    ben.progress("1 of 3 answered")
    ben.press("2")
    ben.says("Stored: motorcycle.")
    assert labels(s3) == {"a": "bicycle", "b": "motorcycle"}
    ben.problems.clear()  # Chromium reports the response 409


def test_image_stays_on_the_page_if_its_label_cannot_be_stored(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN credentials that have expired, and are renewed after the first attempt
    here, put_object = opened(serve()), s3.put_object

    def refuse(**_: Any) -> Any:
        raise error("ExpiredToken")

    s3.put_object = refuse  # type: ignore[method-assign]

    # WHEN
    here.press("1")
    expect(here.page.get_by_role("alert")).to_contain_text(re.compile("Not stored.*ExpiredToken"))
    s3.put_object = put_object  # type: ignore[method-assign]
    here.press("2")

    # THEN
    here.says("Stored: motorcycle.")
    expect(here.page.get_by_role("alert")).to_be_hidden()
    assert labels(s3) == {"a": "motorcycle"}
    here.problems.clear()  # Chromium reports the response 502


def test_image_is_shown_again_after_an_undo_that_could_not_read_the_image(
    serve: Serve, s3: FakeS3, opened: Any
) -> None:
    # GIVEN a queue in which every image has an answer, and an S3 error at the first read of an image
    here, get_object = opened(serve()), s3.get_object
    for key, label in (("1", "bicycle"), ("2", "motorcycle"), ("n", "neither")):
        here.press(key)
        here.says(f"Stored: {label}.")
    expect(here.page.get_by_role("heading", name="No image is left")).to_be_visible()

    def refuse(**_: Any) -> Any:
        s3.get_object = get_object  # type: ignore[method-assign]
        raise error("ExpiredToken")

    s3.get_object = refuse  # type: ignore[method-assign]

    # WHEN
    here.press("u")

    # THEN
    here.shows("image to classify")
    assert labels(s3) == {"a": "bicycle", "b": "motorcycle"}
    here.problems.clear()  # Chromium reports the response 502


def test_stopped_server_is_reported_and_a_new_server_continues(serve: Serve, s3: FakeS3, opened: Any) -> None:
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


def test_page_says_that_a_label_without_a_response_may_not_be_stored(serve: Serve, s3: FakeS3, opened: Any) -> None:
    # GIVEN a server that stores an answer, but whose response is lost
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
def test_page_fits_a_phone_and_can_be_used_by_touch(
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


def test_page_has_roles_names_and_messages_for_screen_readers(serve: Serve, opened: Any) -> None:
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
    # the accessible name does not contain the key
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
