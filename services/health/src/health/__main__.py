"""Run the health service: `python -m health`."""

from shared.runtime import run_service

from .bootstrap import main

if __name__ == "__main__":
    run_service("health", main)
