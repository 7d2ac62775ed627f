# shellcheck shell=sh disable=SC2154
# Runs the shell text $2 as user $1. Text and variables go over stdin, so that no process list shows them; the
# reading shell evaluates nothing before it has seen the end line. $3: a file to hand over after them.
__as() {
  __b=
  for __n in $__names; do
    eval "[ \"\${$__n+x}\" ]" || continue
    eval "__v=\$$__n"
    __q=
    while :; do
      case $__v in
        *\'*) __q="$__q${__v%%\'*}'\\''" __v=${__v#*\'} ;;
        *) break ;;
      esac
    done
    __b="$__b export $__n='$__q$__v';"
  done
  {
    printf '%s\n' "$__b" "__m='$__m' __i=$__i" "$__prelude" "$2" "end $$ $__start"
    [ -z "$3" ] || cat "$3"
  } | sudo -n -u "$1" sh -c '
    while IFS= read -r l || exit 125; do
      [ "$l" = "$1" ] && break
      t="$t$l
"
    done
    eval "$t"' longshore "end $$ $__start"
}
