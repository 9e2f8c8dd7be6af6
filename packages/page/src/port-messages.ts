import type { StreamWish } from '@manypath/core';

/** Version of the messages on this page. */
export const portVersion = 2;

/** What a page says first, to itself, where the extension's script hears it; with a port for {@link AskAnswer}. */
export interface AskMessage {
  readonly manypath: 'ask';
  /** What it wants to reach; empty for a program. */
  readonly wishes: readonly StreamWish[];
}

/** The answer. Pages that the user allowed nothing get none, as where there is no extension. */
export interface AskAnswer {
  readonly kind: 'admitted';
}

/** What a page says then, with two ports: one for streams, one for news of their life. */
export interface ConnectMessage {
  readonly manypath: 'connect';
  readonly version: number;
}

/** What comes on the port of life. */
export type LifeMessage =
  /** The way is open. */
  | { readonly kind: 'open' }
  /** This page cannot have streams; `reason` is for people. */
  | { readonly kind: 'unable'; readonly reason: string }
  /** The worker of the extension that carried the streams has ended. */
  | { readonly kind: 'lost' };

/** Frames of docs/STREAMS.md, on the port for streams in both directions: as many as there were at once. */
export type FramesMessage = readonly ArrayBuffer[];

/** Frames of one message at most. */
export const mostFrames = 64;
/** Bytes from which on frames do not wait for more to go with them: Chromium handles messages above 64 KiB slower byte for byte. */
export const burstBytes = 32_768;

/** What a page says besides. */
export interface AccessMessage {
  readonly kind: 'access';
  readonly id: number;
  readonly wishes: readonly StreamWish[];
}

/** What it is answered besides; and numbers: of bytes that were taken in. */
export type SwitchMessage =
  | { readonly kind: 'ready' }
  /** There is no gateway, or it went away: every stream is over. */
  | { readonly kind: 'away'; readonly reason: string }
  | { readonly kind: 'access'; readonly id: number; readonly granted: boolean; readonly reason: string };
