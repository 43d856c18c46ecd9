"""A vendor that does not exist, as one would be added: the template of a room, of a stand-in and of a DAG file."""
