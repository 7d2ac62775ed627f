"""The Python client: submits runs, follows them, and reads the record."""

import getpass
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from config.application import Application
from config.errors import BadInputError, RedisUnreachableError
from config.fleet import Fleet
from config.loading import load_application, load_fleet
from config.settings import Settings
from producer.pools import pool_views
from producer.progress import Progress, ProgressFold
from producer.reach import check_reachable
from producer.run import Run, UnknownRunError
from producer.sending import TIMEOUT_SECONDS, Sender
from tasks.plan import Plan
from tasks.planning import plan_deployment, plan_verification
from tasks.record.connection import connect, reachable
from tasks.record.presence import Presence
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.record.views import PoolView, RunSummary
