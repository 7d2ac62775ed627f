"""Writing into the text of a fleet file that a person wrote, without touching anything else in it."""

from collections.abc import Mapping
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from config.errors import BadInputError
from config.positions import read_yaml

_Insertion = tuple[int, int, str]
"""Begin and end of what is replaced, as offsets, and what comes there."""


def with_forward_ports(text: str, ports: Mapping[tuple[str, str], int]) -> str:
    """The fleet file's text with a forward_port for each of the hosts.

    Args:
        text: of a fleet file that loads.
        ports: by cluster and host, which has none yet.

    Raises:
        BadInputError: a host stands in the file in a way that can't be added to, such as an alias.
    """
    document = read_yaml(text)
    insertions = []
    for (cluster, host), port in ports.items():
        node = document.node(("clusters", cluster, "hosts", host))
        insertions.append(_insertion(text, node, port))
    changed = text
    for begin, end, new in sorted(filter(None, insertions), reverse=True):
        changed = changed[:begin] + new + changed[end:]
    if read_yaml(changed).data != _expected(document.data, ports):
        lines = "\n".join(f"  clusters.{c}.hosts.{h}: forward_port: {port}" for (c, h), port in ports.items())
        raise BadInputError(
            "The fleet file was left as it is: hosts in it are written in a way that can't be added to, "
            f"such as an alias. Add by hand:\n{lines}"
        )
    return changed


def _insertion(text: str, node: Node | None, port: int) -> _Insertion | None:
    if isinstance(node, ScalarNode):
        begin, end = node.start_mark.index, node.end_mark.index
        return begin, end, f"{{address: {text[begin:end]}, forward_port: {port}}}"
    if not isinstance(node, MappingNode) or not node.value:
        return None
    if node.flow_style:
        end = node.value[-1][1].end_mark.index
        return end, end, f", forward_port: {port}"
    # After the first line of the address, so that its comment stays with it.
    key, value = next((pair for pair in node.value if pair[0].value == "address"), node.value[0])
    newline = "\r\n" if "\r\n" in text else "\n"
    end = text.find(newline, value.end_mark.index)
    end = len(text) if end < 0 else end
    return end, end, f"{newline}{' ' * key.start_mark.column}forward_port: {port}"


def _expected(data: Any, ports: Mapping[tuple[str, str], int]) -> Any:
    clusters = dict(data["clusters"])
    for (cluster, host), port in ports.items():
        hosts = dict(clusters[cluster]["hosts"])
        old = hosts[host]
        hosts[host] = {**(old if isinstance(old, dict) else {"address": old}), "forward_port": port}
        clusters[cluster] = {**clusters[cluster], "hosts": hosts}
    return {**data, "clusters": clusters}
