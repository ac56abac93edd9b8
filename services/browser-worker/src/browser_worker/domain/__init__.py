"""The pure core of the worker: what a page reading means, what a session does next, what a profile must hold."""
