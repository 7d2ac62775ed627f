#!/bin/sh
# A tiny service. Usage: shop start|stop|restart|status|version; a service manager's words do too.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd -P)
version=$(cat "$here/VERSION")
pid_file=${SHOP_PID_FILE:-$HOME/shop.pid}

running() {
    [ -s "$pid_file" ] && read -r pid release < "$pid_file" && kill -0 "$pid" 2>/dev/null
}

stop() {
    if running; then kill "$pid"; fi
    rm -f "$pid_file"
}

start() {
    if running; then return 0; fi
    # shellcheck disable=SC2016  # the inner shell fills these in: its pid is the service's
    setsid sh -c 'echo "$$ $1" > "$2"; exec sleep 2147483647' shop "$version" "$pid_file" \
        < /dev/null > /dev/null 2>&1 &
    tries=0
    until running; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then
            echo "shop did not start" >&2
            exit 1
        fi
        sleep 0.05
    done
}

case ${1:-} in
    start | started) start ;;
    stop | stopped) stop ;;
    restart | restarted) stop; start ;;
    status)
        if ! running || [ "$release" != "$version" ]; then
            echo "shop $version is not running" >&2
            exit 1
        fi
        echo "shop $version is running"
        ;;
    version) echo "$version" ;;
    *)
        echo "usage: shop start|stop|restart|status|version" >&2
        exit 2
        ;;
esac
