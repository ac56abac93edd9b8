"""`python -m hasty_gateway`: the gateway with little patience, so that a test of its limits need not wait."""

import runpy

REQUEST_SECONDS = TAKING_SECONDS = 1.5
IDLE_SECONDS = 1.0

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    from gateway.adapters import worker

    worker.REQUEST_SECONDS, worker.TAKING_SECONDS, worker.IDLE_SECONDS = REQUEST_SECONDS, TAKING_SECONDS, IDLE_SECONDS
    runpy.run_module("gateway", run_name="__main__")
