"""Write every generated document: `python docs/generate.py [FOLDER]` (`make docs`).

The one table of what is generated. A document that another part of the product describes is written by a function of
that part; `tests/contract/shared/test_shared_documents.py` fails when a file differs from what its function returns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from browser_worker.domain.machine import TABLE
from health.domain.documents import checks_document
from persistent_session import reference
from persistent_session.services import reference as services_reference
from shared.contracts import asyncapi
from shared.contracts.metrics_document import metrics_document

FOLDER = Path(__file__).parent


_STATES_HEAD = """\
# States of a session

<!-- Written by `make docs` from browser_worker/domain/machine.py. -->

Each arrow names the events that lead from one state to another. Effects, and events that change only the reason, are in
the table of `machine.py`.
"""
_FROM_ALMOST_ANYWHERE = 6
"""An event with more starting points than these is a row below the diagram and no arrow."""


def states_document() -> str:
    """The life of a session as a diagram, drawn from the table of the state machine."""
    moves: dict[tuple[str, str], list[str]] = {}
    for (state, event), rule in TABLE.items():
        if rule.state is not None and rule.state is not state:
            moves.setdefault((event, rule.state), []).append(state)
    common = {move: sources for move, sources in moves.items() if len(sources) > _FROM_ALMOST_ANYWHERE}
    arrows: dict[tuple[str, str], list[str]] = {}
    for (name, target), sources in sorted(moves.items()):
        for source in sources if (name, target) not in common else ():
            arrows.setdefault((source, target), []).append(name)
    diagram = [f"    {source} --> {target}: {', '.join(events)}" for (source, target), events in sorted(arrows.items())]
    rows = [f"| `{name}` | `{target}` | {_listed(sources)} |" for (name, target), sources in sorted(common.items())]
    return "\n".join([
        _STATES_HEAD, "```mermaid", "stateDiagram-v2", *diagram, "```", "",
        "These events lead to one state from almost every state:", "",
        "| event | to | from |", "|---|---|---|", *rows, "",
    ])  # fmt: skip


def _listed(states: list[str]) -> str:
    return ", ".join(f"`{state}`" for state in sorted(states))


DOCUMENTS: dict[str, Callable[[], str]] = {
    "asyncapi.json": asyncapi.text,
    "configuration.md": reference.document,
    "health-checks.md": checks_document,
    "metrics.md": metrics_document,
    "services.md": services_reference.document,
    "session-states.md": states_document,
}


def write(folder: Path) -> None:
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
