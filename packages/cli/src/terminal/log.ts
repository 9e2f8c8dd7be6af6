import type { Logger } from '@manypath/core';
import { pino } from 'pino';
import { withOwnCommand } from './own-command.ts';
import { columnsOf, wrapText } from './wrap.ts';

/** What a command logs to: as every room does, and errors that end it. */
export interface CommandLogger extends Logger {
  error(fields: object, message: string): void;
}

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Logs to stderr, so that stdout stays free for `--json`: JSON lines for scripts, short lines for people.
 *
 * @param level The least important level still written.
 * @param json Whether to write JSON lines.
 */
export function createLogger(level: LogLevel, json: boolean): CommandLogger {
  const destination = json ? process.stderr : { write: writeForPeople };
  return pino({ level, base: null, timestamp: json ? pino.stdTimeFunctions.isoTime : false }, destination);
}

const levelWords: Record<number, string> = { 20: 'debug: ', 30: '', 40: 'warning: ', 50: 'error: ' };

/** Writes a line to stderr that says whose it is; on a terminal it is broken between words. */
export function sayToPeople(text: string): void {
  const lines = wrapText(text, { lead: 'manypath: ', next: '  ', columns: columnsOf(process.stderr) });
  process.stderr.write(`${lines.join('\n')}\n`);
}

function writeForPeople(line: string): void {
  const { level, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown> & { level: number };
  const details = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
  const suffix = details.length > 0 ? ` (${details.join(', ')})` : '';
  sayToPeople(`${levelWords[level] ?? ''}${withOwnCommand(`${msg}${suffix}`)}`);
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.map(plain).join(' ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
