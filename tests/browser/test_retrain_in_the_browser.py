"""A person with a browser and an empty lake: trigger `retrain`, follow it to MLflow, find the champion, let it write;
then run it again with nothing new, and leave it to its schedule.

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

from lmflow import registry
from lmflow.lake import Lake
from lmflow.registry.versions import CHAMPION
from lmflow.services import local
from lmflow.services.airflow_api import AirflowApi
from lmflow.services.airflow_home import USER, airflow_url
from lmflow.services.secrets import Secrets
from lmflow.settings import Settings, settings
from tests.conftest import PROJECT, free_port
from tests.installation import ENDED, wait_until

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
    try:
        lmflow("up")
        yield settings()
    finally:
        lmflow("down")


def lmflow(*words: str) -> str:
    """Run a command as a person would; what it printed."""
    command = [sys.executable, "-m", "lmflow", *words]
    return subprocess.run(command, cwd=PROJECT, check=True, timeout=400, stdout=subprocess.PIPE, text=True).stdout


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


def write_with_champions(installed: Settings, folder: Path) -> list[str]:
    """What both champions write when MLflow alone loads them, in a process that knows nothing of this project."""
    script = (
        "import mlflow, pandas as pd\n"
        "for lang, prompt in (('en', 'The president'), ('zh', '中国')):\n"
        "    model = mlflow.pyfunc.load_model(f'models:/lm-{lang}@champion')\n"
        "    print(repr(model.predict(pd.DataFrame({'prompt': [prompt]}), params={'max_tokens': 20})[0]))\n"
        "import lmflow; print(lmflow.__file__)\n"
    )
    unwanted = ("PYTHONPATH", "LMFLOW_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    given = {"MLFLOW_TRACKING_URI": installed.mlflow_uri, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**environment, **given},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=240,
    )
    *texts, origin = done.stdout.strip().splitlines()[-3:]
    assert not origin.startswith(str(PROJECT))
    return texts


def run_again(installed: Settings) -> None:
    """`lmflow demo` with the same options: joins what is up, finds nothing new, says so, and shows the champions."""
    begin = time.monotonic()
    said = lmflow("demo", "--conf", '{"epochs": 0.5}')
    assert time.monotonic() - begin < 180
    assert "Documents: nothing new" in said
    assert len(re.findall(r"not trained: (?:embeddings|lm)-(?:en|zh), ", said)) == 8, said
    assert re.search(r"lm-en +v\d+ @champion", said) and re.search(r"lm-zh v\d+ writes:", said)
    assert installed.mlflow_uri in said


def wait_for_the_schedule(installed: Settings) -> None:
    """With its schedule set to every minute, the scheduler starts `retrain`: nobody switched it on or asked for it."""
    os.environ["LMFLOW_RETRAIN_SCHEDULE"] = "* * * * *"
    try:
        said = lmflow("up")
    finally:
        del os.environ["LMFLOW_RETRAIN_SCHEDULE"]
    assert "settings or code changed" in said
    with local.airflow(installed) as api:
        wait_until(lambda: any(run["run_type"] == "scheduled" for run in api.runs("retrain")), 150)
        [run] = [run for run in api.runs("retrain") if run["run_type"] == "scheduled"]
        run_id = str(run["dag_run_id"])
        assert run["triggered_by"] == "timetable"
        wait_until(lambda: ("plan", "success") in states(api, run_id), 120)
        wait_until(
            lambda: any(task.startswith("ingest.") for task, state in states(api, run_id) if state != "waiting"), 60
        )


def look_after_it(installed: Settings) -> None:
    """The DAGs beside `retrain`, in one go: upkeep changes no row, champions are watched, one is taken back."""
    rows = Lake.open().table("corpus").read(["doc_id"]).num_rows
    champion = registry.aliases("lm-en")[CHAMPION]
    other = next(each.version for each in registry.versions("lm-en") if each.version != champion)
    rollback = {"model": "lm-en", "reason": "it repeats itself", "to": other}
    with local.airflow(installed) as api:
        started = {}
        for dag_id, conf in {"maintain_lake": {}, "monitor_drift": {}, "rollback_model": rollback}.items():
            api.set_paused(dag_id, paused=False)
            started[dag_id] = api.trigger(dag_id, conf)
        wait_until(lambda: all(api.run_state(*run) in ENDED for run in started.items()), 240)
        assert {dag_id: api.run_state(dag_id, run_id) for dag_id, run_id in started.items()} == dict.fromkeys(
            started, "success"
        )
        watched = api.task_instances("monitor_drift", started["monitor_drift"])
    assert [each.state for each in watched if each.task_id == "monitor_drift"] == ["skipped"] * 2  # no text came since
    assert Lake.open().table("corpus").read(["doc_id"]).num_rows == rows
    assert registry.aliases("lm-en")[CHAMPION] == other


def states(api: AirflowApi, run_id: str) -> set[tuple[str, str]]:
    return {(each.task_id, each.state) for each in api.task_instances("retrain", run_id)}


def test_a_person_triggers_a_retraining_and_meets_its_champions(
    installation: Settings, browser: Browser, tmp_path: Path
) -> None:
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

    # What the registry holds works without this project, a second run has nothing to do, and the next starts by itself.
    assert all(write_with_champions(installation, tmp_path))
    run_again(installation)
    look_after_it(installation)
    wait_for_the_schedule(installation)
