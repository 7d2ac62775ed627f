# shellcheck shell=sh disable=SC2154
# Puts standard input, of kind __k and checksum __x, into the place $1 with mode $2; $3 is the checksum that was declared.
__install() {
  if [ -n "$3" ] && [ "$3" != "$__x" ]; then
    __cause checksum "$1: expected $3, got $__x"
    return 1
  fi
  if [ "$__k" = tar ]; then
    __need tar && __swap "$1" tar -xof - && { [ -z "$2" ] || chmod -- "$2" "$1"; }
    return
  fi
  if [ -f "$1" ]; then
    __sha256 "$1" || return
    if [ "$__h" = "$__x" ]; then
      [ -z "$2" ] || chmod -- "$2" "$1"
      return
    fi
  fi
  __beside "$1" || return
  __o=$(LC_ALL=C cat 2>&1 >"$__t") || {
    rm -f -- "$__t"
    __no_space "$__o" || printf '%s\n' "$__o"
    return 1
  }
  __place "$1" "${2:-0644}" "$__x"
}
