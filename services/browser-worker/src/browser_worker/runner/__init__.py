"""Feeds what happens into the session's machine and performs what it answers."""
