"""Alembic's folder: env.py, and the migrations in versions/. They are run by `store/sql/migrate.py`."""
