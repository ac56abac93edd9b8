"""The backup service of Persistent Session: encrypted generations of snapshots in S3."""
