import type { StreamWish } from '@manypath/core';

/** Version of the messages on this page. */
export const portVersion = 1;

/** What a page says first, to the frame of the extension, with two ports: one for streams, one for news of their life. */
export interface ConnectMessage {
  readonly manypath: 'connect';
  readonly version: number;
}

/** What the frame says on the port of life. */
export type LifeMessage =
  /** The frame is there. */
  | { readonly kind: 'frame' }
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
