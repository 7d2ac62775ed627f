"""How it is done: the Celery app, pools, transports, routes and the connection cache."""
