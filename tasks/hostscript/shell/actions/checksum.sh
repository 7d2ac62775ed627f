# shellcheck shell=sh disable=SC2154
# Sets __h to the SHA-256 of file $1.
__sha256() {
  if command -v sha256sum >/dev/null; then __h=$(sha256sum <"$1")
  elif command -v shasum >/dev/null; then __h=$(shasum -a 256 <"$1")
  elif command -v openssl >/dev/null; then __h=$(openssl dgst -sha256 -r <"$1")
  else __need sha256sum; return 1
  fi || return
  __h=${__h%% *}
}

# Sets __t to a new empty file beside $1, making the folders on the way; what an earlier try left is removed.
__beside() {
  case $1 in
    */*) __d=${1%/*} ;;
    *) __d=. ;;
  esac
  __o=$(LC_ALL=C mkdir -p -- "${__d:-/}" 2>&1) || { __no_space "$__o" || printf '%s\n' "$__o"; return 1; }
  rm -f -- "$1".longshore-*
  __t=$1.longshore-$$
  __o=$(LC_ALL=C; { true >"$__t"; } 2>&1) || { __no_space "$__o" || printf '%s\n' "$__o"; return 1; }
}

# Puts __t into the place $1 with mode $2, if it has checksum $3.
__place() {
  __sha256 "$__t" || { rm -f -- "$__t"; return 1; }
  if [ "$__h" != "$3" ]; then
    rm -f -- "$__t"
    __cause checksum "$1: expected $3, got $__h"
    return 1
  fi
  if [ -d "$1" ]; then
    rm -f -- "$__t"
    echo "$1 is a folder; give the path of the file"
    return 1
  fi
  chmod -- "$2" "$__t" && mv -f -- "$__t" "$1"
}
