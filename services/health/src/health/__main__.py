"""`python -m health` serves; `python -m health documents FOLDER` writes the documents made from the code."""

import sys
from pathlib import Path

from shared.runtime import run_service

from .bootstrap import main, write_documents

if __name__ == "__main__":
    if sys.argv[1:2] == ["documents"]:
        write_documents(Path(sys.argv[2]))
    else:
        run_service("health", main)
