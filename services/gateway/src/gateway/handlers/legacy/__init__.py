"""/api/whatsapp/persistent-session as the old clients know it: their field names, their HTTP status."""

from __future__ import annotations

PATH = "/api/whatsapp/persistent-session"
