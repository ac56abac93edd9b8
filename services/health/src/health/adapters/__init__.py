"""The outside of the health service, by technique."""
