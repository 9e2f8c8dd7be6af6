import { type Clock, type Logger, systemClock, type Timer } from '@manypath/core';
import type { Path } from '../discovery/path.ts';
import { pathsLimits } from '../limits.ts';
import { Examination } from './examination.ts';
import { type Evidence, HealthJudge, type Verdict } from './judge.ts';
import { askSizes, type SizeQuestion } from './packet-sizes.ts';
import type { askForPortal } from './portal.ts';
import { PortalWatch } from './portal-watch.ts';
import { type ProbeTarget, probe } from './probe.ts';
import { hasHeard } from './signs-of-life.ts';

/** Options of {@link HealthKeeper}. */
export interface HealthKeeperOptions {
  /** Called when the state of a path changed. */
  readonly onChange: () => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Asks a path for a sign of life. Default: a TCP handshake over it. */
  readonly ask?: typeof probe;
  /** Asks which sizes of packets pass. Default: by echoes. */
  readonly askSizes?: typeof askSizes;
  /** Whether anything came over a path within the last milliseconds, to any program. Default: the kernel's table of sockets tells. */
  readonly hasHeard?: (path: Path, withinMs: number) => boolean;
  /** `http://` address of a page that answers 204 where there is no captive portal. Default: nobody looks for portals. */
  readonly portalCheck?: string | undefined;
  /** Looks for a portal. Default: a GET over the path. */
  readonly askPortal?: typeof askForPortal;
}

interface Patient {
  path: Path;
  readonly judge: HealthJudge;
  /** What is under way, and after it how that ended. */
  examination: Examination | undefined;
  /** When it last gave a sign of life, and was last doubted, by the clock. */
  heardAt: number;
  doubtedAt: number;
  /**
   * Whether it ever answered when it was asked; `never`: it works, and whom it was asked for is silent by nature; `in question`: it
   * works, did not answer before that became known, and is asked once more, since a busy computer hears answers late.
   */
  answers: 'not yet' | 'in question' | 'once' | 'never';
  /** When to ask again: it is dead, or nobody answered over any path. */
  retry: Timer | undefined;
  portal: PortalWatch | undefined;
  retryMs: number;
  /** How long it is waited for since it turned out that its queue was long, in milliseconds. */
  patienceMs: number;
  /** The last question which sizes of packets pass. */
  sizes: { readonly pass: Promise<SizesPass>; readonly askedAt: number; until: number } | undefined;
  /** When to ask again whether larger packets pass. */
  sizesAgain: Timer | undefined;
}

/** Which packets pass; `undefined`: nobody tells. */
type SizesPass = 'all' | 'small' | undefined;

/**
 * How every path is. A path is believed to work until somebody doubts it. Then it is asked several times over, and beside it the
 * others: it is dead when it is silent and another one is not. Where nobody answers over any
 * path it is not the paths. A path that is dead is asked again and again, ever more seldom, until it answers.
 */
export class HealthKeeper {
  readonly #options: HealthKeeperOptions;
  readonly #clock: Clock;
  readonly #patients = new Map<string, Patient>();
  readonly #stop = new AbortController();
  #target: ProbeTarget | undefined;

