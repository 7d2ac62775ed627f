#!/bin/sh
# Proves what a deployment needs of a host. Reads: directory, user (empty: nobody to become).
# Prints one line per stage: longshore-verify STAGE ok|failed CAUSE DETAIL
: "${directory:?}" "${user?}"
LC_ALL=C
export LC_ALL

say() {
  printf 'longshore-verify %s %s %s %s\n' "$1" "$2" "$3" "$(printf '%s' "$4" | tr '\n\t' '  ')"
}

missing=''
for tool in setsid head tail; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  say command failed tool_missing "not found on the host:$missing"
  exit 0
fi
advice=''
command -v sha256sum >/dev/null 2>&1 || advice=' sha256sum'
command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || advice="$advice curl or wget"
say command ok - "${advice:+without:$advice; fetch needs it}"

# The login's shell starts at home, or at / where there is none.
cd "${HOME:-/}" 2>/dev/null || cd /
probe="$directory/.verify.$$"
problem=$(
  {
    (umask 077 && mkdir -p "$directory") && head -c 65536 /dev/zero >"$probe"
  } 2>&1 </dev/null
)
size=$(wc -c 2>/dev/null <"$probe" || echo 0)
rm -f "$probe" 2>/dev/null
free=$(df -Pk "$directory" 2>/dev/null | awk 'END { print $4 }')
case $problem in
  *'No space left'* | *'uota exceeded'*) say workdir failed disk_full "$problem" && exit 0 ;;
esac
if [ "$size" -ne 65536 ]; then
  case $free in
    0) say workdir failed disk_full "no space left for $directory" ;;
    *) say workdir failed workdir "${problem:-$directory can not be written}" ;;
  esac
  exit 0
fi
say workdir ok - "${free:+$((free / 1024)) MB free}"

if [ -n "$user" ]; then
  if problem=$(sudo -n -u "$user" true 2>&1 </dev/null); then
    say privilege ok - ''
  else
    say privilege failed privilege "as $user: ${problem:-sudo failed}"
  fi
fi
exit 0
