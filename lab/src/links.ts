import { requireTool, runBatch, runCommand } from './command.ts';
import type { WireSetting } from './delay-line.ts';
import { routerDevice } from './faults.ts';
import { namespaceExists, writeSysctls } from './namespace-files.ts';
import { linkSubnet, type Namespaces, prefix } from './plan.ts';
import { isAlive, type ProcessIdentity } from './process-identity.ts';
import { type DelayEngine, directionOf, impaired, shapeLines } from './shaping.ts';
import type { LinkRecord } from './state.ts';
import { setWire, startWire, wireDevices } from './wire.ts';

/** Where links are made. */
export interface LinkSite {
  namespaces: Namespaces;
  /** The namespace of wires, made with the first of them. */
  wireNamespace: string;
  /** The lab's folder for control sockets and logs. */
  folder: string;
  owner: ProcessIdentity | null;
}

/** Makes new links: cables, shapes, addresses, routes. */
export async function makeLinks(site: LinkSite, links: readonly LinkRecord[]): Promise<void> {
  const wired = (await engineFor(links)) === 'wire' ? links.filter(isImpaired) : [];
  const direct = links.filter(link => !wired.includes(link));
  await runBatch(
    'ip',
    direct.map(link => cable(clientEnd(site, link), routerEnd(site, link))),
  );
  if (wired.length > 0) {
    await makeWireNamespace(site.wireNamespace);
    const cables = wired.flatMap(link => [
      cable(clientEnd(site, link), nearEnd(site, link)),
      cable(farEnd(site, link), routerEnd(site, link)),
    ]);
    await runBatch('ip', cables);
    await Promise.all(wired.map(link => switchOn(site, link)));
  }
  await shapeEnds(site, links, 'none yet');
  await bringUp(site, links);
}

/** Makes links behave as their records say, whatever they did before. */
export async function reshapeLink(site: LinkSite, link: LinkRecord): Promise<void> {
  if (link.wire !== null) await setWire(site.folder, link.name, wireSetting(link));
  else if (isImpaired(link) && (await delayEngine()) === 'wire') await insertWire(site, link);
  await shapeEnds(site, [link], 'replace');
}

/**
 * Brings links up with their addresses and routes, new ones as well as those that lost some of it.
 * Every line may be repeated without harm.
 */
export async function bringUp({ namespaces }: LinkSite, links: readonly LinkRecord[]): Promise<void> {
  // The router first: a client must not see a carrier that comes late.
  await runBatch('ip', links.flatMap(routerLines), { namespace: namespaces.router });
  await runBatch('ip', links.flatMap(clientLines), { namespace: namespaces.client });
}

/** Pulls the cable out of the client's interface: it stays up and has no carrier. */
export async function pullCable(site: LinkSite, link: LinkRecord): Promise<void> {
  const { device, namespace } = peerOfClient(site, link);
  await runBatch('ip', [`link set dev ${device} down`], { namespace });
}

/** Puts the cable back. */
export async function plugCable(site: LinkSite, link: LinkRecord): Promise<void> {
  const { device, namespace } = peerOfClient(site, link);
  await runBatch('ip', [`link set dev ${device} up`], { namespace });
  // The wire's watch on that interface ended with it.
  if (link.wire !== null) await setWire(site.folder, link.name, { ...wireSetting(link), reopen: true });
}

function peerOfClient(site: LinkSite, link: LinkRecord): CableEnd {
  return link.wire === null ? routerEnd(site, link) : nearEnd(site, link);
}

/** Takes a link away, with its wire. */
export async function unmakeLink({ namespaces, wireNamespace }: LinkSite, link: LinkRecord): Promise<void> {
  const forced = { force: true };
  await runBatch('ip', [`link del dev ${link.device}`], { namespace: namespaces.client, ...forced });
  if (link.wire === null) return;
  if (isAlive(link.wire)) process.kill(link.wire.pid, 'SIGKILL');
  await runBatch('ip', [`link del dev ${wireDevices(link.name).far}`], {
    namespace: wireNamespace,
    ...forced,
  });
}

