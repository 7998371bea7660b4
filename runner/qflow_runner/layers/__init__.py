"""Installed packages: from requirement lines to a lock, and from a lock to a directory that sandboxes read."""
