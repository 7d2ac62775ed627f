# shellcheck shell=sh disable=SC2154
# Mode put: $5 name, $6 size and $7 SHA-256 of content that follows on standard input; for the steps that upload.
# Content must not be read ahead, as a shell that reads its text from there does; so this text is an argument, in
# one line and single quotes through any login shell, csh and fish included: no single quote, no double backslash, and
# "!" only before a space or "=". The same goes for driver.sh.
__put() {
  read -r __m
  IFS= read -r __work || exit 65
  __require head mv rm
  __enter "$@"
  [ -d uploads ] || mkdir uploads 2>/dev/null || [ -d uploads ] || __unwritable "$(LC_ALL=C mkdir uploads 2>&1)"
  __f=uploads/part.$$
  __make "$__f"
  head -c "$6" >"$__f" 2>/dev/null || { rm -f "$__f"; __end 69 fail disk_full "no space left in $__dir"; }
  __h=$({ sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null <"$__f")
  [ -n "$__h" ] || __end 69 fail tool_missing sha256sum
  [ "${__h%% *}" = "$7" ] || { rm -f "$__f"; __end 69 fail checksum "the upload arrived as ${__h%% *}, expected $7"; }
  { echo "$7" >"uploads/$5.sum" && mv "$__f" "uploads/$5"; } 2>/dev/null || __end 69 fail disk_full "no space left in $__dir"
  __end 0 put "$5"
}
