# shellcheck shell=sh disable=SC2154,SC2034,SC2064
# Modes attach and probe, and the following of a log; $5 is the log offset from which to follow.

# The log from byte $1 on, until the other side closes its end or sends a line.
__follow() {
  tail -c "+$(($1 + 1))" -f log &
  __t=$!
  trap "kill $__t; exit" HUP INT TERM
  read -r __l
  kill "$__t"
  exit 0
}

# A run that has begun, or that this mode doesn't begin: how it stands, and its log.
__begun() {
  __say status "$__s" "$__bytes" "$__word"
  [ "$__s" = running ] && __follow "$5"
  [ -e log ] && exec tail -c "+$(($5 + 1))" log
  exit 0
}

__attach() {
  __require tail wc
  __enter "$@"
  __state
  __begun "$@"
}

__probe() {
  __locate "$@"
  [ -d "$__dir" ] || __end 0 status new 0
  cd "$__dir" 2>/dev/null || __unwritable "cannot enter $__dir"
  __state
  __end 0 status "$__s" "$__bytes" "$__word"
}
