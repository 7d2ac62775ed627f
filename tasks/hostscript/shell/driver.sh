# shellcheck shell=sh disable=SC2034,SC2154
# The driver: what every mode begins with. Arguments: mode, run, token's epoch and number, then the mode's own.
# __m is the marker, __work the work directory.

__say() { printf "\n%s %s\n" "$__m" "$*"; }

# Says the last word of this driver, with exit code $1.
__end() {
  __c=$1
  shift
  __say "$@"
  exit "$__c"
}

# Ends with the cause that the message $1 of a failed write tells of.
__unwritable() {
  case $1 in *"No space left"* | *uota*) __end 69 fail disk_full "$1" ;; esac
  __end 69 fail workdir "$1"
}

# Makes the file $1 if it isn't there. `true`, since a failed redirection of `:` would end the shell.
__make() {
  { true >>"$1"; } 2>/dev/null || __unwritable "$(LC_ALL=C; { true >>"$1"; } 2>&1)"
}

__require() {
  for __f do command -v "$__f" >/dev/null || __end 69 fail tool_missing "$__f"; done
}

__locate() {
  __run=$2
  case $__work in /*) ;; *) __work=$HOME/$__work ;; esac
  __dir=$__work/runs/$__run
}

# Into the run directory, as the one who holds this token: a larger one that is there already refuses it.
__enter() {
  __locate "$@"
  __require mkdir
  # The steps keep the login's umask; mode 0700 of the folder is what guards all that is in it.
  [ -d "$__dir" ] || mkdir -m 700 "$__dir" 2>/dev/null || __f=$(umask 077; LC_ALL=C mkdir -p "$__dir" 2>&1) || __unwritable "$__f"
  cd "$__dir" 2>/dev/null || __unwritable "cannot enter $__dir"
  # shellcheck disable=SC3067
  [ -O . ] || __unwritable "$__dir belongs to another user"
  __make "token.$3.$4"
  for __f in token.*; do
    __n=${__f##*.}
    __e=${__f#token.}
    __e=${__e%.*}
    [ "$__e" -gt "$3" ] && __end 76 refused "$__e" "$__n"
    [ "$__e" -eq "$3" ] && [ "$__n" -gt "$4" ] && __end 76 refused "$__e" "$__n"
  done
}
