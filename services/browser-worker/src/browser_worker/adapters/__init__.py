"""The worker's hands: the browser, the profile on disk, the outbox, the bus."""
