"""The report page in a real browser: headless Chromium, from a file, without a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from typing import Any

import pytest
import torch
from test_report import HOSTILE, RANKED, hostile, large_branches

from ramiel.api import load
from ramiel.compiler import compile_model
from ramiel.pipelines import Options
from ramiel.runtime.trace import trace
from ramiel.tools.report import write_report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None, reason="chromium or chromedriver is not on the PATH"
)
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or ""
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    compilation = compile_model(hostile(), Options(2, "linear"))
    with load(compilation) as program:
        measured = trace(program, torch.ones(1, 8, 16, 16))
    write_report(compilation, HOSTILE, 2, measured, path)
    return path.as_uri()


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ranked") / "report.html"
    write_report(compile_model(large_branches(), RANKED), "branches", 2, None, path)
    return path.as_uri()


def show(browser: Any, report: str, width: int = 1280, scheme: str = "light") -> None:
    """Opens the page anew: nothing is selected, and the logs are empty."""
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(report)


def hot(browser: Any) -> set[str]:
    """The ids of what is highlighted."""
    return {e.get_attribute("id") for e in browser.find_elements(By.CSS_SELECTOR, "a.hot[id]")}


def linked(op: int, path: bool) -> set[str]:
    prefixes = ("bar", "run", "node", "op", *(["path"] if path else []))
    return {f"{prefix}-{op}" for prefix in prefixes}


def focused(browser: Any) -> str:
    return browser.execute_script("return document.activeElement.id")


def test_no_errors_and_no_requests(browser: Any, report: str) -> None:
    show(browser, report)
    browser.find_element(By.CSS_SELECTOR, "#bar-0 rect").click()
    assert browser.get_log("browser") == []
    sent = [
        row["message"]
        for row in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in row["message"]
    ]
    assert all("file://" in message or "about:blank" in message for message in sent)
    assert len([message for message in sent if "file://" in message]) == 1, "the page, no more"
    assert HOSTILE in browser.find_element(By.TAG_NAME, "h1").text
    assert not browser.find_elements(By.TAG_NAME, "img")


@pytest.mark.parametrize("prefix", ["bar", "run", "node", "op"])
def test_a_click_links_all_of_an_operation(browser: Any, report: str, prefix: str) -> None:
    show(browser, report)
    panel = browser.find_element(By.ID, "selection")
    assert not panel.is_displayed()
    # A link in a chart is as large as its text; what can be hit is its rectangle.
    inner = f"#{prefix}-1" if prefix == "op" else f"#{prefix}-1 rect"
    browser.find_element(By.CSS_SELECTOR, inner).click()
    on_path = bool(browser.find_elements(By.ID, "path-1"))
    assert linked(1, on_path) <= hot(browser)
    assert panel.is_displayed() and focused(browser) == f"{prefix}-1"
    name = panel.find_element(By.CSS_SELECTOR, "[data-field=name]").text
    assert name and name in browser.find_element(By.ID, "op-1").text
    assert HOSTILE in panel.text
    panel.find_element(By.TAG_NAME, "button").click()
    assert not panel.is_displayed()


def test_the_keyboard_is_enough(browser: Any, report: str) -> None:
    """Tab leads to one element of each view, arrows along a worker, Enter selects."""
    show(browser, report)
    order: list[str] = []
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        order.append(focused(browser))
    views = [i.partition("-")[0] for i in order if i.partition("-")[0] in ("bar", "run", "node")]
    assert views[:4] == ["bar", "run", "node", "bar"], "once around the page"

    orders = browser.execute_script(
        "return JSON.parse(document.getElementById('data').textContent).views.predicted[1]"
    )
    first = next(op for op, around in orders.items() if around[0] < 0 and around[1] >= 0)
    browser.execute_script(f"document.getElementById('bar-{first}').focus()")
    following = orders[first][1]
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert focused(browser) == f"bar-{following}"
    assert linked(following, False) <= hot(browser), "what has the focus is highlighted"
    stroke = "return getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth"
    assert browser.execute_script(stroke) == "6px", "and the focus can be seen"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.find_element(By.ID, "selection").is_displayed()
    browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert focused(browser) == f"bar-{first}"
    assert linked(following, False) <= hot(browser), "the selected one stays highlighted"
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.find_element(By.ID, "selection").is_displayed()
    assert not linked(following, False) & hot(browser)
    browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert focused(browser) == f"bar-{first}", "there is nothing before the first bar"


def find(browser: Any, *keys: str) -> tuple[str, str]:
    """Types into the search field; what it says, and the selected operation's text."""
    browser.find_element(By.ID, "find").send_keys(*keys)
    panel = browser.find_element(By.ID, "selection")
    return browser.find_element(By.ID, "found").text, panel.text


