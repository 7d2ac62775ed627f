# shellcheck shell=sh disable=SC2154,SC2015
# Fills a new folder beside $1 with the command that follows, run in it, and then puts it into $1's place. A folder
# that is there is replaced only if it is empty or came from here (the file .NAME.longshore beside it says so):
# two renames, between which there is none. Half-filled never shows.
__swap() {
  __to=${1%/}
  case $__to in
    /*) ;;
    *) __to=$PWD/$__to ;;
  esac
  __d=${__to%/*}
  __stamp=$__d/.${__to##*/}.longshore
  shift
  if [ -e "$__to" ] && [ ! -f "$__stamp" ] && ! rmdir -- "$__to" 2>/dev/null; then
    echo "$__to is there and was not put there by a deployment: remove it, or choose another folder"
    return 1
  fi
  rm -rf -- "$__to.longshore-new" "$__to.longshore-old"
  __o=$(LC_ALL=C mkdir -p -- "$__to.longshore-new" 2>&1) &&
    __o=$(cd "$__to.longshore-new" && export LC_ALL=C && "$@" 2>&1) || {
    __c=$?
    rm -rf -- "$__to.longshore-new"
    __no_space "$__o" || printf '%s\n' "$__o"
    return $__c
  }
  [ -z "$__o" ] || printf '%s\n' "$__o"
  true >"$__stamp" || return
  [ ! -e "$__to" ] || mv -- "$__to" "$__to.longshore-old" || return
  mv -- "$__to.longshore-new" "$__to" || return
  rm -rf -- "$__to.longshore-old"
}
