"""What is done: planning, the host script, the run record, and the Celery tasks."""
