"""Bytes too large for a message: uploaded and returned files, and the spilled values of sessions."""
