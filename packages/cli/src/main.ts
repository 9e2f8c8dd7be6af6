#!/usr/bin/env node
import { complaintAbout } from './node-version.ts';

// Only afterwards what an older Node cannot even load.
const complaint = complaintAbout(process.versions.node);
if (complaint === undefined) {
  const { runCommand } = await import('./run-command.ts');
  await runCommand();
} else {
  process.stderr.write(`manypath: ${complaint}\n`);
  process.exitCode = 69;
}
