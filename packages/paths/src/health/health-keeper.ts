import { type Clock, systemClock, type Timer } from '@manypath/core';
import type { Path } from '../discovery/path.ts';
import { pathsLimits } from '../limits.ts';
import type { PathsLogger } from '../path-set.ts';
import { type Evidence, HealthJudge, type Verdict } from './judge.ts';
import { askForPortal } from './portal.ts';
import { type ProbeTarget, probe } from './probe.ts';

/** Options of {@link HealthKeeper}. */
export interface HealthKeeperOptions {
  /** Called when the state of a path changed. */
  readonly onChange: () => void;
  readonly logger: PathsLogger;
  readonly clock?: Clock;
  /** Asks a path for a sign of life. Default: a TCP handshake over it. */
  readonly ask?: typeof probe;
  /** `http://` address of a page that answers 204 where there is no captive portal. Default: nobody looks for portals. */
  readonly portalCheck?: string | undefined;
  /** Looks for a portal. Default: a GET over the path. */
  readonly askPortal?: typeof askForPortal;
}

interface Patient {
  path: Path;
  readonly judge: HealthJudge;
  asking: AbortController | undefined;
  /** When to ask a dead path again. */
  retry: Timer | undefined;
  /** Looks for a portal now, or will again while there is one. */
  portal: { readonly stop: AbortController; again: Timer | undefined } | undefined;
  retryMs: number;
}

/**
 * How every path is. A path is believed to work until somebody doubts it; then it is asked, twice within half a second; and
 * while it is dead it is asked again and again, ever more seldom, until it answers.
 */
export class HealthKeeper {
  readonly #options: HealthKeeperOptions;
  readonly #clock: Clock;
  readonly #ask: typeof probe;
  readonly #patients = new Map<string, Patient>();
  readonly #stop = new AbortController();
  #target: ProbeTarget | undefined;

  constructor(options: HealthKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#ask = options.ask ?? probe;
  }

  /** What paths are asked to reach from now on; `undefined` for their own routers. */
  setTarget(target: ProbeTarget | undefined): void {
    this.#target = target;
  }

  /** The paths that there are now. One that is new, or leads elsewhere, is asked; all dead ones are asked again. */
  usePaths(paths: readonly Path[]): void {
    for (const [name, patient] of this.#patients) {
      if (!paths.some(path => path.name === name)) this.#dismiss(name, patient);
    }
    for (const path of paths) {
      const patient = this.#patients.get(path.name);
      if (patient === undefined) {
        const added: Patient = {
          path,
          judge: new HealthJudge(),
          asking: undefined,
          retry: undefined,
          portal: undefined,
          retryMs: pathsLimits.deadRetryMs,
        };
        this.#patients.set(path.name, added);
        this.#lookForPortal(added);
      } else {
        const isElsewhere = patient.path.network !== path.network;
        patient.path = path;
        if (isElsewhere) {
          patient.judge.forget();
          this.#lookForPortal(patient);
        }
        if (patient.judge.verdict.health !== 'dead') continue;
        patient.retryMs = pathsLimits.deadRetryMs;
      }
      // With one path there is nothing to choose.
      if (paths.length > 1) this.doubt(path.name);
    }
  }

  verdict(name: string): Verdict | undefined {
    return this.#patients.get(name)?.judge.verdict;
  }

  /** A path may be dead: it is asked now. */
  doubt(name: string): void {
    const patient = this.#patients.get(name);
    if (patient === undefined || patient.asking !== undefined || this.#stop.signal.aborted) return;
    patient.retry?.cancel();
    void this.#examine(patient);
  }

  /** A path answered somebody. @param rttMs in milliseconds */
  works(name: string, rttMs: number | undefined): void {
    const patient = this.#patients.get(name);
    if (patient !== undefined) this.#hear(patient, { kind: 'answer', rttMs });
  }

  close(): void {
    this.#stop.abort();
    for (const [name, patient] of this.#patients) this.#dismiss(name, patient);
  }

  async #examine(patient: Patient): Promise<void> {
    const asking = new AbortController();
    patient.asking = asking;
    const { judge } = patient;
    try {
      do {
        const evidence = await this.#ask(patient.path, this.#target, patience(judge), asking.signal);
        if (asking.signal.aborted) return;
        if (evidence === undefined) break;
        // Where nobody is reached over any path, it is not the paths.
        if (evidence.kind === 'silence' && judge.isInDoubt && this.#isTargetAway(patient)) break;
        this.#hear(patient, evidence);
      } while (judge.isInDoubt);
    } finally {
      if (patient.asking === asking) patient.asking = undefined;
    }
    if (judge.verdict.health === 'dead') this.#askLater(patient);
  }

  /** A new network may have a portal; while it has, it is asked again and again whether the user has got past it. */
  #lookForPortal(patient: Patient): void {
    const { portalCheck, askPortal = askForPortal } = this.#options;
    patient.portal?.stop.abort();
    patient.portal?.again?.cancel();
    if (portalCheck === undefined || this.#stop.signal.aborted) return;
    const portal: NonNullable<Patient['portal']> = { stop: new AbortController(), again: undefined };
    patient.portal = portal;
    const look = async (): Promise<void> => {
      const evidence = await askPortal(patient.path, portalCheck, portal.stop.signal);
      if (portal.stop.signal.aborted) return;
      if (evidence !== undefined) this.#hear(patient, evidence);
      // Who has not answered, as before an address works, may yet.
      if (evidence?.kind === 'free') return;
      portal.again = this.#clock.after(pathsLimits.portalRetryMs, () => void look());
    };
    void look();
  }

  /** Whether all the other paths are dead or in doubt as well. */
  #isTargetAway(patient: Patient): boolean {
    const others = [...this.#patients.values()].filter(other => other !== patient);
    if (others.length === 0) return true;
    return others.every(({ judge }) => judge.isInDoubt || judge.verdict.health === 'dead');
  }

  #askLater(patient: Patient): void {
    if (this.#stop.signal.aborted) return;
    patient.retry?.cancel();
    patient.retry = this.#clock.after(patient.retryMs, () => this.doubt(patient.path.name));
    patient.retryMs = Math.min(patient.retryMs * pathsLimits.deadRetryGrowth, pathsLimits.deadRetryMostMs);
  }

  #hear(patient: Patient, evidence: Evidence): void {
    const { judge, path } = patient;
    if (!judge.hear(evidence)) return;
    const { health, reason } = judge.verdict;
    if (health !== 'dead') {
      patient.retry?.cancel();
      patient.retryMs = pathsLimits.deadRetryMs;
    }
    const level = health === 'dead' || health === 'captive' ? 'warn' : 'info';
    const fields = { path: path.name, ...(reason === null ? {} : { reason }) };
    this.#options.logger[level](fields, `path ${path.name} is ${health}`);
    this.#options.onChange();
  }

  #dismiss(name: string, patient: Patient): void {
    patient.asking?.abort();
    patient.retry?.cancel();
    patient.portal?.stop.abort();
    patient.portal?.again?.cancel();
    this.#patients.delete(name);
  }
}

/** How long an answer may take, in milliseconds: long for a path, short for whoever waits. */
function patience(judge: HealthJudge): number {
  const { rttMs } = judge.verdict;
  const usual = rttMs === undefined ? pathsLimits.probeMs : 4 * rttMs;
  return Math.min(pathsLimits.probeMostMs, Math.max(pathsLimits.probeMs, usual));
}
