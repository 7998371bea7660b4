"""What is remembered in a database: definitions, and those that people saved by name.

Importing this package imports no SQLAlchemy: `Database.open` does so beside the event loop.
"""

from qflow_runner.store.database import Database as Database
from qflow_runner.store.definitions import StoredDefinitions as StoredDefinitions
from qflow_runner.store.model import NewVersion as NewVersion
from qflow_runner.store.model import Saved as Saved
from qflow_runner.store.model import SavedVersion as SavedVersion
from qflow_runner.store.names import check_name as check_name
from qflow_runner.store.saved import SavedDefinitions as SavedDefinitions
