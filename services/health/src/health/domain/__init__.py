"""The pure core: what is observed, how it is judged, what is recommended and measured."""
