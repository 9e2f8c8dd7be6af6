/** Text below the options in `manypath browse --help`. */
export const browseHelp: string = `The quiet network namespace
  Chromium breaks off every HTTP/2 download when any address or link of its
  network namespace changes, also behind a proxy that is fine. So it gets a
  namespace in which nothing ever changes. That takes no root, and the browser
  keeps its own sandbox. localhost, local networks and local names work as ever,
  and a public page gets at them no more than it otherwise would.
  What it costs: there is no UDP. WebRTC works over TURN with TCP or TLS only,
  WebTransport and HTTP/3 do not; devices are not discovered (mDNS, Cast, DIAL).
  Programs that the browser starts share its namespace.
  With --no-isolate UDP works (QUIC stays off), and downloads break off when a
  link comes or goes.

Names
  The browser resolves these itself and connects to them without the proxy:
  names without a dot, *.local, *.lan, *.home.arpa, *.internal, *.localdomain
  and the search domains of this machine. A name of the public DNS that leads to
  this machine or its network is refused, unless you name it with --local-name.

Being driven
  --remote-debugging-port=PORT works as ever: the port is reachable on 127.0.0.1
  of this machine, for the same user only. 0 takes any; standard error tells
  which ("DevTools listening on"), as does DevToolsActivePort in the profile.
  Descriptors 3 and 4 are handed on with --remote-debugging-pipe, so that a
  driver such as Playwright can take this for its browser: executablePath is a
  script with  exec manypath browse -- "$@"

Environment
  MANYPATH_BROWSER  the browser to start, as --browser
`;
