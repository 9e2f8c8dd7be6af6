import type { StreamWish } from '@manypath/core';

/** On which the script in a page asks the worker, once for each {@link DoorQuestion}. */
export const doorPort = 'door';
/** On which it carries the streams of a page that can have no frame. */
export const bridgePort = 'bridge';

export interface DoorQuestion {
  readonly wishes: readonly StreamWish[];
}

/** The page may know that the extension is there. Where it may not, the port is closed without an answer. */
export interface DoorAnswer {
  /** How the frame names its page to the worker. */
  readonly document: string;
  /** Of the messages between pages and the extension. */
  readonly version: number;
}
