# shellcheck shell=sh disable=SC2154,SC2034
# Mode stop: $5 seconds between TERM and KILL. Ends the run's processes and confirms that they are gone.

__left() {
  if [ "$__s" = running ]; then __members "$__pid" "$__start" ' '; else __orphans; fi
}

__stop() {
  __require sleep wc
  __enter "$@"
  # The runner's own claim: once it is taken, this run never begins.
  set -C
  { echo cancelled >go.1; } 2>/dev/null && __end 0 stopped never
  set +C
  # A resumed runner that claims its go from here on sees this and steps back.
  __make cancel
  __state
  [ "$__s" = cancelled ] && __end 0 stopped never
  [ "$__s" = finished ] && __end 0 stopped finished
  read -r __u __x </proc/uptime
  # The follower stays: it has the end to tell. The watchdog goes.
  __t=$((${__u%.*} + $5)) __k='' __aside=$__follower
  while __left; [ "$__found" != ' ' ]; do
    read -r __u __x </proc/uptime
    [ "${__u%.*}" -ge $((__t + 10)) ] && __end 77 stopped "alive$__found"
    if [ "${__u%.*}" -ge "$__t" ]; then __signal KILL
    elif [ -z "$__k" ]; then __signal TERM; __k=1
    fi
    sleep .1 2>/dev/null || sleep 1
  done
  [ -e finish ] || { printf "\n%s finish %s 130 cancelled\n" "$__m" "$__u" >>log; echo 130 >finish; } 2>/dev/null
  __end 0 stopped gone
}
