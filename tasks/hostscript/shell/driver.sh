# shellcheck shell=sh disable=SC2034,SC2154
# The driver: what every mode begins with. Arguments: mode, run, token's epoch and number, then the mode's own.
# It travels as one single-quoted word through any login shell, csh and fish included, so: one line after
# joining, no single quote, no double backslash, and "!" only before a space or "=".
run=$2
say() { printf "\n%s %s\n" "$m" "$*"; }
end() { c=$1; shift; say "$@"; exit "$c"; }

# `read` takes no byte past its newline, so what follows the preamble is left in the pipe for `head`.
read -r m size || exit 65
IFS= read -r work || exit 65
env=
while IFS= read -r line || exit 65; do
  [ "$line" = "$m" ] && break
  env="$env$line${IFS#??}"
done
case $work in /*) ;; *) work=$HOME/$work ;; esac
dir=$work/runs/$run

# Ends with the cause that the message $1 of a failed write tells of.
unwritable() {
  case $1 in *"No space left"* | *uota*) end 69 fail disk_full "$1" ;; esac
  end 69 fail workdir "$1"
}

# Makes the file $1 if it isn't there. `true`, since a failed redirection of `:` would end the shell.
make() {
  { true >>"$1"; } 2>/dev/null || unwritable "$(LC_ALL=C; { true >>"$1"; } 2>&1)"
}

need() {
  for f do command -v "$f" >/dev/null || end 69 fail tool_missing "$f"; done
}

# Into the run directory, as the one who holds this token: a larger one that is there already refuses it.
enter() {
  need mkdir
  # The steps keep the login's umask; mode 0700 of the folder is what guards all that is in it.
  [ -d "$dir" ] || mkdir -m 700 "$dir" 2>/dev/null || why=$(umask 077; LC_ALL=C mkdir -p "$dir" 2>&1) || unwritable "$why"
  cd "$dir" 2>/dev/null || unwritable "cannot enter $dir"
  # shellcheck disable=SC3067
  [ -O . ] || unwritable "$dir belongs to another user"
  make "token.$3.$4"
  for f in token.*; do
    n=${f##*.}
    e=${f#token.}
    e=${e%.*}
    [ "$e" -gt "$3" ] && end 76 refused "$e" "$n"
    [ "$e" -eq "$3" ] && [ "$n" -gt "$4" ] && end 76 refused "$e" "$n"
  done
}

# Sets s to how the run stands; and a, p, start, boot, __users of its newest attempt.
state() {
  a=0 s=new word="" bytes=0
  for f in go.*; do [ "${f#go.}" -gt "$a" ] && a=${f#go.}; done 2>/dev/null
  [ "$a" = 0 ] && return
  # Empty for a moment while it is being claimed, and for good when the power went just then.
  read -r p start boot __users <"go.$a" || { sleep 1; read -r p start boot __users <"go.$a"; }
  # Alive first: a runner that ends between two questions has left its finish behind.
  if __alive "$p" "$start" "$boot"; then s=running
  elif [ "$p" = cancelled ]; then s=cancelled
  elif [ -e finish ]; then s=finished
  else gone
  fi
  [ -s log ] && bytes=$(($(wc -c <log)))
}

# The runner is dead and left no finish: why, and whether anything of it still runs.
gone() {
  s=gone word=killed
  read -r f </proc/sys/kernel/random/boot_id
  [ "$f" = "$boot" ] || { word=rebooted; return; }
  orphans
  [ "$__found" = " " ] || word="orphans$__found"
}

# What is left of a dead runner's session. Its number may be another's by now: an environment that can be read must name this run.
orphans() {
  __members "$p" "$start" " "
  kept=" "
  for f in $__found; do
    [ -r "/proc/$f/environ" ] && { grep -q "LONGSHORE_RUN=$run" "/proc/$f/environ" || continue; }
    kept="$kept$f "
  done
  __found=$kept
}
