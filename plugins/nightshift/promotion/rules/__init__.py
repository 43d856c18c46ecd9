"""The rules of a promotion: each a pure decision on its record, its configuration and the time, in a module of its
own.
"""
