#!/bin/sh
# Installs this release: checks that it is the version that was asked for, and says so.
set -eu
packed=$(cat VERSION)
if [ "$packed" != "$1" ]; then
    echo "this is version $packed, not $1" >&2
    exit 1
fi
chmod 0755 bin/shop
echo "installed shop $packed"
