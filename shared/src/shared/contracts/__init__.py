"""Messages and subjects between the services: pure data, no transport.

A type's tag carries its major version (`wa.session.v1.status`). A version only gains fields with defaults; a break is a
new version. States and reasons travel as plain text, so that an old reader reads a new state as "unknown" and does not
crash.
"""