  constructor(options: HealthKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** What paths are asked to reach from now on; `undefined` for their own routers. */
  setTarget(target: ProbeTarget | undefined): void {
    this.#target = target;
    for (const patient of this.#patients.values()) patient.answers = 'not yet';
  }

  /** The paths that there are now. One that is new, or leads elsewhere, is asked; all dead ones are asked again. */
  usePaths(paths: readonly Path[]): void {
    for (const [name, patient] of this.#patients) {
      if (!paths.some(path => path.name === name)) this.#dismiss(name, patient);
    }
    for (const path of paths) {
      const patient = this.#patients.get(path.name);
      if (patient === undefined) this.#admit(path);
      else if (!this.#isToBeAsked(patient, path)) continue;
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
    if (patient === undefined || this.#stop.signal.aborted) return;
    patient.doubtedAt = this.#clock.now();
    if (patient.examination?.isOpen) return;
    this.#examine(patient);
    if (patient.judge.verdict.health === 'dead') return;
    // Who answers meanwhile tells that it is this path, and not what is asked.
    for (const other of this.#others(patient)) {
      if (other.judge.verdict.health !== 'dead' && !other.examination?.isOpen) this.#examine(other);
    }
  }

  /** A path answered somebody. @param rttMs in milliseconds */
  works(name: string, rttMs: number | undefined): void {
    const patient = this.#patients.get(name);
    if (patient === undefined) return;
    // Many routers drop what is not for them: then their silence says nothing of the way beyond.
    const isSilent = patient.examination?.outcome === 'silent' || patient.judge.verdict.health === 'dead';
    const isQuestion = this.#target === undefined && isSilent && patient.answers === 'not yet';
    this.#hear(patient, { kind: 'answer', rttMs });
    if (!isQuestion) return;
    patient.answers = 'in question';
    this.#examine(patient);
  }

  /** Something came over a path: it works, and no more is known. Costs nothing while that is no news. */
  alive(name: string): void {
    const patient = this.#patients.get(name);
    if (patient === undefined) return;
    if (patient.judge.verdict.health === 'dead') this.works(name, undefined);
    else this.#noteHeard(patient);
  }

  /**
   * Finds out whether packets as large as those of a connection pass over a path, by asking its other side. What was found is
   * believed for a while.
   *
   * @param anew Something speaks against what was found.
   */
  examineSizes(name: string, question: SizeQuestion, anew = false): Promise<SizesPass> {
    const patient = this.#patients.get(name);
    if (patient === undefined || this.#stop.signal.aborted) return Promise.resolve(undefined);
    const now = this.#clock.now();
    const { sizes: last } = patient;
    const believed = last && (anew ? last.askedAt + pathsLimits.sizesLeastMs : last.until);
    if (last !== undefined && believed !== undefined && now < believed) return last.pass;
    const { askSizes: ask = askSizes } = this.#options;
    const sizes = {
      pass: ask(patient.path, question, this.#stop.signal).then(pass => {
        if (patient.sizes !== sizes || this.#stop.signal.aborted) return pass;
        if (pass === undefined) sizes.until = this.#clock.now() + pathsLimits.sizesPauseMs;
        else this.#hear(patient, { kind: 'sizes', pass });
        if (patient.judge.verdict.takesSmallOnly) this.#askSizesLater(patient, question);
        return pass;
      }),
      askedAt: now,
      until: now + pathsLimits.sizesKeptMs,
    };
    patient.sizes = sizes;
    return sizes.pass;
  }

  /**
   * Asks those paths that are believed to work and were not heard from just now, so that what is said of them is true at
   * this moment. Fulfilled when that is known, or takes too long.
   */
  async freshen(): Promise<void> {
    const since = this.#clock.now() - pathsLimits.freshMs;
    const asked = [...this.#patients.values()].filter(
      ({ judge, heardAt }) => judge.verdict.health !== 'dead' && heardAt < since,
    );
    // With one path there is nothing to compare it with.
    if (asked.length === 0 || this.#patients.size < 2) return;
    for (const { path } of asked) this.doubt(path.name);
    const settled = asked.map(({ examination }) => examination?.settled);
    let timer: Timer | undefined;
    const late = new Promise<void>(resolve => {
      timer = this.#clock.after(pathsLimits.freshenMs, resolve);
    });
    await Promise.race([Promise.all(settled), late]);
    timer?.cancel();
  }

  close(): void {
    this.#stop.abort();
    for (const [name, patient] of this.#patients) this.#dismiss(name, patient);
  }

  #admit(path: Path): void {
    const patient: Patient = {
      path,
      judge: new HealthJudge(),
      examination: undefined,
      heardAt: Number.NEGATIVE_INFINITY,
      doubtedAt: Number.NEGATIVE_INFINITY,
      answers: 'not yet',
      retry: undefined,
      portal: undefined,
      retryMs: pathsLimits.deadRetryMs,
      patienceMs: 0,
      sizes: undefined,
      sizesAgain: undefined,
    };
    this.#patients.set(path.name, patient);
    this.#lookForPortal(patient);
  }

  /** Takes in how a known path is now. @returns Whether it is to be asked. */
  #isToBeAsked(patient: Patient, path: Path): boolean {
    const isElsewhere = patient.path.network !== path.network;
    patient.path = path;
    if (isElsewhere) {
      patient.examination?.end();
      patient.judge.forget();
      patient.sizes = undefined;
      patient.heardAt = Number.NEGATIVE_INFINITY;
      patient.answers = 'not yet';
      this.#lookForPortal(patient);
      return true;
    }
    patient.retryMs = pathsLimits.deadRetryMs;
    return patient.judge.verdict.health === 'dead';
  }

  #examine(patient: Patient): void {
    const { path, judge } = patient;
    patient.retry?.cancel();
    patient.examination?.end();
    patient.examination?.settle();
    const examination = new Examination({
      clock: this.#clock,
      windowMs: windowOf(patient),
      // Of a path that is dead one answer is all that is waited for.
      probes: judge.verdict.health === 'dead' ? 1 : pathsLimits.probesEach,
      ask: signal =>
        (this.#options.ask ?? probe)(path, this.#target, {
          timeoutMs: pathsLimits.probeMs,
          signal,
          onConnected: question => void this.examineSizes(path.name, question),
        }),
      onAnswer: evidence => {
        patient.answers = 'once';
        this.#hear(patient, evidence);
      },
      onSilence: () => this.#silent(patient),
    });
    patient.examination = examination;
  }

  /** A path did not answer in time. */
  #silent(patient: Patient): void {
    const { path, examination, judge } = patient;
    if (examination === undefined) return;
    if (patient.answers === 'never' || patient.answers === 'in question') {
      // A late answer is still heard.
      patient.answers = 'never';
      examination.settle();
      return;
    }
    // What came before the last doubt says nothing against it.
    const since = Math.max(examination.beganAt, patient.doubtedAt);
    if (judge.verdict.health !== 'dead' && this.#hasHeard(path, this.#clock.now() - since)) {
      // Its queue is full: what is asked waits behind what comes.
      examination.end();
      this.#hear(patient, { kind: 'answer', rttMs: undefined });
      return;
    }
    this.#askLater(patient);
    this.#judgeSilent(patient);
    for (const other of this.#others(patient)) this.#judgeSilent(other);
    this.#settle();
  }

  /** A silent path is dead when another one was heard from since it was asked. */
  #judgeSilent(patient: Patient): void {
    const { examination, judge, answers } = patient;
    if (examination?.outcome !== 'silent' || judge.verdict.health === 'dead' || answers === 'never') return;
    if (!this.#others(patient).some(({ heardAt }) => heardAt >= examination.beganAt)) return;
    this.#hear(patient, { kind: 'silence' });
  }

  /** Those who wait for an examination need not wait for others any more when all that are under way are over. */
  #settle(): void {
    const examinations = [...this.#patients.values()].flatMap(({ examination }) => examination ?? []);
    const isOpen = examinations.some(examination => examination.isOpen);
    for (const examination of examinations) {
      const isJudged = !examination.isOpen && examination.outcome !== 'silent';
      if (isJudged || !isOpen) examination.settle();
    }
    for (const { examination, judge } of this.#patients.values()) {
      if (judge.verdict.health === 'dead') examination?.settle();
    }
  }

  #hasHeard(path: Path, withinMs: number): boolean {
    try {
      return (this.#options.hasHeard ?? hasHeard)(path, withinMs);
    } catch {
      // A kernel that does not tell: then only the answers count.
      return false;
    }
  }

  #others(patient: Patient): Patient[] {
    return [...this.#patients.values()].filter(other => other !== patient);
  }

  /** A new network may have a portal; while it has, it is asked again and again whether the user has got past it. */
  #lookForPortal(patient: Patient): void {
    const { portalCheck, askPortal } = this.#options;
    patient.portal?.close();
    if (portalCheck === undefined || this.#stop.signal.aborted) return;
    patient.portal = new PortalWatch({
      path: () => patient.path,
      url: portalCheck,
      clock: this.#clock,
      ask: askPortal,
      onEvidence: evidence => this.#hear(patient, evidence),
    });
  }

  /** A path of small packets may become whole again. */
  #askSizesLater(patient: Patient, question: SizeQuestion): void {
    patient.sizesAgain?.cancel();
    patient.sizesAgain = this.#clock.after(pathsLimits.sizesAgainMs, () => {
      void this.examineSizes(patient.path.name, question, true);
    });
  }

  #askLater(patient: Patient): void {
    if (this.#stop.signal.aborted) return;
    patient.retry?.cancel();
    patient.retry = this.#clock.after(patient.retryMs, () => this.doubt(patient.path.name));
    patient.retryMs = Math.min(patient.retryMs * pathsLimits.deadRetryGrowth, pathsLimits.deadRetryMostMs);
  }

  #hear(patient: Patient, evidence: Evidence): void {
    notePatience(patient, evidence);
    const isNews = patient.judge.hear(evidence);
    if (evidence.kind !== 'silence') {
      patient.examination?.answered();
      patient.retry?.cancel();
      patient.retryMs = pathsLimits.deadRetryMs;
      this.#noteHeard(patient);
    }
    if (isNews) this.#tell(patient);
    this.#settle();
  }

