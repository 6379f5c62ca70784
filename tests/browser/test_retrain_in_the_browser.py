"""A person with a browser and an empty lake: trigger `retrain`, follow it to MLflow, find the champion, let it write.

Set LMFLOW_SCREENSHOTS to a folder to keep the pictures that the README shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lmflow.services.airflow_home import USER, airflow_url
from lmflow.services.secrets import Secrets
from lmflow.settings import Settings, settings
from tests.conftest import PROJECT, free_port

pytestmark = pytest.mark.browser

RUN_WITHIN_S = 25 * 60
#: Debian's chromium, as root, asking nothing of the outside.
CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": [
        *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update"),
    ],
}


@pytest.fixture
def installation(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Every service, on free ports, with an empty lake; all of it stopped afterwards."""
    for name in ("AIRFLOW", "MLFLOW", "SAMPLES", "SERVING"):
        monkeypatch.setenv(f"LMFLOW_{name}_PORT", str(free_port()))
    settings.cache_clear()

    def lmflow(command: str) -> None:
        subprocess.run([sys.executable, "-m", "lmflow", command], cwd=PROJECT, check=True, timeout=240)

    try:
        lmflow("up")
        yield settings()
    finally:
        lmflow("down")


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(**CHROMIUM)
        yield started
        started.close()


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("LMFLOW_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1500)  # let charts and fonts settle
        page.screenshot(path=Path(folder) / f"{name}.png")


def log_in(page: Page, installed: Settings) -> None:
    page.goto(airflow_url(installed))
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", Secrets.of(installed).password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Dags")).to_be_visible()


def trigger(page: Page, installed: Settings) -> None:
    """Fill in the form as a person would, with a short training."""
    page.goto(f"{airflow_url(installed)}/dags/retrain")
    page.get_by_role("button", name="Trigger").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Language models").click()
    epochs = form.locator("input[name=element_epochs]")
    epochs.fill("0.5")
    epochs.press("Tab")
    expect(epochs).to_have_value("0.5")
    picture(page, "airflow-form")
    form.get_by_role("button", name="Trigger", exact=True).click()
    expect(form).not_to_be_visible()


def wait_for_green(page: Page, installed: Settings) -> str:
    """Wait until the list of runs shows the one run as a success; returns the address of its page."""
    page.goto(f"{airflow_url(installed)}/dags/retrain/runs")
    row = page.get_by_role("row").filter(has=page.locator("a[href*='/dags/retrain/runs/']"))
    expect(row).to_have_count(1)
    address = row.locator("a[href*='/dags/retrain/runs/']").first.get_attribute("href") or ""
    deadline = time.monotonic() + RUN_WITHIN_S
    while not row.get_by_text("Success", exact=True).count():
        assert not row.get_by_text("Failed", exact=True).count(), "the run failed"
        assert time.monotonic() < deadline, "the run did not end in time"
        page.wait_for_timeout(2000)
    run = f"{airflow_url(installed)}{address.rstrip('/')}"
    page.goto(run)
    expect(page.get_by_text("promote_model").first).to_be_visible()
    picture(page, "airflow-run")
    return run


def test_a_person_triggers_a_retraining_and_meets_its_champions(installation: Settings, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    log_in(page, installation)
    trigger(page, installation)
    run = wait_for_green(page, installation)

    # From a training's details to its run in MLflow.
    page.goto(f"{run}/tasks/language_model.train_language_model/mapped/0/details")
    link = page.get_by_role("link", name="MLflow run")
    expect(link).to_be_visible()
    page.goto(link.get_attribute("href") or "")
    expect(page.get_by_text("valid_bits_per_byte").first).to_be_visible()
    expect(page.get_by_text("lm-en").first).to_be_visible()
    picture(page, "mlflow-run")

    # The registry shows each language's champion, with the card of the version that was just trained.
    for lang in ("en", "zh"):
        page.goto(f"{installation.mlflow_uri}/#/models/lm-{lang}")
        row = page.get_by_role("row").filter(has_text="@ champion")
        expect(row).to_have_count(1)
        row.get_by_role("link", name=re.compile(r"Version \d+")).click()
        expect(page.get_by_text(re.compile(rf"lm-{lang}: (ngram|lstm)")).first).to_be_visible()
        picture(page, f"mlflow-champion-{lang}")

    # And the champions answer, in both languages of the page.
    page.goto(f"http://{installation.host}:{installation.serving_port}")
    for lang, name in (("en", "English"), ("zh", "中文")):
        page.locator(f"header [data-ui={lang}]").click()
        page.locator("#languages").get_by_role("button", name=name, exact=True).click()
        page.locator("#generate button").click()
        expect(page.locator("#text")).to_be_visible()
        expect(page.locator("#text-facts")).to_contain_text(f"lm-{lang}")
        page.locator("#similar button").click()
        expect(page.locator("#neighbours li").first).to_be_visible()
        picture(page, f"model-page-{lang}")
    page.close()
