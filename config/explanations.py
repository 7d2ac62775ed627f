"""What each cause means, for a person at three in the morning."""

from collections.abc import Mapping

from config.causes import Cause, Explanation


def _words(happened: str, why: str, remedy: str) -> Explanation:
    return Explanation(happened=happened, why=why, remedy=remedy)


_REACHING: dict[Cause, Explanation] = {
    Cause.DNS: _words(
        "The host's name could not be resolved.",
        "The name is misspelt, has no address, or is known only inside another network; or the resolver "
        "is down. Behind a proxy the proxy resolves it, not the worker.",
        "Run `getent hosts NAME` on the worker (behind a proxy: on the proxy), or put the address in the "
        "fleet.",
    ),
    Cause.TCP_REFUSED: _words(
        "The host refused the TCP connection.",
        "Nothing listens on that port: the SSH server or WinRM stopped, or listens on another port; "
        "or a firewall rejects it.",
        "Check `systemctl status ssh` and `ss -ltn` on the host (Windows: `Get-Service WinRM`, "
        "`Get-ChildItem WSMan:\\localhost\\Listener`), and `port:` in the fleet.",
    ),
    Cause.TCP_TIMEOUT: _words(
        "The host did not answer the TCP connection in time.",
        "A firewall or security group drops the packets, the host is down, or it is private and needs a "
        "proxy.",
        "Run `longshore fleet ports` for what must be open; give the cluster a `proxy:` or a pool inside its "
        "network.",
    ),
    Cause.TCP_UNREACHABLE: _words(
        "There is no way to the host's address.",
        "No route to its network from here, its router rejects the traffic, or the host is off "
        "(no answer to ARP).",
        "Run `ip route get ADDRESS` on the worker (behind a proxy: on the proxy) and check the address.",
    ),
    Cause.HOST_KEY_UNKNOWN: _words(
        "The host's key is not known, so nobody can tell whether it is the right host.",
        "The host was never verified, or its pinned key has expired with the record.",
        "Run `longshore verify` for it, which pins the key, or put `host_key:` in the fleet.",
    ),
    Cause.HOST_KEY_CHANGED: _words(
        "The host showed another key than the one that is known; nothing was sent to it.",
        "It was installed anew or given new keys, its address now belongs to another machine, or somebody "
        "sits in between.",
        "Compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console; if it is right, "
        "put the new key in `host_key:` in the fleet.",
    ),
    Cause.PROTOCOL: _words(
        "Something answered, but it did not speak SSH (Windows: WinRM) to the end.",
        "Another service has the port; sshd is overloaded (MaxStartups) or shuts the worker out (fail2ban, "
        "hosts.deny); it hangs; or it shares no algorithm with us.",
        "Run `ssh -v -p PORT ADDRESS` from the worker, and read sshd's log on the host. Windows: see that "
        "`port:` and `scheme:` fit the listener; a full quota says so (MaxShellsPerUser).",
    ),
    Cause.AUTH: _words(
        "The host refused the login.",
        "The public key is not in the user's authorized_keys, the user or password is wrong, the account is "
        "locked, or files in ~/.ssh are writable for others.",
        "Try `ssh -i KEY USER@ADDRESS` from the worker; read sshd's log on the host, which names the reason. "
        "Windows: try `winrs -r:https://HOST:5986 -u:USER cmd` from another Windows; a local administrator "
        "needs LocalAccountTokenFilterPolicy; TrustedHosts has no part in it.",
    ),
    Cause.CREDENTIAL: _words(
        "The worker could not use the credential; nothing was sent to the host.",
        "The variable or file that it refers to does not exist on this worker, can't be read by its "
        "user, or the passphrase doesn't unlock the key.",
        "Set the variable or place the file where the worker runs (not where you submit), then start it "
        "again.",
    ),
    Cause.TLS: _words(
        "The encrypted connection to the host's WinRM could not be made.",
        "Its certificate is for another name, has expired, or is signed by an authority the worker "
        "doesn't know; behind a Windows proxy, the port may lead to another host.",
        "Check the listener's certificate and `ca_file`, `certificate_name` or `fingerprint` under `winrm:`; "
        "behind a Windows proxy, `longshore fleet forwards --check last`.",
    ),
}
_PROXIES: dict[Cause, Explanation] = {
    Cause.PROXY_DNS: _words(
        "The proxy's name could not be resolved.",
        "The name is misspelt, or the worker's resolver does not know it.",
        "Run `getent hosts NAME` on the worker, or put the proxy's address in the fleet.",
    ),
    Cause.PROXY_TCP_REFUSED: _words(
        "The proxy refused the TCP connection; no host behind it can be reached.",
        "Its SSH server is stopped or listens on another port, a Windows proxy has no such forward, or a "
        "firewall rejects the worker.",
        "Check sshd on the proxy, and the proxy's `port:` in the fleet; on a Windows proxy the forwards and "
        "the IP Helper service: `longshore fleet forwards`.",
    ),
    Cause.PROXY_TCP_TIMEOUT: _words(
        "The proxy did not answer the TCP connection in time; no host behind it can be reached.",
        "The proxy is down, or a firewall drops the worker's packets.",
        "Check the proxy, and that its firewall admits the worker's address (`longshore fleet ports`).",
    ),
    Cause.PROXY_TCP_UNREACHABLE: _words(
        "There is no way to the proxy's address; no host behind it can be reached.",
        "No route from the worker, or the proxy is off.",
        "Run `ip route get ADDRESS` on the worker, and check the address in the fleet.",
    ),
    Cause.PROXY_PROTOCOL: _words(
        "The proxy's port answered, but it did not speak SSH to the end.",
        "Another service has the port; or sshd is overloaded (MaxStartups), shuts the worker out, or hangs.",
        "Run `ssh -v -p PORT ADDRESS` from the worker, and read sshd's log on the proxy.",
    ),
    Cause.PROXY_AUTH: _words(
        "The proxy refused the login; no host behind it can be reached.",
        "The public key is not in authorized_keys of the proxy's user, or user or password is wrong.",
        "Try `ssh -i KEY USER@PROXY` from the worker; read sshd's log on the proxy.",
    ),
    Cause.PROXY_HOST_KEY_UNKNOWN: _words(
        "The proxy's key is not known.",
        "No host behind the proxy was verified yet, or the pinned key has expired with the record.",
        "Run `longshore verify`, which pins the key, or give the proxy a `host_key:` in the fleet.",
    ),
    Cause.PROXY_HOST_KEY_CHANGED: _words(
        "The proxy showed another key than the one that is known; nothing was sent through it.",
        "It was installed anew, its address belongs to another machine, or somebody sits in between.",
        "Compare the keys on the proxy's console; if it is right, put the new key in `host_key:` in the "
        "fleet.",
    ),
    Cause.PROXY_FORWARD_REFUSED: _words(
        "The proxy is reached, but makes no connection to the host.",
        "Linux: AllowTcpForwarding is off, PermitOpen does not list the host and port, or the key's options "
        "forbid it. Windows: the host behind the forward is down, or its firewall shuts the proxy out.",
        "Linux: set `AllowTcpForwarding yes` (or `local`) and `PermitOpen HOST:PORT` for that user in the "
        "proxy's sshd_config. Windows: `Test-NetConnection HOST -Port 5986` on the proxy.",
    ),
    Cause.PROXY_FORWARD_TIMEOUT: _words(
        "The proxy gave no channel to the host in time.",
        "All of its max_channels were taken by other hosts, or the proxy is overloaded.",
        "Raise the proxy's `max_channels`, lower the workers' concurrency, or look at the proxy's load.",
    ),
    Cause.PROXY_LOST: _words(
        "The connection to the proxy broke, and with it every host that was reached through it.",
        "The proxy or its sshd was restarted, its network was cut, or a firewall ended the connection.",
        "Look at the proxy, once for all these hosts, then deploy again. Work on the hosts may have gone on.",
    ),
}
_ON_THE_HOST: dict[Cause, Explanation] = {
    Cause.COMMAND: _words(
        "The login worked, but the host did not carry out a command.",
        "The account's shell is nologin or a menu, sshd forces another command, MaxSessions is reached, or a "
        "start-up file of the shell ends or hangs it.",
        "Run `ssh USER@ADDRESS true` and look at what it prints; give the user /bin/sh. Windows: put it "
        "into Remote Management Users, and look at MaxProcessesPerShell.",
    ),
    Cause.PRIVILEGE: _words(
        "The login may not become the other user, or on Windows start the run through WMI.",
        "The host has no sudo, or sudo asks for a password or has no rule for this user; WMI is locked.",
        "Add a rule such as `deploy ALL=(root) NOPASSWD: ALL` with visudo, or take `become:` out of the "
        "fleet. Windows: allow the login to use WMI, or say `detached: false` under `winrm:`.",
    ),
    Cause.WORKDIR: _words(
        "The work directory on the host can't be written.",
        "It belongs to another user, its file system is read-only, or the user has no home directory.",
        "Make it writable for the login, or set the cluster's `work_directory:`.",
    ),
    Cause.DISK_FULL: _words(
        "The host's disk is full.",
        "Logs, old releases or packages have filled it, or the user's quota is used up; sometimes it is "
        "inodes.",
        "Look at `df -h` and `df -i` on the host, and make room.",
    ),
    Cause.TOOL_MISSING: _words(
        "The host lacks a program that is needed.",
        "A minimal image without util-linux, coreutils, curl, wget or unzip.",
        "Install the package that the message names.",
    ),
    Cause.PULL_DNS: _words(
        "The host could not resolve the name of the package server.",
        "The host has no working resolver, or the name is known only elsewhere.",
        "Run `getent hosts NAME` on the host; check /etc/resolv.conf there; or use `upload`.",
    ),
    Cause.PULL_REFUSED: _words(
        "The package server refused the host's connection.",
        "The server is down, the port is wrong, or a firewall rejects the host (or its NAT gateway's "
        "address).",
        "Run `curl -v URL` on the host; check the server and the URL.",
    ),
    Cause.PULL_TIMEOUT: _words(
        "The host got no answer from the package server in time.",
        "The host has no way out (no NAT gateway, no route), a firewall drops its packets, or the link "
        "is slow.",
        "Run `curl -v URL` on the host; give it a way out, or use `upload`; raise the step's `timeout`.",
    ),
    Cause.PULL_HTTP: _words(
        "The package server answered with an error.",
        "The file does not exist there (404), or access is denied (401, 403); or the server is ill (5xx).",
        "Open the URL yourself; check the version that it was made from.",
    ),
    Cause.CHECKSUM: _words(
        "The file that arrived is not the one that was meant; it was not put in place.",
        "The `sha256` is of another version, the package was replaced on the server, or the transfer was "
        "damaged.",
        "Compute `sha256sum` of the right file and compare with the application file.",
    ),
    Cause.UPLOAD_SOURCE: _words(
        "The worker does not have the file to upload.",
        "The path exists where you submit, but not where the worker runs; or the worker's user can't "
        "read it.",
        "Put the file at that path on the worker, or let the host `fetch` it.",
    ),
    Cause.CHECK_FAILED: _words(
        "What the check waits for did not come true in time.",
        "The application did not start, listens elsewhere, or needs longer than `within`.",
        "Look at the application's own log on the host; raise `within` if it is only slow.",
    ),
    Cause.STEP_FAILED: _words(
        "A step ended with an error.",
        "The command itself failed; the end of its output says why.",
        "Read `longshore logs RUN HOST`; run the command by hand on the host.",
    ),
    Cause.STEP_TIMEOUT: _words(
        "A step took longer than its timeout, and was ended with all its processes.",
        "It waits for input or for another service, or the host is slow today.",
        "Read `longshore logs RUN HOST`; raise the step's `timeout` if it only needs longer.",
    ),
}
_ON_THE_WAY: dict[Cause, Explanation] = {
    Cause.CONNECTION_LOST: _words(
        "The connection to the host broke.",
        "The network was cut, the host was restarted or stopped, or a firewall forgot the connection.",
        "Check that the host is up; what was running on it goes on without the connection: `longshore "
        "show RUN`.",
    ),
    Cause.WORKER_LOST: _words(
        "The worker that drove this host is gone, and nobody could take over.",
        "The worker was killed or its machine is down, and no other worker of the pool is running.",
        "Run `longshore pools`, start a worker of the pool, and deploy again.",
    ),
    Cause.SCRIPT_KILLED: _words(
        "The host script was killed while a step ran, so nobody knows how the step ended.",
        "The step killed its parent, memory ran out (the kernel's OOM killer), or somebody or systemd's "
        "KillUserProcesses ended the login's processes.",
        "Read `journalctl -k` on the host and the step's output, then deploy again. Declare the step "
        "`idempotent: true` if it may run twice.",
    ),
    Cause.HOST_RESTARTED: _words(
        "The host was restarted while a step ran, so nobody knows how the step ended.",
        "A step rebooted it, or it crashed or was restarted by somebody.",
        "Look at the host, then deploy again. Declare the step `idempotent: true` if it may run twice.",
    ),
    Cause.BUSY: _words(
        "Another deployment works on this host.",
        "A run that is still going on, or one whose work on the host has not ended yet.",
        "Run `longshore runs`; wait for the other run or cancel it, then deploy again.",
    ),
    Cause.CANCELLED: _words(
        "The run was cancelled, and the work on this host was ended.",
        "Somebody asked for it.",
        "Run it again when it is wanted; a step may have been ended halfway.",
    ),
    Cause.CANCEL_UNCONFIRMED: _words(
        "The run was cancelled, but nobody could confirm that the work on this host has ended.",
        "The host can't be reached any more, or a process there can't be killed.",
        "Look at the host's processes before anything else is deployed to it.",
    ),
    Cause.INTERNAL: _words(
        "Longshore itself failed.",
        "A mistake in Longshore, not in your files.",
        "The worker's log has the details; please report them.",
    ),
}

EXPLANATIONS: Mapping[Cause, Explanation] = _REACHING | _PROXIES | _ON_THE_HOST | _ON_THE_WAY
"""Every cause in words."""


def explain(cause: Cause) -> Explanation:
    """A cause in words: what happened, why (likeliest first), what to try."""
    return EXPLANATIONS[cause]
