# shellcheck shell=sh disable=SC2086,SC2034,SC2154
# Who is alive, and how to end them. In all of these files names begin with two underscores: the shell that reads
# them becomes the one that runs the steps, and every other name is a step's.

# Whether process $1, begun at tick $2 of boot $3, is there and is no zombie: a pid alone may be another's by now.
__alive() {
  read -r __l </proc/sys/kernel/random/boot_id
  [ "$__l" = "$3" ] || return 1
  read -r __l <"/proc/$1/stat" || return 1
  set -- "$2" ${__l##*) }
  [ "$2" != Z ] && [ "$2" != X ] && [ "${21}" = "$1" ]
} 2>/dev/null

# Sets __found to the pids of session $1 begun at tick $2 or later and of what descends from them, without those in $3
# and without those in __aside and their children.
__members() {
  __found=' '
  while __before=$__found; do
    for __f in /proc/[0-9]*/stat; do
      read -r __l <"$__f" || continue
      __p=${__l%% *}
      case $3$__found in *" $__p "*) continue ;; esac
      set -- "$1" "$2" "$3" ${__l##*) }
      case $4 in Z | X) continue ;; esac
      case " $__aside " in *" $__p "* | *" $5 "*) continue ;; esac
      if [ "$7" = "$1" ]; then
        [ "${23}" -ge "$2" ] || continue
      else
        case $__found in *" $5 "*) ;; *) continue ;; esac
      fi
      __found="$__found$__p "
    done
    [ "$__found" = "$__before" ] && break
  done
} 2>/dev/null

# Sends signal $1 to __found; what runs as another user is reached as that user.
__signal() {
  kill -s "$1" $__found
  for __n in $__users; do sudo -n -u "$__n" sh -c "kill -s $1 $__found"; done
} 2>/dev/null </dev/null
