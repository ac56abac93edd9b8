"""HTTP requests → domain → HTTP answers. Every handler works on a `Door`; none knows NATS."""
