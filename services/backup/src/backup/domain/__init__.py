"""The backup format and its decisions: pure functions that read no store, no bus and no clock."""
