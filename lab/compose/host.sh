#!/bin/sh
# A host of the lab in a container: its way out, then sshd with the files that lie ready for it.
# Usage: host.sh NAME [GATEWAY]
set -eu
name=$1
gateway=${2:-}
if [ -n "$gateway" ]; then
    ip route replace default via "$gateway"
fi
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f "/lab/hosts/$name/sshd_config"
