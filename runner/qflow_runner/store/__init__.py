"""What is remembered in a database: definitions, those that people saved by name, and what ran.

Importing this package imports no SQLAlchemy: `Database.open` does so beside the event loop.
"""

from qflow_runner.store.audit_log import AuditLog as AuditLog
from qflow_runner.store.audit_record import AuditEntry as AuditEntry
from qflow_runner.store.audit_record import AuditRow as AuditRow
from qflow_runner.store.audit_record import ChainEnd as ChainEnd
from qflow_runner.store.audit_record import entry_of as entry_of
from qflow_runner.store.audit_record import row_hash as row_hash
from qflow_runner.store.database import Database as Database
from qflow_runner.store.definitions import StoredDefinitions as StoredDefinitions
from qflow_runner.store.failures import Failures as Failures
from qflow_runner.store.history import History as History
from qflow_runner.store.history import RunPage as RunPage
from qflow_runner.store.model import NewVersion as NewVersion
from qflow_runner.store.model import Saved as Saved
from qflow_runner.store.model import SavedVersion as SavedVersion
from qflow_runner.store.model import TokenRow as TokenRow
from qflow_runner.store.names import check_name as check_name
from qflow_runner.store.recorder import Recorder as Recorder
from qflow_runner.store.rotation import Rotation as Rotation
from qflow_runner.store.run_record import RunRow as RunRow
from qflow_runner.store.run_record import details_of as details_of
from qflow_runner.store.run_record import new_run_id as new_run_id
from qflow_runner.store.run_record import now_ms as now_ms
from qflow_runner.store.saved import SavedDefinitions as SavedDefinitions
from qflow_runner.store.tokens import StoredTokens as StoredTokens
from qflow_runner.store.workflows import StoredWorkflows as StoredWorkflows
