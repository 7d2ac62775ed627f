# shellcheck shell=sh disable=SC2154
# Verb $2 on the systemd unit $1.
__service() {
  __need systemctl || { echo "this host has no systemctl; give the service's command: instead"; return 1; }
  __o=$(LC_ALL=C systemctl --no-ask-password "$2" -- "$1" 2>&1)
  __c=$?
  [ -z "$__o" ] || printf '%s\n' "$__o"
  [ $__c = 0 ] && return
  case $__o in
    *"Access denied"* | *"nteractive authentication required"* | *"ermission denied"*) __cause privilege "$__o" ;;
  esac
  return $__c
}
