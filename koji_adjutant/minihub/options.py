"""Settings of an embedded hub, with the names a real hub's hub.conf has for them.

The scheduler looks once a second instead of once a minute, and a repo is never older than its tag: one person waits for
one task. The time-outs are the real
hub's (contract 2.4), so a builder that keeps to them here keeps to them there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """Seconds unless said otherwise."""

    run_interval: float = 1.0  # RunInterval; a real hub has 60
    assign_timeout: float = 300.0  # AssignTimeout: ASSIGNED but not opened
    host_timeout: float = 900.0  # HostTimeout: OPEN, but the host is silent
    ready_timeout: float = 180.0  # ReadyTimeout: a silent host is not ready
    soft_refusal_timeout: float = 900.0  # SoftRefusalTimeout
    max_jobs: int = 15  # MaxJobs: tasks of a host that does not say its own number
    capacity_overcommit: float = 5.0  # CapacityOvercommit
    session_renewal_timeout: float = 1440 * 60.0  # SessionRenewalTimeout; 0 means never
    max_request_length: int = 4 * 1024 * 1024  # MaxRequestLength, bytes of an XML-RPC body
    trusted_users: tuple[
        str, ...
    ] = ()  # may build from source packages, repos by id and any SCM, as administrators may
    enable_maven: bool = True  # EnableMaven; a real hub has off: wrapper rpms need it
    repo_lag: float = 0.0  # RepoLag: how old a repo may be that is taken for a tag changed since; a real hub has 3600
    repo_lag_window: float = 0.0  # RepoLagWindow: to what times are rounded then; a real hub has 600
    repo_retries: int = 3  # RepoRetries: newRepo tasks for one request
    max_repo_tasks: int = 10  # MaxRepoTasks
    notify_on_success: bool = True  # NotifyOnSuccess
    email_domain: str = "example.com"  # EmailDomain
