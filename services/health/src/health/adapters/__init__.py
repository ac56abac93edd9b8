"""What the health service uses, by technique."""
