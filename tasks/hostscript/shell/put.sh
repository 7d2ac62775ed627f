# shellcheck shell=sh disable=SC2154
# Mode put: $5 name, $6 size and $7 SHA-256 of content that follows the preamble; for the steps that upload.
put() {
  need head mv
  enter "$@"
  [ -d uploads ] || mkdir uploads 2>/dev/null || [ -d uploads ] || unwritable "$(LC_ALL=C mkdir uploads 2>&1)"
  f=uploads/part.$$
  make "$f"
  head -c "$6" >"$f" 2>/dev/null || { rm -f "$f"; end 69 fail disk_full "no space left in $dir"; }
  h=$({ sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null <"$f")
  [ -n "$h" ] || end 69 fail tool_missing sha256sum
  [ "${h%% *}" = "$7" ] || { rm -f "$f"; end 69 fail checksum "the upload arrived as ${h%% *}, expected $7"; }
  { echo "$7" >"uploads/$5.sum" && mv "$f" "uploads/$5"; } 2>/dev/null || end 69 fail disk_full "no space left in $dir"
  end 0 put "$5"
}
