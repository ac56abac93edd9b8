"""The local mode of Persistent Session: one command that starts everything, and the commands that drive it."""
