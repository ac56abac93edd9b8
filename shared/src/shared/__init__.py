"""What the services of Persistent Session share; see ARCHITECTURE.md for the layers."""
