#!/bin/sh
# Installs the Debian packages that the test tiers need; only those that are missing. Where that can't be
# done (no root, no apt-get) it says so, and the tiers that need them skip with their reasons.
set -eu

PATH="$PATH:/usr/sbin:/sbin"
missing=""
while read -r program package; do
    # Where a virtual environment or the like has a program of this name, it isn't the system's.
    if ! env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -c "command -v $program" \
        > /dev/null 2>&1; then
        missing="$missing $package"
    fi
done << 'END'
redis-server redis-server
sshd openssh-server
ssh openssh-client
ip iproute2
nft nftables
busybox busybox
shellcheck shellcheck
chromium chromium
docker-compose docker-compose
sudo sudo
curl curl
wget wget
openssl openssl
unzip unzip
zstd zstd
xz xz-utils
bzip2 bzip2
systemd-analyze systemd
zsh zsh
fish fish
tcsh tcsh
wine wine
END

if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "not installed, for want of root or of apt-get:$missing; what needs them is skipped" >&2
    exit 0
fi

# The tests start their own servers: the packages' services are not to be started along with them.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 0755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
fi

export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing"
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -qq -y --no-install-recommends $missing > /dev/null
