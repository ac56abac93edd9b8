"""HTTP requests in, use cases, HTTP answers out. Handlers know Flask and shapes of answers; they decide nothing."""
