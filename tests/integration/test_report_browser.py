"""A report in a real browser: it loads by itself, and the surface draws what is chosen."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from neuroparcel.brain.colours import network_colours
from neuroparcel.pipeline.reporting import report

from ..report.samples import NETWORKS, SUBJECTS, both_sides, cohort, write_results

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--window-size=500,700",
)
PATIENCE = 60  # seconds, on a machine that does other things too

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="there is no chromium with its chromedriver"
)
Driver = webdriver.Chrome


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Driver]:
    """A browser that shows the report of a patch in each hemisphere, the surface drawn."""
    folder = write_results(tmp_path_factory.mktemp("results"), both_sides())
    page = report(folder, quiet=True)
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        driver.get("about:blank")
        driver.get_log("performance")  # of the browser's own first page
        driver.get(page.as_uri())
        canvas = driver.find_element(By.ID, "surface-canvas")
        assert canvas.get_attribute("data-ready") is None, "the surface starts when it is seen"
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        wait(lambda: canvas.get_attribute("data-ready") == "true")
        yield driver
    finally:
        driver.quit()


def wait(done: Callable[[], bool]) -> None:
    """Until it is so; the status of the page tells why it is not."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "the browser did not come so far"
        time.sleep(0.05)


def pixels(browser: Driver) -> np.ndarray:
    """The canvas as it is on the screen, (row, column, 3)."""
    picture = base64.b64decode(browser.find_element(By.ID, "surface-canvas").screenshot_as_base64)
    return np.asarray(Image.open(BytesIO(picture)).convert("RGB"), dtype=int)


def n_coloured(picture: np.ndarray) -> int:
    """Pixels that are neither white nor grey."""
    return int((np.ptp(picture, axis=-1) > 40).sum())


def choose(browser: Driver, what: str, text: str) -> np.ndarray:
    """Choose by the words of an option; the canvas once it has changed."""
    before = pixels(browser)
    Select(browser.find_element(By.ID, f"surface-{what}")).select_by_visible_text(text)
    wait(lambda: not np.array_equal(pixels(browser), before))
    return pixels(browser)


def test_it_loads_without_a_complaint_and_without_a_network(browser):
    errors = [entry for entry in browser.get_log("browser") if entry["level"] != "DEBUG"]
    assert errors == []
    events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    requests = [e["params"]["request"] for e in events if e["method"].endswith("WillBeSent")]
    fetched = {r["url"] for r in requests if not r["url"].startswith(("data:", "blob:"))}
    assert fetched == {browser.current_url}
    assert Path(browser.current_url.removeprefix("file://")).name == "report.html"


def test_every_picture_has_been_decoded_and_has_words(browser):
    pictures = browser.execute_script(
        "const pictures = [...document.images].filter((image) => !image.closest('dialog'));"
        "return Promise.all(pictures.map(async (image) => {"
        "  image.loading = 'eager';"
        "  await image.decode();"
        "  return [image.alt, image.naturalWidth];"
        "}));"
    )
    assert len(pictures) == 2 + len(SUBJECTS)
    assert all(alt and width > 1 for alt, width in pictures)


def test_the_surface_shows_the_colours_of_the_networks(browser):
    picture = choose(browser, "quantity", "most probable network")
    assert n_coloured(picture) > 300
    blue = np.rint(255 * np.array(network_colours(2)[0][:3]))
    assert (np.abs(picture - blue).max(axis=-1) < 60).sum() > 50


def test_it_shows_the_probability_of_the_network_that_is_chosen(browser):
    first = choose(browser, "quantity", NETWORKS[0])
    second = choose(browser, "quantity", NETWORKS[1])
    assert n_coloured(first) > 100
    assert n_coloured(second) > 100
    label = browser.find_element(By.ID, "surface-canvas").get_attribute("aria-label")
    assert label == f"Cortical surface of Population: probability of {NETWORKS[1]}"
    entropy = choose(browser, "quantity", "entropy of the labels")
    assert not np.array_equal(entropy, second)


def test_it_shows_another_subject_and_another_side(browser):
    choose(browser, "map", SUBJECTS[1])
    choose(browser, "map", "Population")
    turned = choose(browser, "hemispheres", "right")
    side = Select(browser.find_element(By.ID, "surface-side")).first_selected_option
    assert side.text == "the right"
    canvas = browser.find_element(By.ID, "surface-canvas")
    canvas.send_keys(Keys.ARROW_LEFT)
    wait(lambda: not np.array_equal(pixels(browser), turned))


def test_a_double_click_names_the_vertex_and_its_networks(browser):
    picture = choose(browser, "hemispheres", "left")
    rows, columns = np.nonzero(np.ptp(picture, axis=-1) > 40)
    canvas = browser.find_element(By.ID, "surface-canvas")
    places = [int(np.median(columns)), int(np.median(rows))]
    across, down = (
        place - size / 2 for place, size in zip(places, picture.shape[1::-1], strict=True)
    )
    ActionChains(browser).move_to_element_with_offset(canvas, across, down).double_click().perform()
    status = browser.find_element(By.ID, "surface-status")
    wait(lambda: "hemisphere" in status.text)
    place, found, entropy = re.fullmatch(
        r"left hemisphere, vertex (\d+): (.+); entropy (\d\.\d\d)", status.text
    ).groups()
    axis = both_sides()
    row = axis.rows_in("CORTEX_LEFT")[axis.vertex[axis.rows_in("CORTEX_LEFT")] == int(place)][0]
    best = cohort(axis).of_population().probabilities[row].argmax()
    assert found == f"{NETWORKS[best]} 0.75, {NETWORKS[1 - best]} 0.25"
    assert entropy == "0.81"


def test_a_subject_is_enlarged_by_the_keyboard(browser):
    button = browser.find_elements(By.CSS_SELECTOR, ".enlarge")[1]
    button.send_keys(Keys.ENTER)
    dialog = browser.find_element(By.ID, "enlarged")
    wait(dialog.is_displayed)
    assert dialog.find_element(By.TAG_NAME, "p").text == SUBJECTS[1]
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(lambda: not dialog.is_displayed())


def test_it_fits_a_narrow_screen(browser):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True},
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
