import type { Command } from 'commander';
import { configPlace, withConfigOption } from '../config/index.ts';
import { examine } from '../doctor/doctor.ts';
import { doctorText } from '../doctor/doctor-text.ts';
import { type CommonOptions, withCommonOptions } from '../program.ts';
import { stateFolder } from '../state-folder.ts';

interface DoctorCommandOptions extends CommonOptions {
  relay?: string;
  config?: string;
  fix: boolean;
}

/** `manypath doctor`: what stops multipath here, one cause and one fix a line. */
export function addDoctorCommand(program: Command): void {
  withConfigOption(withCommonOptions(program.command('doctor')))
    .summary('find what stops multipath here, one cause and one fix a line')
    .description(
      'Looks at the kernel, the paths, what the kernel has counted, other programs, and with --relay\n' +
        'at the way to the relay over each path. Exits with 1 when something is wrong.',
    )
    .option('--relay <pairing>', 'also look at the way to this relay')
    .option('--fix', 'do what is safe of what should be done', false)
    .action(runDoctor);
}

async function runDoctor(options: DoctorCommandOptions): Promise<void> {
  const look = () =>
    examine({
      stateDir: stateFolder(options.state),
      relay: options.relay,
      config: configPlace(options.config),
    });
  let findings = await look();
  const fixed: string[] = [];
  if (options.fix) {
    for (const { id, apply } of findings) if (apply?.() === true) fixed.push(id);
    if (fixed.length > 0) findings = await look();
  }
  if (options.json) {
    const checks = findings.map(({ id, ok, cause, fix }) => ({ id, ok, cause, fix }));
    process.stdout.write(`${JSON.stringify({ checks, ...(options.fix ? { fixed } : {}) })}\n`);
  } else {
    process.stdout.write(doctorText(findings));
    if (fixed.length > 0) process.stdout.write(`Put right: ${fixed.join(', ')}.\n`);
  }
  process.exitCode = findings.every(({ ok }) => ok) ? 0 : 1;
}
