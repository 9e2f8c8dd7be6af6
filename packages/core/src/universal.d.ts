/**
 * The few globals that Node and every browser context share. `core` is compiled without Node's and the DOM's
 * types, so that neither can leak in; what it may use is listed here.
 */
declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(input?: Uint8Array): string;
}
declare function setTimeout(callback: () => void, milliseconds: number): unknown;
declare function clearTimeout(handle: unknown): void;
declare const performance: { now(): number };
declare function atob(data: string): string;
declare function btoa(data: string): string;
