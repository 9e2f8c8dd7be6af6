#!/usr/bin/env node
import { createProgram } from './program.ts';
import { describeFailure } from './terminal/failure.ts';
import { columnsOf } from './terminal/wrap.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  process.stderr.write(`${describeFailure(error, columnsOf(process.stderr))}\n`);
  process.exitCode = 1;
}
