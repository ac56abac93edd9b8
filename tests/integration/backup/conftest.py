"""Lets these tests import `backup_support`."""

import sys
from pathlib import Path

_SUPPORT = str(Path(__file__).parents[2] / "integration" / "backup" / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)
