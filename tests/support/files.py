"""Fleet and application files for tests."""

from pathlib import Path

DESIGN_FLEET = """\
pools:
  official:      {kind: official}
  frankfurt:     {kind: self-hosted}
credentials:
  deploy:        {user: deploy, key_file: ~/.ssh/deploy}
  admin:         {user: Administrator, password: {env: WIN_ADMIN_PASSWORD}}
proxies:
  bastion:       {os: linux,   address: 203.0.113.10, credential: deploy}
  winproxy:      {os: windows, address: 203.0.113.11}
clusters:
  web:
    os: linux
    pool: official
    credential: deploy
    proxy: bastion                      # absent: direct
    hosts:
      web-1: 10.0.0.11
      web-2: {address: 10.0.0.12, port: 2222, tags: {zone: b}}
  desk:
    os: windows
    pool: official
    credential: admin
    proxy: winproxy
    winrm: {scheme: https, transport: ntlm}
    hosts:
      desk-1: {address: 10.0.1.21, forward_port: 15986}
"""

DESIGN_APPLICATION = """\
application: shop
parameters:
  version: {required: true}
actions:
  - fetch:   {url: "http://pkg.example/shop-{{ version }}.tgz", sha256: "...", to: "/opt/shop/{{ version }}.tgz"}
  - unpack:  {archive: "/opt/shop/{{ version }}.tgz", to: "/opt/shop/releases/{{ version }}"}
  - run:     ./install.sh "$version"
    in: "/opt/shop/releases/{{ version }}"
    timeout: 5m
  - link:    {from: /opt/shop/current, to: "/opt/shop/releases/{{ version }}"}
  - service: {name: shop, state: restarted}
  - check:   {http: "http://127.0.0.1:8080/health", within: 30s}
rollout:
  batches: [1, 25%, 100%]
  max_failed: 0
"""  # noqa: E501 - as the design has it


def written(folder: Path, name: str, text: str) -> Path:
    """A file with this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
