"""Tables: their declaration, and everything that follows from it.

Belongs here: what a table declares about itself (`declaration.py`, `columns.py`), how rows are validated
(`validation.py`), and the times that several tables share (`times.py`). Not here: the declarations of a capability's
own tables, and anything that opens a connection.
"""
