"""Longshore itself: its services, a fleet, and deployments that are watched."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import redis

from bench import namespace, processes, servers, targets
from bench.measure import Failure, MachineShare, ProductSample
from bench.watching import Watch, connections
from config.loader import load_application, load_fleet
from producer import Client
from tasks.planning import plan_deployment
from workers.embedded_redis import EmbeddedRedis

POOL = "official"
STEPS = 10
STEP_TEXT = "x" * 100  # ten of them with their newlines: 1 KB of logs a host
WARM_HOSTS = 16
PLANNED_HOSTS = 10_000
_START_SECONDS = 60.0
_ROUTES = {targets.DIRECT: "direct", targets.PROXIED: "proxied"}
