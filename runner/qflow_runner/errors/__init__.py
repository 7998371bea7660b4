"""Every way in which a call can fail, as one tree.

::

    QflowError
    ├── RequestError          the caller can mend it: the request, the token, the definition's name
    │   ├── Unauthorized, NotFound, DefinitionUnknown, BodyInvalid, BodyTooLarge
    │   ├── ScopeMissing, HostRefused, BodyStalled, TokenUnknown
    │   ├── TypeUnreadable, WorkflowUnknown, SandboxUnknown, RunUnknown, InputGone, WorkflowNotRunnable, LinkIncompatible
    │   ├── SavedUnknown, SavedVersionUnknown, SavedChanged, SavedNameInvalid
    │   ├── FileUnknown, FileIdInvalid, FileTooLarge, UploadBroken
    │   ├── EgressInvalid     a line of a node's Network Access is no host:port
    │   ├── PythonUnsupported a definition wants a Python that there is not
    │   ├── LimitTooHigh      a definition asks for more than the instance gives
    │   ├── CodeRefused, PolicyFileInvalid
    │   ├── PackageVulnerable a package has known vulnerabilities, and the policy refuses it
    ├── DependencyError       packages that cannot be had, or a layer that could not be built
    │   ├── RequirementInvalid, RequirementRefused
    │   ├── PackageUnknown, VersionMissing, VersionYanked, RequirementsConflict
    │   ├── PackagePython, WheelMissing, HashMismatch, ModuleReserved
    │   ├── IndexUnavailable, IndexRefused
    │   ├── LayerTooLarge, LayerDiskFull, BuildTimeout, BuildKilled, BuildFailed
    │   ├── SourceRefused, SourceBuildFailed, SourceMemory, SourceHostRefused
    │   ├── LayerInUse, LayerUnknown, LockMoved
    │   └── UpgradeUnknown, UpgradeNotBuilt
    ├── GuestProblem          what the sandbox reported of the person's code, category and all
    ├── RunTimeout            the code ran longer than its limit and was stopped
    ├── SessionLost           the execution's process ended under a run
    │   ├── SessionExited     the code ended it (os._exit, a crash in C)
    │   ├── OutOfMemory       it had more memory than its limit, or than its sandbox has
    │   └── ProcessLimit      it had more processes than its limit
    ├── ResultTooLarge        a result over the node's limit
    ├── SandboxError          a sandbox did not start, or died
    ├── DiskFull              no room for a file or a value
    ├── ValueDamaged          a spilled value is not what was written
    ├── EgressNotAllowed, EgressTooMany, SecretHostRefused, EgressUnavailable   the network beyond a sandbox
    ├── RateLimited           too many calls, or too many wrong tokens
    ├── Busy                  no sandbox or place in time: try again later
    ├── WorkerLost, ReplyLost  a worker of the cluster had the run, and is gone
    ├── Remote                a failure as a worker of the cluster told it
    ├── Unavailable           something the runner needs is away: Docker, an image, the database, Redis, workers
    └── Internal              our mistake

Each class carries what the caller can do (`hint`), a stable `code`, a `category` and an HTTP status;
an instance carries what happened (`detail`) and the members of its problem document that apply.
"""

