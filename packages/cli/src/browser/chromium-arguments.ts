import { isLocalAddress } from './local-destinations.ts';

/** What decides the command line of the browser. */
export interface ChromiumArgumentsOptions {
  readonly proxy: { readonly host: string; readonly port: number };
  /** The second proxy, which the extension may choose. */
  readonly straightProxy?: { readonly host: string; readonly port: number };
  /** Value of `--proxy-bypass-list`. */
  readonly bypass: string;
  /** Folder of the profile. */
  readonly profile: string;
  /** Folder of an extension to load. */
  readonly extension?: string | undefined;
  readonly headless: boolean;
  /** Chromium does not start as root with its sandbox on. */
  readonly root: boolean;
  readonly url?: string | undefined;
  /** What the user wrote after `--`. */
  readonly extra: readonly string[];
}

/** Switches with a list for a value. Chromium reads the last one only, so several are joined into one. */
const lists = new Set([
  '--enable-features',
  '--disable-features',
  '--ip-address-space-overrides',
  '--load-extension',
]);

/**
 * The command line of the browser. A switch of the user replaces ours of the same name, or is joined with it
 * when it is a list. Nothing here turns off a security feature of the browser, except that root cannot have
 * its sandbox.
 */
export function chromiumArguments(options: ChromiumArgumentsOptions): string[] {
  const ours = [
    `--user-data-dir=${options.profile}`,
    '--no-first-run',
    '--no-default-browser-check',
    `--proxy-server=http://${endpoint(options.proxy)}`,
    `--proxy-bypass-list=${options.bypass}`,
    '--disable-quic',
    ...(options.extension === undefined ? [] : [`--load-extension=${options.extension}`]),
    ...publicProxy(options.proxy),
    ...(options.straightProxy === undefined ? [] : publicProxy(options.straightProxy)),
    ...(options.headless ? ['--headless=new'] : []),
    ...(options.root ? ['--no-sandbox'] : []),
  ];
  const theirs = new Set(options.extra.map(switchName));
  const kept = ours.filter(argument => lists.has(switchName(argument)) || !theirs.has(switchName(argument)));
  return [...joinLists([...kept, ...options.extra]), ...(options.url === undefined ? [] : [options.url])];
}

/**
 * Chromium takes the address of a proxy for the address of every page that came through it. Behind a proxy on
 * loopback all the web would be loopback to it, and Local Network Access would let any page at localhost and
 * the LAN (measured with Chromium 156). This says that what the proxy brings is public.
 */
function publicProxy(proxy: { host: string; port: number }): string[] {
  return isLocalAddress(proxy.host) ? [`--ip-address-space-overrides=${endpoint(proxy)}=public`] : [];
}

function endpoint({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The value of a switch in a command line, `''` for a switch without one; the last one counts. */
export function switchValue(parameters: readonly string[], name: string): string | undefined {
  const found = parameters.findLast(argument => switchName(argument) === name);
  return found?.slice(name.length + 1);
}

function joinLists(parameters: readonly string[]): string[] {
  const values = new Map<string, Set<string>>();
  for (const argument of parameters) {
    const name = switchName(argument);
    if (!lists.has(name)) continue;
    const items = argument
      .slice(name.length + 1)
      .split(',')
      .filter(Boolean);
    values.set(name, new Set([...(values.get(name) ?? []), ...items]));
  }
  const others = parameters.filter(argument => !values.has(switchName(argument)));
  return [...[...values].map(([name, items]) => `${name}=${[...items].join(',')}`), ...others];
}

function switchName(argument: string): string {
  const equals = argument.indexOf('=');
  return argument.startsWith('--') && equals >= 0 ? argument.slice(0, equals) : argument;
}
