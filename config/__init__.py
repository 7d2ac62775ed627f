"""What is true: fleet and application models, their loader, settings, Celery settings."""
