# shellcheck shell=sh disable=SC2154
# Unpacks the archive $1 into the folder $2.
__unpack() {
  __z=$1
  case $1 in
    /*) ;;
    *) __z=$PWD/$1 ;;
  esac
  [ -r "$1" ] || { echo "there is no archive $1 that can be read"; return 1; }
  case $1 in
    *.zip | *.jar | *.war | *.whl) __need unzip && __swap "$2" unzip -q "$__z" ;;
    *.tar) __need tar && __swap "$2" tar -xof "$__z" ;;
    *.tar.gz | *.tgz) __tar gzip "$2" ;;
    *.tar.bz2 | *.tbz2 | *.tbz) __tar bzip2 "$2" ;;
    *.tar.xz | *.txz) __tar xz "$2" ;;
    *.tar.zst | *.tzst) __tar zstd "$2" ;;
    *) echo "$1: not a kind of archive that is known by its name (tar, tar.gz, tar.bz2, tar.xz, tar.zst, zip)"; return 1 ;;
  esac
}

__tar() { __need tar && __need "$1" && __swap "$2" __pipe "$1"; }

# A decompressor that fails must fail the step, though the pipe's status is tar's.
__pipe() {
  { "$1" -dc "$__z" || echo failed >&3; } 3>.longshore-failed | tar -xof - && [ ! -s .longshore-failed ] && rm -f .longshore-failed
}
