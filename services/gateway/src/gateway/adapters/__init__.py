"""NATS, threads, images and gunicorn behind the ports."""
