"""How the commands talk to a system: through the gateway's REST API, like every other client."""
