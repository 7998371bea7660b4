"""All that imports SQLAlchemy. Loaded once, beside the event loop, when the database is opened."""

from qflow_runner.store.sql import definition_rows as definition_rows
from qflow_runner.store.sql import retention as retention
from qflow_runner.store.sql import saved_rows as saved_rows
from qflow_runner.store.sql import version_rows as version_rows
from qflow_runner.store.sql.engine import Engine as Engine
from qflow_runner.store.sql.engine import reason_of as reason_of
from qflow_runner.store.sql.tables import HEAD as HEAD
