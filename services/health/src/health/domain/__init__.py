"""The pure core: what is seen, how it is judged, what is recommended and measured."""
