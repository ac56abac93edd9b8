"""The profile on disk: check, lock, snapshot, saves, restore. Never imports `browser`."""
