"""`python -m gateway`."""

from .bootstrap import run

if __name__ == "__main__":
    run()
