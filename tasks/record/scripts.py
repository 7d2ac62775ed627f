"""Loads the record's Lua scripts."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script


@cache
def _source(name: str) -> str:
    folder = files("tasks.record") / "lua"
    return (folder / "common.lua").read_text() + (folder / f"{name}.lua").read_text()


class Scripts:
    """The record's scripts, bound to one client; each is sent once and then called by its digest."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._scripts: dict[str, Script] = {}

    def call(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Run the script ``name`` (a file in ``lua/``) and return what it answers."""
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._redis.register_script(_source(name))
        return script(keys=keys, args=args)
