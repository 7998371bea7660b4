"""The store of files and of spilled values."""
