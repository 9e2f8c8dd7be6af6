import type { Command } from 'commander';
export function addDemoCommand(_p: Command): void {}
