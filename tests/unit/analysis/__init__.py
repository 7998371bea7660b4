"""Static analysis of a node's code."""