/** The end of a cable: an interface, its namespace, and its hardware address where that matters. */
interface CableEnd {
  device: string;
  namespace: string;
  mac?: string;
}

function cable(one: CableEnd, other: CableEnd): string {
  // `name` is needed: `ip` takes a bare name that begins some keyword for that keyword.
  const end = ({ device, namespace, mac }: CableEnd) =>
    `name ${device}${mac === undefined ? '' : ` address ${mac}`} netns ${namespace}`;
  return `link add ${end(one)} type veth peer ${end(other)}`;
}

/** Locally administered, and the same for a router's end before and after a wire was put in. */
function mac(link: LinkRecord, end: 1 | 2): string {
  return `02:77:00:00:${link.index.toString(16).padStart(2, '0')}:0${end}`;
}

function clientEnd({ namespaces }: LinkSite, link: LinkRecord): CableEnd {
  return { device: link.device, namespace: namespaces.client, mac: mac(link, 2) };
}

function routerEnd({ namespaces }: LinkSite, link: LinkRecord): CableEnd {
  return { device: routerDevice(link), namespace: namespaces.router, mac: mac(link, 1) };
}

function nearEnd({ wireNamespace }: LinkSite, link: LinkRecord): CableEnd {
  return { device: wireDevices(link.name).near, namespace: wireNamespace };
}

function farEnd({ wireNamespace }: LinkSite, link: LinkRecord): CableEnd {
  return { device: wireDevices(link.name).far, namespace: wireNamespace };
}

function routerLines(link: LinkRecord): string[] {
  const { gateway, gateway6, address, address6 } = linkSubnet(link.index, link.host);
  const device = routerDevice(link);
  return [
    `link set dev ${device} up`,
    `addr replace ${gateway}/${prefix.v4} dev ${device}`,
    `addr replace ${gateway6}/${prefix.v6} dev ${device} nodad`,
    ...neighbourLines(device, mac(link, 2), [address, address6]),
  ];
}

function clientLines(link: LinkRecord): string[] {
  return [`link set dev ${link.device} up`, ...addressLines(link)];
}

/** A laptop that is on a network has long spoken with its router: no first packet waits for ARP or its like. */
function neighbourLines(device: string, mac: string, addresses: readonly string[]): string[] {
  return addresses.map(address => `neigh replace ${address} lladdr ${mac} dev ${device} nud reachable`);
}

/** Lines that give the client its addresses on a link, and its default routes over it. */
export function addressLines(link: LinkRecord): string[] {
  const { gateway, gateway6, address, address6 } = linkSubnet(link.index, link.host);
  const lines = [
    `addr replace ${address}/${prefix.v4} dev ${link.device}`,
    `addr replace ${address6}/${prefix.v6} dev ${link.device} nodad`,
    ...neighbourLines(link.device, mac(link, 1), [gateway, gateway6]),
  ];
  if (link.metric !== null) {
    const end = `dev ${link.device} metric ${link.metric}`;
    lines.push(`route replace default via ${gateway} ${end}`, `route replace default via ${gateway6} ${end}`);
  }
  return lines;
}

/** Lines that take the client's addresses on a link away; the kernel drops their routes with them. */
export function withdrawLines(link: LinkRecord): string[] {
  const { address, address6 } = linkSubnet(link.index, link.host);
  return [
    `addr del ${address}/${prefix.v4} dev ${link.device}`,
    `addr del ${address6}/${prefix.v6} dev ${link.device}`,
  ];
}

