"""The project's own, never packaged: which reports and applications, the stand-in vendors, the mission on one
machine.
"""
