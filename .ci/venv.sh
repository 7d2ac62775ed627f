#!/bin/sh
# Makes a virtual environment, or takes the one that is there, and installs Longshore into it.
# Usage: venv.sh DIRECTORY EXTRAS [lowest]
# With "lowest", each direct dependency comes in the lowest version that pyproject.toml allows.
set -eu

directory=$1
extras=$2
versions=${3:-newest}

# A name on the PATH is not enough: a version manager's shim may stand for a version that isn't there.
new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1
}

find_python() {
    for candidate in python3.11 python3 python3.12 python3.13 python3.14 /usr/bin/python3; do
        if new_enough "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "no Python 3.11 or newer was found. Try: apt-get install python3 python3-venv" >&2
    return 1
}

make_environment() {
    python=$(find_python)
    # Debian's python3 comes without ensurepip, which is in python3-venv.
    if ! "$python" -c 'import ensurepip' > /dev/null 2>&1; then
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
            echo "$python can't make virtual environments. Try: apt-get install python3-venv" >&2
            return 1
        fi
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "python$version-venv" > /dev/null
    fi
    rm -rf "$directory"
    "$python" -m venv "$directory"
}

if ! new_enough "$directory/bin/python" || ! "$directory/bin/python" -m pip --version > /dev/null 2>&1; then
    make_environment
fi
echo "installing Longshore and what it needs into $directory"
if [ "$versions" = lowest ]; then
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check uv
    exec "$directory/bin/uv" pip install --quiet --python "$directory/bin/python" --resolution lowest-direct \
        --editable ".[$extras]"
fi
exec "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