from qflow_runner.errors.access import BodyStalled, HostRefused, RateLimited, ScopeMissing, TokenUnknown
from qflow_runner.errors.base import (
    CATEGORIES,
    Category,
    QflowError,
    RequestError,
)
from qflow_runner.errors.cluster import (
    ClusterMismatch,
    NoWorkers,
    QueueUnavailable,
    Remote,
    ReplyLost,
    WorkerLost,
)
from qflow_runner.errors.dependencies import (
    BuildFailed,
    BuildKilled,
    BuildTimeout,
    DependencyError,
    HashMismatch,
    IndexRefused,
    IndexUnavailable,
    LayerDiskFull,
    LayerInUse,
    LayerTooLarge,
    LayerUnknown,
    LockMoved,
    ModuleReserved,
    PackagePython,
    PackageUnknown,
    RequirementInvalid,
    RequirementRefused,
    RequirementsConflict,
    SourceBuildFailed,
    SourceHostRefused,
    SourceMemory,
    SourceRefused,
    UpgradeNotBuilt,
    UpgradeUnknown,
    VersionMissing,
    VersionYanked,
    WheelMissing,
)
from qflow_runner.errors.network import (
    EgressInvalid,
    EgressNotAllowed,
    EgressTooMany,
    EgressUnavailable,
    SecretHostRefused,
)
from qflow_runner.errors.policy import CodeRefused, PolicyFileInvalid
from qflow_runner.errors.requests import (
    BodyInvalid,
    BodyTooLarge,
    DefinitionUnknown,
    FileIdInvalid,
    FileTooLarge,
    FileUnknown,
    InputGone,
    LinkIncompatible,
    MethodNotAllowed,
    NotFound,
    PackageVulnerable,
    PythonUnsupported,
    RunUnknown,
    SandboxUnknown,
    SavedChanged,
    SavedNameInvalid,
    SavedUnknown,
    SavedVersionUnknown,
    TypeUnreadable,
    Unauthorized,
    UploadBroken,
    WorkflowNotRunnable,
    WorkflowUnknown,
)
from qflow_runner.errors.runs import (
    GuestProblem,
    LimitTooHigh,
    OutOfMemory,
    ProcessLimit,
    ResultTooLarge,
    RunTimeout,
    SandboxError,
    SessionExited,
    SessionLost,
)
from qflow_runner.errors.services import (
    Busy,
    DatabaseUnavailable,
    DiskFailed,
    DiskFull,
    DockerUnavailable,
    ImageMissing,
    Internal,
    KeyInvalid,
    Unavailable,
    ValueDamaged,
)

__all__ = [
    "CATEGORIES",
    "BodyInvalid",
    "BodyStalled",
    "BodyTooLarge",
    "BuildFailed",
    "BuildKilled",
    "BuildTimeout",
    "Busy",
    "Category",
    "ClusterMismatch",
    "CodeRefused",
    "DatabaseUnavailable",
    "DefinitionUnknown",
    "DependencyError",
    "DiskFailed",
    "DiskFull",
    "DockerUnavailable",
    "EgressInvalid",
    "EgressNotAllowed",
    "EgressTooMany",
    "EgressUnavailable",
    "FileIdInvalid",
    "FileTooLarge",
    "FileUnknown",
    "GuestProblem",
    "HashMismatch",
    "HostRefused",
    "ImageMissing",
    "IndexRefused",
    "IndexUnavailable",
    "InputGone",
    "Internal",
    "KeyInvalid",
    "LayerDiskFull",
    "LayerInUse",
    "LayerTooLarge",
    "LayerUnknown",
    "LimitTooHigh",
    "LinkIncompatible",
    "LockMoved",
    "MethodNotAllowed",
    "ModuleReserved",
    "NoWorkers",
    "NotFound",
    "OutOfMemory",
    "PackagePython",
    "PackageUnknown",
    "PackageVulnerable",
    "PolicyFileInvalid",
    "ProcessLimit",
    "PythonUnsupported",
    "QflowError",
    "QueueUnavailable",
    "RateLimited",
    "Remote",
    "ReplyLost",
    "RequestError",
    "RequirementInvalid",
    "RequirementRefused",
    "RequirementsConflict",
    "ResultTooLarge",
    "RunTimeout",
    "RunUnknown",
    "SandboxError",
    "SandboxUnknown",
    "SavedChanged",
    "SavedNameInvalid",
    "SavedUnknown",
    "SavedVersionUnknown",
    "ScopeMissing",
    "SecretHostRefused",
    "SessionExited",
    "SessionLost",
    "SourceBuildFailed",
    "SourceHostRefused",
    "SourceMemory",
    "SourceRefused",
    "TokenUnknown",
    "TypeUnreadable",
    "Unauthorized",
    "Unavailable",
    "UpgradeNotBuilt",
    "UpgradeUnknown",
    "UploadBroken",
    "ValueDamaged",
    "VersionMissing",
    "VersionYanked",
    "WheelMissing",
    "WorkerLost",
    "WorkflowNotRunnable",
    "WorkflowUnknown",
]
