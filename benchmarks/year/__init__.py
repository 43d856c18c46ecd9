"""A year of nights in about an hour: what the last of them costs beside the tenth, and what it leaves behind."""
