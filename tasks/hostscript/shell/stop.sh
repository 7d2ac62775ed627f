# shellcheck shell=sh disable=SC2154,SC2034
# Mode stop: $5 seconds between TERM and KILL. Ends the run's processes and confirms that they are gone.

left() {
  if [ "$s" = running ]; then __members "$p" "$start" " "
  else orphans
  fi
}

stopped() {
  [ -e finish ] || { printf "\n%s finish %s 130 cancelled\n" "$m" "$u" >>log; echo 130 >finish; } 2>/dev/null
  end 0 stopped gone
}

stop() {
  need sleep grep
  enter "$@"
  # The runner's own claim: once it is taken, this run never begins.
  set -C
  { echo cancelled >go.1; } 2>/dev/null && end 0 stopped never
  set +C
  # A resumed runner that claims its go from here on sees this and steps back.
  make cancel
  state
  [ "$s" = cancelled ] && end 0 stopped never
  [ "$s" = finished ] && end 0 stopped finished
  read -r u f </proc/uptime
  t=$((${u%.*} + $5)) sent=
  while left; [ "$__found" != " " ]; do
    read -r u f </proc/uptime
    [ "${u%.*}" -ge $((t + 10)) ] && end 77 stopped "alive$__found"
    if [ "${u%.*}" -ge "$t" ]; then __signal KILL
    elif [ -z "$sent" ]; then __signal TERM; sent=1
    fi
    sleep .1 2>/dev/null || sleep 1
  done
  stopped
}
