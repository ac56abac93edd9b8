"""The backup format and its decisions: pure, no store, no bus, no time of its own."""
