"""`python -m gateway`.

gevent replaces the blocking calls of the standard library before anything imports them: patched later, TLS connections
break and locks that exist already block every greenlet.
"""

from gevent import monkey

monkey.patch_all()

from .bootstrap import run  # noqa: E402

if __name__ == "__main__":
    run()
