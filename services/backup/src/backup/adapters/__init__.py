"""How the needs of `ports` are met: S3, AES-GCM with zstd, the bus."""
