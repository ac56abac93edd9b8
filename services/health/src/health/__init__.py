"""The health service of Persistent Session: checks, verdict, recommendations and metrics."""
