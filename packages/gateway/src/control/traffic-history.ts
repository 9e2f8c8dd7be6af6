import type { Carried, Clock, Timer, TrafficHistory } from '@manypath/core';

/** What {@link TrafficRecorder} keeps. */
export interface TrafficRecorderLimits {
  /** Between two figures, in milliseconds. */
  readonly historyStepMs: number;
  /** Figures that are kept. */
  readonly historySteps: number;
}

interface Track {
  last: Carried;
  readonly down: number[];
  readonly up: number[];
}

/**
 * Keeps how fast each path was in the last minutes. It looks only while there is something to see: without connections
 * no timer runs, and the time in between counts as nothing moved.
 */
export class TrafficRecorder {
  readonly #clock: Clock;
  readonly #limits: TrafficRecorderLimits;
  readonly #carried: () => ReadonlyMap<string, Carried>;
  readonly #tracks = new Map<string, Track>();
  #takenAt: number;
  #timer: Timer | undefined;
  #isBusy: () => boolean = () => false;

  constructor(clock: Clock, limits: TrafficRecorderLimits, carried: () => ReadonlyMap<string, Carried>) {
    this.#clock = clock;
    this.#limits = limits;
    this.#carried = carried;
    this.#takenAt = clock.now();
  }

  /** Looks once a step for as long as `isBusy` says so; to be called when something begins. */
  watch(isBusy: () => boolean): void {
    this.#isBusy = isBusy;
    if (this.#timer !== undefined) return;
    this.#take();
    this.#later();
  }

  history(): TrafficHistory {
    this.#take();
    const paths = [...this.#tracks].map(([name, { down, up }]) => ({ name, down: [...down], up: [...up] }));
    return { stepMs: this.#limits.historyStepMs, paths };
  }

  close(): void {
    this.#timer?.cancel();
    this.#isBusy = () => false;
  }

  #later(): void {
    this.#timer = this.#clock.after(this.#limits.historyStepMs, () => {
      this.#timer = undefined;
      this.#take();
      if (this.#isBusy()) this.#later();
    });
  }

  /** Fills in the steps since the last look. Timers are late: what came belongs to the last step or to all alike. */
  #take(): void {
    const { historyStepMs, historySteps } = this.#limits;
    const now = this.#clock.now();
    // A look that comes a little early counts as the step it was made for.
    const steps = Math.floor((now - this.#takenAt) / historyStepMs + 0.05);
    if (steps < 1) return;
    const seconds = (now - this.#takenAt) / 1000;
    this.#takenAt = now;
    const carried = this.#carried();
    for (const [name, { bytesIn, bytesOut }] of carried) {
      const track = this.#tracks.get(name) ?? this.#begin(name);
      const down = Math.max(0, bytesIn - track.last.bytesIn) / seconds;
      const up = Math.max(0, bytesOut - track.last.bytesOut) / seconds;
      track.last = { bytesIn, bytesOut };
      append(track.down, Math.round(down), Math.min(steps, historySteps), historySteps);
      append(track.up, Math.round(up), Math.min(steps, historySteps), historySteps);
    }
  }

  #begin(name: string): Track {
    const nothing = () => new Array<number>(this.#limits.historySteps).fill(0);
    const track: Track = { last: { bytesIn: 0, bytesOut: 0 }, down: nothing(), up: nothing() };
    this.#tracks.set(name, track);
    return track;
  }
}

function append(figures: number[], figure: number, times: number, most: number): void {
  for (let time = 0; time < times; time++) figures.push(figure);
  figures.splice(0, figures.length - most);
}
