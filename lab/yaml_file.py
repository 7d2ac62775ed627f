"""Fleet and application files, written as a person would write them."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def write_yaml(path: Path, document: dict[str, Any]) -> None:
    """Write ``document`` to ``path`` in block style."""
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    with path.open("w") as file:
        yaml.dump(document, file)
