"""FlexDeploy: build, deploy and run, each at most once, and wait for what becomes of it."""
