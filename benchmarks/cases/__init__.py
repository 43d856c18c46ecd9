"""What is measured: a case is a set of contenders and the setups they run in."""