/** Gives both ends of links their queueing disciplines. */
async function shapeEnds(
  { namespaces }: LinkSite,
  links: readonly LinkRecord[],
  before: 'none yet' | 'replace',
): Promise<void> {
  const ends = [
    { namespace: namespaces.router, towards: 'client', device: routerDevice },
    { namespace: namespaces.client, towards: 'router', device: (link: LinkRecord) => link.device },
  ] as const;
  await Promise.all(
    ends.map(async ({ namespace, towards, device }) => {
      const engine = (link: LinkRecord) => (link.wire === null ? 'netem' : 'wire');
      const wanted = links.map(link => ({
        device: device(link),
        lines: shapeLines(
          device(link),
          directionOf(link.shape, towards, link.faultLossPercent),
          engine(link),
        ),
      }));
      // What is only replaced keeps its queue. Deleting fails where there is none, which is as well.
      const cleared = wanted.filter(({ lines }) => !lines[0]?.startsWith('qdisc replace'));
      const deletions = before === 'replace' ? cleared.map(end => `qdisc del dev ${end.device} root`) : [];
      await runBatch('tc', deletions, { namespace, force: true });
      await runBatch(
        'tc',
        wanted.flatMap(({ lines }) => lines),
        { namespace },
      );
      // A loss takes packets, not what the kernel aggregated of them.
      const wired = links.filter(link => link.wire !== null);
      const aggregation = wired.map(
        link => `link set dev ${device(link)} gso_max_segs ${wireSetting(link).lossPercent > 0 ? 1 : 65_535}`,
      );
      await runBatch('ip', aggregation, { namespace });
    }),
  );
}

function wireSetting(link: LinkRecord): WireSetting {
  const { delayMs, jitterMs, lossPercent } = directionOf(link.shape, 'client', link.faultLossPercent);
  return { delayMs, jitterMs, lossPercent };
}

function isImpaired(link: LinkRecord): boolean {
  return impaired(wireSetting(link));
}

/**
 * Puts a wire into a link that had none. The router's end goes to the wire's namespace and a new one with the same
 * addresses takes its place, so the client sees its carrier go and come back, once.
 */
async function insertWire(site: LinkSite, link: LinkRecord): Promise<void> {
  const { namespaces, wireNamespace } = site;
  const { near, far } = wireDevices(link.name);
  const device = routerDevice(link);
  await makeWireNamespace(wireNamespace);
  await runBatch(
    'ip',
    [
      `link set dev ${device} down`,
      `link set dev ${device} name ${near}`,
      `link set dev ${near} netns ${wireNamespace}`,
    ],
    { namespace: namespaces.router },
  );
  await runBatch('ip', [cable({ device: far, namespace: wireNamespace }, routerEnd(site, link))]);
  await runBatch('tc', [`qdisc del dev ${near} root`], { namespace: wireNamespace, force: true });
  await switchOn(site, link);
  await bringUp(site, [link]);
}

async function makeWireNamespace(namespace: string): Promise<void> {
  if (namespaceExists(namespace)) return;
  await runBatch('ip', [`netns add ${namespace}`]);
  // Nothing but the wires themselves may touch what passes here.
  writeSysctls(namespace, [
    ['ipv4/ip_forward', '0'],
    ['ipv6/conf/all/disable_ipv6', '1'],
    ['ipv6/conf/default/disable_ipv6', '1'],
  ]);
}

async function switchOn(site: LinkSite, link: LinkRecord): Promise<void> {
  const { near, far } = wireDevices(link.name);
  const namespace = site.wireNamespace;
  await runBatch('ip', [`link set dev ${near} up`, `link set dev ${far} up`], { namespace });
  const { folder, owner } = site;
  link.wire = await startWire({ namespace, folder, owner, link: link.name, setting: wireSetting(link) });
}

let knownEngine: Promise<DelayEngine> | undefined;

/** What delays and loses packets on this machine. Asks the kernel once. */
export function delayEngine(): Promise<DelayEngine> {
  knownEngine ??= probeNetem();
  return knownEngine;
}

async function engineFor(links: readonly LinkRecord[]): Promise<DelayEngine | undefined> {
  return links.some(isImpaired) ? await delayEngine() : undefined;
}

/** Tries netem on the loopback interface of a namespace that lives as long as the attempt. */
async function probeNetem(): Promise<DelayEngine> {
  const attempt = [requireTool('tc'), 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'];
  const { code } = await runCommand([requireTool('unshare'), '--net', ...attempt], { allowFailure: true });
  return code === 0 ? 'netem' : 'wire';
}
