# shellcheck shell=sh disable=SC2154
# Mode sweep: removes the directories of runs that finished more than $5 days ago; one that has no finish is evidence,
# and stays.
__sweep() {
  __locate "$@"
  __require find rm
  __n=0
  cd "$__work/runs" 2>/dev/null || __end 0 swept 0
  # shellcheck disable=SC2044 # names of runs have no spaces
  for __f in $(find . -name finish -mtime "+$5"); do rm -rf "${__f%/finish}" && __n=$((__n + 1)); done
  __end 0 swept "$__n"
}
