"""The public HTTP service of Persistent Session: REST, server-sent events and the page."""
