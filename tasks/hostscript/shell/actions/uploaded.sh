# shellcheck shell=sh disable=SC2154
# Finds what the worker put for step __i: sets __s to its file, __k to its kind (file or tar) and __x to its SHA-256.
__uploaded() {
  for __k in file tar; do
    __s=$__dir/uploads/$__i.$__k
    [ -f "$__s" ] && read -r __x <"$__s.sum" && return
  done
  __cause upload_source 'nothing was uploaded for this step'
  return 1
}
