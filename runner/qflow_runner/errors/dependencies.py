"""Packages that cannot be had, and layers that could not be built."""

from typing import ClassVar

from qflow_runner.errors.base import QflowError


class DependencyError(QflowError):
    """What the code depends on cannot be had. `uv` holds the last lines of the installer where it said something."""

    code = "dependency"
    category = "dependency"
    status = 422

    def again(self) -> "DependencyError":
        """The same for another caller, who may add members of his own."""
        return type(self)(self.detail, hint=self.hint, **self.members)


class RequirementInvalid(DependencyError):
    code = "requirement_invalid"
    hint = "Write one requirement a line, as in: pandas>=2,<3"


class RequirementRefused(DependencyError):
    """A line that would reach the runner's files, run code on it, or choose another index."""

    code = "requirement_refused"


class PackageUnknown(DependencyError):
    code = "package_unknown"


class VersionMissing(DependencyError):
    code = "version_missing"
    hint = "Ask for a version that exists, or leave the version out."


class VersionYanked(DependencyError):
    """Its authors withdrew the only version that would do."""

    code = "version_yanked"
    hint = "Allow another version. Who must have this one names it exactly, with ==."


class RequirementsConflict(DependencyError):
    code = "requirements_conflict"
    hint = (
        "Loosen or leave out one of them. A node that needs the other versions can have its own requirements."
    )


class PackagePython(DependencyError):
    code = "package_python"
    hint = "Choose another Python in the node, or allow another version of the package."


class WheelMissing(DependencyError):
    code = "wheel_missing"
    hint = (
        "Only built packages (wheels) are installed: allow another version, or choose another Python in the node. "
        "The administrator can allow building from source (QFLOW_SOURCE_DISTRIBUTIONS)."
    )


class HashMismatch(DependencyError):
    code = "hash_mismatch"
    hint = "Somebody changed the file, or the hash belongs to another one: see where it comes from before you upgrade."


class ModuleReserved(DependencyError):
    code = "module_reserved"
    hint = "Remove the package that brings it from the requirements."


class IndexUnavailable(DependencyError):
    code = "index_unavailable"
    status = 503
    hint = "Packages that were installed before work on. Try again, or see that the runner reaches its package index."
    headers: ClassVar = {"Retry-After": "10"}


class IndexRefused(DependencyError):
    code = "index_refused"
    status = 503
    hint = "See to the user and password in QFLOW_INDEX_URL or QFLOW_EXTRA_INDEX_URLS."


class LayerTooLarge(DependencyError):
    code = "layer_too_large"
    hint = "Ask for fewer or smaller packages, or raise QFLOW_LAYER_MAX_MB."


class LayerDiskFull(DependencyError):
    code = "layer_disk_full"
    status = 507
    hint = "Free space, or lower QFLOW_LAYERS_MAX_MB. What was begun was removed again."


class BuildTimeout(DependencyError):
    code = "build_timeout"
    status = 504
    hint = "Try again: what was downloaded is kept. Or raise QFLOW_BUILD_DEADLINE_S."


class BuildKilled(DependencyError):
    code = "build_killed"
    status = 502
    hint = "Try again. If it happens again, the machine may be short of memory."


class BuildFailed(DependencyError):
    code = "build_failed"
    status = 502


class SourceRefused(DependencyError):
    """There is no boundary to build a source distribution in."""

    code = "source_refused"
    category = "policy"
    hint = "Ask for a version that comes as a wheel."


class SourceBuildFailed(DependencyError):
    """`uv` holds the last lines of the build."""

    code = "source_build_failed"
    hint = "The build's last words are with this error. Sandboxes have no compiler: what needs one must come as a wheel."


class SourceMemory(DependencyError):
    code = "source_memory"
    status = 507
    hint = "Ask for a version that comes as a wheel, or raise QFLOW_BUILD_MEMORY_MB."


class SourceHostRefused(DependencyError):
    code = "source_host_refused"
    category = "policy"
    hint = "A build reaches the package index alone; the administrator can add hosts of it with QFLOW_PACKAGE_HOSTS."


class LayerInUse(DependencyError):
    code = "layer_in_use"
    status = 409
    hint = "Wait until its executions are over."


class LayerUnknown(DependencyError):
    code = "layer_unknown"
    status = 404
    hint = "See `qflow layers list`."


class LockMoved(DependencyError):
    code = "lock_moved"
    status = 409
    hint = "Ask for the upgrade again, and look at what it changes now."


class UpgradeUnknown(DependencyError):
    code = "upgrade_unknown"
    status = 404
    hint = "Ask for the upgrade again: what was worked out is kept for an hour, and used once."


class UpgradeNotBuilt(DependencyError):
    """Its packages could not be installed, so nothing can be changed to them."""

    code = "upgrade_not_built"
    status = 409
    hint = "Ask for the upgrade again once the reason is mended. The versions in use work on."
