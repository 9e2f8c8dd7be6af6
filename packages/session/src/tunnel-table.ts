import { SessionProtocolError } from './errors.ts';
import type { SessionEnd } from './session-events.ts';
import type { Tunnel } from './tunnel.ts';
import { TunnelNumbers } from './tunnel-numbers.ts';

const lastNumber = 0xffff_ffff;

/** The tunnels of a session, and which numbers were given: odd ones by the gateway, even ones by the relay, each once. */
export class TunnelTable {
  readonly #tunnels = new Map<number, Tunnel>();
  readonly #isOurs: (number: number) => boolean;
  readonly #theirs: TunnelNumbers;
  #next: number;
  /** Numbers of tunnels that were over before their opening was sent. */
  readonly #unused: number[] = [];

  constructor(end: SessionEnd) {
    const first = end === 'gateway' ? 1 : 2;
    this.#next = first;
    this.#theirs = new TunnelNumbers(3 - first);
    this.#isOurs = number => number % 2 === first % 2;
  }

  /** Those that are open, by their numbers. */
  get all(): ReadonlyMap<number, Tunnel> {
    return this.#tunnels;
  }

  /** Whether there is no number left for a new one. */
  get isUsedUp(): boolean {
    return this.#next > lastNumber && this.#unused.length === 0;
  }

  /** A number for a tunnel of this end. */
  takeNumber(): number {
    const unused = this.#unused.pop();
    if (unused !== undefined) return unused;
    const number = this.#next;
    this.#next += 2;
    return number;
  }

  /** Whether the other end may open a tunnel with this number. */
  isTheirs(number: number): boolean {
    return number !== 0 && !this.#isOurs(number);
  }

  /** Whether the other end has opened it, be it over or not. */
  wasOpened(number: number): boolean {
    return this.#theirs.has(number);
  }

  /** How many numbers of the other end were seen before others that are given earlier. */
  get ahead(): number {
    return this.#theirs.waiting;
  }

  add(tunnel: Tunnel): void {
    this.#tunnels.set(tunnel.id, tunnel);
    if (!tunnel.isOurs) this.#theirs.add(tunnel.id);
  }

  /**
   * The tunnel that a frame of the other end is for; `undefined` when it is over.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`, the other end cannot know of it
   */
  find(number: number): Tunnel | undefined {
    const tunnel = this.#tunnels.get(number);
    const wasOpened =
      tunnel?.isOpened ?? (this.#isOurs(number) ? number < this.#next : this.#theirs.has(number));
    if (!wasOpened) throw new SessionProtocolError(`tunnel ${number} was never opened`);
    return tunnel;
  }

  /** It is over. */
  delete(tunnel: Tunnel): void {
    if (this.#tunnels.delete(tunnel.id) && !tunnel.isOpened) this.#unused.push(tunnel.id);
  }

  /** Takes all out. */
  clear(): Tunnel[] {
    const tunnels = [...this.#tunnels.values()];
    this.#tunnels.clear();
    return tunnels;
  }
}
