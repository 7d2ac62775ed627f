# shellcheck shell=sh disable=SC2154
# Mode sweep: removes the directories of runs that finished more than $5 days ago; one that has no finish is evidence, and stays.
sweep() {
  need find rm
  n=0
  cd "$work/runs" 2>/dev/null || end 0 swept 0
  # shellcheck disable=SC2044 # names of runs have no spaces
  for f in $(find . -name finish -mtime "+$5"); do rm -rf "${f%/finish}" && n=$((n + 1)); done
  end 0 swept "$n"
}
