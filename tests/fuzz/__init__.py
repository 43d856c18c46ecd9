"""Inputs that nobody foresaw: made up by Hypothesis and by a byte fuzzer, judged by properties that always hold."""
