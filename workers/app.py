"""The Celery app. ``celery -A workers.app worker -Q longshore.POOL`` starts a worker of a pool."""

from celery import Celery

from config.celery_settings import celery_settings
from config.settings import load_settings

app = Celery("longshore", include=["tasks.celery_tasks"])
app.config_from_object(celery_settings(load_settings()))
