# shellcheck shell=sh disable=SC2086,SC2154,SC2034
# Modes run and resume. The shell that reads this claims the run, hands its connection to a follower, and becomes the
# runner: it carries out the steps __s1, __s2, ... one after the other, each in a subshell, and writes what happens to
# the log. $5 is the log offset from which to follow, $6 the step at which to resume. __env exports the parameters;
# __aside is the follower.

__run() {
  __begin new 1 "$@"
}

__resume() {
  __begin gone "$6" "$@"
}

# Begins at step $2 if the run stands as $1; the mode's arguments follow.
__begin() {
  __was=$1 __i=$2
  shift 2
  __require tail sleep wc
  __enter "$@"
  __state
  __claim "$@"
  __say status "$__was" "$__bytes" "$__word"
  # A background command gets no standard input of its own accord.
  exec 3<&0
  __follow "$5" <&3 3<&- &
  __aside=$!
  exec 3<&- </dev/null >>log 2>&1
  __env
  __main
}

# Becomes the one runner of this attempt, or follows the one that is: any number of drivers may try.
__claim() {
  read -r __l </proc/self/stat
  __l=${__l##*) }
  while :; do
    case "$__s $__word" in "$__was "*orphans*) __begun "$@" ;; "$__was "*) ;; *) __begun "$@" ;; esac
    __make log
    # Space that is given back when the disk is full, so that this can still be said.
    printf '%4096s' '' 2>/dev/null >reserve || __end 69 fail disk_full "no space left in $__dir"
    __ticks $__l
    set -C
    if __guard && { echo "$$ $__start $__boot $__users" >"go.$((__a + 1))"; } 2>/dev/null; then break; fi
    set +C
    sleep .1 2>/dev/null || sleep 1
    __state
  done
  set +C
  __a=$((__a + 1))
  if [ -e cancel ] || [ -e "go.$((__a + 1))" ]; then exit 0; fi
}

# Sets __start and __boot, out of the fields of /proc/self/stat from the third on.
__ticks() {
  __start=${20}
  read -r __boot </proc/sys/kernel/random/boot_id
}

# One run at a time under a work directory: the holder is the newest active.N, while it is alive and not finished.
# A number is taken by creating its file; whoever then isn't the newest has lost. Needs noclobber.
__guard() {
  while set -- ../../active.*; eval "__g=\${$#}"; do
    case $__g in *\*) __g=../../active.1000000000 ;; esac
    if [ -e "$__g" ]; then
      read -r __x __p __t __b <"$__g" || { sleep 1; read -r __x __p __t __b <"$__g"; }
      if [ ! -e "../$__x/finish" ] && __alive "$__p" "$__t" "$__b"; then
        [ "$__x" = "$__run" ] && return 1
        __end 75 busy "$__x"
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

# Writes $1; on a full disk, after giving back what the driver kept in reserve.
__write() {
  printf %s "$1" && return
  true >reserve
  __say cause "$__i" disk_full "no space left in $__dir"
  printf %s "$1"
}

# In the background: ends a step that has had its time. $N is step N's limit in seconds. It ends after one
# such step, and the runner starts another: so the runner can wait for the end of the killing.
__watch() {
  # KILL: between fork and exec a child still has this trap, and would lose a TERM.
  trap 'kill -9 $! 2>/dev/null; exit' TERM
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

__start_watch() {
  __watch $__limits 2>/dev/null &
  __w=$!
  echo "$__aside $__w" >"f.$__a"
}

# Ends the step under way: its shell is the runner's child beside watchdog and follower, and what began before that
# isn't the step's.
__end_step() {
  __born=
  for __f in /proc/[0-9]*/stat; do
    read -r __l <"$__f" || continue
    set -- ${__l%% *} ${__l##*) }
    [ "$3" = $$ ] && [ "$1" != "$__self" ] && [ "$1" != "$__aside" ] && __born=${21}
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
  set +C
  __x=
  read -r __x <"s.$__a.$__i"
  [ "$__x" = timeout ] || return
  wait "$__w"
  read -r __u __x </proc/uptime
  __c=124 __r=' timeout'
  __start_watch
}

# The steps from __i on.
__main() {
  __said='' __code=0
  read -r __u __x </proc/uptime
  __start_watch
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
  # The end of this process ends the connection's input, and with it the follower, which may have something to deliver.
  wait "$__aside"
  __prune 2>/dev/null
  exit 0
}

# Removes the oldest of the finished runs beyond the last 20; one that has no finish is evidence, and stays. Names of runs
# begin with their time.
__prune() {
  set -- ../*
  while [ $# -gt 20 ]; do
    [ "$1" = "../$__run" ] || [ ! -e "$1/finish" ] || rm -rf "$1"
    shift
  done
}
