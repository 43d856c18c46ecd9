"""The configuration files and the models that read them."""
