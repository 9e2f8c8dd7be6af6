/** Where rooms write what happens; the shape of pino and of many others: fields first, then the message. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

const nowhere = (): void => {};

/** Writes nothing. */
export const silentLogger: Logger = { debug: nowhere, info: nowhere, warn: nowhere };
