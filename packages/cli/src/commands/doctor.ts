import { type Config, ManypathError } from '@manypath/core';
import type { Command } from 'commander';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { type ConfigPlace, configPlace, loadConfig, withConfigOption } from '../config/index.ts';
import { examine } from '../doctor/doctor.ts';
import { doctorText } from '../doctor/doctor-text.ts';
import { RelayChoice, withRelayOption } from '../pairing/index.ts';
import { stateFolder } from '../state-folder.ts';
import { createLogger } from '../terminal/log.ts';

interface DoctorCommandOptions extends CommonOptions {
  relay?: string | false;
  config?: string;
  fix: boolean;
}

/** `manypath doctor`: what stops multipath here, one cause and one fix a line. */
export function addDoctorCommand(program: Command): void {
  withRelayOption(withConfigOption(withCommonOptions(program.command('doctor'))))
    .summary('find what stops multipath here, one cause and one fix a line')
    .description(
      'Looks at the kernel, the paths, what the kernel has counted, other programs, and at the way\n' +
        'to the relay over each path, if there is one. Exits with 1 when something is wrong.',
    )
    .option('--fix', 'do what is safe of what should be done', false)
    .action(runDoctor);
}

async function runDoctor(options: DoctorCommandOptions): Promise<void> {
  const stateDir = stateFolder(options.state);
  const config = configPlace(options.config);
  const choice = RelayChoice.of(options.relay, stateDir, createLogger(options.logLevel, options.json));
  const look = () => examine({ stateDir, relay: relayOf(choice, config), config });
  let findings = await look();
  const fixed: string[] = [];
  if (options.fix) {
    for (const { id, apply } of findings) if ((await apply?.()) === true) fixed.push(id);
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

/** The pairing of the relay to look at. What is wrong with the configuration is a finding of its own. */
function relayOf(choice: RelayChoice, place: ConfigPlace): string | undefined {
  let config: Config = {};
  try {
    config = loadConfig(place);
  } catch (error) {
    if (!ManypathError.is(error)) throw error;
  }
  return choice.with(config)?.pairing;
}
