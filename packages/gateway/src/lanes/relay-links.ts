import { isDeepStrictEqual } from 'node:util';
import type { Pairing, RelayStatus } from '@manypath/core';
import { RelayAwayError } from '../errors.ts';
import { RelayLink, type RelayLinkOptions } from './relay-link.ts';

/** What every link works with, whichever relay it leads to. */
export type RelayLinksOptions = Omit<RelayLinkOptions, 'pairing' | 'aheadBytes' | 'surveys'>;

/**
 * The links to the relay that connections go by now: one for everything, and one for streams of web pages, whose readers may be
 * slow, made when the first one needs it. When another relay takes its place, what is open stays with the old one until it ends.
 */
export class RelayLinks {
  readonly #options: RelayLinksOptions;
  #pairing: Pairing | undefined;
  #link: RelayLink | undefined;
  #linkForStreams: RelayLink | undefined;

  constructor(options: RelayLinksOptions) {
    this.#options = options;
  }

  /** The one that new connections go by; `undefined` while there is no relay. */
  get current(): RelayLink | undefined {
    return this.#link;
  }

  /**
   * The same for streams of web pages.
   *
   * @throws RelayAwayError `MANYPATH_RELAY_AWAY` when there is no relay
   */
  forStreams(): RelayLink {
    const pairing = this.#pairing;
    if (pairing === undefined) throw new RelayAwayError('', 'there is none');
    const { onChange: _, limits, ...options } = this.#options;
    this.#linkForStreams ??= new RelayLink({
      ...options,
      pairing,
      limits: { ...limits, streamWindowBytes: limits.streamAheadBytes, lanesLeast: 1 },
      aheadBytes: limits.streamAheadBytes,
      surveys: false,
    });
    return this.#linkForStreams;
  }

  /** Takes another relay, or none, for what is opened from now on. The same one stays as it is. */
  use(pairing: Pairing | undefined): void {
    if (isDeepStrictEqual(pairing, this.#pairing)) return;
    for (const link of this.#all()) link.retire();
    this.#linkForStreams = undefined;
    this.#pairing = pairing;
    this.#link = pairing && new RelayLink({ ...this.#options, pairing });
  }

  /** What is told of the relay, with the lanes of both links; `null` when there is none. */
  status(): RelayStatus | null {
    const status = this.#link?.status();
    if (status === undefined) return null;
    return { ...status, lanes: [...status.lanes, ...(this.#linkForStreams?.status().lanes ?? [])] };
  }

  /** To be called when links, addresses or routes of this host changed. */
  networkChanged(): void {
    for (const link of this.#all()) link.networkChanged();
  }

  /** To be called when paths are thought of otherwise than before. */
  healthChanged(): void {
    for (const link of this.#all()) link.healthChanged();
  }

  close(): void {
    for (const link of this.#all()) link.close();
  }

  #all(): RelayLink[] {
    return [this.#link, this.#linkForStreams].filter(link => link !== undefined);
  }
}
