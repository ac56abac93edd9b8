"""How the needs of `ports` are met: S3, AES-GCM and zstd, the bus."""
