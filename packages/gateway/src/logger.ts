/** Where the gateway writes what happens; the shape of pino and of many others: fields first, then the message. */
export interface GatewayLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

const nowhere = (): void => {};

/** Writes nothing. */
export const silentLogger: GatewayLogger = { debug: nowhere, info: nowhere, warn: nowhere };
