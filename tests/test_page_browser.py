"""The HTML page in a headless Chromium: its numbers, moving by keys and clicks; nothing is loaded, no text is run."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import explain
from seqkit.data.synthetic import adding_problem

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

pytestmark = pytest.mark.browser

ATTACK = "</script><script>alert(1)</script>"
SCREENSHOTS = os.environ.get("SEQKIT_SCREENSHOTS")
"""A folder for pictures of the page, to look at."""
QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
Look = Callable[..., Any]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=programs[1]))
    yield driver
    driver.quit()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file with an empty log; at the end nothing was loaded, logged or thrown."""
    opened: list[Path] = []

    def look(path: Path, dark: bool = False, width: int = 1280, height: int = 1500, address: str = "") -> Any:
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": theme})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get("about:blank")
        browser.get_log("performance")  # what the browser did before
        browser.get(path.as_uri() + address)
        opened.append(path)
        return browser

    yield look
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"}
    assert {url.partition("#")[0] for url in asked} == {path.as_uri() for path in opened}


@pytest.fixture(scope="module")
def sums() -> tuple[seqkit.Sequential, Any]:
    """A model of the adding problem, briefly trained, and data."""
    data = adding_problem(400, 30, seed=0)
    model = seqkit.Sequential([seqkit.LSTM(12), seqkit.Dense(1)], seed=0)
    model.compile("adam", "mse")
    model.fit(data.x, data.y, lengths=data.lengths, epochs=4, batch_size=16, verbose=0)
    return model, data


def shot(browser: Any, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(Path(SCREENSHOTS) / f"{name}.png"))


def number(browser: Any, table: str, name: str) -> float:
    cell = browser.find_element(By.CSS_SELECTOR, f"#{table} [data-name='{name}']")
    return float(cell.text.replace("\u2212", "-"))


