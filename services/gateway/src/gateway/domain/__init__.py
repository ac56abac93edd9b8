"""What the gateway knows and decides, without Flask, NATS or threads: observed and desired states, keys, texts."""
