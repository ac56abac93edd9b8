"""`python -m browser_worker`"""

from shared.runtime import run_service

from .bootstrap import main

run_service("browser-worker", main)