def press(browser: Any, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def unit_of(browser: Any) -> int:
    return int(browser.find_element(By.ID, "unit-title").text.split()[1])


def test_numbers_are_those_of_the_arrays(open_page: Look, sums: Any, tmp_path: Path) -> None:
    model, data = sums
    options = {"lengths": data.lengths, "features": ["number", "mark"], "outputs": ["sum"]}
    path = explain.page(model, data.x, tmp_path / "sums.html", sequence=3, title="The adding problem", **options)
    browser = open_page(path)
    recorded = explain.tape(model, data.x[3:4], lengths=data.lengths[3:4])
    found = explain.integrated_gradients(model, data.x[3:4], lengths=data.lengths[3:4])
    last = int(data.lengths[3]) - 1
    assert browser.find_element(By.ID, "at").text == f"step {last} of {last}"
    press(browser, Keys.HOME, *[Keys.ARROW_RIGHT] * 3, Keys.ARROW_DOWN)
    unit = unit_of(browser)
    for name in ("i", "f", "g", "o", "c", "h"):
        assert number(browser, "unit", name) == pytest.approx(recorded[f"0.forward.{name}"][0, 3, unit], rel=1e-3)
    assert number(browser, "now", "input 0") == pytest.approx(data.x[3, 3, 0], rel=1e-3)
    assert number(browser, "now", "saliency") == pytest.approx(found.by_step[0, 3], rel=1e-3)
    before = model.predict(data.x[3:4, :4])[0, 0]  # of the sequence up to this step
    assert number(browser, "now", "output 0") == pytest.approx(before, rel=1e-3)
    life = explain.summary(model, data.x, lengths=data.lengths, lags=False).layers[0].half_life
    assert number(browser, "unit", "half-life") == pytest.approx(life[unit], rel=1e-3)
    assert unit == np.argsort(-life, kind="stable")[1]
    shot(browser, "sums-light")


def test_keys_slider_clicks_and_addresses(open_page: Look, sums: Any, tmp_path: Path) -> None:
    model, data = sums
    path = explain.page(model, data.x[:1], tmp_path / "keys.html", lengths=data.lengths[:1])
    last = int(data.lengths[0]) - 1
    browser = open_page(path, address="#step=7&unit=5&layer=0.forward")
    step = browser.find_element(By.ID, "at")
    assert (step.text, unit_of(browser)) == (f"step 7 of {last}", 5)
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert step.text == f"step 5 of {last}"
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    assert step.text == f"step 15 of {last}"
    assert "step=15" in browser.current_url
    press(browser, Keys.END, Keys.ARROW_RIGHT)  # there is no step after the last one
    assert step.text == f"step {last} of {last}"
    browser.find_element(By.ID, "step").send_keys(Keys.ARROW_LEFT)
    assert step.text == f"step {last - 1} of {last}"
    rows = browser.find_elements(By.CSS_SELECTOR, "#units tbody tr")
    assert len(rows) == 12
    rows[4].click()
    assert unit_of(browser) == int(rows[4].text.split()[0])
    assert rows[4].get_attribute("aria-label").startswith(f"unit {unit_of(browser)}, ")
    assert [row.get_attribute("aria-current") for row in rows].index("true") == 4
    browser.find_element(By.CSS_SELECTOR, "#order option[value='number']").click()
    assert [row.text.split()[0] for row in browser.find_elements(By.CSS_SELECTOR, "#units tbody tr")] == [
        str(unit) for unit in range(12)
    ]


def test_a_chart_is_pointed_at_and_clicked(open_page: Look, sums: Any, tmp_path: Path) -> None:
    model, data = sums
    path = explain.page(model, data.x[:1], tmp_path / "point.html", lengths=data.lengths[:1])
    browser = open_page(path)
    browser.find_element(By.CSS_SELECTOR, "#order option[value='number']").click()
    canvas = browser.find_element(By.CSS_SELECTOR, "canvas[aria-label='f over time']")
    time, size = int(data.lengths[0]), canvas.size
    step, unit = 10, 4
    x = round((step + 0.5) / time * size["width"] - size["width"] / 2)
    y = round((unit + 0.5) / 12 * size["height"] - size["height"] / 2)
    ActionChains(browser).move_to_element_with_offset(canvas, x, y).perform()
    value = explain.tape(model, data.x[:1], ["f"], lengths=data.lengths[:1])["0.forward.f"][0, step, unit]
    tip = browser.find_element(By.ID, "tip").text
    assert tip.startswith(f"f, unit {unit}, step {step}: ")
    assert float(tip.rpartition(" ")[2]) == pytest.approx(value, rel=1e-3)
    ActionChains(browser).click().perform()
    assert (browser.find_element(By.ID, "at").text, unit_of(browser)) == (f"step {step} of {time - 1}", unit)
    shot(browser, "point-light")


def test_texts_and_names_are_text(open_page: Look, tmp_path: Path) -> None:
    """Text, names of features and outputs, and the title come from strangers' files."""
    model = seqkit.Sequential([seqkit.Embedding(4, 3), seqkit.GRU(5, return_sequences=True), seqkit.Dense(4)], seed=1)
    ids = np.random.default_rng(0).integers(0, 4, (1, 12))
    words = [ATTACK, "<b>&amp;", "\u2028{{data}}", "'\""]
    names = [f"{word}!" for word in words]
    options: dict[str, Any] = {"features": words, "outputs": names, "title": ATTACK}
    text = [words[number] for number in ids[0]]
    browser = open_page(explain.page(model.build(), ids, tmp_path / "attack.html", text=text, **options))
    assert browser.title == ATTACK
    assert browser.find_element(By.TAG_NAME, "h1").text == ATTACK
    assert [
        span.get_attribute("textContent") for span in browser.find_elements(By.CSS_SELECTOR, "#characters span")
    ] == text
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 2
    recorded = explain.tape(model, ids, ["h"])["1.forward.h"][0, :, unit_of(browser)]
    browser.find_element(By.CSS_SELECTOR, "#paint option:last-child").click()
    spans = browser.find_elements(By.CSS_SELECTOR, "#characters span")
    colours = [span.value_of_css_property("background-color") for span in spans]
    strongest = np.abs(recorded).argsort()[-3:]  # red or blue, as the state's sign
    signs = [re.findall(r"[\d.]+", colours[step]) for step in strongest]
    assert [float(r) < float(b) for r, _, b, *_ in signs] == (recorded[strongest] > 0).tolist()
    shown = {head.text for head in browser.find_elements(By.CSS_SELECTOR, "#now th")}
    assert {name.strip() for name in names} <= shown


@pytest.mark.parametrize(("name", "dark", "width", "height"), [("dark", True, 1280, 1500), ("phone", False, 390, 1900)])
def test_themes_and_sizes(
    open_page: Look, sums: Any, tmp_path: Path, name: str, dark: bool, width: int, height: int
) -> None:
    model, data = sums
    path = explain.page(model, data.x[:1], tmp_path / f"{name}.html", lengths=data.lengths[:1])
    browser = open_page(path, dark, width, height, "#step=12")
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width  # nothing to scroll sideways
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, colour[4:-1].split(","))) < 3 * 60) is dark
    shot(browser, name)


def test_long_sequences_and_many_units_are_thinned_and_that_is_said(
    open_page: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqkit.explain.pages.MOST_STEPS", 300)
    monkeypatch.setattr("seqkit.explain.page_data.MOST_BYTES", 300 * 4 * 6 * 10)
    model = seqkit.Sequential([seqkit.LSTM(40), seqkit.Dense(2)], seed=0).build(9)
    x = np.random.default_rng(0).standard_normal((1, 400, 9))
    browser = open_page(explain.page(model, x, tmp_path / "long.html"))
    notes = browser.find_element(By.ID, "notes").text
    assert "400 steps; the first 300 are shown" in notes
    assert "10 of 40 units are shown" in notes
    browser.find_element(By.CSS_SELECTOR, "#span option[value='100']").click()
    unit = unit_of(browser)
    value = explain.tape(model, x, ["c"])["0.forward.c"][0, 299, unit]
    assert number(browser, "unit", "c") == pytest.approx(value, rel=1e-3)
    shot(browser, "long")
