import type { PathStatus } from '@manypath/core';
import { PathManager } from '@manypath/mptcp';
import { type Path, smallPacketsReason } from '@manypath/paths';
import { type HeldSettings, hasEndpoint, readHeldSettings } from '../held-settings.ts';
import { bad, type Finding, good, note } from './finding.ts';
import { sysctl, wrongSysctl } from './sysctl.ts';

/**
 * Which paths there are, and whether packets and subflows can use each.
 *
 * @param running Paths as the gateway that runs sees them; `undefined` when none does.
 * @param mayManage Whether a gateway started now could set paths up.
 */
export function checkPaths(running: readonly PathStatus[] | undefined, mayManage: boolean): Finding[] {
  const held = readHeldSettings();
  const findings = [countFinding(held.paths), ...twinFindings(held.paths)];
  for (const path of held.paths) {
    const status = running?.find(({ name }) => name === path.name);
    findings.push(healthFinding(path, status), ...reversePathFindings(path));
  }
  return [...findings, ...(mayManage ? managedFindings(held, running !== undefined) : [rightsFinding(held)])];
}

/** What is set up when a gateway starts is missing for no reason only while one runs. */
function managedFindings(held: HeldSettings, isRunning: boolean): Finding[] {
  const rights = good('rights', 'paths can be set up from here');
  if (!isRunning) return [rights];
  const limit = held.paths.length > 1 ? [limitFinding(held)] : [];
  return [rights, ...held.paths.flatMap(path => setUpFindings(path, held)), ...limit];
}

/** Without rights all that is not set up has one cause, and one thing mends it. */
function rightsFinding(held: HeldSettings): Finding {
  if (held.paths.length < 2) return good('rights', 'one path needs no rights');
  const lacking = held.paths.filter(path => setUpFindings(path, held).some(({ ok }) => !ok));
  if (lacking.length === 0 && limitFinding(held).ok) {
    return good('rights', 'this user may not set paths up, and somebody else has done it');
  }
  const names = lacking.map(({ name }) => name).join(', ');
  return bad(
    'rights',
    `this user may not set paths up, so a connection uses one at a time${names === '' ? '' : ` (not set up: ${names})`}`,
    'let the helper do it: sudo manypath install --helper, or for this time sudo manypath helper',
  );
}

function countFinding(paths: readonly Path[]): Finding {
  const names = paths.map(({ name, kind }) => `${name} (${kind})`).join(', ');
  if (paths.length >= 2) return good('paths', `${paths.length} paths: ${names}`);
  const second = 'connect a second network: Wi-Fi beside a cable, or a phone by USB';
  // A server has one link, and is none the worse for it.
  if (paths.length === 1) return note('paths', `there is one path: ${names}; nothing to add up`, second);
  return bad('paths', 'there is no path out of this host', 'connect a network: see ip route');
}

/** Modems of one kind give the same address each. Only a socket that is bound to the interface tells which one is meant. */
export function twinFindings(paths: readonly Path[]): Finding[] {
  const byAddress = new Map<string, string[]>();
  for (const { name, addresses } of paths) {
    for (const { address } of addresses) byAddress.set(address, [...(byAddress.get(address) ?? []), name]);
  }
  const twins = new Map<string, string>();
  for (const [address, names] of byAddress) {
    if (names.length > 1 && !twins.has(names.join(', '))) twins.set(names.join(', '), address);
  }
  return [...twins].map(([names, address]) =>
    note(
      `twins-${names.replaceAll(', ', '-')}`,
      `${names} have the same address, ${address}: Manypath tells them apart, other programs use one of them`,
      'give one of them another subnet, on the page of its settings (often http://192.168.8.1/)',
    ),
  );
}

export function healthFinding({ name }: Path, status: PathStatus | undefined): Finding {
  const id = `path-${name}`;
  if (status === undefined) return good(id, `${name} is up and has a default route`);
  const { health, healthReason } = status;
  if (health !== 'dead' && health !== 'captive' && health !== 'degraded') return good(id, `${name} works`);
  return bad(id, `${name} is ${health}: ${healthReason ?? 'it does not answer'}`, healthFix(name, status));
}

function healthFix(name: string, { health, healthReason }: PathStatus): string {
  if (health === 'captive') return 'open any page in a browser on that network and sign in';
  if (healthReason === smallPacketsReason)
    return `let its router pass ICMP, or send smaller packets: sudo ip link set dev ${name} mtu 1280 (or 576)`;
  return 'look at the router of that network';
}

/** With strict filtering the kernel drops what arrives on any path but its best one (ip-sysctl.rst, rp_filter). */
function reversePathFindings({ name }: Path): Finding[] {
  const strictest = Math.max(
    ...['all', name].map(scope => {
      const value = Number(sysctl(`net.ipv4.conf.${scope}.rp_filter`) ?? 0);
      return value === 1 ? 1 : 0;
    }),
  );
  if (strictest === 0) return [];
  const scope = sysctl(`net.ipv4.conf.all.rp_filter`) === '1' ? 'all' : name;
  const cause = `answers on ${name} are dropped when another path is the best one (strict rp_filter)`;
  return [wrongSysctl(`rp-filter-${name}`, cause, `net.ipv4.conf.${scope}.rp_filter`, '2')];
}

const startWithRights = 'start the gateway with sudo, or with the privileged helper';

function setUpFindings(path: Path, held: HeldSettings): Finding[] {
  const { name, addresses } = path;
  const findings: Finding[] = [];
  const first = addresses.find(({ family }) => family === 4) ?? addresses[0];
  if (first === undefined) return [];
  const isRouted = held.rules.some(({ from }) => from?.split('/')[0] === first.address);
  if (!isRouted) {
    findings.push(
      bad(`route-${name}`, `packets from ${first.address} may leave by another path`, startWithRights),
    );
  }
  if (!hasEndpoint(path, held)) {
    const cause = `no endpoint for ${first.address}: the kernel opens no subflows from it`;
    findings.push(bad(`endpoint-${name}`, cause, startWithRights));
  }
  return findings.length > 0 ? findings : [good(`set-up-${name}`, `${name} has its routes and its endpoint`)];
}

function limitFinding({ paths, subflowLimit }: HeldSettings): Finding {
  if (subflowLimit >= paths.length - 1) {
    return good('subflow-limit', `connections may have ${subflowLimit} subflows beside the first`);
  }
  const wanted = Math.min(8, paths.length);
  const cause = `connections may have ${subflowLimit} subflows beside the first, for ${paths.length} paths`;
  return bad('subflow-limit', cause, `ip mptcp limits set subflows ${wanted}`, () => {
    const manager = PathManager.open();
    try {
      manager.setLimits({ subflows: wanted });
      return true;
    } catch {
      return false;
    } finally {
      manager.close();
    }
  });
}
