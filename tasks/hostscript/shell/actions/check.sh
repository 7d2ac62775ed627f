# shellcheck shell=sh disable=SC2154,SC2086
# Repeats the command from $3 on until it holds: for $1 hundredths of a second, every $2 seconds. The command leaves in
# __o what was wrong.
__check() {
  __e=$1 __n=$2
  shift 2
  read -r __t __x </proc/uptime
  __t=$((${__t%.*}${__t#*.} + __e))
  until "$@"; do
    read -r __x __y </proc/uptime
    if [ "${__x%.*}${__x#*.}" -ge "$__t" ]; then
      __cause check_failed "$__o"
      return 1
    fi
    sleep "$__n" 2>/dev/null || sleep 1
  done
}

# Whether URL $1 answers with status $2.
__http() {
  if command -v curl >/dev/null; then
    __o=$(printf 'url = "%s"\n' "$1" | curl -qsSg -m 10 -K - -o /dev/null -w '%{http_code}' 2>&1) && {
      [ "$__o" = "$2" ] && return
      __o="answered with status $__o, expected $2"
    }
    __o=${__o#000}
    return 1
  fi
  __need wget || exit 1
  # BusyBox without its timeout option crashes on -T.
  case $(wget --help 2>&1) in *BusyBox*) __x='' ;; *) __x='-T 10 -t 1' ;; esac
  __o=$(LC_ALL=C wget -S $__x -O /dev/null -- "$1" 2>&1)
  case $__o in *HTTP/1.?\ "$2"*) return 0 ;; esac
  __o=$(printf '%s\n' "$__o" | grep -v '^$' | tail -n 1)
  return 1
}

# Whether host $1 accepts a TCP connection on port $2.
__tcp() {
  if command -v nc >/dev/null; then __o=$(nc -w 5 "$1" "$2" </dev/null 2>&1 >/dev/null)
  elif command -v bash >/dev/null; then __o=$(bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1)
  elif command -v python3 >/dev/null; then
    __o=$(python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)' "$1" "$2" 2>&1)
  else __need nc; exit 1
  fi && return
  __o="no connection to $1 port $2${__o:+: ${__o##*: }}"
  return 1
}

# Whether the shell text $1 succeeds.
__holds() {
  __o=$( (eval "$1") 2>&1) && return
  __o="exit code $?${__o:+: ${__o##*
}}"
  return 1
}
