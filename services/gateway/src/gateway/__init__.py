"""The public door of Persistent Session: REST, server-sent events and the page."""