def test_an_operation_is_found_by_name(browser: Any, ranked: str) -> None:
    """By the program's name or the ONNX node's, in the order of the schedule, around its end."""
    show(browser, ranked)
    data = json.loads(
        browser.find_element(By.ID, "data").get_attribute("textContent")  # the page's own
    )
    wanted = [op for op in data["order"] if "right" in " ".join(data["ops"][op][:2]).lower()]
    assert len(wanted) > 1, "there is something to go through"
    told, panel = find(browser, "RIGHT")
    for turn in range(len(wanted) + 1):
        place = turn % len(wanted)
        name, node, *_ = data["ops"][wanted[place]]
        assert told == f"{place + 1} of {len(wanted)}"
        assert name in panel and node in panel
        assert f"bar-{wanted[place]}" in hot(browser)
        assert focused(browser) == "find", "more can be typed"
        told, panel = find(browser, Keys.ENTER)
    assert find(browser, Keys.SHIFT + Keys.ENTER + Keys.NULL)[0] == f"1 of {len(wanted)}"
    assert find(browser, " no such operation") == ("not found", "")
    assert not hot(browser)
    find(browser, Keys.CONTROL + "a" + Keys.NULL, Keys.BACKSPACE)
    assert find(browser) == ("", "")
    assert browser.get_log("browser") == []


def test_what_is_found_is_scrolled_to(browser: Any, report: str) -> None:
    """The chart is wider than the window, and the last operation is at its end."""
    show(browser, report, 360)
    for _ in range(6):
        browser.find_element(By.CSS_SELECTOR, "[data-zoom=gantt-scale] button").click()
    last = browser.execute_script("return JSON.parse(data.textContent).order.at(-1)")
    name = browser.execute_script(f"return JSON.parse(data.textContent).ops[{last}][0]")
    inside = f"""const element = document.querySelector('#bar-{last} rect');
        const bar = element.getBoundingClientRect();
        const box = element.closest('.scroll').getBoundingClientRect();
        return bar.right > box.left && bar.left < box.right
            && box.top < innerHeight && box.bottom > 0;"""
    assert not browser.execute_script(inside)
    find(browser, name)
    assert browser.execute_script(inside)


def test_a_node_is_called_as_in_the_model(browser: Any, ranked: str) -> None:
    """A bar's title has the node's name, which viewers of models show."""
    show(browser, ranked)
    titles = browser.execute_script(
        "return [...document.querySelectorAll('[data-view=predicted] a > title')]"
        ".map((e) => e.textContent)"
    )
    nodes = browser.execute_script("return JSON.parse(data.textContent).ops.map((o) => o[1])")
    assert any(nodes)
    assert all(any(f"“{node}”" in title for title in titles) for node in nodes if node)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits(browser: Any, report: str, width: int, scheme: str) -> None:
    show(browser, report, width, scheme)
    browser.find_element(By.CSS_SELECTOR, "[data-zoom=gantt-scale] button").click()
    browser.find_element(By.ID, "op-0").click()
    size = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    content, room = browser.execute_script(size)
    assert content <= room <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Any, report: str, scheme: str) -> None:
    """At least 4.5 to 1 for the colours of text on those of pages, panels and bars."""
    show(browser, report, scheme=scheme)

    def luminance(colour: str) -> float:
        channels = [float(c) / 255 for c in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def colour(selector: str, style: str) -> str:
        script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        return browser.execute_script(script, selector, style)

    pairs = [
        (("body", "color"), ("body", "backgroundColor")),
        (("p", "color"), ("body", "backgroundColor")),
        (("nav a", "color"), ("body", "backgroundColor")),
        (("dd span", "color"), (".numbers div", "backgroundColor")),
        (("#node-0 text", "fill"), ("#node-0 rect", "fill")),
        (("#op-0", "color"), ("#op-0", "backgroundColor")),
        (("#op-0 i", "color"), ("#op-0", "backgroundColor")),
    ]
    for front, back in pairs:
        a, b = sorted((luminance(colour(*front)), luminance(colour(*back))))
        assert (b + 0.05) / (a + 0.05) >= 4.5, (front, back)


@pytest.mark.parametrize("width", [360, 1280])
def test_messages_between_ranks(browser: Any, ranked: str, width: int) -> None:
    """A message is drawn from rank to rank, can be pointed at, and is listed."""
    show(browser, ranked, width)
    lines = browser.find_elements(By.CSS_SELECTOR, "line.message")
    heads = [e.text for e in browser.find_elements(By.CSS_SELECTOR, ".labels span")]
    assert [head for head in heads if head.startswith("rank")] == ["rank 0", "rank 1"]
    assert lines
    browser.find_element(By.CSS_SELECTOR, "[data-view=messages] tbody a").click()
    assert browser.find_elements(By.CSS_SELECTOR, "line.message.hot")
    size = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    content, room = browser.execute_script(size)
    assert content <= room
    assert browser.get_log("browser") == []


def test_without_javascript(browser: Any, report: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, report)
        text = browser.find_element(By.TAG_NAME, "body").text
        for needed in ("Critical path", "Bound", "Predicted", "Measured", "linear", "def worker_1"):
            assert needed in text
        assert not browser.find_element(By.ID, "selection").is_displayed()
        assert not browser.find_element(By.CLASS_NAME, "tools").is_displayed()
        assert not browser.find_element(By.ID, "find").is_displayed()
        bar = browser.find_element(By.CSS_SELECTOR, "#bar-0 rect")
        assert bar.is_displayed() and bar.size["width"] > 0
        assert browser.find_element(By.ID, "node-0").is_displayed()
        bar.click()  # a plain link
        assert browser.current_url.endswith("#op-0")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
