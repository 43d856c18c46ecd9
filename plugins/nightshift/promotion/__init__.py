"""Promotions: build once, deploy the same version stage by stage, with people approving."""
