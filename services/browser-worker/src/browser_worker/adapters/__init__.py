"""How the worker's ports are fulfilled: the browser, the profile on disk, the outbox, the backup service."""
