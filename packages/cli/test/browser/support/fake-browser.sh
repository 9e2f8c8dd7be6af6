#!/bin/sh
# Stands in for a browser: says what it was given, then does what $FAKE_BROWSER says.
case $FAKE_BROWSER in
  graceful) trap 'exit 0' TERM INT HUP ;;
  deaf) trap '' TERM INT HUP ;;
esac
for argument in "$@"; do
  case $argument in --user-data-dir=*) profile=${argument#--user-data-dir=} ;; esac
done
touch "$profile/used"
if [ "$FAKE_BROWSER" = deaf ]; then
  # As Chromium does, which takes it away when it ends by itself.
  folder=$(mktemp -d -t org.chromium.Chromium.XXXXXX)
  touch "$folder/SingletonSocket" "$folder/SingletonCookie"
  ln -s "$folder/SingletonSocket" "$profile/SingletonSocket"
  echo "socket: $folder"
fi
echo "arguments: $*"
echo "namespace: $(readlink /proc/self/ns/net)"
echo "capabilities: $(sed -n 's/^CapEff:\t//p' /proc/self/status)"
echo "descriptors: $(ls "/proc/$$/fd" | tr '\n' ' ')"
echo "pid: $$"
[ -z "$FAKE_ERRORS" ] || echo "$FAKE_ERRORS" >&2
case $FAKE_BROWSER in
  exit-7) exit 7 ;;
  die) kill -KILL $$ ;;
  echo-pipe) read -r line <&3 && echo "got $line" >&4 ;;
  graceful | deaf) while :; do sleep 0.05; done ;;
esac
