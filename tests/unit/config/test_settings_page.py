import re

from config.settings import Settings
from tests.support.documents import ROOT

ROW = re.compile(r"^\| `LONGSHORE_(\w+)` \| (.+?) \| .+ \|$", re.MULTILINE)
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def test_every_setting_has_a_row_with_its_default() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    rows = {name.lower(): text.strip("`") for name, text in ROW.findall(page)}
    assert list(rows) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if name != "record_url":
            assert _same(rows[name], field.default), name


def _same(shown: str, default: object) -> bool:
    if isinstance(default, float):
        return float(shown[:-1]) * UNITS[shown[-1]] == default
    return shown == ("none" if default is None else str(default))
