"""What the supervisor shows at the terminal: one line a step."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from shared.contracts.foreign_text import escaped


class ConsoleOutput:
    """Lines for a person. Text that comes from a log is shown as it is, never as markup, and steers no
    terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def step(self, name: str, text: str, seconds: float | None = None) -> None:
        duration = f"  {seconds:.1f} s" if seconds is not None else ""
        self._line(("  ✓ ", "green"), (f"{name:<15}", "bold"), (f"{text}{duration}", ""))

    def note(self, text: str) -> None:
        self._line(("  · ", "dim"), (text, ""))

    def warn(self, name: str, text: str) -> None:
        self._line(("  ! ", "yellow"), (f"{name:<15}", "bold"), (text, "yellow"))

    def heading(self, text: str) -> None:
        self._line((text, "bold"))

    def fact(self, name: str, text: str) -> None:
        self._line((f"  {name:<15}", "dim"), (text, "bold"))

    def blank(self) -> None:
        self._console.print()

    def _line(self, *parts: tuple[str, str]) -> None:
        self._console.print(Text.assemble(*((escaped(text), style) for text, style in parts)))
