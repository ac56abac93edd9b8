"""What the gateway knows and decides, without Flask, NATS or threads: views, shapes, keys, limits, texts."""
