"""`python -m persistent_session`: the same as the command `persistent-session`."""

from persistent_session.cli import main

if __name__ == "__main__":
    main()
