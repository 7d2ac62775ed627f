# shellcheck shell=sh disable=SC2034,SC2154
# How a run stands.

# Sets __s to it; and __a, __pid, __start, __boot, __users, __follower, __watcher of its newest attempt.
__state() {
  __a=0 __s=new __word='' __bytes=0 __follower='' __watcher=''
  for __f in go.*; do [ "${__f#go.}" -gt "$__a" ] && __a=${__f#go.}; done 2>/dev/null
  [ "$__a" = 0 ] && return
  # Empty for a moment while it is being claimed, and for good when the power went just then.
  read -r __pid __start __boot __users <"go.$__a" || { sleep 1; read -r __pid __start __boot __users <"go.$__a"; }
  { read -r __follower __watcher <"f.$__a"; } 2>/dev/null
  if [ "$__pid" = cancelled ]; then __s=cancelled
  elif [ -e finish ]; then __s=finished
  elif __alive "$__pid" "$__start" "$__boot"; then __s=running
  elif [ -e finish ]; then __s=finished
  else __gone
  fi
  [ -s log ] && __bytes=$(($(wc -c <log)))
}

# The runner is dead and left no finish: why, and whether anything of it still runs.
__gone() {
  __s=gone __word=killed
  read -r __f </proc/sys/kernel/random/boot_id
  [ "$__f" = "$__boot" ] || { __word=rebooted; return; }
  # Follower and watchdog do nothing to the host.
  __aside="$__follower $__watcher"
  __orphans
  [ "$__found" = ' ' ] || __word="orphans$__found"
}

# What is left of a dead runner's session. Its number may be another's by now: so environment or arguments, where they
# can be read, must name this run.
__orphans() {
  __require grep
  __members "$__pid" "$__start" ' '
  __kept=' '
  for __f in $__found; do
    [ -r "/proc/$__f/environ" ] && { grep -q "$__run" "/proc/$__f/environ" "/proc/$__f/cmdline" || continue; }
    __kept="$__kept$__f "
  done
  __found=$__kept
}
