"""A year of nights in some minutes: what the last of them costs beside the tenth, and what it leaves behind."""
