"""The one table of the services: what each process needs, as data that knows no machine.

The local supervisor plans from the table, and the documents are written from it.
"""
