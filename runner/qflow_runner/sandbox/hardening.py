"""What a container does not see of its host, and what it may not use up, beyond Docker's own defaults."""

DOCKER_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
"""As in the newest Docker: a list of our own replaces it, and older ones mask less."""

PROC = """
buddyinfo config.gz diskstats iomem ioports kallsyms key-users kmsg kpagecgroup kpagecount kpageflags locks mdstat modules
pagetypeinfo partitions pressure schedstat slabinfo softirqs swaps sysvipc vmallocinfo vmstat zoneinfo
"""
"""What the host is, runs and does. What a sandbox may use itself is told by its control group."""

SYS = """
block bus class dev devices/virtual fs/bpf hypervisor kernel/debug kernel/security kernel/slab kernel/tracing module power
"""
"""Left are the CPUs, the memory nodes and the control group: numeric libraries and the agent read them."""

MASKED = (
    *DOCKER_MASKED,
    *(f"/proc/{name}" for name in PROC.split()),
    *(f"/sys/{name}" for name in SYS.split()),
)

READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

ULIMITS = {"nofile": 1024, "core": 0, "memlock": 8 << 20, "msgqueue": 0}
"""For each process. Those that the kernel counts for a user (processes, queued signals) are left as they are: all
sandboxes are one user, and one could use up what the others have. The container's own group bounds them."""
