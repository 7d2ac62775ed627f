# shellcheck shell=sh disable=SC2154
# Names the cause $1 of the step's failure, in one line; the detail $2 is for people.
__cause() {
  __d=${2%%"
"*}
  printf '%s\n' "$__d"
  __say cause "$__i" "$1" "$__d"
}

# Whether one of the tools is there; else names the first as missing.
__need() {
  for __n; do command -v "$__n" >/dev/null && return; done
  __cause tool_missing "$1"
  return 1
}

# The cause of the failed write that message $1 tells of; false when it tells of none.
__no_space() {
  case $1 in *"No space left"* | *"uota exceeded"*) __cause disk_full "$1" ;; *) return 1 ;; esac
}
