import { join } from 'node:path';
import {
  type Config,
  errorCode,
  errorMessage,
  type Logger,
  parseAuthority,
  parsePairing,
  type SettingsDocument,
} from '@manypath/core';
import { unwritableCondition } from '@manypath/files';
import type { Gateway, GatewayOptions, Routing } from '@manypath/gateway';
import { Estimates, PathSet, Steward, Tiers } from '@manypath/paths';
import { type ConfigPlace, type ConfigWatch, loadConfig, watchConfig } from './config/index.ts';
import { housekeepingOf } from './housekeeping.ts';
import { type KernelRights, openKernelRights } from './kernel-rights.ts';
import { type RelayChoice, watchKeptPairing } from './pairing/index.ts';
import { unknownInterfaces } from './unknown-interfaces.ts';
import { usageFile } from './usage-file.ts';

export interface OpenPathsOptions {
  /** Interfaces to use; `undefined` uses all that lead out. */
  readonly names: readonly string[] | undefined;
  readonly stateDir: string;
  readonly logger: Logger;
  readonly config: ConfigPlace;
  /** Which relay to use, with the configuration as it is at that time. */
  readonly relay: RelayChoice;
  /** What happens while the relay is away; that of the configuration is the default. */
  readonly failover?: 'refuse' | 'straight' | undefined;
  /** When a second path joins a connection. */
  readonly join?: 'measured' | 'at-once';
}

/** The paths of this host with everything that knows of them, and the configuration that they are used by. */
export interface OpenedPaths {
  readonly paths: PathSet;
  readonly config: Config;
  /** What of it all a gateway takes. */
  readonly forGateway: Pick<
    GatewayOptions,
    'paths' | 'steward' | 'relay' | 'failover' | 'rules' | 'bypass' | 'localNames' | 'limits' | 'housekeeping'
  >;
  /** Has a gateway take what the configuration says of routes, whenever it changes. */
  follow(gateway: Pick<Gateway, 'route'>): void;
  /** Notes how the browser was set up that goes with the gateway. */
  noteIsolation(isolation: NonNullable<SettingsDocument['isolation']>): void;
  close(): Promise<void>;
}

/**
 * Finds the paths of this host and sets them up for MPTCP as far as this process may, with tiers, caps and what was learned
 * earlier. Tiers and caps follow changes of the configuration file.
 */
export async function openPaths(options: OpenPathsOptions): Promise<OpenedPaths> {
  const { names, stateDir, logger, join: joining = 'measured' } = options;
  const config = loadConfig(options.config);
  let current = config;
  let isolation: SettingsDocument['isolation'] = null;
  const followers = new Set<Pick<Gateway, 'route'>>();
  const relay = options.relay.with(config)?.pairing;
  const unknown = unknownInterfaces(names ?? []);
  if (unknown !== undefined) logger.warn({}, unknown);
  // What the user wrote is looked at before anything is set up.
  const target = probeTarget(config, relay);
  const unwritable = unwritableCondition(logger);
  const tiers = Tiers.open({ file: usageFile(stateDir), rules: config.paths ?? {}, logger, unwritable });
  const estimates = Estimates.open(join(stateDir, 'paths', 'estimates.json'), { logger, unwritable });
  const rights = await openKernelRights(stateDir, logger);
  const paths = await PathSet.open({
    stateDir,
    keeper: rights.keeper,
    logger,
    tiers,
    estimates,
    portalCheck: config.probe?.portalCheck || undefined,
    ...(names === undefined ? {} : { names }),
  });
  if (paths.mode === 'observing') logger.info({ reason: paths.reason }, 'using the paths as they are set up');
  paths.setProbeTarget(target);
  const steward =
    joining === 'measured'
      ? openSteward({ paths, tiers, estimates, rights, logger, only: names })
      : undefined;
  const stopStuck = tiers.onChange(changed => endStuck(tiers, changed));
  const onConfig = (changed: Config): void => {
    current = changed;
    tiers.configure(changed.paths ?? {});
    route();
  };
  const route = (): void => {
    const relay = relayInUse();
    paths.setProbeTarget(probeTarget(current, relay));
    for (const gateway of followers) gateway.route(routingOf(current, relay, options.failover));
  };
  /** What was kept may be damaged meanwhile: the relay stays the one it was. */
  const relayInUse = (): string | undefined => {
    try {
      inUse = options.relay.with(current)?.pairing;
    } catch (error) {
      logger.warn({ code: errorCode(error), error: errorMessage(error) }, 'the relay stays the one it was');
    }
    return inUse;
  };
  let inUse = relay;
  const watch = watchConfig(options.config, onConfig, { logger });
  const unwatchPairing = watchKeptPairing(stateDir, route);
  return {
    paths,
    config,
    forGateway: {
      paths,
      ...(steward === undefined ? {} : { steward }),
      ...routingOf(config, relay, options.failover),
      housekeeping: housekeepingOf({
        place: options.config,
        stateDir,
        relay: options.relay,
        config: () => current,
        isolation: () => isolation,
      }),
      localNames: config.local ?? [],
      limits: config.limits ?? {},
    },
    follow: gateway => void followers.add(gateway),
    noteIsolation: noted => {
      isolation = noted;
    },
    close: () => {
      unwatchPairing();
      return close({ paths, tiers, estimates, steward, rights, watch, stopStuck, logger });
    },
  };
}

