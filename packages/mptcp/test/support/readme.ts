import { readFileSync } from 'node:fs';

/** An example of the README: its code, and what it says it prints. */
export interface Example {
  /** First line of the README it stands on, and what is asked for to run it. */
  line: number;
  needsRoot: boolean;
  code: string;
  prints: string[];
}

/** Every JavaScript example of the README. What follows `// →` is what that line prints. */
export function readmeExamples(): Example[] {
  const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const fence = /^```(js|ts|javascript|typescript)( needs-root)?\n(.*?)^```$/gms;
  return [...text.matchAll(fence)].map(match => {
    const code = match[3] ?? '';
    return {
      line: text.slice(0, match.index).split('\n').length,
      needsRoot: match[2] !== undefined,
      code,
      prints: [...code.matchAll(/\/\/ → (.*)$/gm)].map(found => found[1] ?? ''),
    };
  });
}

/** Runs an example as it stands and gives what it printed. `given` are variables that it may use besides its imports. */
export async function runExample({ code }: Example, given: Record<string, unknown> = {}): Promise<string[]> {
  const printed: string[] = [];
  const log = (...values: unknown[]): void => void printed.push(values.join(' '));
  const load = (name: string): Promise<unknown> =>
    name === '@manypath/mptcp' ? import('../../src/index.ts') : import(name);
  const AsyncFunction = (async () => {}).constructor as new (
    ...parameters: string[]
  ) => (...values: unknown[]) => Promise<void>;
  const run = new AsyncFunction('console', 'load', ...Object.keys(given), withoutImports(code));
  await run({ log }, load, ...Object.values(given));
  // Callbacks that an example leaves behind print, too.
  for (let i = 0; i < 5; i++) await new Promise(resolve => setTimeout(resolve, 10));
  return printed;
}

/** Static imports as dynamic ones, which a function body may have. */
function withoutImports(code: string): string {
  return code
    .replace(/^import (\w+) from '([^']+)';$/gm, "const { default: $1 } = await load('$2');")
    .replace(/^import \{([^}]+)\} from '([^']+)';$/gm, "const {$1} = await load('$2');");
}
