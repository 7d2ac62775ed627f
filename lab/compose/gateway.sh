#!/bin/sh
# The NAT gateway of the lab in a container: what the private segment sends out, it sends in its own name.
set -eu
nft -f /lab/gateway.nft
trap 'exit 0' TERM INT
while :; do
    sleep 3600 &
    wait $!
done