interface Opened {
  readonly paths: PathSet;
  readonly tiers: Tiers;
  readonly estimates: Estimates;
  readonly steward: Steward | undefined;
  readonly rights: KernelRights;
  readonly logger: Logger;
  readonly watch: ConfigWatch;
  readonly stopStuck: () => void;
}

/** Never rejected: it often follows an error, which is what is to be told then. */
async function close(opened: Opened): Promise<void> {
  const { paths, tiers, estimates, steward, rights, watch, stopStuck, logger } = opened;
  watch.close();
  stopStuck();
  steward?.close();
  try {
    await paths.close();
    await rights.close();
  } catch (error) {
    const fields = { code: errorCode(error), error: errorMessage(error) };
    logger.warn(fields, 'not all that was set up could be taken out; the next start does it');
  }
  await Promise.all([tiers.close(), estimates.close()]);
}

/** What paths have to reach to prove themselves. */
function probeTarget({ probe }: Config, relay: string | undefined) {
  const wanted = probe?.target ?? 'relay';
  if (wanted === 'gateway' || (wanted === 'relay' && relay === undefined)) return undefined;
  return wanted === 'relay' ? parsePairing(relay ?? '').address : parseAuthority(wanted);
}

function routingOf(
  config: Config,
  relay: string | undefined,
  failover: OpenPathsOptions['failover'],
): Routing {
  return {
    failover: failover ?? config.failover ?? 'refuse',
    ...(relay === undefined ? {} : { relay }),
    rules: rulesOf(config),
    bypass: config.bypass ?? [],
    programs: config.streams?.programs ?? {},
  };
}

function rulesOf({ rules = [], straight = [] }: Config): NonNullable<Routing['rules']> {
  return [...rules, ...straight.map(host => ({ host, route: 'straight' as const }))];
}

interface StewardParts {
  readonly paths: PathSet;
  readonly tiers: Tiers;
  readonly estimates: Estimates;
  readonly rights: KernelRights;
  readonly logger: Logger;
  readonly only: readonly string[] | undefined;
}

function openSteward({ paths, tiers, estimates, rights, logger, only }: StewardParts): Steward {
  return new Steward({
    paths,
    only,
    rights: rights.steering,
    logger,
    onConnection: socket => tiers.watch(socket),
    onMeasured: ({ path }, measured) => {
      estimates.note({ path: path.name, network: path.network, ...measured });
    },
  });
}

/** A plain TCP connection cannot leave the path it is on: at the path's cap it has to end. */
function endStuck(tiers: Tiers, changed: readonly string[]): void {
  for (const name of changed) {
    if (!tiers.usageOf(name).capReached) continue;
    for (const socket of tiers.stuckOn(name)) socket.destroy(new Error(`the cap of ${name} is reached`));
  }
}

/** How many paths there are, for the line that says what was set up. */
export function describePaths(paths: PathSet): string {
  const names = paths.current().map(({ name }) => name);
  if (names.length === 0) return 'no path out of this host yet';
  if (names.length === 1) return `one path: ${names[0]}`;
  return `${names.length} paths: ${names.join(', ')}`;
}
