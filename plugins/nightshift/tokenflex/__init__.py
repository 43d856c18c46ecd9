"""Autodesk Token Flex: nightly usage exports, and the unattended sign-in that they need."""
