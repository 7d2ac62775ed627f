"""The Celery app. ``celery -A workers.app worker -Q longshore.POOL`` starts a worker of a pool."""

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from config.celery_settings import celery_settings
from config.settings import load_settings

# As what the URLs name, not as the setting broker_transport: Flower and logs show a broker by its URL, whose
# scheme that would become.
TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "workers.broker:Transport")
TRANSPORT_ALIASES["sentinel"] = "workers.broker:SentinelTransport"

app = Celery("longshore", include=["tasks.celery_tasks"])
app.config_from_object(celery_settings(load_settings()))
