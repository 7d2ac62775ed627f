# shellcheck shell=sh disable=SC2154
# Makes $1 a symbolic link to $2, in one rename.
__link() {
  if [ -e "$1" ] && [ ! -L "$1" ]; then
    echo "$1 is there and is no link: move it away first"
    return 1
  fi
  case $1 in */*) mkdir -p -- "${1%/*}/" || return ;; esac
  rm -f -- "$1".longshore-*
  ln -s -- "$2" "$1.longshore-$$" || return
  # Without -T (a mv of neither GNU nor BusyBox) a link to a folder would be entered, not replaced.
  mv -fT -- "$1.longshore-$$" "$1" 2>/dev/null && return
  rm -f -- "$1.longshore-$$"
  ln -sfn -- "$2" "$1"
}
