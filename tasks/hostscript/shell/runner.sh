# shellcheck shell=sh disable=SC2086,SC2154,SC2034
# The runner: carries out the steps __s1, __s2, ... one after the other, each in a subshell, and writes what
# happens to its standard output, the log. Its names begin with two underscores: all others are parameters.

# One control line, as one write: what others write at the same time can't come between.
__say() { printf '\n%s %s\n' "$__m" "$*"; }

# Writes $1; on a full disk, after giving back what the driver kept in reserve.
__write() {
  printf %s "$1" && return
  true >reserve
  __say cause "$__i" disk_full "no space left in $__dir"
  printf %s "$1"
}

# One run at a time under a work directory: the holder is the newest active.N, if it is alive.
# A number is taken by creating its file; whoever then isn't the newest has lost. Needs noclobber.
__guard() {
  while set -- ../../active.*; eval "__g=\${$#}"; do
    case $__g in *\*) __g=../../active.1000000000 ;; esac
    if [ -e "$__g" ]; then
      read -r __x __p __t __b <"$__g" || { sleep 1; read -r __x __p __t __b <"$__g"; }
      if __alive "$__p" "$__t" "$__b"; then
        [ "$__x" = "$__run" ] || __say busy "$__x"
        exit 75
      fi
    fi
    __n=../../active.$((${__g##*.} + 1))
    { echo "$__run $$ $__start $__boot" >"$__n"; } 2>/dev/null || continue
    set -- ../../active.*
    eval "__g=\${$#}"
    [ "$__g" = "$__n" ] && break
  done
  __x=$*
  [ $# -lt 40 ] || rm -f ${__x% *}
}

# In the background: ends a step that has had its time. $N is step N's limit in seconds. It ends after one
# such step, and the runner starts another: so the runner can wait for the end of the killing.
__watch() {
  trap 'kill $! 2>/dev/null; exit' TERM
  __n=$__shortest
  while sleep "$__n" & wait $!; do
    read -r __l </proc/self/stat
    __self=${__l%% *}
    __l=${__l##*) ? }
    [ "${__l%% *}" = $$ ] || { __say lost; exit; }
    __k=$__i
    while [ -e "s.$__a.$__k" ]; do __k=$((__k + 1)); done
    [ "$__k" -le "$__count" ] || exit
    __t=$__u __n=1
    if [ "$__k" != "$__i" ]; then
      read -r __x <"s.$__a.$((__k - 1))" || continue
      [ "$__x" = timeout ] || __t=$__x
    fi
    eval "__l=\${$__k}"
    read -r __x __y </proc/uptime
    __l=$((${__t%.*}${__t#*.} + __l * 100 - ${__x%.*}${__x#*.}))
    if [ "$__l" -gt 0 ]; then
      __n=$(((__l + 99) / 100))
      [ "$__n" -lt "$__shortest" ] || __n=$__shortest
      continue
    fi
    # Runner and watchdog claim a step's end alike, so that only a step that is still under way is ended.
    set -C
    { echo timeout >"s.$__a.$__k"; } 2>/dev/null && break
    set +C
  done
  set +C
  [ -s "s.$__a.$__k" ] || { true >reserve; echo timeout >"s.$__a.$__k"; }
  __end_step
}

# Ends the step under way: its shell is the runner's other child, and what began before that isn't the step's.
__end_step() {
  __born=
  for __f in /proc/[0-9]*/stat; do
    read -r __l <"$__f" || continue
    set -- ${__l%% *} ${__l##*) }
    [ "$3" = $$ ] && [ "$1" != "$__self" ] && __born=${21}
  done 2>/dev/null
  [ -n "$__born" ] || return
  read -r __x __y </proc/uptime
  __t=$((${__x%.*} + __grace)) __k=
  while __members $$ "$__born" " $$ $__self "; [ "$__found" != " " ]; do
    read -r __x __y </proc/uptime
    [ "${__x%.*}" -lt $((__t + 10)) ] || return
    if [ "${__x%.*}" -ge "$__t" ]; then __signal KILL
    elif [ -z "$__k" ]; then __signal TERM; __k=1
    fi
    sleep .1 2>/dev/null || sleep 1
  done
}

# The end of step __i was claimed by another: by the watchdog, which is ending it.
__late() {
  __x=
  read -r __x <"s.$__a.$__i"
  [ "$__x" = timeout ] || return
  wait "$__w"
  read -r __u __x </proc/uptime
  __c=124 __r=' timeout'
  __watch $__limits 2>/dev/null &
  __w=$!
}

# Arguments: attempt, first step, run.
__main() {
  __a=$1 __i=$2 __run=$3 __dir=$PWD __said='' __code=0
  read -r __l </proc/self/stat
  set -- ${__l##*) }
  __start=${20}
  read -r __boot </proc/sys/kernel/random/boot_id
  set -C
  __guard
  { echo "$$ $__start $__boot $__users" >"go.$__a"; } 2>/dev/null || exit
  set +C
  if [ -e cancel ] || [ -e "go.$((__a + 1))" ]; then exit; fi
  read -r __u __x </proc/uptime
  __watch $__limits 2>/dev/null &
  __w=$!
  while [ "$__i" -le "$__count" ]; do
    # The end of one step and the start of the next are one write: half the packets on their way to the worker.
    __write "$__said
$__m start $__i $__u
"
    (cd "${HOME:-/}" && "__s$__i")
    __c=$? __r=
    read -r __u __x </proc/uptime
    set -C
    { echo "$__u" >"s.$__a.$__i"; } 2>/dev/null || __late
    set +C
    __said="
$__m end $__i $__u $__c$__r
"
    if [ "$__c" != 0 ]; then
      case $__keep in *" $__i "*) ;; *) __code=$__c; break ;; esac
    fi
    __i=$((__i + 1))
  done
  __write "$__said
$__m finish $__u $__code
"
  # After the line: whoever finds the file finds the line.
  echo "$__code" >finish
  kill "$__w" 2>/dev/null
}