  #noteHeard(patient: Patient): void {
    patient.heardAt = this.#clock.now();
    for (const other of this.#patients.values()) {
      if (other !== patient && other.examination?.outcome === 'silent') this.#judgeSilentLate(other);
    }
  }

  /** Another path is heard from after a silence that was not judged: what is old is asked anew, all may have come back. */
  #judgeSilentLate(patient: Patient): void {
    const { examination, judge, answers } = patient;
    if (examination === undefined || judge.verdict.health === 'dead' || answers === 'never') return;
    const isRecent = this.#clock.now() - examination.beganAt <= 2 * windowOf(patient);
    if (isRecent) this.#judgeSilent(patient);
    else this.#examine(patient);
  }

  #tell({ judge, path }: Patient): void {
    const { health, reason } = judge.verdict;
    const level = health === 'dead' || health === 'captive' ? 'warn' : 'info';
    const fields = { path: path.name, ...(reason === null ? {} : { reason }) };
    this.#options.logger[level](fields, `path ${path.name} is ${health}`);
    this.#options.onChange();
  }

  #dismiss(name: string, patient: Patient): void {
    patient.examination?.end();
    patient.examination?.settle();
    patient.retry?.cancel();
    patient.sizesAgain?.cancel();
    patient.portal?.close();
    this.#patients.delete(name);
  }
}

/** How long a path has to answer, in milliseconds: long for its round trips, short for whoever waits. */
function windowOf({ judge: { lateRttMs = 0, verdict }, patienceMs }: Patient): number {
  const { examineMs, examineMostMs } = pathsLimits;
  const { rttMs = 0 } = verdict;
  // A full queue may take longer still: then what comes over the path tells that it works, or a late answer does.
  return Math.max(examineMs, Math.min(lateRttMs + 150, examineMostMs), 2 * rttMs + 150, patienceMs);
}

/** A path that was taken for dead and answered late is given the time that it takes, as long as it takes that. */
function notePatience(patient: Patient, evidence: Evidence): void {
  if (evidence.kind !== 'answer' || evidence.rttMs === undefined) return;
  const { rttMs } = evidence;
  if (patient.judge.verdict.health === 'dead' && rttMs > windowOf(patient)) patient.patienceMs = 1.5 * rttMs;
  else if (rttMs < patient.patienceMs / 3) patient.patienceMs = 0;
}
