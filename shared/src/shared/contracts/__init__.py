"""Messages and subjects between the services: pure data, no transport.

A type's tag carries its major version (`wa.session.v1.status`). Inside a version only fields with defaults are
added; a break is a new version. States travel as plain text, so that an old reader meets a new state as "unknown" and
not as a crash.
"""
