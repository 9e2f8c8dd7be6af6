import {
  type Carried,
  type Clock,
  type FailureEntry,
  isHindrance,
  judgeMultipath,
  type LogEntry,
  type Logger,
  type MultipathReason,
  type MultipathUse,
  type Overview,
  type PathStatus,
  type RelayStatus,
  type StatusDocument,
  type TrafficHistory,
} from '@manypath/core';
import type { PathSource, Routing } from '../gateway-options.ts';
import type { RelayLinks } from '../lanes/relay-links.ts';
import type { GatewayLimits } from '../limits.ts';
import { living, type PathNames } from '../living-subflows.ts';
import { kernelSupport, relayFacts } from '../multipath-facts.ts';
import type { Registry } from '../registry.ts';
import { EventLog } from './event-log.ts';
import { TrafficRecorder } from './traffic-history.ts';

/** What {@link GatewayReport} looks at. */
export interface GatewayReportOptions {
  readonly paths: PathSource | undefined;
  readonly links: RelayLinks;
  readonly registry: Registry;
  /** What happens to connections while the relay is away, by the routing in force. */
  readonly failover: () => NonNullable<Routing['failover']>;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is told of a gateway: how it is now, what happened to it, and what carries how much. */
export class GatewayReport {
  readonly #options: GatewayReportOptions;
  readonly #log: EventLog;
  readonly #recorder: TrafficRecorder;
  #multipathReason: MultipathReason | undefined;

  constructor(options: GatewayReportOptions) {
    const { limits, clock, paths } = options;
    this.#options = options;
    this.#log = new EventLog(limits.logEntries);
    this.#recorder = new TrafficRecorder(
      clock,
      limits,
      () => paths?.carried?.() ?? new Map<string, Carried>(),
    );
  }

  /** Paths, connections, the relay and sums, right now. */
  status(): StatusDocument {
    const { registry } = this.#options;
    const paths = this.#paths();
    const relay = this.#relay(paths);
    return {
      paths,
      connections: living(registry.status(), this.#pathNames(paths)),
      relay,
      multipath: this.#multipathUse(paths, relay),
      totals: registry.totals(),
    };
  }

  /** What a toolbar shows, right now: without the connections, of which there may be many. */
  overview(): Overview {
    const { paths: source, registry, links } = this.#options;
    const paths = this.#paths();
    return {
      paths,
      carried: Object.fromEntries(source?.carried?.() ?? []),
      totals: registry.totals(),
      multipath: this.#multipathUse(paths, this.#relay(paths)),
      relay: links.current?.outline() ?? null,
    };
  }

  /** What each path carried in the last two minutes. */
  history(): TrafficHistory {
    return this.#recorder.history();
  }

  /** Connections that did not come about, oldest first. */
  failures(): readonly FailureEntry[] {
    return this.#options.registry.failures();
  }

  /** What happened to paths, connections and the relay, newest last. */
  events(): readonly LogEntry[] {
    this.note();
    return this.#log.entries();
  }

  /** Writes down how paths and the relay are, where that is other than before. */
  note(): void {
    const paths = this.#paths();
    this.#log.notePaths(paths);
    const relay = this.#options.links.current?.outline();
    if (relay !== undefined) this.#log.noteRelay(relay.state, relay.reason);
    this.#noteMultipath(this.#multipathUse(paths, this.#relay(paths)));
  }

  /** A connection went on over other paths, after `stallMs` milliseconds in which nothing arrived. */
  noteFailover(path: string, stallMs: number): void {
    this.#log.noteFailover(path, stallMs);
  }

  /** So many connections went on, after `stallMs` milliseconds without a connection to the relay. */
  noteResumed(connections: number, stallMs: number): void {
    this.#log.noteResumed(connections, stallMs);
  }

  /** A connection begins: what paths carry is looked at for as long as there are any. */
  noteTraffic(): void {
    this.#recorder.watch(() => this.#options.registry.size > 0);
  }

  close(): void {
    this.#recorder.close();
  }

  /** Logs how paths are used together where that is other than before; what it begins with, whoever starts the gateway says. */
  #noteMultipath({ reason, text, command }: MultipathUse): void {
    const before = this.#multipathReason;
    this.#multipathReason = reason;
    if (before === undefined || before === reason) return;
    const { logger } = this.#options;
    const fields = command === null ? {} : { command };
    if (isHindrance(reason)) logger.warn(fields, text);
    else if (isHindrance(before)) logger.info(fields, text);
  }

  #multipathUse(paths: readonly PathStatus[], relay: RelayStatus | null): MultipathUse {
    return judgeMultipath({
      kernel: kernelSupport(),
      rights: this.#options.paths?.mode === 'managing',
      paths,
      relay: relay && relayFacts(relay, this.#options.failover()),
    });
  }

  #paths(): readonly PathStatus[] {
    return this.#options.paths?.status() ?? [];
  }

  #relay(paths: readonly PathStatus[]): RelayStatus | null {
    const status = this.#options.links.status();
    return status && { ...status, lanes: living(status.lanes, this.#pathNames(paths)) };
  }

  #pathNames(paths: readonly PathStatus[]): PathNames {
    return { paths, pathOf: ends => this.#options.paths?.pathOf?.(ends) };
  }
}
