import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.loading import load_application
from tests.support.lab import running_lab
from tests.support.site import Site

pytestmark = pytest.mark.integration
EXAMPLES = Path(__file__).parents[3] / "examples"
LONGEST_PRODUCER = 40


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with running_lab(tmp_path / "lab", hosts=6) as report:
        yield report


def test_the_example_producer_verifies_and_deploys(site: Site, lab: dict[str, Any]) -> None:
    """The example's own application, brought by the example's own script, on real hosts."""
    site.start_worker("official")
    (version, checksum), *_ = lab["packages"].items()
    fetch = load_application(lab["application"]).actions[0].fetch
    assert fetch is not None
    words = [
        f"version={version}",
        f"checksum={checksum}",
        f"packages={fetch.url.rpartition('/')[0]}",
        "home=shop",
    ]
    done = subprocess.run(
        [
            sys.executable,
            str(EXAMPLES / "submit.py"),
            lab["fleet"],
            str(EXAMPLES / "shop.yaml"),
            "web",
            *words,
        ],
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + site.logs()
    assert "verification: succeeded, every host ended ok" in done.stdout
    assert f"shop {version}: succeeded, every host ended ok" in done.stdout
    runs = json.loads(site.longshore("runs", "--json").stdout)["runs"]
    assert [(run["kind"], run["state"]) for run in runs] == [
        ("deployment", "succeeded"),
        ("verification", "succeeded"),
    ]


def test_the_example_producer_is_short() -> None:
    assert len((EXAMPLES / "submit.py").read_text().splitlines()) < LONGEST_PRODUCER


@pytest.mark.parametrize(
    ("cluster", "application"),
    [("web", "shop"), ("database", "shop"), ("plant", "shop"), ("intranet", "intranet")],
)
def test_the_example_fleet_can_be_deployed_to(site: Site, cluster: str, application: str) -> None:
    words = ["--to", cluster, "--fleet", str(EXAMPLES / "fleet.yaml"), "--set", "version=1.4"]
    words += ["--set", f"checksum={'a' * 64}"]
    done = site.longshore("plan", str(EXAMPLES / f"{application}.yaml"), *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{application} 1.4 to")
