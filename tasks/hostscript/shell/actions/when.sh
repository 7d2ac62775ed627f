# shellcheck shell=sh disable=SC2154
# The step's shell test $1. One that ends with more than 1 and says why could not be run (a syntax error, a tool that
# isn't there), and fails the step; `command -v` for one says nothing.
__when() {
  { __o=$(eval "$1" 2>&1 >&3 3>&-); } 3>&1
  __c=$?
  [ -z "$__o" ] || printf '%s\n' "$__o"
  [ "$__c" = 0 ] && return
  [ "$__c" = 1 ] || [ -z "$__o" ] || exit "$__c"
  __say skip "$__i"
  exit 0
}
