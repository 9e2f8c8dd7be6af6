# Sets $node to a Node.js that is new enough, for the script that reads this; $here is the clone. When the one on the PATH is missing or too
# old, as on Debian 12, another one is fetched into the clone, by the package for it in npm's registry.

needed=20.19
fetched=24.21.0

new_enough() {
  found=$("$1" --version 2>/dev/null) || return 1
  found=${found#v}
  major=${found%%.*}
  rest=${found#*.}
  [ "$major" -gt "${needed%.*}" ] || { [ "$major" -eq "${needed%.*}" ] && [ "${rest%%.*}" -ge "${needed#*.}" ]; }
}

say() {
  printf 'manypath: %s\n' "$1" >&2
}

# Only root on a Debian-like machine can install npm here; a person at a terminal is asked.
install_npm() {
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
  say 'npm is needed and is not here: installing it by apt-get (this may take a minute)'
  if [ -t 0 ] && [ -t 2 ]; then
    printf 'Go on? [Y/n] ' >&2
    read -r answer
    case $answer in [Nn]*) return 1 ;; esac
  fi
  apt_get_npm || { apt-get update -qq >&2 && apt_get_npm; }
}

apt_get_npm() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends npm </dev/null >/dev/null
}

fetch_node() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) arch=x64 ;;
    Linux-aarch64) arch=arm64 ;;
    *) arch= ;;
  esac
  there=${found:-none}
  if [ -z "$arch" ]; then
    say "Node.js $needed or newer is needed, and there is $there here."
    say '  try: install it by the means of your system'
    return 1
  fi
  node=$here/.manypath/node/node_modules/node-linux-$arch/bin/node
  new_enough "$node" && return
  if ! mkdir -p "$here/.manypath/node" 2>/dev/null || [ ! -w "$here/.manypath/node" ]; then
    say "Node.js $needed or newer is needed, and there is $there here."
    say "None can be fetched into $here, which you cannot write."
    say '  try: make a clone of your own, and run manypath there'
    return 1
  fi
  if ! command -v npm >/dev/null 2>&1 && ! install_npm; then
    say "Node.js $needed or newer is needed, and there is $there here."
    say '  try: sudo apt-get install npm'
    say '  and then the same command again: with npm, of any age, it fetches'
    say '  a Node.js that is new enough into this clone'
    return 1
  fi
  say "fetching Node.js $fetched into this clone (once, 50 MB):"
  say "  $needed is needed, and there is $there here"
  npm install --prefix "$here/.manypath/node" --ignore-scripts --no-save --no-audit --no-fund --loglevel=error \
    "node-linux-$arch@$fetched" >&2 && new_enough "$node"
}

node=node
new_enough node || fetch_node || exit 69
