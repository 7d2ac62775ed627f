# shellcheck shell=sh disable=SC2154
# Pulls $1 to $2, checked against SHA-256 $3, with mode $4.
__fetch() {
  if [ -f "$2" ]; then
    __sha256 "$2" || return
    if [ "$__h" = "$3" ]; then
      echo "$2 is already there"
      chmod -- "$4" "$2"
      return
    fi
  fi
  case $1 in *[\"\\]*) __cause pull_http 'the URL has a quote or a backslash in it'; return 1 ;; esac
  __need curl wget && __beside "$2" || return
  if command -v curl >/dev/null; then __curl "$1"; else __wget "$1"; fi || {
    rm -f -- "$__t"
    return 1
  }
  __place "$2" "$4" "$3"
}

# The URL goes over stdin: it may carry a secret, and arguments are for all to see.
__curl() {
  __o=$(printf 'url = "%s"\n' "$1" | curl -qsSfLg --connect-timeout 30 -K - -o "$__t" 2>&1)
  __c=$?
  case $__c in
    0) ;;
    5 | 6) __cause pull_dns "$__o" ;;
    # Its message says "couldn't connect" of all; the trace of a second try tells why.
    7) __x=$(printf 'url = "%s"\n' "$1" | curl -qsvg --connect-timeout 5 -K - -o /dev/null 2>&1)
      case $__x in
        *imed\ out* | *"o route"* | *nreachable*) __cause pull_timeout "$__o" ;;
        *) __cause pull_refused "$__o" ;;
      esac ;;
    28) __cause pull_timeout "$__o" ;;
    23) __cause disk_full "$__o" ;;
    *) __cause pull_http "$__o" ;;
  esac
  return "$__c"
}

__wget() {
  case $(wget --help 2>&1) in
    # BusyBox without its timeout option crashes on -T.
    *BusyBox*) __o=$(wget -q -O "$__t" -- "$1" 2>&1) ;;
    *) __o=$(printf '%s\n' "$1" | LC_ALL=C wget -nv -T 30 -t 1 -O "$__t" -i - 2>&1) ;;
  esac
  __c=$?
  [ $__c = 0 ] && return
  __no_space "$__o" || case $__o in
    *"unable to resolve"* | *"bad address"*) __cause pull_dns "${__o##*wget: }" ;;
    *refused*) __cause pull_refused "${__o##*wget: }" ;;
    *"timed out"* | *"o route"* | *nreachable*) __cause pull_timeout "${__o##*wget: }" ;;
    *"ERROR "*) __cause pull_http "HTTP ${__o##*ERROR }" ;;
    *HTTP/1.?\ *) __cause pull_http "HTTP ${__o##*HTTP/1.? }" ;;
    *) __cause pull_http "$__o" ;;
  esac
  return $__c
}
