/**
 * Writes what a command found out, for scripts: one JSON object a line on stdout.
 *
 * Without `--json` nothing is written here; people read stderr and the command's own text.
 */
export class EventOutput {
  readonly enabled: boolean;

  constructor(enabled: boolean) {
    this.enabled = enabled;
  }

  emit(event: { event: string } & Record<string, unknown>): void {
    if (this.enabled) process.stdout.write(`${JSON.stringify(event)}\n`);
  }
}
