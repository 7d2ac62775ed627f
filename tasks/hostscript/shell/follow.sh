# shellcheck shell=sh disable=SC2154,SC2034,SC2064
# Modes run, attach and resume: $5 log offset from which to follow, $6 first step of a resumed run; and probe.

# Whether a run other than this one is under way under this work directory; sets r to it.
busy() {
  set -- "$work"/active.*
  eval "f=\${$#}"
  read -r r f1 f2 f3 <"$f" && [ "$r" != "$run" ] && __alive "$f1" "$f2" "$f3"
} 2>/dev/null

# Starts the work detached; whoever claims go.N first is the one runner, however many are started.
launch() {
  busy && end 75 busy "$r"
  make log
  make "script.$$"
  # Space that the runner gives back when the disk is full, so that it can still say so.
  printf "%4096s" "" >reserve 2>/dev/null || end 69 fail disk_full "no space left in $dir"
  head -c "$size" >"script.$$" 2>/dev/null || end 69 fail disk_full "no space left in $dir"
  say status "$s" "$bytes" "$word"
  ( eval "$env exec setsid sh ./script.$$ $((a + 1)) ${1:-1} $run" ) </dev/null >>log 2>&1 &
}

# The log from byte $1 on, until the other side closes its end or sends a line.
follow() {
  tail -c "+$(($1 + 1))" -f log &
  t=$! ; trap "kill $t; exit" HUP INT TERM
  read -r line
  kill "$t"
  exit 0
}

begun() {
  [ "$size" = 0 ] || head -c "$size" >/dev/null
  say status "$s" "$bytes" "$word"
  [ "$s" = running ] && follow "$5"
  [ -e log ] && exec tail -c "+$(($5 + 1))" log
  exit 0
}

run() {
  need setsid head tail sleep wc
  enter "$@"
  state
  [ "$s" = new ] || begun "$@"
  launch
  follow "$5"
}

attach() {
  need tail wc
  enter "$@"
  state
  begun "$@"
}

resume() {
  need setsid head tail sleep wc
  enter "$@"
  state
  case "$s $word" in "gone killed" | "gone rebooted") ;; *) begun "$@" ;; esac
  launch "$6"
  follow "$5"
}

probe() {
  [ -d "$dir" ] || end 0 status new 0
  cd "$dir" 2>/dev/null || unwritable "cannot enter $dir"
  state
  end 0 status "$s" "$bytes" "$word"
}
