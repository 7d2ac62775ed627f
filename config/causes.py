"""Causes: the stable codes behind an outcome that isn't ok."""

from enum import StrEnum

from config.values import Value


class Cause(StrEnum):
    """A stable code that names the hop or the stage at which a host failed."""

    DNS = "dns"
    TCP_REFUSED = "tcp_refused"
    TCP_TIMEOUT = "tcp_timeout"
    TCP_UNREACHABLE = "tcp_unreachable"
    PROXY_DNS = "proxy_dns"
    PROXY_TCP_REFUSED = "proxy_tcp_refused"
    PROXY_TCP_TIMEOUT = "proxy_tcp_timeout"
    PROXY_TCP_UNREACHABLE = "proxy_tcp_unreachable"
    PROXY_PROTOCOL = "proxy_protocol"
    PROXY_AUTH = "proxy_auth"
    PROXY_HOST_KEY_UNKNOWN = "proxy_host_key_unknown"
    PROXY_HOST_KEY_CHANGED = "proxy_host_key_changed"
    PROXY_FORWARD_REFUSED = "proxy_forward_refused"
    PROXY_FORWARD_TIMEOUT = "proxy_forward_timeout"
    PROXY_LOST = "proxy_lost"
    HOST_KEY_UNKNOWN = "host_key_unknown"
    HOST_KEY_CHANGED = "host_key_changed"
    TLS = "tls"
    AUTH = "auth"
    CREDENTIAL = "credential"
    PROTOCOL = "protocol"
    COMMAND = "command"
    PRIVILEGE = "privilege"
    WORKDIR = "workdir"
    DISK_FULL = "disk_full"
    TOOL_MISSING = "tool_missing"
    PULL_DNS = "pull_dns"
    PULL_REFUSED = "pull_refused"
    PULL_TIMEOUT = "pull_timeout"
    PULL_HTTP = "pull_http"
    CHECKSUM = "checksum"
    UPLOAD_SOURCE = "upload_source"
    CHECK_FAILED = "check_failed"
    STEP_FAILED = "step_failed"
    STEP_TIMEOUT = "step_timeout"
    CONNECTION_LOST = "connection_lost"
    WORKER_LOST = "worker_lost"
    HOST_RESTARTED = "host_restarted"
    SCRIPT_KILLED = "script_killed"
    BUSY = "busy"
    CANCELLED = "cancelled"
    CANCEL_UNCONFIRMED = "cancel_unconfirmed"
    INTERNAL = "internal"


class Explanation(Value):
    """A cause in words.

    Attributes:
        happened: one sentence, what happened.
        why: reasons, likeliest first.
        remedy: what to try.
    """

    happened: str
    why: str
    remedy: str
