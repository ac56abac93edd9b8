"""A local WhatsApp Web and the virtual phone that links to it."""
